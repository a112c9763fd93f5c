"""Advancing a test organization's clock: what would have happened until then happens now."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from integrations.models import Endpoint
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.services import test_clock_set
from referral_rocket.kit.nudges import nudge
from rewards.services.releasing import release
from webhooks.outbound.models import Delivery, DeliveryStatus
from webhooks.outbound.orders import endpoints_stay
from webhooks.outbound.tasks import deliver


@transaction.atomic
def clock_advance(*, organization: Organization, now: datetime) -> int:
    """Advance the clock to `now`; how many rewards became due by that. Inside `tenant()`. Raises ClockRefused."""
    step = test_clock_set(organization=organization, now=now)
    # First: whoever writes what endpoints answered holds these rows, and then confirms rewards (docs/locking.md).
    attempts_pull_forward(organization=organization, step=step)
    return release(organization=organization)


@transaction.atomic
def attempts_pull_forward(*, organization: Organization, step: timedelta) -> None:
    """What was to happen within the step is due now (architecture.md, Time)."""
    # Before the rows, which one that deletes an endpoint wants after it.
    endpoints_stay(organization)
    waiting = Delivery.objects.filter(
        organization=organization, status=DeliveryStatus.PENDING, lease_token__isnull=True
    )
    held = waiting.select_for_update(no_key=True).order_by("pk").values("pk")
    Delivery.objects.filter(pk__in=held).update(next_attempt_at=F("next_attempt_at") - step)
    failing = Endpoint.objects.filter(organization=organization, failing_since__isnull=False)
    Endpoint.objects.filter(pk__in=failing.select_for_update(no_key=True).order_by("pk").values("pk")).update(
        failing_since=F("failing_since") - step
    )
    nudge(deliver)
