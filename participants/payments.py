"""Payments: one row for each real payment, put together from every message about it.

The caller holds the organization's inbound lock (webhooks.inbound.dispatch), so two messages of one payment are never
worked on at the same time; the unique key of PaymentReference would refuse the second row if they were.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from integrations.base import PaymentSeen, Reference, TransactionRank
from integrations.models import Connection
from participants.attribution import normalised_code
from participants.models import Payment, PaymentReference
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from referral_rocket.kit.rows import rows_update

# providers.md: until a message joins them, an intent and an invoice of the same customer, currency and amount within a
# day are taken for one payment.
TWIN_WITHIN = timedelta(days=1)
# The kind of reference that is the tenant's own transaction id, carried in metadata.
OWN_ID = "transaction_id"
_TWINS = frozenset({"payment_intent", "invoice"})
_TOLD = (
    "amount",
    "currency",
    "transaction_id",
    "occurred_at",
    "tax",
    "shipping",
    "discount",
    "email",
    "provider_customer_id",
    "referral_code",
    "country",
    "metadata",
    "items",
)


@dataclass
class Ledger:
    """The payments that a claim of messages speaks of: loaded in three queries, kept in memory, written by `write`.

    `absorbed` are (older, younger) rows that proved to be one payment.
    """

    organization: Organization
    absorbed: list[tuple[Payment, Payment]] = field(default_factory=list)
    _known: dict[tuple[UUID, str], Payment] = field(default_factory=dict)
    _kinds: dict[UUID, set[str]] = field(default_factory=dict)
    _candidates: list[Payment] = field(default_factory=list)
    _new: list[Payment] = field(default_factory=list)
    _changed: dict[UUID, Payment] = field(default_factory=dict)
    _new_references: list[PaymentReference] = field(default_factory=list)
    # What the touched rows were like before, to write only those that a message added to.
    _before: dict[UUID, list[object]] = field(default_factory=dict)

    def load(
        self, connections: Iterable[Connection], told: Iterable[PaymentSeen], references: Iterable[Reference]
    ) -> None:
        """Read what is on record of these messages of the connections, and what could be their other half."""
        facts, links = list(told), {connection.pk for connection in connections}
        values = {reference.value for reference in references}
        values |= {reference.value for fact in facts for reference in fact.references}
        # Not in one statement with the payments: while a tenant is new, PostgreSQL believes that there are hardly any, and
        # goes through all references for each of them.
        rows = list(PaymentReference.objects.filter(connection__in=links, value__in=values))
        found = Payment.objects.filter(pk__in={row.payment_id for row in rows}).select_related("connection")
        payments = {payment.pk: payment for payment in found} if rows else {}
        for row in rows:
            self._known[row.connection_id, row.value] = payments[row.payment_id]
        self._load_twins(links, facts, payments)

    def _load_twins(self, links: set[UUID], facts: Sequence[PaymentSeen], payments: dict[UUID, Payment]) -> None:
        customers = {fact.provider_customer_id for fact in facts if fact.provider_customer_id}
        if not customers:
            return
        near = (
            Payment.objects.filter(
                connection__in=links,
                provider_customer_id__in=customers,
                same_as__isnull=True,
                occurred_at__gte=min(fact.occurred_at for fact in facts) - TWIN_WITHIN,
                occurred_at__lte=max(fact.occurred_at for fact in facts) + TWIN_WITHIN,
            )
            .select_related("connection")
            .prefetch_related("references")
            .order_by("pk")
        )
        for payment in near:
            self._kinds[payment.pk] = {reference.kind for reference in payment.references.all()}
            self._candidates.append(payments.setdefault(payment.pk, payment))

    def seen(self, connection: Connection, fact: PaymentSeen) -> Payment:
        """Find or make the payment of a message and add what the message knows."""
        found = self._by_references(connection, fact.references)
        payment = found[0] if found else self._twin(connection, fact) or self._make(connection)
        self._before.setdefault(payment.pk, _told(payment))
        _add(payment, fact)
        self._candidates.append(payment)
        self._gather(payment, found[1:], fact.references)
        if fact.transaction_rank == TransactionRank.METADATA:
            # Not among the ids that a payment is found by: a tenant may give several payments one transaction id.
            self._note(payment, Reference(OWN_ID, fact.transaction_id))
        return payment

    def referred_to(self, connection: Connection, references: Sequence[Reference]) -> Payment:
        """The payment that these ids, which are of one payment, speak of.

        Where none of them is known yet, an empty row waits for the payment to be told.
        """
        found = self._by_references(connection, references)
        payment = found[0] if found else self._make(connection)
        self._gather(payment, found[1:], references)
        return payment

    def write(self) -> None:
        """Write what is new or changed: at most three statements, and two for each pair that proved to be one."""
        Payment.objects.bulk_create(self._new)
        new = {payment.pk for payment in self._new}
        changed = [
            payment
            for payment in self._changed.values()
            if payment.pk not in new and self._before.get(payment.pk) != _told(payment)
        ]
        if changed:
            rows_update(changed, [*_TOLD, "same_as"])
        for older, younger in self.absorbed:
            PaymentReference.objects.filter(payment=younger).update(payment=older)
        PaymentReference.objects.bulk_create(self._new_references, ignore_conflicts=True)

    def _make(self, connection: Connection) -> Payment:
        payment = Payment(
            organization=self.organization,
            connection=connection,
            source=connection.provider.upper(),
            created_at=clock.now(self.organization),
        )
        self._new.append(payment)
        return payment

    def payment_of(self, payment: Payment) -> Payment:
        """The row that a payment counts under, after all messages were put together."""
        while payment.same_as is not None:
            payment = payment.same_as
        return payment

    def _by_references(self, connection: Connection, references: Iterable[Reference]) -> list[Payment]:
        """The payments known under any of the ids, oldest first."""
        found = {self._known.get((connection.pk, reference.value)) for reference in references} - {None}
        return sorted((payment for payment in found if payment is not None), key=lambda payment: payment.pk)

    def _twin(self, connection: Connection, fact: PaymentSeen) -> Payment | None:
        """The other half of a payment whose intent and invoice don't name each other."""
        kinds = {reference.kind for reference in fact.references} & _TWINS
        if len(kinds) != 1 or not fact.provider_customer_id or fact.amount == 0:
            return None
        for payment in self._candidates:
            theirs = self._kinds.get(payment.pk, set()) & _TWINS
            if len(theirs) == 1 and theirs != kinds and _alike(payment, connection, fact):
                return payment
        return None

    def _gather(self, payment: Payment, others: Sequence[Payment], references: Iterable[Reference]) -> None:
        """Put every id under the oldest payment; the younger rows point to it from now on."""
        self._before.setdefault(payment.pk, _told(payment))
        for other in others:
            other.same_as = payment
            self._changed[other.pk] = other
            self.absorbed.append((payment, other))
            for name in _TOLD:
                if getattr(payment, name) is None:
                    setattr(payment, name, getattr(other, name))
            self._known |= {key: payment for key, known in self._known.items() if known.pk == other.pk}
            self._kinds.setdefault(payment.pk, set()).update(self._kinds.pop(other.pk, set()))
            self._candidates = [candidate for candidate in self._candidates if candidate.pk != other.pk]
        self._changed[payment.pk] = payment
        for reference in references:
            self._kinds.setdefault(payment.pk, set()).add(reference.kind)
            if (payment.connection_id, reference.value) not in self._known:
                self._known[payment.connection_id, reference.value] = payment
                self._note(payment, reference)

    def _note(self, payment: Payment, reference: Reference) -> None:
        self._new_references.append(
            PaymentReference(
                organization=self.organization,
                connection=payment.connection,
                payment=payment,
                kind=reference.kind,
                value=reference.value,
            )
        )


def _told(payment: Payment) -> list[object]:
    return [payment.same_as_id, *(getattr(payment, name) for name in _TOLD)]


def _alike(payment: Payment, connection: Connection, fact: PaymentSeen) -> bool:
    return (
        payment.connection_id == connection.pk
        and payment.provider_customer_id == fact.provider_customer_id
        and (payment.currency, payment.amount) == (fact.currency, fact.amount)
        and payment.same_as_id is None
        and payment.occurred_at is not None
        and abs(payment.occurred_at - fact.occurred_at) <= TWIN_WITHIN
    )


def _add(payment: Payment, fact: PaymentSeen) -> None:
    """What is known stays; what is missing is filled in."""
    if payment.amount is None:
        payment.amount, payment.currency = fact.amount, fact.currency
        payment.transaction_id, payment.occurred_at = fact.transaction_id, fact.occurred_at
    elif fact.transaction_rank == TransactionRank.METADATA:
        # The tenant's own id names the payment in every campaign where it hasn't counted yet.
        payment.transaction_id = fact.transaction_id
    if not (payment.tax or payment.shipping or payment.discount):
        payment.tax, payment.shipping, payment.discount = fact.tax, fact.shipping, fact.discount
    payment.email = payment.email or fact.email
    payment.provider_customer_id = payment.provider_customer_id or fact.provider_customer_id
    payment.referral_code = payment.referral_code or (fact.referral_code and normalised_code(fact.referral_code)[:32])
    payment.country = payment.country or fact.country
    payment.metadata = {**fact.metadata, **payment.metadata}
    payment.items = payment.items or [
        {"product": item.product, "quantity": item.quantity, "amount": item.amount} for item in fact.items
    ]
