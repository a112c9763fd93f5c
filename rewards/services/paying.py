"""Payments count: each becomes a qualifying event in every campaign that it matches, once."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from participants.attributing import payments_attribute
from participants.models import Attribution, Participant, Payment, QualifyingEvent
from referral_rocket.accounts.models import Organization
from rewards.errors import EventRefused, RewardsError
from rewards.services.earning import DUPLICATE, EventReport, EventResult, events_ask_again, events_record

EVENT_TYPE = "purchase"
ACTOR = "system:payments"


def payments_count(*, organization: Organization, payments: Sequence[Payment]) -> dict[UUID, list[str]]:
    """Record the payments as events where they match, and say for each payment, in words, what came of it."""
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
    known = _known([payment for payment, _ in reports])
    late = _earned_late(organization, known.values())
    fresh = [(payment, report) for payment, report in reports if (payment.pk, report.campaign_id) not in known]
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


def _known(payments: Sequence[Payment]) -> dict[tuple[UUID, UUID], QualifyingEvent]:
    """Events on record, by payment and campaign."""
    rows = QualifyingEvent.objects.filter(payment__in=payments, undone_at__isnull=True).select_related("participant")
    return {(event.payment_id, event.campaign_id): event for event in rows if event.payment_id is not None}


def _earned_late(organization: Organization, known: Iterable[QualifyingEvent]) -> Counter[UUID]:
    """Rewards by event of payments whose code came in a later message than the one by which they were counted."""
    referred = [event for event in known if event.participant.referred_by_id is not None]
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
