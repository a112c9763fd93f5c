"""Asking providers about connections: a queue in the Connection table, swept by beat."""

from dataclasses import dataclass, replace
from datetime import datetime

from celery import shared_task

from integrations.base import Access, AccountCheck
from integrations.errors import ProviderError, ProviderRejected
from integrations.installing import connection_installed
from integrations.models import Connection
from integrations.registry import provider_of
from integrations.selectors import access_of, webhook_url
from integrations.services import connection_checked, connection_webhook_settled
from integrations.signing_keys import signing_keys_fetch
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit.clock import wall
from referral_rocket.kit.leases import Lease

CLAIMED_AT_ONCE = 20
ACTOR = "system:check"


@dataclass(frozen=True)
class _Claimed:
    """A connection whose check is ours until `until`; after that somebody else may ask too."""

    connection: Connection
    until: datetime


@shared_task
def check_connections() -> int:
    """Ask the provider about each connection whose check is due; answers how many were asked."""
    claimed = _claim()
    for each in claimed:
        _write_down(each, _ask(each))
    return len(claimed)


@shared_task
def fetch_signing_keys() -> int:
    """Fetch the keys that providers sign webhooks with; answers how many were asked for."""
    return signing_keys_fetch()


def _claim() -> list[_Claimed]:
    until = Lease.new().until
    with every_organization("claiming connections to check"):
        due = list(
            Connection.objects.filter(check_due_at__lte=wall())
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("organization")
            .order_by("check_due_at")[:CLAIMED_AT_ONCE]
        )
        Connection.objects.filter(pk__in=[connection.pk for connection in due]).update(check_due_at=until)
    return [_Claimed(connection, until) for connection in due]


def _ask(claimed: _Claimed) -> AccountCheck | ProviderError:
    connection = claimed.connection
    access = access_of(connection, connection.organization)
    try:
        access = _installed(claimed, access)
        checked = provider_of(access.provider).check(access)
        said = [*_subscribed(connection, access), *_webhook_created(claimed, access)]
    except ProviderError as error:
        return error
    return replace(checked, message=" ".join([checked.message, *said]))


def _installed(claimed: _Claimed, access: Access) -> Access:
    """With lasting credentials: a code that an installation brought is exchanged for them, once."""
    install = provider_of(access.provider).install
    if install is None or install.pending not in access.credentials:
        return access
    credentials = install.exchange(access)
    with tenant(claimed.connection.organization):
        connection_installed(connection=claimed.connection, credentials=credentials)
    return replace(access, credentials=credentials)


def _subscribed(connection: Connection, access: Access) -> list[str]:
    """Has the provider send its webhooks here; what stands in the way is told, and stops nothing else."""
    provider = provider_of(access.provider)
    if provider.subscribe is None or not provider.webhook_events:
        return []
    try:
        provider.subscribe(access, webhook_url(connection), provider.webhook_events)
    except ProviderError as error:
        return [error.message]
    return []


def _webhook_created(claimed: _Claimed, access: Access) -> list[str]:
    """Makes the endpoint that a person asked for, and keeps its secret. What may work later is raised.

    Killed between the provider's answer and our writing the secret is lost with it: the wish stands, and the next check
    makes another endpoint in its place.
    """
    connection, provider = claimed.connection, provider_of(access.provider)
    if not connection.webhook_wanted or provider.create_webhook is None:
        return []
    secret, said = None, f"{provider.name} sends its webhooks here now."
    try:
        secret = provider.create_webhook(access, webhook_url(connection), provider.webhook_events)
    except ProviderRejected as refused:
        said = refused.message
    with tenant(connection.organization):
        connection_webhook_settled(connection=connection, secret=secret, actor=ACTOR)
    return [said]


def _write_down(claimed: _Claimed, outcome: AccountCheck | ProviderError) -> None:
    connection = claimed.connection
    with tenant(connection.organization):
        # Not ours any more: it took too long and was taken over, or a person asked anew meanwhile.
        held = Connection.objects.select_for_update().filter(pk=connection.pk, check_due_at=claimed.until)
        if held.exists():
            connection_checked(connection=connection, outcome=outcome, actor=ACTOR)
