"""Rewards, why they were earned, and how they are issued. All amounts are in minor units of their currency.

Foreign keys between tenant tables have no constraint of their own: the migration adds the composite one, which can't
cross organizations (accounts.tenancy.CompositeKey).
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from campaigns.models import Beneficiary, Campaign, FulfilmentKind, RewardRule
from integrations.models import Connection
from participants.models import Customer, Participant, QualifyingEvent
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.tenancy import TenantModel
from rewards.recipient_requests import RecipientRequest
from rewards.reconciliations import Finding, Reconciliation
from rewards.states import (
    AGGREGATE_TYPES,
    AttemptOutcome,
    BatchStatus,
    ClaimKind,
    ItemOutcome,
    RewardStatus,
    RewardType,
    WaitingFor,
)

__all__ = [
    "AutomaticRun",
    "BatchItem",
    "Claim",
    "Decision",
    "Finding",
    "IssueAttempt",
    "Netting",
    "QueuedReward",
    "RecipientRequest",
    "Reconciliation",
    "Reward",
    "RewardBatch",
    "RewardTotals",
    "RewardTransition",
    "StatementPeriod",
]


class Reward(TenantModel):
    """An amount owed to one participant, or to be taken back: always positive, the status gives the direction.

    `earned_amount` never changes. `amount` is what is owed now and, once issued, what was issued. Only
    `services.door` writes status and amounts.
    """

    # Each index on a row that is written this often says what it is for; none is made for a key by itself. The composite
    # keys hold the organization.
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, related_name="rewards", db_constraint=False, db_index=False
    )
    participant = models.ForeignKey(
        Participant, on_delete=models.PROTECT, related_name="rewards", db_constraint=False, db_index=False
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="rewards", db_constraint=False, db_index=False
    )
    rule = models.ForeignKey(
        RewardRule, on_delete=models.PROTECT, null=True, related_name="rewards", db_constraint=False, db_index=False
    )
    event = models.ForeignKey(
        QualifyingEvent,
        on_delete=models.PROTECT,
        null=True,
        related_name="rewards",
        db_constraint=False,
        db_index=False,
    )
    beneficiary = models.CharField(max_length=8, choices=Beneficiary, null=True)
    transaction_id = models.CharField(max_length=200, null=True, db_collation="C")
    type = models.CharField(max_length=13, choices=RewardType)
    status = models.CharField(max_length=17, choices=RewardStatus)
    amount = models.BigIntegerField()
    earned_amount = models.BigIntegerField()
    # What is left of `earned_amount` after refunds: budget and caps count this. 0 once canceled.
    target_amount = models.BigIntegerField()
    uncut_amount = models.BigIntegerField(null=True)
    remainder_amount = models.BigIntegerField(default=0)
    refunded_amount = models.BigIntegerField(default=0)
    # What a refund takes off once it is known how the issuing that is under way ends; below 0, what is given back then.
    pending_reduction = models.BigIntegerField(default=0)
    # The event's net amount when the issuing began: what deductions are reckoned from.
    issued_net = models.BigIntegerField(null=True)
    # Of a part: its amount then. What was issued of it may since have been lowered inside its aggregate. Of what fell
    # below its netted part after its money had come back: its amount before.
    issued_base = models.BigIntegerField(null=True)
    # A deduction names the reward that it takes back; a reward that gives back names the one that it restores.
    deducts = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="deductions", db_constraint=False, db_index=False
    )
    restores = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="restorations", db_constraint=False, db_index=False
    )
    carried_from = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="carried", db_constraint=False, db_index=False
    )
    # The aggregate that this reward or deduction is a part of; a deduction of an issued part names both.
    aggregate = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="parts", db_constraint=False, db_index=False
    )
    deducts_part = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="part_deductions", db_constraint=False, db_index=False
    )
    # Of an aggregate: how many parts it was made of, and the end of its statement period or calendar day.
    parts_count = models.PositiveIntegerField(null=True)
    period_ends_at = models.DateTimeField(null=True)
    # How much of `amount` was settled by deductions while it was issued: the provider got the difference.
    netted_amount = models.BigIntegerField(default=0)
    # The reward that a deduction was netted from.
    settled_by = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="settles", db_constraint=False, db_index=False
    )
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=500, null=True)
    external_ref = models.CharField(max_length=200, null=True)
    waiting_for = models.CharField(max_length=11, choices=WaitingFor, null=True)
    fulfilment_kind = models.CharField(max_length=7, choices=FulfilmentKind, default=FulfilmentKind.METHOD)
    fulfilment_method = models.CharField(max_length=20, default="MANUAL")
    # The endpoint that its campaign named when it became due; null is the default one at the time of the order.
    fulfilment_endpoint = models.ForeignKey(
        "integrations.Endpoint",
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    method = models.CharField(max_length=20, null=True)
    provider_reference = models.CharField(max_length=255, null=True)
    # Grows only when the provider proved that the money came back: the idempotency key is `reward_id:issue_number`.
    issue_number = models.PositiveIntegerField(default=1)
    earned_at = models.DateTimeField()
    releases_at = models.DateTimeField(null=True)
    # When what earned it happened: the event, else when it was given or made.
    occurred_at = models.DateTimeField(null=True)
    # From when on it could be part of an aggregate: holding and review were over, and it was on record.
    ready_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    issued_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["event", "rule"],
                condition=Q(
                    event__isnull=False, deducts__isnull=True, restores__isnull=True, carried_from__isnull=True
                ),
                name="reward_once_per_event_and_rule",
            ),
            models.UniqueConstraint(
                fields=["organization", "external_ref"],
                condition=Q(type="ONE_TIME", external_ref__isnull=False, carried_from__isnull=True),
                name="reward_external_ref_once",
            ),
            models.CheckConstraint(condition=Q(amount__gte=0, earned_amount__gt=0), name="reward_amounts_positive"),
            models.UniqueConstraint(
                fields=["campaign", "participant", "currency", "period_ends_at"],
                condition=Q(type="STATEMENT", period_ends_at__isnull=False),
                name="reward_one_statement",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[RewardStatus.CANCELED, RewardStatus.AGGREGATED]) | Q(amount__gt=0),
                name="reward_amount_above_zero",
            ),
            # An aggregate is the sum of its parts, and one of them may rise again after a refund that failed.
            models.CheckConstraint(
                condition=Q(amount__lte=models.F("earned_amount")) | Q(type__in=AGGREGATE_TYPES),
                name="reward_amount_not_raised",
            ),
            models.CheckConstraint(
                condition=~Q(status=RewardStatus.AGGREGATED) | Q(aggregate__isnull=False),
                name="reward_aggregated_where",
            ),
            models.CheckConstraint(
                condition=~Q(waiting_for="AGGREGATION") | Q(ready_at__isnull=False, occurred_at__isnull=False),
                name="reward_ready_when",
            ),
            models.CheckConstraint(
                condition=~Q(status=RewardStatus.AVAILABLE) | Q(issued_at__isnull=False), name="reward_issued_when"
            ),
            models.CheckConstraint(condition=Q(netted_amount__gte=0), name="reward_netted_positive"),
        ]
        indexes = [
            # Newest first: by the key of (organization, id) that composite foreign keys point to.
            models.Index(fields=["organization", "status", "-id"], name="reward_by_status"),
            models.Index(fields=["campaign", "status", "-id"], name="reward_of_campaign"),
            models.Index(fields=["participant", "-id"], name="reward_of_participant"),
            models.Index(fields=["customer", "-id"], name="reward_of_customer"),
            models.Index(
                fields=["organization", "transaction_id"],
                condition=Q(transaction_id__isnull=False),
                name="reward_by_transaction",
            ),
            models.Index(fields=["event"], condition=Q(event__isnull=False), name="reward_of_event"),
            models.Index(
                fields=["campaign", "participant", "due_at"], condition=Q(status="PENDING"), name="reward_due"
            ),
            models.Index(fields=["releases_at"], condition=Q(status="EARNED"), name="reward_to_release"),
            models.Index(
                fields=["organization", "id"], condition=~Q(pending_reduction=0), name="reward_reduction_waits"
            ),
            models.Index(
                fields=["campaign", "ready_at"], condition=Q(waiting_for="AGGREGATION"), name="reward_to_aggregate"
            ),
            models.Index(
                fields=["campaign", "participant", "occurred_at"],
                condition=Q(waiting_for="AGGREGATION"),
                name="reward_to_aggregate_by_person",
            ),
            models.Index(
                fields=["campaign", "participant"], condition=Q(waiting_for="CARRY"), name="reward_carried_waits"
            ),
            models.Index(fields=["aggregate", "id"], condition=Q(aggregate__isnull=False), name="reward_parts"),
            models.Index(
                fields=["deducts_part"], condition=Q(deducts_part__isnull=False), name="reward_part_deductions"
            ),
            models.Index(fields=["carried_from"], condition=Q(carried_from__isnull=False), name="reward_carried_on"),
            models.Index(fields=["deducts"], condition=Q(deducts__isnull=False), name="reward_deductions"),
            models.Index(fields=["restores"], condition=Q(restores__isnull=False), name="reward_restorations"),
            models.Index(
                fields=["organization", "id"], condition=Q(waiting_for="NO_ENDPOINT"), name="reward_without_endpoint"
            ),
            models.Index(
                fields=["participant", "campaign"],
                condition=Q(status="PENDING_DEDUCTION"),
                name="reward_to_deduct",
            ),
            models.Index(fields=["settled_by"], condition=Q(settled_by__isnull=False), name="reward_settled"),
            models.Index(
                fields=["organization", "id"], condition=Q(waiting_for="RECIPIENT"), name="reward_waits_for_recipient"
            ),
        ]


class Decision(TenantModel):
    """What one rule made of one event, paying or not, with the reason."""

    event = models.ForeignKey(QualifyingEvent, on_delete=models.PROTECT, related_name="decisions", db_constraint=False)
    rule = models.ForeignKey(RewardRule, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    outcome = models.CharField(max_length=12, choices=[("REWARDED", "Rewarded"), ("NOT_REWARDED", "Not rewarded")])
    code = models.CharField(max_length=40)
    message = models.CharField(max_length=500)
    reward = models.ForeignKey(
        Reward, on_delete=models.PROTECT, null=True, related_name="decisions", db_constraint=False
    )
    uncut_amount = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "rule"], name="decision_once")]


class RewardTransition(TenantModel):
    """One change of one reward, append-only: its rows in order of `id` replay to the present state."""

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    reward = models.ForeignKey(
        Reward, on_delete=models.PROTECT, related_name="transitions", db_constraint=False, db_index=False
    )
    at = models.DateTimeField()
    from_status = models.CharField(max_length=17, choices=RewardStatus, null=True)
    to_status = models.CharField(max_length=17, choices=RewardStatus)
    actor = models.CharField(max_length=80)
    reason = models.CharField(max_length=500, blank=True)
    amount_before = models.BigIntegerField()
    amount_after = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["reward", "id"], name="transition_of_reward")]


class RewardTotals(TenantModel):
    """Number and sums of a campaign's rewards in one status and currency, kept by the door in each transaction.

    The targets of all statuses together are what the campaign has used of its budget.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="totals", db_constraint=False)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=17, choices=RewardStatus)
    count = models.BigIntegerField(default=0)
    amount = models.BigIntegerField(default=0)
    target = models.BigIntegerField(default=0)

    class Meta:
        # No check that they aren't negative: the proposed row of an upsert is checked before it is added.
        constraints = [models.UniqueConstraint(fields=["campaign", "currency", "status"], name="totals_once")]
        indexes = [models.Index(fields=["organization", "status"], name="totals_by_status")]


class StatementPeriod(TenantModel):
    """A close of a campaign's statements, with what it came to then. A period in which nobody had anything has none."""

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="periods", db_constraint=False)
    currency = models.CharField(max_length=3)
    ends_at = models.DateTimeField()
    closed_at = models.DateTimeField()
    customers = models.BigIntegerField(default=0)
    parts = models.BigIntegerField(default=0)
    to_issue = models.BigIntegerField(default=0)
    to_deduct = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "currency", "ends_at"], name="period_once")]


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
