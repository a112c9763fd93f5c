"""Sending again what was sent. Each service is atomic, inside `tenant()`."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from campaigns.models import FulfilmentKind
from integrations.models import Endpoint
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit.clock import wall
from referral_rocket.kit.nudges import nudge
from rewards.models import Claim
from rewards.states import RewardStatus
from webhooks.outbound.errors import EndpointConflict
from webhooks.outbound.models import TEST_EVENT, Delivery, DeliveryStatus
from webhooks.outbound.tasks import deliver

CANCELED = "The reward was canceled, so there is nothing to order."


@transaction.atomic
def delivery_retry(*, delivery: Delivery, actor: str) -> Delivery:
    """Send one delivery again now, the schedule from its beginning, under the same webhook-id and body.

    An order whose reward was canceled is SKIPPED, and one that was taken back stays so. Raises EndpointConflict where the endpoint was deleted.
    """
    held = Delivery.objects.select_for_update(of=("self",)).select_related("endpoint", "reward").get(pk=delivery.pk)
    if held.endpoint.deleted_at is not None:
        raise EndpointConflict("endpoint_deleted", "The endpoint was deleted.")
    _again(Delivery.objects.filter(pk=held.pk))
    record(
        organization=held.organization,
        actor=actor,
        happenings=[Happening("delivery.retried", "endpoint", held.endpoint_id, data={"delivery_id": str(held.pk)})],
    )
    held.refresh_from_db()
    return held


@transaction.atomic
def deliveries_replay(
    *, endpoint: Endpoint, since: datetime, actor: str, until: datetime | None = None, only_failed: bool = False
) -> int:
    """Send again what was made from `since` until `until` (now): all, or only what failed. How many that are."""
    wanted = Delivery.objects.filter(endpoint=endpoint, created_at__gte=since).exclude(event_type=TEST_EVENT)
    if until is not None:
        wanted = wanted.filter(created_at__lt=until)
    if only_failed:
        wanted = wanted.filter(status=DeliveryStatus.FAILED)
    count = _again(wanted)
    record(
        organization=endpoint.organization,
        actor=actor,
        happenings=[
            Happening("deliveries.replayed", "endpoint", endpoint.pk, data={"count": count, "only_failed": only_failed})
        ],
    )
    return count


def _again(wanted: QuerySet[Delivery]) -> int:
    """Queue what isn't being sent at this moment; how many.

    No order of a reward that a person took back: it is issued from here, and must not be issued there too.
    """
    now = wall()
    wanted = wanted.exclude(reward__isnull=False, reward__fulfilment_kind=FulfilmentKind.METHOD)
    canceled = wanted.filter(reward__status=RewardStatus.CANCELED)
    skipped = list(canceled.values_list("pk", flat=True))
    Delivery.objects.filter(pk__in=skipped).exclude(status=DeliveryStatus.PENDING, lease_token__isnull=False).update(
        status=DeliveryStatus.SKIPPED, reason=CANCELED, finished_at=now
    )
    idle = wanted.exclude(pk__in=skipped).exclude(
        status=DeliveryStatus.PENDING, lease_token__isnull=False, next_attempt_at__gt=now
    )
    count = Delivery.objects.filter(pk__in=idle.values("pk")).update(
        status=DeliveryStatus.PENDING, reason="", tries=0, forced=True, next_attempt_at=now, finished_at=None
    )
    nudge(deliver)
    return count


def order_needs_a_person(delivery: Delivery) -> bool:
    """Whether all attempts of an order have failed and nobody has said what became of it."""
    if delivery.status != DeliveryStatus.FAILED or delivery.claim_id is None:
        return False
    return Claim.objects.filter(pk=delivery.claim_id, closed_at__isnull=True).exists()
