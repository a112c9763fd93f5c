"""Rewards, why they were earned, and each change of them."""

from django.db import models
from django.db.models import Q

from campaigns.models import Beneficiary, Campaign, FulfilmentKind, RewardRule
from participants.models import Customer, Participant, QualifyingEvent
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.tenancy import TenantModel
from rewards.states import AGGREGATE_TYPES, RewardStatus, RewardType, WaitingFor


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
