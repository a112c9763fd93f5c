from collections.abc import Sequence
from typing import Any

from campaigns.models import Campaign, RewardRule
from campaigns.selectors import current_rules
from referral_rocket.api.payloads.values import decimal, text_id
from referral_rocket.kit.clock import rfc3339


def campaigns(found: Sequence[Campaign]) -> list[dict[str, Any]]:
    return [campaign(each) for each in found]


def campaign(found: Campaign) -> dict[str, Any]:
    return {
        "campaign_id": str(found.pk),
        "name": found.name,
        "status": found.status,
        "currency": found.currency,
        "qualifying_event": found.qualifying_event,
        "landing_url": found.landing_url,
        "attribution_window_days": found.attribution_window_days,
        "holding_days": found.holding_days,
        "review_above": found.review_above,
        "budget": found.budget,
        "earning_timing": found.earning_timing,
        "statement_day": found.statement_day,
        "delay_days": found.delay_days,
        "fulfilment": {
            "kind": found.fulfilment_kind,
            "method": found.fulfilment_method,
            "connection_id": text_id(found.fulfilment_connection_id),
            "endpoint_id": text_id(found.fulfilment_endpoint_id),
        },
        "remainder": found.remainder,
        "carry_minimum": found.carry_minimum,
        "base": {"tax": found.base_tax, "shipping": found.base_shipping, "discounts": found.base_discounts},
        "coupon": {
            "kind": found.coupon_kind,
            "percent_off": decimal(found.coupon_percent_off),
            "duration": found.coupon_duration,
            "duration_months": found.coupon_duration_months,
            "expires_days": found.coupon_expires_days,
        },
        "auto_issue": {
            "when": found.auto_issue_when,
            "minimum": found.auto_issue_minimum,
            "limit_per_run": found.auto_issue_limit_per_run,
            "approve_above": found.auto_issue_approve_above,
        },
        "rules": [rule(each) for each in current_rules(found)],
        "created_at": rfc3339(found.created_at),
        "updated_at": rfc3339(found.updated_at),
    }


def rule(found: RewardRule) -> dict[str, Any]:
    return {
        "rule_id": str(found.rule_id),
        "type": found.type,
        "beneficiary": found.beneficiary,
        "amount": found.amount,
        "rate": decimal(found.rate),
        "tiers": found.tiers,
        "min_purchase": found.min_purchase,
        "min_purchase_count": found.min_purchase_count,
        "min_total_spent": found.min_total_spent,
        "every_n_referrals": found.every_n_referrals,
        "once_per": found.once_per,
        "max_per_reward": found.max_per_reward,
        "max_rewards_per_participant": found.max_rewards_per_participant,
        "max_amount_per_period": (
            None if found.max_amount_per_month is None else {"amount": found.max_amount_per_month, "period": "MONTH"}
        ),
        "commission_months": found.commission_months,
        "when_referrer_rewarded": found.when_referrer_rewarded,
        "conditions": found.conditions,
    }
