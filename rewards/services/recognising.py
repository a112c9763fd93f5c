"""One occurrence that was told under several ids, recognised: by whatever mix of sources, in whatever order.

A payment has many ids (its intent, its charge, the tenant's own transaction id), and a message that names a further one
may come after others have been counted: by the API under that id, by hand, or by a second message of the payment. So
whenever a payment is worked on, every event that counts under any of its ids is looked for in every campaign. Where
several of one campaign turn out to be one occurrence, the oldest stands, and the younger are undone by the refund path
(`same_payment`). They say so from then on (`same_as`), so that whoever tells of one of them is answered with the one
that stands.

The locks of all the ids are held from before the first look until the end of the transaction: a report by the API under
one of them either is seen here, or waits and then sees what was found here. All of it is found anew from what is stored,
so a worker that is killed leaves nothing half done, and the next one comes to the same end.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from participants.models import Payment, PaymentReference, QualifyingEvent
from participants.reversals import reversals_gather
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from rewards.services.reversing import transactions_lock


@dataclass
class Recognised:
    """What is on record of some payments.

    `counted`: by payment and campaign, the event that stands, where it was known to be this payment's already.
    `told`: likewise, where something else told of it first. `undone`: events that were found to be another one's
    occurrence just now; their rewards are still to be settled.
    """

    counted: dict[tuple[UUID, UUID], QualifyingEvent] = field(default_factory=dict)
    told: dict[tuple[UUID, UUID], QualifyingEvent] = field(default_factory=dict)
    undone: list[QualifyingEvent] = field(default_factory=list)


def payments_recognise(*, organization: Organization, payments: Sequence[Payment]) -> Recognised:
    """Find what counts already of these payments, and undo what counts twice. In a transaction of the caller's.

    Eight statements however many payments, and some for each pair of events that turns out to be one.
    """
    known = _Known(payments)
    transactions_lock(organization, known.places)
    reversals_gather(
        payments={value: known.oldest_of(value) for value in known.places},
        absorbed={younger: known.payments[older] for younger, older in known.absorbed.items()},
    )
    recognised = Recognised()
    for occurrence in _occurrences(known, _events(known)):
        _settle_on_one(organization, occurrence, recognised)
    return recognised


class _Known:
    """The ids of payments; which payments are of one occurrence, since they share an id."""

    def __init__(self, payments: Sequence[Payment]) -> None:
        self.payments: dict[UUID, Payment] = {}
        self.places: dict[str, set[UUID]] = defaultdict(set)
        self._above: dict[UUID | str, UUID | str] = {}
        self._add(payments)
        sharing = PaymentReference.objects.filter(value__in=list(self.places)).exclude(payment__in=list(self.payments))
        # Hardly any has one, and PostgreSQL reads all payments for a statement of both.
        others = set(sharing.values_list("payment", flat=True))
        self._add(list(Payment.objects.filter(pk__in=others, same_as__isnull=True)) if others else [])
        absorbed = Payment.objects.filter(same_as__in=list(self.payments)).values_list("pk", "same_as")
        self.absorbed: dict[UUID, UUID] = {younger: older for younger, older in absorbed if older is not None}

    def _add(self, payments: Sequence[Payment]) -> None:
        if not payments:
            return
        for payment in payments:
            self.payments[payment.pk] = payment
            if payment.transaction_id:
                self._note(payment.pk, payment.transaction_id)
        for payment_id, value in PaymentReference.objects.filter(payment__in=payments).values_list("payment", "value"):
            self._note(payment_id, value)

    def _note(self, payment_id: UUID, value: str) -> None:
        self.places[value].add(payment_id)
        self.join(payment_id, value)

    def join(self, one: UUID | str, other: UUID | str) -> None:
        self._above[self.occurrence_of(one)] = self.occurrence_of(other)

    def occurrence_of(self, thing: UUID | str) -> UUID | str:
        """What stands for the occurrence that a payment, an event or an id is of."""
        while thing in self._above and self._above[thing] != thing:
            thing = self._above[thing]
        return thing

    def payment_of(self, event: QualifyingEvent) -> UUID | None:
        if event.payment_id is None:
            return None
        return self.absorbed.get(event.payment_id, event.payment_id)

    def oldest_of(self, value: str) -> Payment:
        return self.payments[min(self.places[value])]


@dataclass
class _Occurrence:
    """The events of one campaign, oldest first, that are of one occurrence, and the payments that are."""

    events: list[QualifyingEvent]
    payments: list[Payment]
    # The payment that each event was known to be of.
    known: dict[UUID, UUID | None]


def _events(known: _Known) -> list[QualifyingEvent]:
    """The events of the payments or under their ids, oldest first and locked: nobody undoes one of them meanwhile."""
    counting = QualifyingEvent.objects.exclude(undone_at__isnull=False, same_as__isnull=True)
    payment_ids = [*known.payments, *known.absorbed]
    found = {
        *counting.filter(payment__in=payment_ids).values_list("pk", flat=True),
        *counting.filter(transaction_id__in=list(known.places)).values_list("pk", flat=True),
    }
    if not found:
        return []
    return list(
        QualifyingEvent.objects.select_for_update(no_key=True, of=("self",))
        .select_related("same_as")
        .filter(pk__in=found)
        .exclude(undone_at__isnull=False, same_as__isnull=True)
        .order_by("pk")
    )


def _occurrences(known: _Known, events: Iterable[QualifyingEvent]) -> list[_Occurrence]:
    found = list(events)
    for event in found:
        payment_id = known.payment_of(event)
        if event.transaction_id in known.places:
            known.join(event.pk, event.transaction_id)
        if payment_id is not None:
            known.join(event.pk, payment_id)
    payments: dict[UUID | str, list[Payment]] = defaultdict(list)
    for payment_id in sorted(known.payments):
        payments[known.occurrence_of(payment_id)].append(known.payments[payment_id])
    groups: dict[tuple[UUID, UUID | str], list[QualifyingEvent]] = defaultdict(list)
    for event in found:
        groups[event.campaign_id, known.occurrence_of(event.pk)].append(event)
    return [
        _Occurrence(group, payments[occurrence], {event.pk: known.payment_of(event) for event in group})
        for (_, occurrence), group in groups.items()
    ]


def _settle_on_one(organization: Organization, occurrence: _Occurrence, recognised: Recognised) -> None:
    standing = [event for event in occurrence.events if event.undone_at is None]
    oldest = standing[0] if standing else occurrence.events[0].same_as
    assert oldest is not None
    for younger in standing[1:]:
        _undo(organization, younger, oldest)
        recognised.undone.append(younger)
    if occurrence.payments and oldest.payment_id not in [payment.pk for payment in occurrence.payments]:
        # Refunds of the payment are the event's from now on.
        oldest.payment = occurrence.payments[0]
        QualifyingEvent.objects.filter(pk=oldest.pk).update(payment=oldest.payment)
    of_it = set(occurrence.known.values())
    for payment in occurrence.payments:
        place = recognised.counted if payment.pk in of_it else recognised.told
        place[payment.pk, oldest.campaign_id] = oldest


def _undo(organization: Organization, younger: QualifyingEvent, older: QualifyingEvent) -> None:
    younger.undone_at, younger.same_as = clock.now(organization), older
    QualifyingEvent.objects.filter(pk=younger.pk).update(undone_at=younger.undone_at, same_as=older)
    QualifyingEvent.objects.filter(same_as=younger).update(same_as=older)
