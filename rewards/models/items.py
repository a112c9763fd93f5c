"""What becomes of each reward of a batch: its item, the calls to the provider, and what is netted."""

from django.db import models
from django.db.models import Q

from integrations.models import Connection
from referral_rocket.accounts.tenancy import TenantModel
from rewards.models.batches import Claim, RewardBatch
from rewards.models.rewards import Reward
from rewards.states import AttemptOutcome, ItemOutcome


class BatchItem(TenantModel):
    """One reward of a batch, with the amount that is issued and how it ended."""

    batch = models.ForeignKey(RewardBatch, on_delete=models.PROTECT, related_name="items", db_constraint=False)
    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="batch_items", db_constraint=False)
    claim = models.ForeignKey(Claim, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False)
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    amount = models.BigIntegerField()
    # How much of `amount` is settled by deductions instead of being sent.
    netted_amount = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    outcome = models.CharField(max_length=9, choices=ItemOutcome, default=ItemOutcome.QUEUED)
    code = models.CharField(max_length=40, blank=True)
    message = models.CharField(max_length=500, blank=True)
    provider_reference = models.CharField(max_length=255, null=True)
    # Set with each attempt's row, before the call, and cleared by an answer that leaves no doubt: while it is set the
    # provider is asked what it did before anything is sent.
    in_doubt = models.BooleanField(default=False)
    tries = models.PositiveIntegerField(default=0)
    # When the runner is to deal with it: send it while it is QUEUED, look it up in any other outcome. Null is never.
    next_attempt_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "reward"], name="batch_item_once")]
        indexes = [
            models.Index(fields=["batch", "outcome", "id"], name="item_of_batch"),
            models.Index(fields=["reward"], name="item_of_reward"),
            models.Index(
                fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="item_to_deal_with"
            ),
            models.Index(
                fields=["connection", "next_attempt_at", "id"],
                condition=Q(next_attempt_at__isnull=False),
                name="item_of_lane",
            ),
            models.Index(fields=["organization", "id"], condition=Q(outcome="UNKNOWN"), name="item_unknown"),
            models.Index(fields=["connection", "id"], condition=Q(connection__isnull=False), name="item_of_connection"),
            models.Index(
                fields=["connection", "provider_reference"],
                condition=Q(provider_reference__isnull=False),
                name="item_by_reference",
            ),
        ]

    @property
    def sent_amount(self) -> int:
        """What the provider is told."""
        return self.amount - self.netted_amount


class Netting(TenantModel):
    """A deduction that an item settles instead of sending so much. The deduction is claimed until the outcome is known.

    `settled_at` is set with the item's success; the claim alone is closed where the item comes to nothing.
    """

    item = models.ForeignKey(BatchItem, on_delete=models.PROTECT, related_name="nettings", db_constraint=False)
    deduction = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="nettings", db_constraint=False)
    claim = models.ForeignKey(Claim, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    amount = models.BigIntegerField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "deduction"], name="netting_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="netting_amount_positive"),
        ]
        indexes = [models.Index(fields=["deduction"], name="netting_of_deduction")]


class IssueAttempt(TenantModel):
    """One call to a provider for one item, committed before the call. `exchanges` are redacted requests and answers.

    `group_key` names the call where the provider takes many rewards in one.
    """

    item = models.ForeignKey(BatchItem, on_delete=models.PROTECT, related_name="attempts", db_constraint=False)
    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="attempts", db_constraint=False)
    idempotency_key = models.CharField(max_length=255)
    group_key = models.CharField(max_length=36, null=True)
    recipient_provider_id = models.CharField(max_length=200, null=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=9, choices=AttemptOutcome, default=AttemptOutcome.STARTED)
    code = models.CharField(max_length=40, blank=True)
    message = models.CharField(max_length=500, blank=True)
    provider_reference = models.CharField(max_length=255, null=True)
    exchanges = models.JSONField(default=list)

    class Meta:
        indexes = [
            models.Index(fields=["item", "id"], name="attempt_of_item"),
            models.Index(fields=["reward", "id"], name="attempt_of_reward"),
        ]
