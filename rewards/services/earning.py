"""Events become decisions and rewards.

One function takes one event or a hundred of one organization, from whatever source. Everything it writes is one
transaction: killed before the commit there is no event, and whoever reported it reports it again; after it there is
the event with all its decisions and rewards. Reported twice, at once or a year later, the unique keys of
QualifyingEvent let the first through and answer the others as duplicates.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from participants.models import QualifyingEvent
from participants.reversals import events_with_reversals
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from rewards.errors import EventRefused, RewardsError, TransactionConflict
from rewards.models import Decision, Reward
from rewards.services.door import totals_last
from rewards.services.judging import NOT_ACTIVE, EventReport, EventResult, Judge
from rewards.services.reversing import events_settle, transactions_lock

__all__ = [
    "DUPLICATE",
    "EventReport",
    "EventResult",
    "decisions_and_rewards",
    "event_record",
    "events_ask_again",
    "events_record",
]

DUPLICATE = "DUPLICATE"


def event_record(*, organization: Organization, report: EventReport, actor: str) -> EventResult:
    """Record one event. Raises EventRefused or TransactionConflict."""
    result = events_record(organization=organization, reports=[report], actor=actor)[0]
    if isinstance(result, RewardsError):
        raise result
    return result


@transaction.atomic
def events_record(
    *, organization: Organization, reports: Sequence[EventReport], actor: str
) -> list[EventResult | RewardsError]:
    """Record events, in the order given; for each its result, or the error that refuses it and nothing of it.

    Payments' reports come from a caller that holds their transactions' locks already (paying.py).
    """
    transactions_lock(
        organization,
        (report.transaction_id for report in reports if report.transaction_id and report.payment_id is None),
    )
    with totals_last(organization):
        return _record(organization, reports, actor)


def _record(organization: Organization, reports: Sequence[EventReport], actor: str) -> list[EventResult | RewardsError]:
    judge = Judge(organization, actor, clock.now(organization))
    reports = _under_their_events_ids(reports)
    judge.load(
        campaign_ids={report.campaign_id for report in reports},
        participant_ids={report.participant_id for report in reports},
    )
    answers: dict[int, EventResult | RewardsError] = {}
    accepted: dict[int, QualifyingEvent] = {}
    inactive: dict[int, EventRefused] = {}
    first_of: dict[tuple[object, ...], int] = {}
    for position, report in enumerate(reports):
        try:
            judge.check(report)
        except EventRefused as refusal:
            # A repeat may well come when the campaign has ended: it is answered as one, if it is one.
            (inactive if refusal.code == NOT_ACTIVE else answers)[position] = refusal
            continue
        if report.key not in first_of:
            first_of[report.key] = position
            accepted[position] = judge.new_event(report)
    inserted = _insert(accepted.values())
    fresh = {position: event for position, event in accepted.items() if event.pk in inserted}
    results = judge.judge({position: (reports[position], event) for position, event in fresh.items()})
    _settle_what_is_reversed(organization, results.values(), actor)
    answers |= results
    repeats = {position: report for position, report in enumerate(reports) if position not in answers}
    recognised = _recognise(repeats)
    for position in repeats:
        answers[position] = recognised.get(position) or inactive.get(position) or _undone_meanwhile()
    return [answers[position] for position in range(len(reports))]


@transaction.atomic
def events_ask_again(*, organization: Organization, events: Sequence[QualifyingEvent], actor: str) -> list[Reward]:
    """Who referred the participants came to light after their events had counted: ask again what failed for want of it.

    What the events earned otherwise stands. Asking twice changes nothing the second time, since no decision is
    `not_referred` any more.
    """
    judge = Judge(organization, actor, clock.now(organization))
    judge.load(
        campaign_ids={event.campaign_id for event in events}, participant_ids={event.participant_id for event in events}
    )
    rewards: list[Reward] = []
    decisions, _ = decisions_and_rewards([event.pk for event in events])
    for event in events:
        failed = [decision for decision in decisions[event.pk] if decision.code == "not_referred"]
        if failed and judge.participants[event.participant_id].referred_by_id is not None:
            rewards += judge.judge_again(event, failed)
    return rewards


def _under_their_events_ids(reports: Sequence[EventReport]) -> list[EventReport]:
    """Reports that name an event by another id than it has, under the id that it has. Two queries.

    A payment counted as `pi_1` is the same occurrence when the API tells of it as `in_1`, or by the tenant's own
    transaction id that a later message of the provider carried. So is what was told as `ord_1` until that was found to
    be `pi_1`. A payment's other ids are looked at before it is reported (recognising.py).
    """
    told = {report.transaction_id for report in reports if report.payment_id is None and report.transaction_id}
    if not told:
        return list(reports)
    here = QualifyingEvent.objects.filter(campaign__in={report.campaign_id for report in reports})
    late = here.filter(transaction_id__in=told, same_as__isnull=False)
    paid = here.filter(payment__references__value__in=told).exclude(undone_at__isnull=False, same_as__isnull=True)
    ids: dict[tuple[UUID, str | None], str | None] = {}
    for campaign_id, value, transaction_id in (
        *late.values_list("campaign", "transaction_id", "same_as__transaction_id"),
        *paid.values_list(
            "campaign", "payment__references__value", Coalesce("same_as__transaction_id", "transaction_id")
        ),
    ):
        ids[campaign_id, value] = transaction_id
    return [
        replace(report, transaction_id=ids[report.campaign_id, report.transaction_id])
        if report.payment_id is None and (report.campaign_id, report.transaction_id) in ids
        else report
        for report in reports
    ]


def _settle_what_is_reversed(organization: Organization, results: Iterable[EventResult], actor: str) -> None:
    """Refunds and disputes that came before their payment count now."""
    by_event = {result.event.pk: result for result in results}
    reversed_ones = events_with_reversals([result.event for result in by_event.values()])
    if not reversed_ones:
        return
    events_settle(organization=organization, event_ids=reversed_ones, actor=actor)
    nets = dict(QualifyingEvent.objects.filter(pk__in=reversed_ones).values_list("pk", "net_amount"))
    rewards = decisions_and_rewards(list(reversed_ones))[1]
    for event_id, net in nets.items():
        by_event[event_id].event.net_amount = net
        by_event[event_id].rewards = rewards[event_id]


def _undone_meanwhile() -> RewardsError:
    # What kept the row from being inserted was there a moment ago: somebody undid that event in between.
    return TransactionConflict("The event was undone at the same moment. Report it again.")


def _insert(events: Any) -> set[UUID]:
    """Insert what isn't there yet, and answer which that was.

    A concurrent transaction with the same key makes this statement wait for its end; if it committed, the row is
    skipped here and recognised as a repeat.
    """
    rows = list(events)
    if not rows:
        return set()
    QualifyingEvent.objects.bulk_create(rows, ignore_conflicts=True)
    return set(QualifyingEvent.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))


def _recognise(repeats: Mapping[int, EventReport]) -> dict[int, EventResult | RewardsError]:
    """Answer those reports whose event is on record already, with the first one's decisions and rewards."""
    if not repeats:
        return {}
    found = Q()
    for report in repeats.values():
        found |= _same(report)
    known = {
        _key_of(event): event
        for event in QualifyingEvent.objects.filter(found, undone_at__isnull=True).select_related(
            "campaign", "participant"
        )
    }
    decisions, rewards = decisions_and_rewards([event.pk for event in known.values()])
    answers: dict[int, EventResult | RewardsError] = {}
    for position, report in repeats.items():
        event = known.get(report.key)
        if event is None:
            continue
        if event.participant_id != report.participant_id:
            answers[position] = TransactionConflict(
                f"Transaction {report.transaction_id} was reported for another participant of this campaign."
            )
            continue
        differs = (report.amount, report.currency) != (event.amount, event.currency)
        QualifyingEvent.objects.filter(pk=event.pk).update(
            # The payment of what was reported otherwise first: its refunds are this event's from now on.
            payment_id=event.payment_id or report.payment_id,
            repeats=F("repeats") + 1,
            differs=event.differs or differs,
        )
        answers[position] = EventResult(event, DUPLICATE, differs, decisions[event.pk], rewards[event.pk])
    return answers


def _same(report: EventReport) -> Q:
    if report.transaction_id is not None:
        return Q(campaign=report.campaign_id, transaction_id=report.transaction_id)
    return Q(
        campaign=report.campaign_id, participant=report.participant_id, type=report.type, transaction_id__isnull=True
    )


def _key_of(event: QualifyingEvent) -> tuple[object, ...]:
    if event.transaction_id is not None:
        return (event.campaign_id, event.transaction_id)
    return (event.campaign_id, event.participant_id, event.type)


def decisions_and_rewards(
    event_ids: Sequence[UUID],
) -> tuple[dict[UUID, list[Decision]], dict[UUID, list[Reward]]]:
    """The decisions and rewards of events, by event, in two queries."""
    decisions: dict[UUID, list[Decision]] = defaultdict(list)
    for decision in (
        Decision.objects.filter(event__in=event_ids).select_related("rule").order_by("rule__position", "id")
    ):
        decisions[decision.event_id].append(decision)
    rewards: dict[UUID, list[Reward]] = defaultdict(list)
    for reward in Reward.objects.filter(event__in=event_ids).select_related("rule").order_by("id"):
        assert reward.event_id is not None
        rewards[reward.event_id].append(reward)
    return decisions, rewards
