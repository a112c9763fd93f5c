"""A reconciliation, carried out by a worker a few seconds at a time.

It begins with our own books, then takes one connection after another: first our rows are looked up (comparing.py), then
the provider's lists are read and held against them (listed.py). A step is one page. It asks the provider outside any
transaction, holding the connection's lease, as the runner does: so its pace is the connection's only one, and nothing is
sent through it meanwhile. Findings, figures and the place where it goes on are one transaction. Killed before its
commit the step is done again, which stores the same findings; after it the next worker goes on. What the runner has to
send comes first: after a slice the connection is given back, and left alone while something is due for it.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from integrations.errors import ConnectionNeedsAttention, ProviderError, ProviderRetryable
from integrations.listing import Listing
from integrations.models import Connection, ConnectionStatus
from integrations.registry import PROVIDERS, provider_of
from integrations.services import connection_needs_attention
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from referral_rocket.kit.leases import Lease, LeaseLost, free
from rewards.models import BatchItem
from rewards.reconciliations import Reconciliation, ReconciliationStatus
from rewards.services.lanes import Lane, asked, give_back, renew
from rewards.services.reconciling.books import book_findings
from rewards.services.reconciling.comparing import Compared, compare, next_page, to_compare
from rewards.services.reconciling.findings import ACTOR, books_agree, findings_agree, findings_store
from rewards.services.reconciling.listed import hold_against, people_of
from rewards.states import ItemOutcome

# So long a worker stays with one reconciliation, and then lets others, and the runner, have their turn.
SLICE_SECONDS = 10.0
# Our rows that are looked up between two looks at the lease.
PAGE = 10
# Rewards whose people are asked for at once, where a provider has a list for one person only.
PEOPLE = 100
DAYS = (1, 7, 30)
EVERY = timedelta(days=1)
RETRY_SECONDS = (5, 30, 120)
# While the runner has the connection, or has something to send through it.
BUSY_SECONDS = 2

log = structlog.get_logger(__name__)


class AlreadyUnderWay(Exception):
    """One is under way. `reconciliation` is it."""

    def __init__(self, reconciliation: Reconciliation) -> None:
        super().__init__("A reconciliation is under way.")
        self.reconciliation = reconciliation


# Beginning -------------------------------------------------------------------------------------------------------


def reconciliation_begin(*, organization: Organization, days: int, actor: str) -> Reconciliation:
    """Queue one over what was issued in the last `days`. Inside `tenant()`. Raises AlreadyUnderWay."""
    now = clock.wall()
    wanted = Reconciliation(
        organization=organization,
        since=now - timedelta(days=days),
        actor=actor,
        created_at=now,
        next_attempt_at=now,
    )
    try:
        with transaction.atomic():
            wanted.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyUnderWay(Reconciliation.objects.get(finished_at__isnull=True)) from error
    # What is unknown is looked up by the runner, which may also settle it.
    BatchItem.objects.filter(outcome=ItemOutcome.UNKNOWN, next_attempt_at__isnull=False).update(next_attempt_at=now)
    _record(wanted, actor, "reconciliation.begun")
    return wanted


def begin_everywhere() -> int:
    """Queue one for each organization that issues through a provider and had none for a day; how many."""
    with every_organization("daily reconciliation"):
        now = clock.wall()
        lately = Reconciliation.objects.filter(created_at__gt=now - EVERY).values("organization")
        asked = Connection.objects.filter(status=ConnectionStatus.ACTIVE, provider__in=_providers())
        organizations = list(
            Organization.objects.filter(pk__in=asked.values("organization")).exclude(pk__in=lately).order_by("pk")
        )
    begun = 0
    for organization in organizations:
        with tenant(organization):
            try:
                reconciliation_begin(organization=organization, days=DAYS[1], actor=ACTOR)
            except AlreadyUnderWay:
                continue
            begun += 1
    return begun


def _providers() -> list[str]:
    """Those that rewards are issued through by an adapter."""
    return [slug for slug, provider in PROVIDERS.items() if any(method.adapter for method in provider.methods)]


def _record(reconciliation: Reconciliation, actor: str, kind: str) -> None:
    happening = Happening(kind, "reconciliation", reconciliation.pk)
    record(organization=reconciliation.organization, actor=actor, happenings=[happening])


# Where it goes on ------------------------------------------------------------------------------------------------


@dataclass
class Place:
    """`connections` are those that are still to be asked, the first of them now. `listing` None: our rows, from `after`
    on; else that one of the provider's lists, at `cursor`; of one that is for a person only `people` are still to be
    asked, and the rewards `after` which more are looked for.
    """

    connections: list[str] = field(default_factory=list)
    listing: int | None = None
    after: str = ""
    people: list[str] = field(default_factory=list)
    cursor: str = ""

    def next_listing(self) -> None:
        self.listing = 0 if self.listing is None else self.listing + 1
        self.after, self.people, self.cursor = "", [], ""

    def next_connection(self) -> None:
        self.connections = self.connections[1:]
        self.listing, self.after, self.people, self.cursor = None, "", [], ""


@dataclass
class _Work:
    organization: Organization
    row: Reconciliation
    lease: Lease
    place: Place

    def write(self, **values: Any) -> None:
        """Inside `tenant()`. Raises LeaseLost where another worker has taken it over."""
        self.lease = self.lease.renewed()
        rows = Reconciliation.objects.filter(pk=self.row.pk, lease_token=self.lease.token)
        if not rows.update(leased_until=self.lease.until, place=vars(self.place), **values):
            raise LeaseLost
        for name, value in values.items():
            setattr(self.row, name, value)


# What a worker does ----------------------------------------------------------------------------------------------


def run(*, only: UUID | None = None, seconds: float = SLICE_SECONDS, gives_way: bool = True) -> int:
    """Go on with the reconciliation that has waited longest, for about `seconds`; 1 if there was one.

    Without `gives_way` it doesn't wait for what is to be sent, which nobody may be there to do.
    """
    work = _claim(only)
    if work is None:
        return 0
    deadline = time.monotonic() + seconds
    try:
        _go_on(work, deadline, gives_way=gives_way)
    except LeaseLost:
        log.warning("reconciliation_lease_lost", reconciliation=str(work.row.pk))
    except Exception:
        log.exception("reconciliation_failed", reconciliation=str(work.row.pk))
        _end(work, ReconciliationStatus.FAILED, "It broke off unexpectedly. What was found until then is kept.")
    return 1


def _claim(only: UUID | None) -> _Work | None:
    with every_organization("sweep of reconciliations"):
        now = clock.wall()
        wanted = Q(pk=only) if only else Q()
        row = (
            Reconciliation.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("organization")
            .filter(free(now), wanted, next_attempt_at__lte=now)
            .order_by("next_attempt_at")
            .first()
        )
        if row is None:
            return None
        lease = Lease.new()
        Reconciliation.objects.filter(pk=row.pk).update(
            leased_until=lease.until, lease_token=lease.token, status=ReconciliationStatus.RUNNING
        )
    place = Place(**row.place) if row.place else Place()
    return _Work(row.organization, row, lease, place)


def _go_on(work: _Work, deadline: float, *, gives_way: bool) -> None:
    if not work.row.place:
        _begin(work)
    while work.place.connections:
        lane = _lane(work, gives_way=gives_way)
        if lane is None:
            return
        try:
            # However slow the beginning was, a slice gets on by one step.
            while _step(work, lane) and time.monotonic() < deadline:
                pass
        except ProviderRetryable as error:
            if _put_off(work, error):
                return
        except ConnectionNeedsAttention as error:
            _leave_out(work, lane, error)
        finally:
            give_back(lane)
        if time.monotonic() >= deadline:
            _pause(work, 0)
            return
    _end(work, ReconciliationStatus.FINISHED)


def _begin(work: _Work) -> None:
    with tenant(work.organization):
        found = book_findings(work.organization)
        findings_store(organization=work.organization, found=found)
        books_agree(but=[each.key for each in found])
        active = list(
            Connection.objects.filter(status=ConnectionStatus.ACTIVE, provider__in=_providers()).order_by("pk")
        )
        work.place.connections = [str(each.pk) for each in active]
        work.write(to_compare=sum(to_compare(each, work.row.since).count() for each in active))


def _lane(work: _Work, *, gives_way: bool) -> Lane | None:
    """The first connection with its lease; None, and it goes on later, while the runner has it or needs it."""
    with tenant(work.organization):
        now = clock.wall()
        connection_id = UUID(work.place.connections[0])
        due = BatchItem.objects.filter(connection=connection_id, next_attempt_at__lte=now, outcome=ItemOutcome.QUEUED)
        connection = (
            Connection.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(free(now), pk=connection_id)
            .first()
        )
        if connection is None or (gives_way and due.exists()):
            work.write()
            _free(work, BUSY_SECONDS)
            return None
        lease = Lease.new()
        Connection.objects.filter(pk=connection.pk).update(leased_until=lease.until, lease_token=lease.token)
        work.write()
    return Lane(work.organization, connection, lease)


def _step(work: _Work, lane: Lane) -> bool:
    """One page; False once the connection is through. Raises the errors of `integrations.errors`, and LeaseLost."""
    assert lane.connection is not None
    if not lane.connection.is_active:
        raise ConnectionNeedsAttention("It doesn't work at the moment.")
    listings = provider_of(lane.connection.provider).listings
    if work.place.listing is None:
        _compare_some(work, lane, lane.connection)
    elif work.place.listing < len(listings):
        _read_some(work, lane, lane.connection, listings[work.place.listing])
    else:
        work.place.next_connection()
        with tenant(work.organization):
            work.write(attempts=0)
        return False
    return True


def _compare_some(work: _Work, lane: Lane, connection: Connection) -> None:
    with tenant(work.organization):
        after = UUID(work.place.after) if work.place.after else None
        page = next_page(connection, work.row.since, after, lane.access(), PAGE)
    compared = compare(page.asked, hold_on=lambda: _hold_on(work, lane))
    if len(page.items) < PAGE:
        work.place.next_listing()
    else:
        work.place.after = str(page.items[-1].pk)
    with tenant(work.organization):
        _write(work, compared, compared=work.row.compared + len(page.items))
    renew(lane, [])


def _hold_on(work: _Work, lane: Lane) -> None:
    """Renew both leases once half of one is over. Raises LeaseLost."""
    renew(lane, [])
    if work.lease.until - clock.wall() < timedelta(seconds=settings.LEASE_SECONDS / 2):
        try:
            with tenant(work.organization):
                work.write()
        except LeaseLost:
            # So that a thread that is asking the provider sends nothing more.
            lane.lost = True
            raise


def _read_some(work: _Work, lane: Lane, connection: Connection, listing: Listing) -> None:
    place = work.place
    if listing.of_person and not place.people:
        with tenant(work.organization):
            if not _more_people(work, connection, listing):
                place.next_listing()
            work.write()
        return
    with tenant(work.organization):
        access = lane.access()
    person = place.people[0] if listing.of_person else ""
    try:
        page = asked(
            lambda: listing.page(access, work.row.since, place.cursor, person), hold_on=lambda: _hold_on(work, lane)
        )
    except (ProviderRetryable, ConnectionNeedsAttention):
        raise
    except ProviderError as error:
        # This list alone can't be had.
        place.next_listing()
        with tenant(work.organization):
            _remark(work, f"{connection.provider_name}: {listing.label} {error.message}")
        return
    place.cursor = page.cursor
    if not page.cursor and listing.of_person:
        place.people = place.people[1:]
    elif not page.cursor:
        place.next_listing()
    with tenant(work.organization):
        _write(work, hold_against(connection, listing, page.rows), listed=work.row.listed + len(page.rows))
    renew(lane, [])


def _more_people(work: _Work, connection: Connection, listing: Listing) -> bool:
    """Whom the next rewards went to; False at the end of them. Inside `tenant()`."""
    place = work.place
    while True:
        items = to_compare(connection, work.row.since)
        if place.after:
            items = items.filter(pk__gt=UUID(place.after))
        some = list(items.values_list("pk", flat=True)[:PEOPLE])
        if not some:
            return False
        place.after, place.people = str(some[-1]), people_of(connection, listing, some)
        if place.people:
            return True


def _write(work: _Work, came: Compared, **figures: int) -> None:
    """Inside `tenant()`. Nothing of a step is kept where another worker has taken it over."""
    work.write(attempts=0, **figures)
    findings_store(organization=work.organization, found=came.findings)
    findings_agree(came.agreed)


# How it pauses and ends ------------------------------------------------------------------------------------------


def _put_off(work: _Work, error: ProviderRetryable) -> bool:
    """Try again later; False, and the connection is left out with a remark, where that was done often enough."""
    attempts = work.row.attempts
    with tenant(work.organization):
        if attempts < len(RETRY_SECONDS):
            work.write(attempts=attempts + 1)
            _free(work, max(RETRY_SECONDS[attempts], error.retry_after or 0))
            return True
        connection = Connection.objects.get(pk=work.place.connections[0])
        work.place.next_connection()
        _remark(work, f"{connection.provider_name} couldn't be asked to the end. {error.message}")
    return False


def _leave_out(work: _Work, lane: Lane, error: ConnectionNeedsAttention) -> None:
    assert lane.connection is not None
    with tenant(work.organization):
        if lane.connection.is_active:
            connection_needs_attention(connection=lane.connection, reason=error.message, actor=ACTOR)
        work.place.next_connection()
        _remark(work, f"{lane.connection.provider_name} couldn't be asked. {error.message}")


def _remark(work: _Work, words: str) -> None:
    work.write(attempts=0, remarks=[*work.row.remarks, words[:500]])


def _pause(work: _Work, seconds: float) -> None:
    with tenant(work.organization):
        _free(work, seconds)


def _free(work: _Work, seconds: float) -> None:
    """Inside `tenant()`: let the next worker go on with it after so long."""
    again: datetime = clock.wall() + timedelta(seconds=seconds)
    Reconciliation.objects.filter(pk=work.row.pk, lease_token=work.lease.token).update(
        next_attempt_at=again, leased_until=None, lease_token=None
    )


def _end(work: _Work, status: str, remark: str = "") -> None:
    remarks = [*work.row.remarks, remark] if remark else work.row.remarks
    with tenant(work.organization):
        ended = Reconciliation.objects.filter(pk=work.row.pk, lease_token=work.lease.token).update(
            status=status,
            remarks=remarks,
            finished_at=clock.wall(),
            next_attempt_at=None,
            leased_until=None,
            lease_token=None,
        )
        if ended:
            _record(work.row, ACTOR, "reconciliation.ended")
