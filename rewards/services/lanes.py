"""Lanes: what is queued for one connection, worked off by one runner at a time, which holds a lease on the connection.

The lease is renewed while the runner works, also during one slow call, and it is looked at before each request to the
provider and with each result: so two runners never meet on one connection. A runner that was stopped for longer than
its lease sends nothing more when it goes on, and what it had is dropped.
"""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Min, Q

from integrations.base import Access
from integrations.models import Connection
from integrations.pacing import Pace, requests_per_second
from integrations.selectors import access_of
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from referral_rocket.kit.leases import Lease, LeaseLost, free
from rewards.models import BatchItem

T = TypeVar("T")

log = structlog.get_logger(__name__)

LaneKey = tuple[UUID, UUID | None]


@dataclass
class Lane:
    """The items of one connection that are to be dealt with, or those by hand of one organization (no connection).

    `only` leaves out some of them.
    """

    organization: Organization
    connection: Connection | None
    lease: Lease
    only: Q = field(default_factory=Q)
    lost: bool = False
    # The provider asked for a rest that is longer than a run: until then nobody takes the connection.
    rests_until: datetime | None = None
    # Requests a second, None where the provider names no limit.
    allowed: float | None = field(init=False)
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        connection = self.connection
        self.allowed = requests_per_second(connection.provider, self.organization.mode) if connection else None
        self.pace = Pace(self.allowed, self.check, connection_id=connection.pk if connection else None)

    @property
    def key(self) -> LaneKey:
        return (self.organization.pk, self.connection.pk if self.connection else None)

    def at_most(self, items: int) -> int:
        """No more than the provider takes in about a second: a run ends only with the last that it has claimed."""
        return items if self.allowed is None else min(items, max(1, int(self.allowed)))

    def holds(self) -> bool:
        return not self.lost and self.lease.holds

    def check(self) -> None:
        """Raises LeaseLost. Called from threads, right before each request."""
        if not self.holds():
            raise LeaseLost

    def access(self) -> Access:
        """Made inside `tenant()`."""
        assert self.connection is not None
        return replace(access_of(self.connection, self.organization), pace=self.pace)


def next_lane(passed_over: Collection[LaneKey] = (), *, only: Q = Q()) -> Lane | None:  # noqa: B008 - never changed
    """The lane whose item has waited longest and that nobody works on; with `only` those that have such items."""
    with every_organization("sweep of batches"):
        now = clock.wall()
        due = (
            BatchItem.objects.filter(free(now), only, next_attempt_at__lte=now)
            .values_list("organization", "connection")
            .annotate(first=Min("next_attempt_at"))
            .order_by("first")
        )
        for organization_id, connection_id, _ in due:
            if (organization_id, connection_id) in passed_over:
                continue
            organization = Organization.objects.get(pk=organization_id)
            lease = Lease.new()
            if connection_id is None:
                return Lane(organization, None, lease, only)
            connection = (
                Connection.objects.select_for_update(skip_locked=True, no_key=True)
                .filter(free(now), pk=connection_id)
                .first()
            )
            if connection is not None:
                Connection.objects.filter(pk=connection.pk).update(leased_until=lease.until, lease_token=lease.token)
                return Lane(organization, connection, lease, only)
    return None


def reread(lane: Lane) -> bool:
    """Read the connection anew, inside `tenant()`; False, and the lane is lost, where another runner has taken it."""
    if lane.connection is None:
        return True
    found = Connection.objects.filter(pk=lane.connection.pk, lease_token=lane.lease.token).first()
    if found is None:
        lane.lost = True
        log.warning("connection_lease_lost", connection=str(lane.connection.pk))
        return False
    lane.connection = found
    return True


def renew(lane: Lane, item_ids: Collection[UUID]) -> None:
    """Hold on to the connection and to the items under way, once half of the lease is over.

    A transaction of its own: a connection's row is also changed by whoever takes its webhooks, after other rows.
    """
    if lane.lost or lane.lease.until - clock.wall() > timedelta(seconds=settings.LEASE_SECONDS / 2):
        return
    renewed = lane.lease.renewed()
    with tenant(lane.organization):
        if lane.connection is not None:
            ours = Connection.objects.filter(pk=lane.connection.pk, lease_token=lane.lease.token)
            if not ours.update(leased_until=renewed.until):
                lane.lost = True
                log.warning("connection_lease_lost", connection=str(lane.connection.pk))
                return
        BatchItem.objects.filter(pk__in=item_ids, lease_token=lane.lease.token).update(leased_until=renewed.until)
    lane.lease = renewed


def asked(ask: Callable[[], T], *, hold_on: Callable[[], None]) -> T:
    """What `ask` answers, which calls the provider from a thread and never touches the database.

    It may take longer than a lease, with many requests: `hold_on` is called meanwhile, and renews what is held. What it
    raises is raised once the thread has ended.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="asking") as threads:
        answer = threads.submit(ask)
        while not wait([answer], timeout=settings.LEASE_SECONDS / 4).done:
            hold_on()
    return answer.result()


def give_back(lane: Lane) -> None:
    """Let the next runner have the connection, at once or after the rest that the provider asked for."""
    if lane.connection is None:
        return
    with tenant(lane.organization):
        Connection.objects.filter(pk=lane.connection.pk, lease_token=lane.lease.token).update(
            leased_until=lane.rests_until, lease_token=None
        )
