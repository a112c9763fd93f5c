"""Leases: how a worker holds a row while it works outside a transaction.

A row with `leased_until` in the future and a `lease_token` belongs to the worker that knows the token. A worker that
dies lets its lease run out, and the next sweep takes the row over; a worker that was only slow finds its token gone
when it writes, and must drop what it has.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from referral_rocket.kit.clock import wall
from referral_rocket.kit.ids import uuid7


class LeaseLost(Exception):
    """Somebody else has taken the row over: whatever was about to be written is no longer ours to write."""


@dataclass(frozen=True)
class Lease:
    token: UUID
    until: datetime

    @classmethod
    def new(cls) -> "Lease":
        """A lease of settings.LEASE_SECONDS (60) from now."""
        return cls(uuid7(), wall() + timedelta(seconds=settings.LEASE_SECONDS))

    def renewed(self) -> "Lease":
        return Lease(self.token, wall() + timedelta(seconds=settings.LEASE_SECONDS))


def free(at: datetime | None = None) -> Q:
    """Rows that nobody holds."""
    return Q(leased_until__isnull=True) | Q(leased_until__lte=at or wall())
