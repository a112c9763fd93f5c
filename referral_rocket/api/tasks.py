"""The sweep of what the API keeps for a while only."""

from datetime import timedelta

from celery import shared_task

from referral_rocket.accounts.scoping import every_organization
from referral_rocket.api.idempotency import KEPT
from referral_rocket.api.models import IdempotentRequest
from referral_rocket.kit.clock import wall

# One statement deletes so many, so that its locks are held for a moment only.
CHUNK = 5_000
# A row is used by nobody from KEPT on; the hour is for clocks that differ.
SLACK = timedelta(hours=1)


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
