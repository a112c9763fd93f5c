"""Leases: how a worker holds a row while it works outside a transaction.

A row with `leased_until` in the future and a `lease_token` belongs to the worker that knows the token. A worker that
dies lets its lease run out, and the next sweep takes the row over; a worker that was only slow finds its token gone
when it writes, and must drop what it has.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from referral_rocket.kit.clock import wall
from referral_rocket.kit.ids import uuid7


class LeaseLost(Exception):
    """Somebody else has taken the row over: whatever was about to be written is no longer ours to write."""


def _ends() -> float:
    return time.monotonic() + settings.LEASE_SECONDS


@dataclass(frozen=True)
class Lease:
    """`until` is what stands in the row, by the wall clock; `ends` the same by time.monotonic(), of this process alone."""

    token: UUID
    until: datetime
    ends: float = field(default_factory=_ends)

    @classmethod
    def new(cls) -> "Lease":
        """A lease of settings.LEASE_SECONDS (60) from now."""
        return cls(uuid7(), wall() + timedelta(seconds=settings.LEASE_SECONDS))

    @property
    def holds(self) -> bool:
        """Whether it still runs by either clock: a wall clock that is put back doesn't lengthen it, nor a process that
        slept.
        """
        return wall() < self.until and time.monotonic() < self.ends

    def renewed(self) -> "Lease":
        return Lease(self.token, wall() + timedelta(seconds=settings.LEASE_SECONDS))


def free(at: datetime | None = None) -> Q:
    """Rows that nobody holds."""
    return Q(leased_until__isnull=True) | Q(leased_until__lte=at or wall())
