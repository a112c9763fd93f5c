"""The two kinds of time.

Domain times (occurred, due, closing) come from `now(organization)`, which a test organization can advance.
Leases, retries, signatures and expiry use `wall()`.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class HasClock(Protocol):
    clock_offset: timedelta


def wall() -> datetime:
    """The machine's time, aware, in UTC."""
    return datetime.now(UTC)


def now(organization: HasClock) -> datetime:
    """The time as the organization sees it: the wall clock plus what its test clock was advanced by."""
    return wall() + organization.clock_offset


def rfc3339(moment: datetime | None) -> str | None:
    """`2026-11-21T09:00:00Z`, with milliseconds only where there are some."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")
