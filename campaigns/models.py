"""A program: what qualifies, who earns how much, when it becomes due and who issues it."""

from django.db import models
from django.db.models import Q

from referral_rocket.accounts.tenancy import TenantModel
from referral_rocket.kit.ids import uuid7


class CampaignStatus(models.TextChoices):
    DRAFT = "DRAFT", "Draft"
    ACTIVE = "ACTIVE", "Active"
    PAUSED = "PAUSED", "Paused"
    ENDED = "ENDED", "Ended"


class EarningTiming(models.TextChoices):
    IMMEDIATE = "IMMEDIATE", "Immediately"
    STATEMENT = "STATEMENT", "By statement"
    DELAYED = "DELAYED", "Some days later"


class Remainder(models.TextChoices):
    """What becomes of the rest where less is issued than was owed."""

    DROP = "DROP", "Dropped, on record"
    CARRY = "CARRY", "Carried over"


class FulfilmentKind(models.TextChoices):
    METHOD = "METHOD", "Issued from here"
    WEBHOOK = "WEBHOOK", "Ordered by webhook"


class CouponKind(models.TextChoices):
    AMOUNT = "AMOUNT", "The reward's amount"
    PERCENT = "PERCENT", "A percentage"


class CouponDuration(models.TextChoices):
    ONCE = "once", "Once"
    REPEATING = "repeating", "For some months"


class AutoIssueWhen(models.TextChoices):
    """When rewards are issued without a person; days are those of the organization's time zone."""

    OFF = "OFF", "Never: a person presses Issue Reward"
    AT_ONCE = "AT_ONCE", "As soon as they are due"
    DAILY = "DAILY", "Every day"
    DAY_15 = "DAY_15", "On the 15th of each month"
    LAST_DAY = "LAST_DAY", "On the last day of each month"


class Campaign(TenantModel):
    """Amounts are in minor units of `currency`, which can't change once the campaign has an event."""

    name = models.CharField(max_length=200)
    status = models.CharField(max_length=6, choices=CampaignStatus, default=CampaignStatus.DRAFT)
    currency = models.CharField(max_length=3)
    qualifying_event = models.CharField(max_length=60, default="purchase")
    landing_url = models.URLField(max_length=2000, null=True)
    attribution_window_days = models.PositiveIntegerField(default=60)
    holding_days = models.PositiveIntegerField(default=0)
    review_above = models.BigIntegerField(null=True)
    budget = models.BigIntegerField(null=True)
    earning_timing = models.CharField(max_length=9, choices=EarningTiming, default=EarningTiming.IMMEDIATE)
    # A statement period ends at the midnight that ends this day, in the organization's zone; null is the month's last.
    statement_day = models.PositiveSmallIntegerField(null=True)
    delay_days = models.PositiveIntegerField(null=True)
    # No statement closes at or before this moment any more: the last close, or when the timing was last changed.
    closed_until = models.DateTimeField()
    remainder = models.CharField(max_length=5, choices=Remainder, default=Remainder.DROP)
    carry_minimum = models.BigIntegerField(default=1)
    fulfilment_kind = models.CharField(max_length=7, choices=FulfilmentKind, default=FulfilmentKind.METHOD)
    fulfilment_method = models.CharField(max_length=20, default="MANUAL")
    fulfilment_connection = models.ForeignKey(
        "integrations.Connection", on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    # Who gets the orders of WEBHOOK; null is the organization's oldest enabled endpoint that takes REWARD.
    fulfilment_endpoint = models.ForeignKey(
        "integrations.Endpoint", on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    # Which parts of a payment a rate is taken of: see campaigns.services and rewards.rules.commission_base.
    base_tax = models.BooleanField(default=False)
    base_shipping = models.BooleanField(default=False)
    base_discounts = models.BooleanField(default=True)
    # What a coupon made for a reward takes off, for how long, and until when it can be used (integrations.base.CouponTerms).
    coupon_kind = models.CharField(max_length=7, choices=CouponKind, default=CouponKind.AMOUNT)
    coupon_percent_off = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    coupon_duration = models.CharField(max_length=9, choices=CouponDuration, default=CouponDuration.ONCE)
    coupon_duration_months = models.PositiveSmallIntegerField(null=True)
    coupon_expires_days = models.PositiveSmallIntegerField(null=True)
    # Automatic issuing: `minimum` is what a participant has to have due, the limit is for one run (of AT_ONCE: one day).
    auto_issue_when = models.CharField(max_length=8, choices=AutoIssueWhen, default=AutoIssueWhen.OFF)
    auto_issue_minimum = models.BigIntegerField(default=0)
    auto_issue_limit_per_run = models.BigIntegerField(null=True)
    # A batch of more than this waits for a second person, whoever or whatever made it.
    auto_issue_approve_above = models.BigIntegerField(null=True)
    # Since when `auto_issue_when` is what it is: no run is made up for the time before.
    auto_issue_since = models.DateTimeField(null=True)
    # Nothing is issued by itself while it is set, whatever `auto_issue_when` says.
    auto_issue_paused_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-id"], name="campaign_newest"),
            models.Index(fields=["id"], condition=~Q(auto_issue_when="OFF"), name="campaign_issues_itself"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(budget__isnull=True) | Q(budget__gt=0), name="campaign_budget_positive"),
            models.CheckConstraint(
                condition=Q(coupon_kind="PERCENT", coupon_percent_off__isnull=False)
                | Q(coupon_kind="AMOUNT", coupon_percent_off__isnull=True),
                name="campaign_coupon_percent",
            ),
            models.CheckConstraint(
                condition=Q(coupon_duration="repeating", coupon_duration_months__isnull=False)
                | Q(coupon_duration="once", coupon_duration_months__isnull=True),
                name="campaign_coupon_months",
            ),
            models.CheckConstraint(
                condition=Q(statement_day__isnull=True) | Q(statement_day__range=(1, 31)), name="campaign_statement_day"
            ),
            models.CheckConstraint(
                condition=~Q(earning_timing=EarningTiming.DELAYED) | Q(delay_days__isnull=False), name="campaign_delay"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def aggregates(self) -> bool:
        """Whether rewards wait to be issued as one."""
        return self.earning_timing != EarningTiming.IMMEDIATE


class CampaignStatusChange(TenantModel):
    """From when on a campaign had which status. Events are judged by the status at their own time."""

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="status_changes", db_constraint=False)
    at = models.DateTimeField()
    status = models.CharField(max_length=6, choices=CampaignStatus)
    actor = models.CharField(max_length=80)

    class Meta:
        indexes = [models.Index(fields=["campaign", "at"], name="campaign_status_at")]


class RuleType(models.TextChoices):
    REFERRAL = "REFERRAL", "Referral"
    TRANSACTIONAL = "TRANSACTIONAL", "Transactional"
    OFFER = "OFFER", "Offer"


class Beneficiary(models.TextChoices):
    REFERRER = "REFERRER", "Referrer"
    REFERRED = "REFERRED", "Referred"
    BUYER = "BUYER", "Buyer"


class OncePer(models.TextChoices):
    REFERRED = "REFERRED", "Once for each referred person"
    EVENT = "EVENT", "On each event"


class RewardRule(TenantModel):
    """One version of one rule of a campaign. Changing a rule ends its version and adds the next one.

    `rule_id` names the rule over all its versions. An event is judged by the versions in force when it occurred.
    Exactly one of `amount` (minor units), `rate` (0.05 is 5 %) and `tiers` says how much.
    """

    rule_id = models.UUIDField(default=uuid7)
    version = models.PositiveIntegerField(default=1)
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="rules", db_constraint=False)
    position = models.PositiveIntegerField(default=0)
    type = models.CharField(max_length=13, choices=RuleType)
    beneficiary = models.CharField(max_length=8, choices=Beneficiary)
    amount = models.BigIntegerField(null=True)
    rate = models.DecimalField(max_digits=12, decimal_places=8, null=True)
    tiers = models.JSONField(null=True)
    min_purchase = models.BigIntegerField(default=0)
    min_purchase_count = models.PositiveIntegerField(default=1)
    min_total_spent = models.BigIntegerField(null=True)
    every_n_referrals = models.PositiveIntegerField(null=True)
    once_per = models.CharField(max_length=8, choices=OncePer)
    max_per_reward = models.BigIntegerField(null=True)
    max_rewards_per_participant = models.PositiveIntegerField(null=True)
    max_amount_per_month = models.BigIntegerField(null=True)
    commission_months = models.PositiveIntegerField(null=True)
    when_referrer_rewarded = models.BooleanField(default=False)
    conditions = models.JSONField(null=True)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position", "id"]
        indexes = [models.Index(fields=["campaign", "position"], name="rule_of_campaign")]
        constraints = [
            models.UniqueConstraint(fields=["organization", "rule_id", "version"], name="rule_version_once"),
            models.UniqueConstraint(
                fields=["organization", "rule_id"], condition=Q(valid_until__isnull=True), name="rule_one_in_force"
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=False, rate__isnull=True, tiers__isnull=True)
                | Q(amount__isnull=True, rate__isnull=False, tiers__isnull=True)
                | Q(amount__isnull=True, rate__isnull=True, tiers__isnull=False),
                name="rule_one_way_to_count",
            ),
        ]
