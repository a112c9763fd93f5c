"""What is known about a customer: name, own id, ids at providers. Each service is atomic by itself."""

from collections.abc import Mapping
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Prefetch

from participants.errors import IdTaken, PersonErased
from participants.models import Customer, ProviderCustomer
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock

# For many at once. As a prefetched relation each customer gets a manager and a query set of its own, which took a tenth of
# what issuing a reward costs.
WITH_PROVIDER_IDS = Prefetch("provider_customers", to_attr="known_links")


def provider_ids(customer: Customer) -> dict[str, str]:
    """Under which ids the providers know the customer; without a query where WITH_PROVIDER_IDS was prefetched."""
    links = getattr(customer, "known_links", None)
    found = customer.provider_customers.all() if links is None else links
    return {link.provider: link.provider_id for link in found}


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
        Customer.objects.filter(pk=customer.pk).update(reachable_at=clock.wall())
    return link


@transaction.atomic
def provider_customers_learn(
    *, organization: Organization, links: Mapping[tuple[UUID, str], str]
) -> list[tuple[UUID, str]]:
    """Note ids that a provider told, by customer and provider; a new one replaces the old. A fixed number of queries.

    Those that belong to another customer are left as they are, and answered; an erased person's are dropped.
    """
    if not links:
        return []
    ids = {customer_id for customer_id, _ in links}
    # In key order, before anything is looked at; who was erased meanwhile shows then.
    list(Customer.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk", flat=True))
    here = set(Customer.objects.filter(pk__in=ids, erased_at__isnull=True).values_list("pk", flat=True))
    owners = {
        (link.provider, link.provider_id): link.customer_id
        for link in ProviderCustomer.objects.filter(provider_id__in=set(links.values()))
    }
    wanted, taken = [], []
    for (customer_id, provider), provider_id in sorted(links.items()):
        if owners.setdefault((provider, provider_id), customer_id) != customer_id:
            taken.append((customer_id, provider))
        elif customer_id in here:
            wanted.append(
                ProviderCustomer(
                    organization=organization, customer_id=customer_id, provider=provider, provider_id=provider_id
                )
            )
    try:
        with transaction.atomic():
            ProviderCustomer.objects.bulk_create(
                wanted, update_conflicts=True, unique_fields=["customer", "provider"], update_fields=["provider_id"]
            )
    except IntegrityError:
        # Another transaction gave one of the ids to somebody else at the same moment: they are learned another time.
        return taken
    Customer.objects.filter(pk__in=[link.customer_id for link in wanted]).update(reachable_at=clock.wall())
    return taken


def customer_change(*, customer: Customer, name: str | None = None, external_id: str | None = None) -> None:
    """Raises IdTaken where another customer has the external id, PersonErased where the person was erased meanwhile."""
    customer.name = customer.name if name is None else name.strip()
    customer.external_id = customer.external_id if external_id is None else external_id
    known = Customer.objects.filter(pk=customer.pk, erased_at__isnull=True)
    try:
        with transaction.atomic():
            changed = known.update(name=customer.name, external_id=customer.external_id, reachable_at=clock.wall())
    except IntegrityError as error:
        raise IdTaken(f"Another customer has the external id {external_id}.") from error
    if not changed:
        raise PersonErased("This person was erased; nothing about them can be changed.")
