"""What a campaign and its rules are made from, with its defaults: api.md, Campaign."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any
from uuid import UUID

from campaigns.models import (
    AutoIssueWhen,
    Campaign,
    CouponDuration,
    CouponKind,
    EarningTiming,
    FulfilmentKind,
    Remainder,
)
from integrations.base import CouponTerms


@dataclass(frozen=True)
class CampaignTerms:
    """Everything about a campaign but its status and rules. Amounts in minor units, windows in days."""

    name: str
    currency: str
    qualifying_event: str = "purchase"
    landing_url: str | None = None
    attribution_window_days: int = 60
    holding_days: int = 0
    review_above: int | None = None
    budget: int | None = None
    earning_timing: str = EarningTiming.IMMEDIATE
    statement_day: int | None = None
    delay_days: int | None = None
    remainder: str = Remainder.DROP
    carry_minimum: int = 1
    fulfilment_method: str = "MANUAL"
    fulfilment_connection_id: UUID | None = None
    fulfilment_kind: str = FulfilmentKind.METHOD
    fulfilment_endpoint_id: UUID | None = None
    base_tax: bool = False
    base_shipping: bool = False
    base_discounts: bool = True
    coupon_kind: str = CouponKind.AMOUNT
    coupon_percent_off: Decimal | None = None
    coupon_duration: str = CouponDuration.ONCE
    coupon_duration_months: int | None = None
    coupon_expires_days: int | None = None
    auto_issue_when: str = AutoIssueWhen.OFF
    auto_issue_minimum: int = 0
    auto_issue_limit_per_run: int | None = None
    auto_issue_approve_above: int | None = None


CAMPAIGN_FIELDS = tuple(each.name for each in fields(CampaignTerms))


@dataclass(frozen=True)
class RuleTerms:
    """One rule. `rule_id` names a rule that is changed; None makes a new one."""

    type: str
    rule_id: UUID | None = None
    beneficiary: str | None = None
    amount: int | None = None
    rate: Decimal | None = None
    tiers: Sequence[Mapping[str, Any]] | None = None
    min_purchase: int = 0
    min_purchase_count: int = 1
    min_total_spent: int | None = None
    every_n_referrals: int | None = None
    once_per: str | None = None
    max_per_reward: int | None = None
    max_rewards_per_participant: int | None = None
    max_amount_per_month: int | None = None
    commission_months: int | None = None
    when_referrer_rewarded: bool = False
    conditions: Mapping[str, Any] | None = None


RULE_FIELDS = tuple(each.name for each in fields(RuleTerms) if each.name != "rule_id")


def coupon_terms(campaign: Campaign) -> CouponTerms:
    """The campaign's coupon as a provider's adapter takes it."""
    return CouponTerms(
        campaign.coupon_kind,
        campaign.coupon_percent_off,
        campaign.coupon_duration,
        campaign.coupon_duration_months,
        campaign.coupon_expires_days,
    )
