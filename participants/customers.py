"""What is known about a customer: name, own id, ids at providers. Each service is atomic by itself."""

from django.db import IntegrityError, transaction

from participants.errors import IdTaken, PersonErased
from participants.models import Customer, ProviderCustomer
from referral_rocket.accounts.models import Organization


def provider_customer_link(
    *, organization: Organization, customer: Customer, provider: str, provider_id: str
) -> ProviderCustomer:
    """Note a customer's id at a provider; a new one replaces the old.

    Raises IdTaken where it is another customer's, PersonErased where the customer was erased meanwhile.
    """
    with transaction.atomic():
        held = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
        if held.erased_at is not None:
            raise PersonErased("This person was erased; no id of theirs is kept.")
        known = ProviderCustomer.objects.select_for_update().filter(provider=provider, provider_id=provider_id).first()
        if known is not None and known.customer_id != customer.pk:
            raise IdTaken(f"Another customer has the {provider} id {provider_id}.")
        link, _ = ProviderCustomer.objects.update_or_create(
            organization=organization, customer=customer, provider=provider, defaults={"provider_id": provider_id}
        )
    return link


def customer_change(*, customer: Customer, name: str | None = None, external_id: str | None = None) -> None:
    """Raises IdTaken where another customer has the external id, PersonErased where the person was erased meanwhile."""
    customer.name = customer.name if name is None else name.strip()
    customer.external_id = customer.external_id if external_id is None else external_id
    known = Customer.objects.filter(pk=customer.pk, erased_at__isnull=True)
    try:
        with transaction.atomic():
            changed = known.update(name=customer.name, external_id=customer.external_id)
    except IntegrityError as error:
        raise IdTaken(f"Another customer has the external id {external_id}.") from error
    if not changed:
        raise PersonErased("This person was erased; nothing about them can be changed.")
