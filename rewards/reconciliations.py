"""Reconciliations with providers, and what they found. Amounts are in minor units of their currency."""

from django.db import models
from django.db.models import Q

from referral_rocket.accounts.tenancy import TenantModel


class ReconciliationStatus(models.TextChoices):
    QUEUED = "QUEUED", "Queued"
    RUNNING = "RUNNING", "Under way"
    FINISHED = "FINISHED", "Finished"
    FAILED = "FAILED", "Broke off"


class Reconciliation(TenantModel):
    """Our rows held against the providers', once. A worker goes on with it a few seconds at a time.

    `place` says where it goes on (services.reconciling.runs). `compared` are our rewards that were looked up, `listed`
    the things of providers' lists that carry a mark of ours; `remarks` say what couldn't be asked, in sentences.
    """

    status = models.CharField(max_length=8, choices=ReconciliationStatus, default=ReconciliationStatus.QUEUED)
    # What was issued from then on, wall time.
    since = models.DateTimeField()
    actor = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    place = models.JSONField(default=dict)
    to_compare = models.PositiveIntegerField(default=0)
    compared = models.PositiveIntegerField(default=0)
    listed = models.PositiveIntegerField(default=0)
    remarks = models.JSONField(default=list)
    # Tries that failed in a row.
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], condition=Q(finished_at__isnull=True), name="reconciliation_one_open"
            )
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="reconciliation_newest"),
            models.Index(
                fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="reconciliation_to_go_on"
            ),
        ]


class FindingKind(models.TextChoices):
    ORPHAN = "ORPHAN", "Not on record here"
    NOT_ISSUED_HERE = "NOT_ISSUED_HERE", "Issued at the provider, not here"
    DOUBLE_THERE = "DOUBLE_THERE", "Twice at the provider"
    DOUBLE_HERE = "DOUBLE_HERE", "Twice here"
    MISSING = "MISSING", "Issued here, not at the provider"
    OTHER_REFERENCE = "OTHER_REFERENCE", "Another reference"
    OTHER_AMOUNT = "OTHER_AMOUNT", "Another amount"
    NOT_SHOWN = "NOT_SHOWN", "Couldn't be looked up"
    BOOKS = "BOOKS", "Our own books"


class Settled(models.TextChoices):
    BY_A_PERSON = "BY_A_PERSON", "Looked into"
    AGREES = "AGREES", "Agrees now"


class Finding(TenantModel):
    """Something that doesn't agree, once, however often it is seen. `key` is what makes it the same.

    `named_reward` is the reward that the provider's thing names, also where there is no such reward here.
    """

    key = models.CharField(max_length=400, db_collation="C")
    kind = models.CharField(max_length=15, choices=FindingKind)
    message = models.CharField(max_length=500)
    connection = models.ForeignKey(
        "integrations.Connection", on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    reward = models.ForeignKey(
        "rewards.Reward", on_delete=models.PROTECT, null=True, related_name="findings", db_constraint=False
    )
    item = models.ForeignKey(
        "rewards.BatchItem", on_delete=models.PROTECT, null=True, related_name="findings", db_constraint=False
    )
    named_reward = models.UUIDField(null=True)
    method = models.CharField(max_length=20, blank=True)
    amount = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    provider_reference = models.CharField(max_length=255, blank=True)
    first_seen_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    settled_as = models.CharField(max_length=11, choices=Settled, blank=True)
    settled_by = models.CharField(max_length=80, blank=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="finding_once")]
        indexes = [
            models.Index(fields=["organization", "-id"], condition=Q(settled_at__isnull=True), name="finding_open"),
            models.Index(fields=["organization", "-id"], condition=Q(settled_at__isnull=False), name="finding_settled"),
            models.Index(fields=["reward"], condition=Q(reward__isnull=False), name="finding_of_reward"),
        ]
