"""Reading endpoints, their health and their deliveries. All inside `tenant()`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, Min, OuterRef, Prefetch, QuerySet, Sum

from integrations.models import Endpoint, EndpointStatus
from referral_rocket.kit.clock import wall
from rewards.models import Claim
from webhooks.outbound.models import Delivery, DeliveryAttempt, DeliveryStatus, EndpointHour

HEALTH_PERIOD = timedelta(hours=24)
NO_ENDPOINT = "no_endpoint"
DELIVERY_FAILED = "delivery_failed"
ORDERED = "ordered"


def endpoints() -> QuerySet[Endpoint]:
    """The organization's endpoints, newest first, without deleted ones."""
    return Endpoint.objects.filter(deleted_at__isnull=True).order_by("-id")


def deliveries(endpoint: Endpoint) -> QuerySet[Delivery]:
    """What the endpoint was or is to be sent, newest first."""
    return Delivery.objects.filter(endpoint=endpoint).order_by("-id")


def with_attempts(found: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return found.select_related("endpoint").prefetch_related(
        Prefetch("attempts", queryset=DeliveryAttempt.objects.order_by("id"))
    )


@dataclass(frozen=True)
class Health:
    """How an endpoint fared in the last 24 hours. `latency_ms` is the mean of its answers' times, in milliseconds."""

    succeeded: int
    failed: int
    latency_ms: int | None
    next_attempt_at: datetime | None
    pending: bool

    @property
    def success_percent(self) -> float | None:
        total = self.succeeded + self.failed
        return round(100 * self.succeeded / total, 1) if total else None


def health_of(found: Sequence[Endpoint]) -> dict[UUID, Health]:
    """The health of endpoints, in two queries however many."""
    since = wall() - HEALTH_PERIOD
    sums = {
        row["endpoint"]: row
        for row in EndpointHour.objects.filter(endpoint__in=found, hour__gt=since)
        .values("endpoint")
        .annotate(good=Sum("succeeded"), bad=Sum("failed"), time=Sum("duration_ms"))
    }
    following = dict(
        Delivery.objects.filter(endpoint__in=found, status=DeliveryStatus.PENDING)
        .values_list("endpoint")
        .annotate(Min("next_attempt_at"))
    )
    return {each.pk: _health(sums.get(each.pk), following.get(each.pk)) for each in found}


def _health(row: Mapping[str, Any] | None, following: datetime | None) -> Health:
    if row is None:
        return Health(0, 0, None, following, following is not None)
    total = row["good"] + row["bad"]
    return Health(row["good"], row["bad"], row["time"] // total if total else None, following, following is not None)


def disabled_by_us() -> list[Endpoint]:
    """Endpoints that we disabled because they failed: the organization has to see that."""
    disabled = Endpoint.objects.filter(status=EndpointStatus.DISABLED, deleted_at__isnull=True)
    return [endpoint for endpoint in disabled.order_by("pk") if endpoint.disabled_reason != "by_person"]


def failed_orders() -> QuerySet[Delivery]:
    """Orders of which all attempts have failed and whose reward has no outcome: a person has to decide."""
    open_claims = Claim.objects.filter(pk=OuterRef("claim"), closed_at__isnull=True)
    return (
        Delivery.objects.filter(Exists(open_claims), status=DeliveryStatus.FAILED, event_type="REWARD")
        .select_related("endpoint", "reward")
        .order_by("-id")
    )


def order_states(reward_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Why rewards that are fulfilled by webhook are still due: `ordered` or `delivery_failed`; absent: not ordered."""
    states: dict[UUID, str] = {}
    for reward_id, status in (
        Delivery.objects.filter(reward__in=list(reward_ids), event_type="REWARD")
        .order_by("id")
        .values_list("reward", "status")
    ):
        if reward_id is not None and status != DeliveryStatus.SKIPPED:
            states[reward_id] = DELIVERY_FAILED if status == DeliveryStatus.FAILED else ORDERED
    return states
