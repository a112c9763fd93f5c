"""What payment systems posted to us, stored before anything is made of it."""

from django.db import models
from django.db.models import Q

from referral_rocket.accounts.tenancy import TenantModel


class InboundStatus(models.TextChoices):
    RECEIVED = "RECEIVED", "Waiting to be worked on"
    PROCESSED = "PROCESSED", "Processed"
    IGNORED = "IGNORED", "Ignored"
    FAILED = "FAILED", "Failed"


class InboundEvent(TenantModel):
    """One event of a provider, once per provider event id, with its raw body."""

    connection = models.ForeignKey(
        "integrations.Connection", on_delete=models.PROTECT, related_name="inbound_events", db_constraint=False
    )
    provider_event_id = models.CharField(max_length=255, db_collation="C")
    event_type = models.CharField(max_length=120)
    livemode = models.BooleanField(null=True)
    body = models.BinaryField()
    received_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=InboundStatus, default=InboundStatus.RECEIVED)
    reason = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "provider_event_id"], name="inbound_event_once"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(status="RECEIVED"), name="inbound_to_work_off"),
            models.Index(fields=["connection", "-id"], name="inbound_of_connection"),
            models.Index(fields=["organization", "-id"], name="inbound_newest"),
        ]
