"""Campaigns with their rules. What this version doesn't have takes its default and nothing else (code `not_available`)."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from campaigns.models import (
    AutoIssueWhen,
    Beneficiary,
    CampaignStatus,
    CouponDuration,
    CouponKind,
    EarningTiming,
    OncePer,
    Remainder,
    RuleType,
)
from campaigns.services import methods
from campaigns.terms import MOST_COUPON_DAYS, MOST_COUPON_MONTHS
from referral_rocket.api.fields import (
    Amount,
    Choice,
    Conditions,
    Currency,
    Flag,
    Id,
    PercentOff,
    Rate,
    RateText,
    Strict,
    Text,
    WebAddress,
    Whole,
)
from referral_rocket.kit.money import MAXIMUM_AMOUNT

LATER_METHODS = (
    "STRIPE_CREDIT",
    "STRIPE_COUPON",
    "STRIPE_SUBSCRIPTION",
    "SHOPIFY_GIFT_CARD",
    "SHOPIFY_DISCOUNT",
    "TREMENDOUS",
    "PAYPAL",
    "PAYPAL_FILE",
    "WISE",
    "WISE_FILE",
)
LONGEST_DAYS = 3650
LARGEST_COUNT = 1_000_000
# Rules of a campaign, tiers of a rule: more than a person would write.
MOST_ROWS = 100


def method_field(**options: object) -> Choice:
    """The methods that are built; the others of the API's document aren't available yet."""
    built = methods()
    return Choice(built, later=[name for name in LATER_METHODS if name not in built], **options)


class Fulfilment(Strict):
    kind = Choice(["METHOD", "WEBHOOK"], required=False)
    method = method_field(required=False)
    connection_id = Id(required=False, allow_null=True)
    endpoint_id = Id(
        required=False,
        allow_null=True,
        help_text="With WEBHOOK. Default: the oldest enabled endpoint that takes REWARD.",
    )


class Base(Strict):
    """What a rate is taken of, besides what was paid."""

    tax = Flag(required=False, help_text="Taxes count. Default false.")
    shipping = Flag(required=False, help_text="Shipping counts. Default false.")
    discounts = Flag(required=False, help_text="False: counted as if there had been no discount. Default true.")


class Coupon(Strict):
    """What a coupon made for a reward does."""

    kind = Choice(CouponKind.values, required=False, help_text="AMOUNT takes off the reward's amount.")
    percent_off = PercentOff(required=False, allow_null=True)
    duration = Choice(CouponDuration.values, required=False)
    duration_months = Whole(min_value=1, max_value=MOST_COUPON_MONTHS, required=False, allow_null=True)
    expires_days = Whole(
        min_value=1,
        max_value=MOST_COUPON_DAYS,
        required=False,
        allow_null=True,
        help_text="How long a code can be used. What lies on a subscription stays until its next invoice.",
    )


class AutoIssue(Strict):
    """Issuing without a person. `approve_above` holds for every batch of the campaign."""

    when = Choice(AutoIssueWhen.values, required=False)
    minimum = Amount(least=0, required=False, help_text="What a participant has to have due.")
    limit_per_run = Amount(required=False, allow_null=True, help_text="For one run; of AT_ONCE for one day.")
    approve_above = Amount(
        least=0, required=False, allow_null=True, help_text="A larger batch waits for another user's approval."
    )


class Tier(Strict):
    from_referrals = Whole(min_value=1, max_value=LARGEST_COUNT)
    amount = Amount(required=False, allow_null=True)
    rate = RateText(required=False, allow_null=True)


class PerPeriod(Strict):
    amount = Amount()
    period = Choice(["MONTH"])


def _count(**options: object) -> Whole:
    return Whole(min_value=1, max_value=LARGEST_COUNT, required=False, **options)  # type: ignore[arg-type]


class Rule(Strict):
    """Exactly one of `amount`, `rate` and `tiers` says how much."""

    rule_id = Id(required=False, help_text="Names a rule that is kept or changed; a new one has none.")
    type = Choice(RuleType.values, required=False, help_text="Default REFERRAL; needed beside a rule_id.")
    beneficiary = Choice(
        Beneficiary.values,
        required=False,
        allow_null=True,
        help_text="Default REFERRER for REFERRAL, but needed there beside a rule_id. BUYER is implied for TRANSACTIONAL "
        "and the default for OFFER (REFERRER with every_n_referrals).",
    )
    amount = Amount(required=False, allow_null=True)
    rate = Rate(required=False, allow_null=True)
    tiers: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=Tier(), required=False, allow_null=True, allow_empty=False, max_length=MOST_ROWS
    )
    min_purchase = Amount(least=0, required=False, help_text="Default 0.")
    min_purchase_count = _count(help_text="Default 1.")
    min_total_spent = Amount(required=False, allow_null=True)
    every_n_referrals = _count(allow_null=True)
    once_per = Choice(
        OncePer.values,
        required=False,
        allow_null=True,
        help_text="Default REFERRED for an amount, EVENT for a rate.",
    )
    max_per_reward = Amount(required=False, allow_null=True)
    max_rewards_per_participant = _count(allow_null=True)
    max_amount_per_period = PerPeriod(required=False, allow_null=True)
    commission_months = _count(allow_null=True)
    when_referrer_rewarded = Flag(required=False, help_text="Default false.")
    conditions = Conditions(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # A rule that is there already isn't made into another one by saying nothing.
        if "rule_id" in attrs:
            if "type" not in attrs:
                raise ValidationError({"type": [ErrorDetail("Say of which type the rule is.", "required")]})
            return attrs
        attrs.setdefault("type", RuleType.REFERRAL)
        if attrs["type"] == RuleType.REFERRAL and attrs.get("beneficiary") is None:
            attrs["beneficiary"] = Beneficiary.REFERRER
        return attrs


class CampaignChange(Strict):
    """What isn't given stays. `rules` replaces the whole list: absent ones end."""

    name = Text(max_length=200, required=False)
    status = Choice(CampaignStatus.values, required=False)
    currency = Currency(required=False, help_text="Fixed once the campaign has an event.")
    qualifying_event = Text(max_length=60, required=False, help_text="Default purchase.")
    landing_url = WebAddress(required=False, allow_null=True)
    attribution_window_days = Whole(min_value=0, max_value=LONGEST_DAYS, required=False, help_text="Default 60.")
    holding_days = Whole(min_value=0, max_value=LONGEST_DAYS, required=False, help_text="Default 0.")
    review_above = Amount(required=False, allow_null=True)
    budget = Amount(required=False, allow_null=True)
    earning_timing = Choice(
        EarningTiming.values,
        required=False,
        help_text="Default IMMEDIATE. What is still EARNED goes by the timing of the moment at which it is ready; nothing "
        "that is due changes. No close is made up for the time before a change.",
    )
    statement_day = Whole(
        min_value=1,
        max_value=31,
        required=False,
        allow_null=True,
        help_text="With STATEMENT: the day whose end closes a period; the last in shorter months. Null: the month's last.",
    )
    delay_days = Whole(
        min_value=0, max_value=LONGEST_DAYS, required=False, allow_null=True, help_text="Needed with DELAYED."
    )
    fulfilment = Fulfilment(required=False)
    remainder = Choice(
        Remainder.values,
        required=False,
        help_text="What becomes of the rest where less is issued than was owed. Default DROP.",
    )
    carry_minimum = Amount(
        required=False,
        help_text="With CARRY: all that was carried over for a person is due once it comes to this. Default 1.",
    )
    base = Base(required=False)
    coupon = Coupon(required=False)
    auto_issue = AutoIssue(required=False)
    rules: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=Rule(), required=False, allow_empty=False, max_length=MOST_ROWS
    )


class CampaignNew(CampaignChange):
    """A campaign; a DRAFT where no status is given."""

    name = Text(max_length=200)
    currency = Currency()
    rules: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=Rule(), allow_empty=False, max_length=MOST_ROWS
    )


# Answers ---------------------------------------------------------------------------------------------------------


class FulfilmentShape(serializers.Serializer[object]):
    kind = serializers.ChoiceField(choices=["METHOD", "WEBHOOK"])
    method = serializers.CharField()
    connection_id = serializers.UUIDField(allow_null=True)
    endpoint_id = serializers.UUIDField(allow_null=True)


class BaseShape(serializers.Serializer[object]):
    tax = serializers.BooleanField()
    shipping = serializers.BooleanField()
    discounts = serializers.BooleanField()


class CouponShape(serializers.Serializer[object]):
    kind = serializers.ChoiceField(choices=["AMOUNT", "PERCENT"])
    percent_off = serializers.CharField(allow_null=True)
    duration = serializers.ChoiceField(choices=["once", "repeating"])
    duration_months = serializers.IntegerField(allow_null=True)
    expires_days = serializers.IntegerField(allow_null=True)


class AutoIssueShape(serializers.Serializer[object]):
    when = serializers.ChoiceField(choices=AutoIssueWhen.values)
    minimum = serializers.IntegerField()
    limit_per_run = serializers.IntegerField(allow_null=True)
    approve_above = serializers.IntegerField(allow_null=True)


class TierShape(serializers.Serializer[object]):
    from_referrals = serializers.IntegerField()
    amount = serializers.IntegerField(required=False, allow_null=True, max_value=MAXIMUM_AMOUNT)
    rate = serializers.CharField(required=False, allow_null=True)


class PerPeriodShape(serializers.Serializer[object]):
    amount = serializers.IntegerField(max_value=MAXIMUM_AMOUNT)
    period = serializers.ChoiceField(choices=["MONTH"])


class RuleShape(serializers.Serializer[object]):
    rule_id = serializers.UUIDField()
    type = serializers.ChoiceField(choices=RuleType.values)
    beneficiary = serializers.ChoiceField(choices=Beneficiary.values)
    amount = serializers.IntegerField(allow_null=True, max_value=MAXIMUM_AMOUNT)
    rate = serializers.CharField(allow_null=True, help_text='A decimal: "0.05" is 5 %.')
    tiers = TierShape(many=True, allow_null=True)
    min_purchase = serializers.IntegerField(max_value=MAXIMUM_AMOUNT)
    min_purchase_count = serializers.IntegerField()
    min_total_spent = serializers.IntegerField(allow_null=True, max_value=MAXIMUM_AMOUNT)
    every_n_referrals = serializers.IntegerField(allow_null=True)
    once_per = serializers.ChoiceField(choices=OncePer.values)
    max_per_reward = serializers.IntegerField(allow_null=True, max_value=MAXIMUM_AMOUNT)
    max_rewards_per_participant = serializers.IntegerField(allow_null=True)
    max_amount_per_period = PerPeriodShape(allow_null=True)
    commission_months = serializers.IntegerField(allow_null=True)
    when_referrer_rewarded = serializers.BooleanField()
    conditions = Conditions(allow_null=True)


class CampaignShape(serializers.Serializer[object]):
    campaign_id = serializers.UUIDField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=CampaignStatus.values)
    currency = serializers.CharField()
    qualifying_event = serializers.CharField()
    landing_url = serializers.CharField(allow_null=True)
    attribution_window_days = serializers.IntegerField()
    holding_days = serializers.IntegerField()
    review_above = serializers.IntegerField(allow_null=True, max_value=MAXIMUM_AMOUNT)
    budget = serializers.IntegerField(allow_null=True, max_value=MAXIMUM_AMOUNT)
    earning_timing = serializers.ChoiceField(choices=["IMMEDIATE", "STATEMENT", "DELAYED"])
    statement_day = serializers.IntegerField(allow_null=True)
    delay_days = serializers.IntegerField(allow_null=True)
    fulfilment = FulfilmentShape()
    remainder = serializers.ChoiceField(choices=["DROP", "CARRY"])
    carry_minimum = serializers.IntegerField()
    base = BaseShape()
    coupon = CouponShape()
    auto_issue = AutoIssueShape()
    rules = RuleShape(many=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
