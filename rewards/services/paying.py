"""Payments count: each becomes a qualifying event in every campaign that it matches, once.

One transaction of the caller's, and its locks in the order of docs/locking.md: what is on record of the payments is
recognised, then people are attributed, events recorded, and what was reversed is settled; totals come last of all.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import transaction

from participants.attributing import payments_attribute
from participants.models import Attribution, Participant, Payment, QualifyingEvent
from participants.reversals import ReversalReport, reversals_store
from referral_rocket.accounts.models import Organization
from rewards.errors import EventRefused, RewardsError
from rewards.services.door import totals_last
from rewards.services.earning import DUPLICATE, EventReport, EventResult, events_ask_again, events_record
from rewards.services.recognising import Recognised, payments_recognise
from rewards.services.reversing import budgets_lock_early, payments_settle

EVENT_TYPE = "purchase"
ACTOR = "system:payments"


@dataclass(frozen=True)
class PaymentReversed:
    """A refund or dispute that a provider told of a payment."""

    payment: Payment
    report: ReversalReport


@transaction.atomic
def payments_count(
    *, organization: Organization, payments: Sequence[Payment], reversals: Sequence[PaymentReversed] = ()
) -> dict[UUID, list[str]]:
    """Record the payments as events where they match, and say for each payment, in words, what came of it.

    The reversals are of payments among them. Everything may be done again: it ends in the same state.
    """
    with totals_last(organization):
        recognised = payments_recognise(organization=organization, payments=payments)
        reversals_store(
            organization=organization, reports=[(each.payment, each.report) for each in reversals], actor=ACTOR
        )
        budgets_lock_early(payments)
        said = _record(organization, payments, recognised)
        payments_settle(organization=organization, payments=payments, actor=ACTOR, recognised=recognised.undone)
    return said


def _record(organization: Organization, payments: Sequence[Payment], recognised: Recognised) -> dict[UUID, list[str]]:
    said: dict[UUID, list[str]] = defaultdict(list)
    reports: list[tuple[Payment, EventReport]] = []
    told = [payment for payment in payments if not _obstacle(payment)]
    attributed = payments_attribute(organization=organization, payments=told, actor=ACTOR)
    for payment in payments:
        if payment.pk not in attributed:
            said[payment.pk].append(_obstacle(payment))
            continue
        whose = attributed[payment.pk]
        if not whose.participants:
            said[payment.pk].append("The payment is of nobody who takes part in a campaign.")
        reports += [
            (payment, _report(payment, participant, own_code=whose.own_code)) for participant in whose.participants
        ]
    known = recognised.counted
    late = _earned_late(organization, [known[place] for place in _places(reports) if place in known])
    fresh = [
        (payment, _under_its_event_s_id(report, recognised.told.get((payment.pk, report.campaign_id))))
        for payment, report in reports
        if (payment.pk, report.campaign_id) not in known
    ]
    results = events_record(organization=organization, reports=[report for _, report in fresh], actor=ACTOR)
    for payment, report in reports:
        if (payment.pk, report.campaign_id) in known:
            said[payment.pk].append(_words_again(late[known[payment.pk, report.campaign_id].pk]))
    for (payment, _), result in zip(fresh, results, strict=True):
        said[payment.pk].append(_words(result))
    return dict(said)


def _obstacle(payment: Payment) -> str:
    if payment.amount is None:
        return "It joins ids of a payment that hasn't been told yet."
    if payment.amount == 0:
        return "Nothing was paid, and a payment of 0 qualifies for nothing."
    return ""


def _places(reports: Iterable[tuple[Payment, EventReport]]) -> list[tuple[UUID, UUID]]:
    return list(dict.fromkeys((payment.pk, report.campaign_id) for payment, report in reports))


def _under_its_event_s_id(report: EventReport, event: QualifyingEvent | None) -> EventReport:
    return report if event is None else replace(report, transaction_id=event.transaction_id)


def _earned_late(organization: Organization, known: Iterable[QualifyingEvent]) -> Counter[UUID]:
    """Rewards by event of payments whose code came in a later message than the one by which they were counted."""
    # Read after attributing: the referrer may have been set just now.
    referred = list(
        QualifyingEvent.objects.filter(pk__in=[event.pk for event in known], participant__referred_by__isnull=False)
    )
    rewards = events_ask_again(organization=organization, events=referred, actor=ACTOR) if referred else []
    return Counter(reward.event_id for reward in rewards if reward.event_id is not None)


def _words_again(earned: int) -> str:
    if not earned:
        return "It is a payment that has counted already."
    return f"Its code came after it had counted: earned {earned} reward{'s' if earned > 1 else ''}."


def _report(payment: Payment, participant: Participant, *, own_code: bool) -> EventReport:
    return EventReport(
        campaign_id=participant.campaign_id,
        participant_id=participant.pk,
        source=payment.source,
        type=EVENT_TYPE,
        transaction_id=payment.transaction_id,
        amount=payment.amount,
        currency=payment.currency,
        occurred_at=payment.occurred_at,
        country=payment.country,
        tax=payment.tax,
        shipping=payment.shipping,
        discount=payment.discount,
        metadata=payment.metadata,
        items=payment.items,
        payment_id=payment.pk,
        own_code=own_code and payment.attributed_by == Attribution.REFERRAL_CODE,
    )


def _words(result: EventResult | RewardsError) -> str:
    if isinstance(result, EventRefused):
        return result.message
    if isinstance(result, RewardsError):
        return f"{result.message} It was not counted again."
    campaign = result.event.campaign.name
    if result.outcome == DUPLICATE:
        return f"{campaign}: this transaction was reported before and counts once."
    if result.rewards:
        return f"{campaign}: earned {len(result.rewards)} reward{'s' if len(result.rewards) > 1 else ''}."
    return f"{campaign}: no reward. " + " ".join(dict.fromkeys(decision.message for decision in result.decisions))
