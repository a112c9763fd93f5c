"""Batches of rewards that are issued, whoever asked for them, and who has the right to issue."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from campaigns.models import Campaign
from integrations.models import Connection
from referral_rocket.accounts.tenancy import TenantModel
from rewards.models.rewards import Reward
from rewards.states import BatchStatus, ClaimKind


class Claim(TenantModel):
    """The right to issue a reward. At most one is open per reward; whoever issues takes it first."""

    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="claims", db_constraint=False)
    kind = models.CharField(max_length=12, choices=ClaimKind)
    opened_at = models.DateTimeField()
    # An order's first attempt, or the item's that nets a deduction: from then on the reward is being issued. Batches
    # have that in their items' `tries`.
    started_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reward"], condition=Q(closed_at__isnull=True), name="one_open_claim")
        ]


class RewardBatch(TenantModel):
    """One press of Issue Reward: some due rewards, one method, one result per reward.

    A batch that `takes_back` holds deductions instead, taken back where their rewards were issued.
    """

    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, null=True, related_name="batches", db_constraint=False
    )
    method = models.CharField(max_length=20)
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    takes_back = models.BooleanField(default=False)
    status = models.CharField(max_length=17, choices=BatchStatus, default=BatchStatus.QUEUED)
    # When the file of a method that works by one was downloaded for the first time: issuing has begun then.
    file_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True)
    reference = models.CharField(max_length=200, blank=True)
    actor = models.CharField(max_length=80)
    # The user behind the actor, where there is one: a second person is another one.
    person_id = models.UUIDField(null=True)
    # What the selection came to when it was asked for: [currency, number, amount] of what could be issued then.
    asked = models.JSONField(default=list)
    approved_by = models.CharField(max_length=80, blank=True)
    approved_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-id"], name="batch_newest"),
            models.Index(
                fields=["organization", "-id"], condition=Q(status="AWAITING_APPROVAL"), name="batch_to_approve"
            ),
        ]


class BatchSlice(TenantModel):
    """A part of what was selected for a big batch, until the worker makes items of it (services.freezing).

    Side by side: the rewards in key order, the amount of each when it was selected, and the code of what stood in its
    way then, empty where nothing did.
    """

    batch = models.ForeignKey(RewardBatch, on_delete=models.PROTECT, related_name="slices", db_constraint=False)
    position = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    reward_ids = ArrayField(models.UUIDField())
    amounts = ArrayField(models.BigIntegerField())
    obstacles = ArrayField(models.CharField(max_length=40, blank=True))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "position"], name="slice_once")]


class AutomaticRun(TenantModel):
    """That a campaign's rewards were issued automatically for a day: each such day has one row, and one run.

    `amount` and `number` are what went into batches; of AT_ONCE during all the day.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="automatic_runs", db_constraint=False)
    run_on = models.DateField()
    amount = models.BigIntegerField(default=0)
    number = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "run_on"], name="automatic_run_once")]


class QueuedReward(TenantModel):
    """A reward that waits until an earlier discount of its customer is used up, and is then issued by the same method.

    It holds no claim: it stays due, and whoever issues it another way ends the waiting. See services.queueing.
    """

    reward = models.OneToOneField(Reward, on_delete=models.PROTECT, related_name="queued", db_constraint=False)
    method = models.CharField(max_length=20)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    actor = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    tried_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["next_attempt_at"], name="queued_to_try")]
