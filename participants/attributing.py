"""Whose a payment is: by the code that it carries, else the provider's customer, else the e-mail."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from campaigns.models import Campaign
from integrations.base import CustomerSeen
from integrations.models import Connection
from integrations.registry import provider_of
from participants.attribution import InvalidEmail, email_key
from participants.errors import IdTaken, PersonErased, ReferralRefused
from participants.models import Attribution, Customer, Participant, Payment, ProviderCustomer
from participants.selectors import customer_by_email
from participants.services import participant_join, participant_refer, provider_customer_link
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from referral_rocket.kit.rows import rows_update


@dataclass(frozen=True)
class Attributed:
    """The participants for whom a payment counts. `own_code`: it carried the payer's own code."""

    participants: Sequence[Participant]
    own_code: bool = False


def payments_attribute(
    *, organization: Organization, payments: Sequence[Payment], actor: str
) -> dict[UUID, Attributed]:
    """Work out whose payments these are, by payment; what attributed a payment is kept with it.

    A payer with somebody's code who isn't in that campaign yet joins it, referred; one who is there without a referrer
    gets one, while no other event has counted. Nine queries however many payments, but for those joining by a code.
    """
    people = _People()
    people.load(payments)
    _lock_for_codes(payments, people)
    own_codes = set()
    changed = []
    for payment in payments:
        before = (payment.customer_id, payment.attributed_by)
        if _identify(organization, payment, people, actor):
            own_codes.add(payment.pk)
        if (payment.customer_id, payment.attributed_by) != before:
            changed.append(payment)
    if changed:
        rows_update(changed, ["customer", "attributed_by"])
    _learn_ids(organization, payments, people)
    of_customer: dict[UUID, list[Participant]] = defaultdict(list)
    customers = {payment.customer_id for payment in payments if payment.customer_id}
    for participant in (
        Participant.objects.filter(customer__in=customers).select_related("campaign", "customer").order_by("pk")
    ):
        of_customer[participant.customer_id].append(participant)
    return {
        payment.pk: Attributed(of_customer[payment.customer_id] if payment.customer_id else (), payment.pk in own_codes)
        for payment in payments
    }


@dataclass
class _People:
    """Everybody that some payments could be of."""

    sharers: dict[str, Participant] = field(default_factory=dict)
    by_provider_id: dict[tuple[str, str], Customer] = field(default_factory=dict)
    by_email: dict[str, Customer] = field(default_factory=dict)

    def load(self, payments: Sequence[Payment]) -> None:
        codes = {payment.referral_code for payment in payments if payment.referral_code}
        sharers = Participant.objects.select_related("customer", "campaign").filter(
            referral_code__in=codes, customer__erased_at__isnull=True
        )
        self.sharers = {sharer.referral_code: sharer for sharer in sharers}
        ids = {payment.provider_customer_id for payment in payments if payment.provider_customer_id}
        for link in ProviderCustomer.objects.select_related("customer").filter(provider_id__in=ids):
            self.by_provider_id[link.provider, link.provider_id] = link.customer
        keys = {key for key in (_key(payment.email) for payment in payments) if key}
        self.by_email = {customer.email_key: customer for customer in Customer.objects.filter(email_key__in=keys)}

    def customer_of(self, payment: Payment) -> tuple[Customer | None, str | None]:
        """Who paid, and by what that is known."""
        if payment.provider_customer_id:
            customer = self.by_provider_id.get((_person_key(payment), payment.provider_customer_id))
            if customer is not None:
                return customer, Attribution.PROVIDER_CUSTOMER
        customer = self.by_email.get(_key(payment.email) or "")
        return customer, Attribution.EMAIL if customer else None


def _lock_for_codes(payments: Sequence[Payment], people: _People) -> None:
    """Lock whom a late referral may change, campaigns first and all in key order (docs/locking.md).

    With their referrers, because recording their events locks those too, and some of them are held from here on.
    """
    if not people.sharers:
        return
    customers = {customer.pk for customer in people.by_email.values()}
    customers |= {customer.pk for customer in people.by_provider_id.values()}
    customers |= {payment.customer_id for payment in payments if payment.customer_id}
    payers = Participant.objects.filter(customer__in=customers).values_list("pk", "referred_by", "campaign")
    found = list(payers)
    campaigns = {sharer.campaign_id for sharer in people.sharers.values()} | {campaign for _, _, campaign in found}
    wanted = {sharer.pk for sharer in people.sharers.values()}
    wanted |= {key for payer, referrer, _ in found for key in (payer, referrer) if key is not None}
    for rows in (Campaign.objects.filter(pk__in=campaigns), Participant.objects.filter(pk__in=wanted)):
        list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def _key(email: str | None) -> str | None:
    try:
        return email_key(email) if email else None
    except InvalidEmail:
        return None


def _person_key(payment: Payment) -> str:
    return provider_of(payment.connection.provider).person_key


def _identify(organization: Organization, payment: Payment, people: _People, actor: str) -> bool:
    """Set the payment's customer; whether the code that it carries is the payer's own."""
    known, by = people.customer_of(payment)
    customer = payment.customer or known
    sharer = people.sharers.get(payment.referral_code or "")
    own_code = False
    if sharer is not None:
        joined = _join_by_code(organization, payment, sharer, customer, actor)
        if joined is not None:
            customer, own_code, by = joined.customer, joined.pk == sharer.pk, Attribution.REFERRAL_CODE
            people.by_email[customer.email_key] = customer
    if customer is not None:
        payment.customer = customer
        payment.attributed_by = by if by == Attribution.REFERRAL_CODE else payment.attributed_by or by
    return own_code


def _join_by_code(
    organization: Organization, payment: Payment, sharer: Participant, customer: Customer | None, actor: str
) -> Participant | None:
    """The payer as a participant of the sharer's campaign; None where nothing says who the payer is."""
    key = customer.email_key if customer is not None else _key(payment.email)
    if key is None:
        return None
    if key == sharer.customer.email_key:
        return sharer
    participant = (
        Participant.objects.select_related("customer", "campaign")
        .filter(campaign=sharer.campaign, customer__email_key=key)
        .first()
    )
    if participant is not None:
        return _refer_late(organization, payment, participant, sharer, actor)
    email = payment.email if customer is None else customer.email
    if not email:
        return None
    return participant_join(
        organization=organization,
        campaign=sharer.campaign,
        email=email,
        referral_code=sharer.referral_code,
        joined_at=payment.occurred_at,
        actor=actor,
    ).participant


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


def _learn_ids(organization: Organization, payments: Iterable[Payment], people: _People) -> None:
    """Note the payers' ids at the provider, for payments that carry nothing else.

    An id that is another customer's stays theirs (an account shared by two people), and one id for each person is
    enough: the payment keeps its attribution either way.
    """
    new: dict[tuple[str, str], UUID] = {}
    for payment in payments:
        if payment.customer_id and payment.provider_customer_id:
            key = (_person_key(payment), payment.provider_customer_id)
            if key not in people.by_provider_id:
                new.setdefault(key, payment.customer_id)
    ProviderCustomer.objects.bulk_create(
        (
            ProviderCustomer(
                organization=organization, customer_id=customer_id, provider=provider, provider_id=provider_id
            )
            for (provider, provider_id), customer_id in new.items()
        ),
        ignore_conflicts=True,
    )
    Customer.objects.filter(pk__in=set(new.values())).update(reachable_at=clock.wall())


def customer_seen(*, organization: Organization, connection: Connection, fact: CustomerSeen) -> Customer | None:
    """The provider told an id and an e-mail of one person: note the id with the customer of that e-mail, if any.

    What waits because the provider couldn't pay this person can be tried again, whatever has changed there.
    """
    key = provider_of(connection.provider).person_key
    customer = customer_by_email(fact.email) if fact.email else None
    if customer is None:
        known = ProviderCustomer.objects.filter(provider=key, provider_id=fact.provider_customer_id)
        customer = Customer.objects.filter(pk__in=known.values("customer")).first()
    if customer is None:
        return None
    if not ProviderCustomer.objects.filter(customer=customer, provider=key).exists():
        try:
            provider_customer_link(
                organization=organization, customer=customer, provider=key, provider_id=fact.provider_customer_id
            )
        except (IdTaken, PersonErased):
            return None
    Customer.objects.filter(pk=customer.pk, erased_at__isnull=True).update(reachable_at=clock.wall())
    return customer
