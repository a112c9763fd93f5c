"""Asking providers about connections: a queue in the Connection table, swept by beat."""

from celery import shared_task

from integrations.base import Access, AccountCheck
from integrations.errors import ProviderError
from integrations.models import Connection
from integrations.registry import provider_of
from integrations.selectors import access_of
from integrations.services import connection_checked
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit.clock import wall
from referral_rocket.kit.leases import Lease, free

CLAIMED_AT_ONCE = 20
ACTOR = "system:check"


@shared_task
def check_connections() -> int:
    """Ask the provider about each connection whose check is due; answers how many were asked."""
    lease = Lease.new()
    claimed = _claim(lease)
    for connection in claimed:
        _check(connection, lease)
    return len(claimed)


def _claim(lease: Lease) -> list[Connection]:
    with every_organization("claiming connections to check"):
        due = (
            Connection.objects.filter(free(), check_due_at__lte=wall())
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("organization")
            .order_by("check_due_at")[:CLAIMED_AT_ONCE]
        )
        claimed = list(due)
        Connection.objects.filter(pk__in=[connection.pk for connection in claimed]).update(
            leased_until=lease.until, lease_token=lease.token
        )
    return claimed


def _check(connection: Connection, lease: Lease) -> None:
    outcome = _ask(access_of(connection, connection.organization))
    _write_down(connection.organization, connection, lease, outcome)


def _ask(access: Access) -> AccountCheck | ProviderError:
    try:
        return provider_of(access.provider).check(access)
    except ProviderError as error:
        return error


def _write_down(
    organization: Organization, connection: Connection, lease: Lease, outcome: AccountCheck | ProviderError
) -> None:
    with tenant(organization):
        # An answer that came after the lease was taken over is another worker's to give.
        ours = Connection.objects.filter(pk=connection.pk, lease_token=lease.token)
        if ours.update(leased_until=None, lease_token=None):
            connection_checked(connection=connection, outcome=outcome, actor=ACTOR)
