"""The two kinds of time.

Domain times (occurred, due, closing) come from `now(organization)`, which a test organization can advance.
Leases, retries, signatures and expiry use `wall()`.
"""

import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Protocol

_told_again: ContextVar[datetime | None] = ContextVar("referral_rocket_told_again", default=None)


class HasClock(Protocol):
    clock_offset: timedelta


@cache
def time_zones() -> frozenset[str]:
    """The names of all time zones that this machine knows. Finding them reads some hundred files, 20 ms in all."""
    return frozenset(zoneinfo.available_timezones())


def wall() -> datetime:
    """The machine's time, aware, in UTC."""
    return _told_again.get() or datetime.now(UTC)


@contextmanager
def as_of(moment: datetime) -> Iterator[None]:
    """Run the block as if it were `moment`: for sample data, whose past is made by the services themselves.

    Holds for this thread alone, and for nothing that another process does.
    """
    token = _told_again.set(moment)
    try:
        yield
    finally:
        _told_again.reset(token)


def now(organization: HasClock) -> datetime:
    """The time as the organization sees it: the wall clock plus what its test clock was advanced by."""
    return wall() + organization.clock_offset


def rfc3339(moment: datetime | None) -> str | None:
    """`2026-11-21T09:00:00Z`, with milliseconds only where there are some."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def to_milliseconds(moment: datetime) -> str:
    """`2026-11-21T09:00:00.000Z`: always with milliseconds, as the bodies of our webhooks have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
