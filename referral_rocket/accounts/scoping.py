"""The one door to tenant data.

Two context managers, and nothing else in the product sets either layer of tenancy: the PostgreSQL setting that
row-level security looks at, and the django-scopes scope that managers look at. Each opens a transaction; so neither
may be held around a call to a provider.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from django.db import connection, transaction
from django_scopes import scope, scopes_disabled

from referral_rocket.accounts.models import Organization

EVERY = "every"
_current: ContextVar[UUID | str | None] = ContextVar("referral_rocket_tenant", default=None)


class TenantMixUp(RuntimeError):
    """Code running for one organization asked for another one's data, or for everyone's."""


@contextmanager
def tenant(organization: Organization) -> Iterator[Organization]:
    """Run the block as `organization`, in a transaction. Nesting the same organization is fine (a savepoint).

    Raises TenantMixUp inside the block of another organization.
    """
    before = _current.get()
    if before not in (None, EVERY, organization.pk):
        raise TenantMixUp(f"already working for {before}; {organization.pk} has to wait until that is done")
    with _setting(organization.pk, before), scope(organization=organization):
        yield organization


@contextmanager
def every_organization(reason: str) -> Iterator[None]:
    """Run the block with every organization's rows in reach. The callers are a short list, each with its reason.

    Raises TenantMixUp inside a tenant's block.
    """
    before = _current.get()
    if before not in (None, EVERY):
        raise TenantMixUp(f"working for {before}; {reason} can't be done from inside")
    with _setting(EVERY, before), scopes_disabled():
        yield


@contextmanager
def _setting(value: UUID | str, before: UUID | str | None) -> Iterator[None]:
    nested = connection.in_atomic_block
    token = _current.set(value)
    try:
        # On an exception the rollback takes the setting back, to the savepoint's beginning or the transaction's.
        with transaction.atomic():
            _tell_database(value)
            yield
            if nested:
                _tell_database(before)
    finally:
        _current.reset(token)


def _tell_database(value: UUID | str | None) -> None:
    organization = "" if value in (None, EVERY) else str(value)
    everyone = "on" if value == EVERY else "off"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('app.organization', %s, true), set_config('app.every_organization', %s, true)",
            [organization, everyone],
        )
