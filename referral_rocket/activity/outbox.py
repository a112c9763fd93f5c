"""The outbox: what happened is handed to the consumers of settings.ACTIVITY_CONSUMERS, each thing once.

Up to 100 rows of one organization are deleted, with SKIP LOCKED, in the transaction in which the consumers write what
they make of them. Killed before its commit, the rows are still there; after it, so is what came of them. Two at once
skip each other's rows. Organizations take turns, so that one with a million rows doesn't keep the others waiting.

If the transaction fails, its rows are handed on one by one, so that a bad one stops only itself; it is tried again
with growing pauses, and never given up, since somebody is owed an event.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.module_loading import import_string

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.activity.models import Activity, PendingActivity
from referral_rocket.kit.clock import wall

CLAIM = 100
RUN_SECONDS = 20
RETRY_SECONDS = (5, 30, 120, 600, 3600)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Told:
    """An activity as its consumers get it, with the snapshot that was made when it happened."""

    activity: Activity
    snapshot: dict[str, object] | None


# A consumer is called inside `tenant()` and only writes to the database: no provider, no mail, no other server.
Consumer = Callable[[Organization, Sequence[Told]], None]


def run(*, seconds: float = RUN_SECONDS) -> int:
    """Hand on what is waiting, for at most about `seconds`; how many things that were."""
    deadline = time.monotonic() + seconds
    done = 0
    while time.monotonic() < deadline:
        organizations = _waiting()
        if not organizations:
            break
        for organization in organizations:
            done += _hand_on(organization)
    return done


def _waiting() -> list[Organization]:
    with every_organization("sweep of the outbox"):
        pending = PendingActivity.objects.filter(organization=OuterRef("pk"), available_at__lte=wall())
        return list(Organization.objects.filter(Exists(pending)).order_by("pk"))


def _hand_on(organization: Organization) -> int:
    try:
        with tenant(organization):
            rows = _claim(organization, CLAIM)
            _consume(organization, rows)
            return len(rows)
    except Exception:
        log.exception("outbox_claim_failed", organization=str(organization.pk))
    return _one_by_one(organization)


def _claim(organization: Organization, limit: int) -> list[PendingActivity]:
    # The organization is named although the scope does that too: so the index is read from its own first row on.
    return list(
        PendingActivity.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(organization=organization, available_at__lte=wall())
        .order_by("available_at", "id")[:limit]
    )


def _consume(organization: Organization, rows: Sequence[PendingActivity]) -> None:
    if not rows:
        return
    activities = Activity.objects.in_bulk([row.activity_id for row in rows])
    told = [Told(activities[row.activity_id], row.snapshot) for row in rows]
    for consumer in _consumers(tuple(settings.ACTIVITY_CONSUMERS)):
        consumer(organization, told)
    PendingActivity.objects.filter(pk__in=[row.pk for row in rows]).delete()


def _one_by_one(organization: Organization) -> int:
    with tenant(organization):
        rows = _claim(organization, CLAIM)
        for row in rows:
            try:
                with transaction.atomic():
                    _consume(organization, [row])
            except Exception:
                log.exception("outbox_row_failed", activity=str(row.activity_id))
                _put_off(row)
    return len(rows)


def _put_off(row: PendingActivity) -> None:
    seconds = RETRY_SECONDS[min(row.attempts, len(RETRY_SECONDS) - 1)]
    row.attempts += 1
    row.available_at = wall() + timedelta(seconds=seconds)
    row.save(update_fields=["attempts", "available_at"])


@cache
def _consumers(names: tuple[str, ...]) -> tuple[Consumer, ...]:
    return tuple(import_string(name) for name in names)
