"""Refunds and disputes: kept once each, and added up to what is left of a payment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from participants.models import Payment, QualifyingEvent, Reversal, ReversalKind, ReversalStatus
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock


@dataclass(frozen=True)
class ReversalReport:
    """A refund or dispute as a source reports it. `amount` in minor units, None for all of the payment."""

    refund_id: str
    kind: str = ReversalKind.REFUND
    status: str = ReversalStatus.DONE
    amount: int | None = None
    cumulative: bool = False
    occurred_at: datetime | None = None


@dataclass(frozen=True)
class Stored:
    """`changed` is False where the same was on record already."""

    reversal: Reversal
    created: bool
    changed: bool


# A dispute that was decided, or a refund that failed, isn't opened again by a message that comes late.
_FINAL = frozenset({ReversalStatus.WON, ReversalStatus.LOST, ReversalStatus.FAILED})


def reversal_store(
    *,
    organization: Organization,
    report: ReversalReport,
    actor: str,
    payment: Payment | None = None,
    campaign_id: UUID | None = None,
    transaction_id: str | None = None,
) -> Stored:
    """Keep a reversal of a payment, or of a transaction of a campaign. One refund id counts once; its status may go on.

    The caller holds the lock that keeps reversals and events of one transaction apart (rewards.services.reversing).
    Two sources that tell the same refund under two ids of one payment at once don't meet at that lock: the second
    waits for the first one's row here, and then finds it.
    """
    now = clock.now(organization)
    # Each running total is a statement of its own, made at its time; two of one second differ in their amounts.
    moment = report.occurred_at or now
    refund_id = f"{report.refund_id}@{moment:%Y%m%dT%H%M%SZ}:{report.amount}" if report.cumulative else report.refund_id
    known = Reversal.objects.select_for_update(no_key=True).filter(refund_id=refund_id[:200])
    if payment is not None:
        known = known.filter(payment=payment)
    else:
        known = known.filter(campaign=campaign_id, transaction_id=transaction_id, undone_with__isnull=True)
    reversal = known.first()
    if reversal is None:
        new = Reversal(
            organization=organization,
            payment=payment,
            campaign_id=campaign_id,
            transaction_id=transaction_id,
            refund_id=refund_id[:200],
            kind=report.kind,
            status=report.status,
            amount=report.amount,
            cumulative=report.cumulative,
            occurred_at=moment,
            actor=actor,
            created_at=now,
            updated_at=now,
        )
        Reversal.objects.bulk_create([new], ignore_conflicts=True)
        reversal = known.get()
        if reversal.pk == new.pk:
            return Stored(reversal, created=True, changed=True)
    if reversal.status == report.status or (reversal.status in _FINAL and report.status not in _FINAL):
        return Stored(reversal, created=False, changed=False)
    reversal.status, reversal.updated_at = report.status, now
    if report.status == ReversalStatus.FAILED:
        # When it failed decides which running totals are out of date.
        reversal.occurred_at = max(reversal.occurred_at, moment)
    reversal.save(update_fields=["status", "occurred_at", "updated_at"])
    return Stored(reversal, created=False, changed=True)


@dataclass(frozen=True)
class Net:
    """What is left of a payment. `capped`: more was reversed than was paid."""

    amount: int
    capped: bool


def net_of(amount: int, reversals: Iterable[Reversal]) -> Net:
    """Payment less refunds less open or lost disputes, at least 0. Pure; the rule is product.md's, Refunds.

    Refunds are the larger of the newest running total and the sum of the single ones that didn't fail; a refund that
    failed makes running totals that are older than its failure worthless (providers.md).
    """
    found = list(reversals)
    refunds = [each for each in found if each.kind == ReversalKind.REFUND]
    failures = [each.occurred_at for each in refunds if each.status == ReversalStatus.FAILED]
    single = _sum(amount, (each for each in refunds if not each.cumulative and each.status != ReversalStatus.FAILED))
    running = [
        _amount(amount, each)
        for each in refunds
        if each.cumulative and not any(failure >= each.occurred_at for failure in failures)
    ]
    disputes = _sum(
        amount,
        (
            each
            for each in found
            if each.kind == ReversalKind.DISPUTE
            and each.status in (ReversalStatus.OPEN, ReversalStatus.LOST, ReversalStatus.DONE)
        ),
    )
    taken = max([single, *running]) + disputes
    return Net(max(amount - taken, 0), capped=taken > amount)


def _sum(payment: int, reversals: Iterable[Reversal]) -> int:
    return sum(_amount(payment, each) for each in reversals)


def _amount(payment: int, reversal: Reversal) -> int:
    return payment if reversal.amount is None else reversal.amount


def reversals_of(payment: Payment | None, campaign_id: UUID | None, transaction_id: str | None) -> Sequence[Reversal]:
    """What was reversed of an event: by its payment, and as a transaction of its campaign; one refund id once."""
    found: dict[str, Reversal] = {}
    if payment is not None:
        found |= {each.refund_id: each for each in Reversal.objects.filter(payment=payment)}
    if transaction_id is not None:
        told = _told_of(campaign_id, transaction_id)
        found |= {each.refund_id: each for each in told if each.refund_id not in found}
    return list(found.values())


def _told_of(campaign_id: UUID | None, transaction_id: str) -> QuerySet[Reversal]:
    return Reversal.objects.filter(campaign=campaign_id, transaction_id=transaction_id, undone_with__isnull=True)


def reversals_end(*, event: QualifyingEvent) -> None:
    """What was told of an undone event's transaction stays with that event: the id is free for another occurrence."""
    if event.transaction_id is not None:
        _told_of(event.campaign_id, event.transaction_id).update(undone_with=event)


def reversals_gather(*, payments: Mapping[str, Payment], absorbed: Mapping[UUID, Payment]) -> None:
    """Bring what was reversed of some payments under the rows that the payments count under. One query if nothing is.

    `payments` names payments by their ids: what was told of a transaction, in whatever campaign, is of its payment and
    so of all the payment's events. `absorbed`: by the key of a row that proved to be another's payment, that other.
    A refund id that is on record for the payment stays where it was told: it counts once either way.
    """
    told = Q(campaign__isnull=False, transaction_id__in=list(payments), undone_with__isnull=True)
    for reversal in Reversal.objects.filter(told).union(Reversal.objects.filter(payment__in=list(absorbed)), all=True):
        payment = absorbed[reversal.payment_id] if reversal.payment_id else payments[reversal.transaction_id or ""]
        if not Reversal.objects.filter(payment=payment, refund_id=reversal.refund_id).exists():
            Reversal.objects.filter(pk=reversal.pk).update(payment=payment, campaign=None, transaction_id=None)


def events_with_reversals(events: Sequence[QualifyingEvent]) -> set[UUID]:
    """Those of the events of which something was reversed. Two queries."""
    payments = {event.payment_id for event in events if event.payment_id}
    transactions = {event.transaction_id for event in events if event.transaction_id}
    reversed_payments = set(Reversal.objects.filter(payment__in=payments).values_list("payment", flat=True))
    reversed_transactions = set(
        Reversal.objects.filter(
            campaign__in={event.campaign_id for event in events},
            transaction_id__in=transactions,
            undone_with__isnull=True,
        ).values_list("campaign", "transaction_id")
    )
    return {
        event.pk
        for event in events
        if event.payment_id in reversed_payments or (event.campaign_id, event.transaction_id) in reversed_transactions
    }
