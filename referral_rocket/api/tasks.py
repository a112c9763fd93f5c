"""The sweeps of what the API keeps for a while only."""

from datetime import datetime, timedelta
from uuid import UUID

from celery import shared_task

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.api.idempotency import KEPT
from referral_rocket.api.models import ApiRequest, IdempotentRequest
from referral_rocket.kit.clock import wall

# One statement deletes so many, so that its locks are held for a moment only.
CHUNK = 5_000
# A row is used by nobody from KEPT on; the hour is for clocks that differ.
SLACK = timedelta(hours=1)
# Long enough to look into last month's integration; a busy key writes some million lines a day.
LOG_KEPT = timedelta(days=30)


@shared_task
def forget_old_answers() -> int:
    """Delete the answers that are replayed no more; says how many. Two at once skip each other's rows."""
    deleted = 0
    while True:
        with every_organization("sweep of stored answers"):
            old = (
                IdempotentRequest.objects.select_for_update(skip_locked=True)
                .filter(created_at__lt=wall() - KEPT - SLACK)
                .order_by("created_at")
                .values_list("pk", flat=True)[:CHUNK]
            )
            count, _ = IdempotentRequest.objects.filter(pk__in=list(old)).delete()
        deleted += count
        if count < CHUNK:
            return deleted


@shared_task
def forget_old_log() -> int:
    """Delete the lines of the API log that are older than LOG_KEPT; says how many."""
    oldest = first_id_of(wall() - LOG_KEPT)
    return sum(_forget_lines(organization, oldest) for organization in Organization.objects.order_by("pk"))


def _forget_lines(organization: Organization, oldest: UUID) -> int:
    deleted = 0
    while True:
        with tenant(organization):
            # By key: the log's index is by organization and key, and keys sort by time.
            old = ApiRequest.objects.filter(pk__lt=oldest).order_by("pk").values_list("pk", flat=True)[:CHUNK]
            count, _ = ApiRequest.objects.filter(pk__in=list(old)).delete()
        deleted += count
        if count < CHUNK:
            return deleted


def first_id_of(moment: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond (RFC 9562: its first 48 bits are Unix milliseconds)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
