"""What payment systems posted to us, stored before anything is made of it."""

from django.db import models
from django.db.models import Q

from referral_rocket.accounts.tenancy import TenantModel

# In characters. What a provider calls an event, and its kind.
LONGEST_ID, LONGEST_TYPE = 255, 120


class InboundStatus(models.TextChoices):
    RECEIVED = "RECEIVED", "Waiting to be worked on"
    PROCESSED = "PROCESSED", "Processed"
    IGNORED = "IGNORED", "Ignored"
    FAILED = "FAILED", "Failed"


class BackfillStatus(models.TextChoices):
    QUEUED = "QUEUED", "Waiting to be begun"
    READING = "READING", "Asking the provider"
    JUDGING = "JUDGING", "Working out what it would give"
    FINISHED = "FINISHED", "Finished"
    FAILED = "FAILED", "Failed"


class Backfill(TenantModel):
    """The last days of payments of a connected account, taken in as if they had been told. See services.backfilling.

    A dry run stores nothing but its figures: `found` payments in all, of which `known` ones had counted before,
    `attributed` are somebody's; `sums` and `would_earn` are lists of {currency, number, amount}, in minor units.
    """

    connection = models.ForeignKey(
        "integrations.Connection", on_delete=models.PROTECT, related_name="backfills", db_constraint=False
    )
    days = models.PositiveSmallIntegerField()
    since = models.DateTimeField()
    dry_run = models.BooleanField()
    status = models.CharField(max_length=8, choices=BackfillStatus, default=BackfillStatus.QUEUED)
    actor = models.CharField(max_length=80)
    read = models.PositiveIntegerField(default=0)
    judged = models.PositiveIntegerField(default=0)
    found = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0)
    attributed = models.PositiveIntegerField(default=0)
    unreadable = models.PositiveIntegerField(default=0)
    sums = models.JSONField(default=list)
    would_earn = models.JSONField(default=list)
    message = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    # When a worker is to deal with it; null once it has ended.
    next_attempt_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="backfill_to_do"),
            models.Index(fields=["connection", "-id"], name="backfill_of_connection"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"], condition=Q(next_attempt_at__isnull=False), name="backfill_one_at_a_time"
            )
        ]


class Replay(TenantModel):
    """Many events of a connection being worked on once more: those of a status and type ("" is each). See replaying.py.

    `total` were there when it was asked; `taken` of them wait to be worked on again, or were; `seen` is the last one's key.
    """

    connection = models.ForeignKey(
        "integrations.Connection", on_delete=models.PROTECT, related_name="replays", db_constraint=False
    )
    of_status = models.CharField(max_length=9, blank=True)
    of_type = models.CharField(max_length=120, blank=True)
    total = models.PositiveIntegerField(default=0)
    taken = models.PositiveIntegerField(default=0)
    seen = models.UUIDField(null=True)
    actor = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["connection", "-id"], name="replay_of_connection")]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"], condition=Q(finished_at__isnull=True), name="replay_one_at_a_time"
            )
        ]


class InboundEvent(TenantModel):
    """One event of a provider, once per provider event id, with its raw body.

    The body is emptied when somebody whom it names is erased (forgetting.py); `body_hash`, its SHA-256 in hex, is set then.
    """

    # Every index costs the door: the ones below begin with these columns. The connection's key holds the organization too.
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    connection = models.ForeignKey(
        "integrations.Connection",
        on_delete=models.PROTECT,
        related_name="inbound_events",
        db_constraint=False,
        db_index=False,
    )
    provider_event_id = models.CharField(max_length=LONGEST_ID, db_collation="C")
    event_type = models.CharField(max_length=LONGEST_TYPE)
    livemode = models.BooleanField(null=True)
    body = models.BinaryField()
    body_hash = models.CharField(max_length=64, null=True, db_collation="C")
    received_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=InboundStatus, default=InboundStatus.RECEIVED)
    reason = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)
    # When the provider is to be asked for what the event left out; null where there is nothing (completing.py).
    ask_at = models.DateTimeField(null=True)
    # The backfill that listed it; null where the provider told of it by itself.
    backfill = models.ForeignKey(
        Backfill, on_delete=models.PROTECT, null=True, related_name="events", db_constraint=False, db_index=False
    )

    # The replay that let it be worked on again, if it was one of many.
    replay = models.ForeignKey(
        Replay, on_delete=models.PROTECT, null=True, related_name="events", db_constraint=False, db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "provider_event_id"], name="inbound_event_once"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(status="RECEIVED"), name="inbound_to_work_off"),
            models.Index(fields=["connection", "-id"], name="inbound_of_connection"),
            models.Index(fields=["organization", "-id"], name="inbound_newest"),
            models.Index(fields=["ask_at"], condition=Q(ask_at__isnull=False), name="inbound_to_ask_about"),
            models.Index(fields=["connection", "-id"], condition=Q(status="FAILED"), name="inbound_failed"),
            models.Index(fields=["replay", "status"], condition=Q(replay__isnull=False), name="inbound_of_replay"),
            models.Index(
                fields=["backfill", "status"], condition=Q(backfill__isnull=False), name="inbound_of_backfill"
            ),
        ]
