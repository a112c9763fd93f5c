"""Payments: one row for each real payment, put together from every message about it, and whose it is.

The caller holds the organization's inbound lock (webhooks.inbound.dispatch), so two messages of one payment are never
worked on at the same time; the unique key of PaymentReference would refuse the second row if they were.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from integrations.base import CustomerSeen, PaymentSeen, Reference
from integrations.models import Connection
from integrations.registry import provider_of
from participants.attribution import InvalidEmail, email_key, normalised_code
from participants.errors import IdTaken, ReferralRefused
from participants.models import Attribution, Customer, Participant, Payment, PaymentReference, ProviderCustomer
from participants.selectors import customer_by_email
from participants.services import participant_join, participant_refer, provider_customer_link
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock

# providers.md: until a message joins them, an intent and an invoice of the same customer, currency and amount within a
# day are taken for one payment.
TWIN_WITHIN = timedelta(days=1)
_TWINS = frozenset({"payment_intent", "invoice"})


@dataclass(frozen=True)
class Seen:
    """The payment that a message was about. `absorbed` are younger rows that proved to be the same payment."""

    payment: Payment
    absorbed: Sequence[Payment] = ()


def payment_seen(*, organization: Organization, connection: Connection, fact: PaymentSeen) -> Seen:
    """Find or make the payment of a message and add what the message knows."""
    found = _by_references(connection, fact.references)
    twin = None if found else _twin(connection, fact)
    payment = found[0] if found else twin
    if payment is None:
        payment = Payment(
            organization=organization,
            connection=connection,
            source=connection.provider.upper(),
            created_at=clock.now(organization),
        )
    _add(payment, fact)
    payment.save()
    return Seen(payment, _gather(payment, found[1:], fact.references))


def payment_referred_to(organization: Organization, connection: Connection, references: Sequence[Reference]) -> Seen:
    """The payment that these ids, which are of one payment, speak of.

    Where none of them is known yet, an empty row waits for the payment to be told.
    """
    found = _by_references(connection, references)
    payment = found[0] if found else None
    if payment is None:
        payment = Payment(
            organization=organization,
            connection=connection,
            source=connection.provider.upper(),
            created_at=clock.now(organization),
        )
        payment.save()
    return Seen(payment, _gather(payment, found[1:], references))


def _by_references(connection: Connection, references: Iterable[Reference]) -> list[Payment]:
    """The payments known under any of the ids, oldest first."""
    values = [reference.value for reference in references]
    rows = PaymentReference.objects.filter(connection=connection, value__in=values).select_related("payment")
    return sorted({row.payment for row in rows}, key=lambda payment: payment.pk)


def _twin(connection: Connection, fact: PaymentSeen) -> Payment | None:
    """The other half of a payment whose intent and invoice don't name each other."""
    kinds = {reference.kind for reference in fact.references} & _TWINS
    if len(kinds) != 1 or not fact.provider_customer_id or fact.amount == 0:
        return None
    near = (
        Payment.objects.filter(
            connection=connection,
            provider_customer_id=fact.provider_customer_id,
            currency=fact.currency,
            amount=fact.amount,
            same_as__isnull=True,
            occurred_at__gte=fact.occurred_at - TWIN_WITHIN,
            occurred_at__lte=fact.occurred_at + TWIN_WITHIN,
        )
        .prefetch_related("references")
        .order_by("pk")
    )
    for payment in near:
        theirs = {reference.kind for reference in payment.references.all()} & _TWINS
        if len(theirs) == 1 and theirs != kinds:
            return payment
    return None


def _add(payment: Payment, fact: PaymentSeen) -> None:
    """What is known stays; what is missing is filled in."""
    if payment.amount is None:
        payment.amount, payment.currency = fact.amount, fact.currency
        payment.transaction_id, payment.occurred_at = fact.transaction_id, fact.occurred_at
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


def _gather(payment: Payment, others: Sequence[Payment], references: Iterable[Reference]) -> list[Payment]:
    """Put every id under the oldest payment; the younger rows point to it from now on."""
    for other in others:
        PaymentReference.objects.filter(payment=other).update(payment=payment)
        other.same_as = payment
        other.save(update_fields=["same_as"])
        for name in (
            "amount",
            "currency",
            "transaction_id",
            "occurred_at",
            "email",
            "provider_customer_id",
            "referral_code",
            "country",
        ):
            if getattr(payment, name) is None:
                setattr(payment, name, getattr(other, name))
        payment.save()
    PaymentReference.objects.bulk_create(
        (
            PaymentReference(
                organization=payment.organization,
                connection=payment.connection,
                payment=payment,
                kind=reference.kind,
                value=reference.value,
            )
            for reference in references
        ),
        ignore_conflicts=True,
    )
    return list(others)


# Whose it is -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attributed:
    """The participants for whom a payment counts. `own_code`: it carried the payer's own code."""

    participants: Sequence[Participant]
    own_code: bool = False


def attribute(*, organization: Organization, payment: Payment, actor: str) -> Attributed:
    """Work out whose payment it is: by the code that it carries, else the provider's customer, else the e-mail.

    A payer with somebody's code who isn't in that campaign yet joins it, referred; one who is there without a referrer
    gets one, while no event has counted. What attributed the payment is kept with it.
    """
    provider = provider_of(payment.connection.provider)
    sharer = _sharer(payment)
    customer = payment.customer or _known_customer(payment, provider.person_key)
    by = payment.attributed_by
    own_code = False
    if sharer is not None:
        joined = _join_by_code(organization, payment, sharer, customer, actor)
        if joined is not None:
            customer, own_code = joined.customer, joined.pk == sharer.pk
            by = Attribution.REFERRAL_CODE
    if customer is None:
        return Attributed(())
    if payment.customer_id != customer.pk or payment.attributed_by != by:
        payment.customer, payment.attributed_by = customer, by or _how(payment, customer, provider.person_key)
        payment.save(update_fields=["customer", "attributed_by"])
    _learn(organization, payment, customer, provider.person_key)
    participants = Participant.objects.filter(customer=customer).select_related("campaign", "customer").order_by("pk")
    return Attributed(list(participants), own_code)


def _sharer(payment: Payment) -> Participant | None:
    if not payment.referral_code:
        return None
    return (
        Participant.objects.select_related("customer", "campaign")
        .filter(referral_code=payment.referral_code, customer__erased_at__isnull=True)
        .first()
    )


def _known_customer(payment: Payment, key: str) -> Customer | None:
    if payment.provider_customer_id:
        link = (
            ProviderCustomer.objects.select_related("customer")
            .filter(provider=key, provider_id=payment.provider_customer_id)
            .first()
        )
        if link is not None:
            return link.customer
    return customer_by_email(payment.email) if payment.email else None


def _how(payment: Payment, customer: Customer, key: str) -> str:
    linked = payment.provider_customer_id and ProviderCustomer.objects.filter(
        customer=customer, provider=key, provider_id=payment.provider_customer_id
    )
    return Attribution.PROVIDER_CUSTOMER if linked and linked.exists() else Attribution.EMAIL


def _join_by_code(
    organization: Organization, payment: Payment, sharer: Participant, customer: Customer | None, actor: str
) -> Participant | None:
    """The payer as a participant of the sharer's campaign; None where nothing says who the payer is."""
    email = customer.email if customer is not None else payment.email
    if customer is not None and customer.pk == sharer.customer_id:
        return sharer
    try:
        if not email or email_key(email) == sharer.customer.email_key:
            return sharer if email else None
    except InvalidEmail:
        return None
    known = Participant.objects.select_related("customer", "campaign").filter(
        campaign=sharer.campaign, customer__email_key=email_key(email)
    )
    participant = known.first()
    if participant is None:
        return participant_join(
            organization=organization,
            campaign=sharer.campaign,
            email=email,
            referral_code=sharer.referral_code,
            joined_at=payment.occurred_at,
            actor=actor,
        ).participant
    return _refer_late(organization, payment, participant, sharer, actor)


def _refer_late(
    organization: Organization, payment: Payment, participant: Participant, sharer: Participant, actor: str
) -> Participant:
    if participant.referred_by_id is not None:
        return participant
    try:
        return participant_refer(
            organization=organization,
            participant=participant,
            referral_code=sharer.referral_code,
            actor=actor,
            at=payment.occurred_at or clock.now(organization),
            payment_id=payment.pk,
        )
    except ReferralRefused:
        # Another event has counted, or the chain would close: the payment counts, the referral doesn't.
        return participant


def _learn(organization: Organization, payment: Payment, customer: Customer, key: str) -> None:
    """Note the payer's id at the provider, for payments that carry nothing else."""
    if not payment.provider_customer_id or ProviderCustomer.objects.filter(customer=customer, provider=key).exists():
        return
    try:
        provider_customer_link(
            organization=organization, customer=customer, provider=key, provider_id=payment.provider_customer_id
        )
    except IdTaken:
        # The id is another customer's: an account shared by two people. The payment keeps its attribution.
        return


def customer_seen(*, organization: Organization, connection: Connection, fact: CustomerSeen) -> Customer | None:
    """The provider told an id and an e-mail of one person: note the id with the customer of that e-mail, if any."""
    customer = customer_by_email(fact.email) if fact.email else None
    if customer is None:
        return None
    key = provider_of(connection.provider).person_key
    if not ProviderCustomer.objects.filter(customer=customer, provider=key).exists():
        try:
            provider_customer_link(
                organization=organization, customer=customer, provider=key, provider_id=fact.provider_customer_id
            )
        except IdTaken:
            return None
    return customer
