"""Refunds and disputes: kept once each, and added up to what is left of a payment."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from participants.models import Payment, QualifyingEvent, Reversal, ReversalKind, ReversalStatus
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from referral_rocket.kit.rows import rows_update


@dataclass(frozen=True)
class ReversalReport:
    """A refund or dispute as a source reports it. `amount` in minor units, None for all of the payment.

    `currency` None is the payment's own.
    """

    refund_id: str
    kind: str = ReversalKind.REFUND
    status: str = ReversalStatus.DONE
    amount: int | None = None
    currency: str | None = None
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
    new = _new(
        organization, report, actor, now, payment=payment, campaign_id=campaign_id, transaction_id=transaction_id
    )
    known = Reversal.objects.select_for_update(no_key=True).filter(refund_id=new.refund_id)
    if payment is not None:
        known = known.filter(payment=payment)
    else:
        known = known.filter(campaign=campaign_id, transaction_id=transaction_id, undone_with__isnull=True)
    reversal = known.first()
    if reversal is None:
        Reversal.objects.bulk_create([new], ignore_conflicts=True)
        reversal = known.get()
        if reversal.pk == new.pk:
            return Stored(reversal, created=True, changed=True)
    if not _goes_on(reversal, new):
        return Stored(reversal, created=False, changed=False)
    reversal.save(update_fields=_GOES_ON)
    return Stored(reversal, created=False, changed=True)


def reversals_store(
    *, organization: Organization, reports: Sequence[tuple[Payment, ReversalReport]], actor: str
) -> None:
    """Keep reversals of payments, told in this order: like `reversal_store` for each, in at most four statements."""
    now = clock.now(organization)
    told = [_new(organization, report, actor, now, payment=payment) for payment, report in reports]
    first: dict[tuple[UUID | None, str], Reversal] = {}
    for each in told:
        first.setdefault((each.payment_id, each.refund_id), each)
    known = _on_record(first)
    fresh = [each for place, each in first.items() if place not in known]
    if fresh:
        Reversal.objects.bulk_create(fresh, ignore_conflicts=True)
        # One that another source has stored at the same moment is waited for and found now.
        known |= _on_record({(each.payment_id, each.refund_id): each for each in fresh})
    changed = {}
    for each in told:
        reversal = known[each.payment_id, each.refund_id]
        if _goes_on(reversal, each):
            changed[reversal.pk] = reversal
    rows_update(changed.values(), _GOES_ON)


def _on_record(wanted: Iterable[tuple[UUID | None, str]]) -> dict[tuple[UUID | None, str], Reversal]:
    places = set(wanted)
    rows = Reversal.objects.select_for_update(no_key=True).filter(
        payment__in={payment for payment, _ in places}, refund_id__in={refund for _, refund in places}
    )
    found = {(each.payment_id, each.refund_id): each for each in rows.order_by("pk")}
    return {place: each for place, each in found.items() if place in places}


def _new(
    organization: Organization,
    report: ReversalReport,
    actor: str,
    now: datetime,
    *,
    payment: Payment | None = None,
    campaign_id: UUID | None = None,
    transaction_id: str | None = None,
) -> Reversal:
    # Each running total is a statement of its own, made at its time; two of one second differ in their amounts.
    moment = report.occurred_at or now
    refund_id = f"{report.refund_id}@{moment:%Y%m%dT%H%M%SZ}:{report.amount}" if report.cumulative else report.refund_id
    return Reversal(
        organization=organization,
        payment=payment,
        campaign_id=campaign_id,
        transaction_id=transaction_id,
        refund_id=refund_id[:200],
        kind=report.kind,
        status=report.status,
        amount=report.amount,
        currency=report.currency,
        cumulative=report.cumulative,
        occurred_at=moment,
        actor=actor,
        created_at=now,
        updated_at=now,
    )


_GOES_ON = ("status", "occurred_at", "updated_at")


def _goes_on(reversal: Reversal, told: Reversal) -> bool:
    """Bring what is on record up to what is told now; whether that changed anything."""
    if reversal.status == told.status or (reversal.status in _FINAL and told.status not in _FINAL):
        return False
    reversal.status, reversal.updated_at = told.status, told.updated_at
    if told.status == ReversalStatus.FAILED:
        # When it failed decides which running totals are out of date.
        reversal.occurred_at = max(reversal.occurred_at, told.occurred_at)
    return True


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


def reversals_of(events: Sequence[QualifyingEvent]) -> dict[UUID, list[Reversal]]:
    """What was reversed of events, by event: by its payment, and as a transaction of its campaign; one refund id once.

    What is in another currency than its event isn't among it: nobody here converts (product.md, Currency). Two queries.
    """
    of_payment: dict[UUID | None, list[Reversal]] = defaultdict(list)
    for each in Reversal.objects.filter(payment__in={event.payment_id for event in events if event.payment_id}):
        of_payment[each.payment_id].append(each)
    of_transaction: dict[tuple[UUID | None, str | None], list[Reversal]] = defaultdict(list)
    for each in Reversal.objects.filter(
        campaign__in={event.campaign_id for event in events},
        transaction_id__in={event.transaction_id for event in events if event.transaction_id},
        undone_with__isnull=True,
    ):
        of_transaction[each.campaign_id, each.transaction_id].append(each)
    found: dict[UUID, list[Reversal]] = {}
    for event in events:
        told = of_transaction.get((event.campaign_id, event.transaction_id), [])
        once = {each.refund_id: each for each in (*told, *of_payment.get(event.payment_id, []))}
        found[event.pk] = [each for each in once.values() if each.currency in (None, event.currency)]
    return found


def foreign_reversals(payments: Collection[Payment]) -> dict[UUID, list[Reversal]]:
    """What was reversed in another currency than its payment's, and so counts for nothing, by payment. One query."""
    found: dict[UUID, list[Reversal]] = defaultdict(list)
    currencies = {payment.pk: payment.currency for payment in payments if payment.currency is not None}
    for each in Reversal.objects.filter(payment__in=currencies.keys(), currency__isnull=False):
        assert each.payment_id is not None
        if each.currency != currencies[each.payment_id]:
            found[each.payment_id].append(each)
    return found


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
