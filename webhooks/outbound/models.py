"""What we owe tenants' endpoints: a delivery for each event and endpoint, its attempts, and how an endpoint fares."""

from datetime import timedelta

from django.db import models
from django.db.models import Q

from integrations.models import Endpoint
from referral_rocket.accounts.tenancy import TenantModel
from referral_rocket.kit.clock import wall
from rewards.models import Claim, Reward

TEST_EVENT = "TEST"


class DeliveryStatus(models.TextChoices):
    PENDING = "PENDING", "Pending"
    DELIVERED = "DELIVERED", "Delivered"
    FAILED = "FAILED", "Failed"
    SKIPPED = "SKIPPED", "Skipped"


class Delivery(TenantModel):
    """One event for one endpoint. `body` is what is signed and sent, to the byte, and doesn't change once sent.

    An order has `reward` and `claim`, and `confirms` where a 2xx answer is the confirmation (the endpoint's status mode
    when the event was made). `tries` counts the failures of this run of the schedule; `forced` is set by retry and
    replay, which send an order again whatever became of its reward, unless that was canceled.

    While a worker holds the row, `lease_token` is the worker's and `next_attempt_at` is when its lease ends: what is
    due and what was left behind are found by one index.
    """

    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.PROTECT, related_name="deliveries", db_constraint=False, db_index=False
    )
    event_type = models.CharField(max_length=20)
    reward = models.ForeignKey(
        Reward, on_delete=models.PROTECT, null=True, related_name="deliveries", db_constraint=False, db_index=False
    )
    claim = models.ForeignKey(
        Claim, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    confirms = models.BooleanField(default=False)
    body = models.TextField()
    status = models.CharField(max_length=9, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    reason = models.CharField(max_length=200, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    forced = models.BooleanField(default=False)
    first_attempt_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField()
    lease_token = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["endpoint", "next_attempt_at"], condition=Q(status="PENDING"), name="delivery_due"),
            models.Index(fields=["endpoint", "-id"], name="delivery_of_endpoint"),
            models.Index(fields=["endpoint", "status", "-id"], name="delivery_by_status"),
            models.Index(fields=["endpoint", "event_type", "-id"], name="delivery_by_type"),
            models.Index(fields=["reward", "-id"], condition=Q(reward__isnull=False), name="delivery_of_reward"),
            models.Index(
                fields=["organization", "-id"],
                condition=Q(status="FAILED", event_type="REWARD"),
                name="delivery_order_failed",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["claim"], condition=Q(claim__isnull=False), name="delivery_once_per_claim"),
            # So a result needs nothing but the token to know that its delivery is still the worker's.
            models.CheckConstraint(
                condition=Q(lease_token__isnull=True) | Q(status="PENDING"), name="delivery_leased_while_pending"
            ),
        ]

    @property
    def is_imminent(self) -> bool:
        """Whether its next attempt is out, or to be expected within half a minute."""
        return self.status == DeliveryStatus.PENDING and self.next_attempt_at <= wall() + timedelta(seconds=30)

    @property
    def webhook_id(self) -> str:
        """The same on every attempt, so that the receiver knows a repeat."""
        return f"msg_{self.pk.hex}"


class DeliveryAttempt(TenantModel):
    """One request and what came back. `duration_ms` in milliseconds; `response_excerpt` is its first 2 KB as text."""

    delivery = models.ForeignKey(
        Delivery, on_delete=models.PROTECT, related_name="attempts", db_constraint=False, db_index=False
    )
    at = models.DateTimeField()
    url = models.CharField(max_length=2000)
    duration_ms = models.PositiveIntegerField()
    status_code = models.PositiveIntegerField(null=True)
    error = models.CharField(max_length=200, null=True)
    response_excerpt = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["delivery", "id"], name="attempt_of_delivery")]


class EndpointHour(TenantModel):
    """How an endpoint fared in one hour. Counted as results are written: summing attempts would read millions."""

    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.PROTECT, related_name="hours", db_constraint=False, db_index=False
    )
    hour = models.DateTimeField()
    succeeded = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    duration_ms = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "hour"], name="endpoint_hour_once")]
