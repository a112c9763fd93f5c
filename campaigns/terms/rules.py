"""Rules with what is implied filled in, and what is wrong with them, field by field."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from campaigns import conditions
from campaigns.errors import InvalidCampaign
from campaigns.models import (
    Beneficiary,
    OncePer,
    RuleType,
)
from campaigns.terms.amounts import Error, amount_errors
from campaigns.terms.fields import RuleTerms


def complete_rules(rules: Sequence[RuleTerms]) -> list[RuleTerms]:
    """The rules with what is implied filled in. Raises InvalidCampaign, naming every field that is wrong."""
    if not rules:
        raise InvalidCampaign([("rules", "required", "A campaign needs at least one rule.")])
    completed = [_complete(rule) for rule in rules]
    errors = [
        (f"rules.{position}.{name}", code, message)
        for position, rule in enumerate(completed)
        for name, code, message in _rule_errors(rule)
    ]
    named = [rule.rule_id for rule in rules if rule.rule_id is not None]
    if len(named) != len(set(named)):
        errors.append(("rules", "duplicate", "A rule_id stands there twice."))
    if errors:
        raise InvalidCampaign(errors)
    return completed


def _complete(rule: RuleTerms) -> RuleTerms:
    beneficiary = rule.beneficiary
    if beneficiary is None and rule.type == RuleType.TRANSACTIONAL:
        beneficiary = Beneficiary.BUYER
    if beneficiary is None and rule.type == RuleType.OFFER:
        beneficiary = Beneficiary.REFERRER if rule.every_n_referrals else Beneficiary.BUYER
    once_per = rule.once_per or (OncePer.REFERRED if _is_fixed(rule) else OncePer.EVENT)
    return replace(rule, beneficiary=beneficiary, once_per=once_per)


def _is_fixed(rule: RuleTerms) -> bool:
    if rule.tiers:
        return all(isinstance(tier, Mapping) and tier.get("rate") is None for tier in rule.tiers)
    return rule.rate is None


def _rule_errors(rule: RuleTerms) -> list[Error]:
    if rule.type not in RuleType.values:
        return [("type", "invalid_choice", f"Use one of {', '.join(RuleType.values)}.")]
    return [*_who_errors(rule), *_how_much_errors(rule), *_limit_errors(rule), *_condition_errors(rule)]


def _who_errors(rule: RuleTerms) -> list[Error]:
    if rule.beneficiary is None:
        return [("beneficiary", "required", "Say who is rewarded: the referrer or the referred person.")]
    if rule.beneficiary not in Beneficiary.values:
        return [("beneficiary", "invalid_choice", f"Use one of {', '.join(Beneficiary.values)}.")]
    allowed = {
        RuleType.REFERRAL: (Beneficiary.REFERRER, Beneficiary.REFERRED),
        RuleType.TRANSACTIONAL: (Beneficiary.BUYER,),
        RuleType.OFFER: (Beneficiary.REFERRER,) if rule.every_n_referrals else tuple(Beneficiary),
    }[RuleType(rule.type)]
    if rule.beneficiary not in allowed:
        words = " or ".join(f"the {Beneficiary(each).label.lower()}" for each in allowed)
        return [("beneficiary", "invalid_choice", f"This rule can reward {words}.")]
    if rule.when_referrer_rewarded and rule.beneficiary != Beneficiary.REFERRED:
        return [
            ("when_referrer_rewarded", "invalid", "Only a rule that rewards the referred person can wait for that.")
        ]
    return []


def _how_much_errors(rule: RuleTerms) -> list[Error]:
    ways = [name for name in ("amount", "rate", "tiers") if getattr(rule, name) is not None]
    if len(ways) != 1:
        return [(ways[1] if ways else "amount", "exactly_one", "Give exactly one of amount, rate and tiers.")]
    if rule.tiers is not None:
        return _tier_errors(rule.tiers)
    return amount_errors("amount", rule.amount, least=1) + _rate("rate", rule.rate)


def _tier_errors(tiers: Sequence[Mapping[str, Any]]) -> list[Error]:
    if not isinstance(tiers, list) or not tiers or not all(isinstance(tier, Mapping) for tier in tiers):
        return [("tiers", "invalid", "Give a list of {from_referrals, amount or rate}.")]
    errors: list[Error] = []
    for position, tier in enumerate(tiers):
        place = f"tiers.{position}"
        if set(tier) - {"from_referrals", "amount", "rate"}:
            errors.append((place, "unknown_field", "A tier has from_referrals and amount or rate."))
        start = tier.get("from_referrals")
        if not isinstance(start, int) or isinstance(start, bool) or start < 1:
            errors.append((f"{place}.from_referrals", "out_of_range", "Use a whole number from 1."))
        given = [name for name in ("amount", "rate") if tier.get(name) is not None]
        if len(given) != 1:
            errors.append((place, "exactly_one", "Give exactly one of amount and rate."))
            continue
        errors += amount_errors(f"{place}.amount", tier.get("amount"), least=1)
        errors += _rate_text(f"{place}.rate", tier.get("rate"))
    starts = [tier.get("from_referrals") for tier in tiers]
    if not errors and len(starts) != len(set(starts)):
        errors.append(("tiers", "duplicate", "Two tiers begin at the same number of referrals."))
    return errors


def _rate_text(name: str, value: Any) -> list[Error]:
    if value is None:
        return []
    if not isinstance(value, str):
        return [(name, "invalid", 'A rate is a decimal string such as "0.05".')]
    try:
        return _rate(name, Decimal(value))
    except InvalidOperation:
        return [(name, "invalid", 'A rate is a decimal string such as "0.05".')]


def _limit_errors(rule: RuleTerms) -> list[Error]:
    errors = amount_errors("min_purchase", rule.min_purchase, least=0)
    for name in ("min_total_spent", "max_per_reward", "max_amount_per_month"):
        errors += amount_errors(
            "max_amount_per_period" if name == "max_amount_per_month" else name, getattr(rule, name), least=1
        )
    for name in ("min_purchase_count", "every_n_referrals", "max_rewards_per_participant", "commission_months"):
        value = getattr(rule, name)
        if value is not None and not 1 <= value <= 1_000_000:
            errors.append((name, "out_of_range", "Use a whole number from 1 to 1000000."))
    if rule.once_per not in OncePer.values:
        errors.append(("once_per", "invalid_choice", f"Use one of {', '.join(OncePer.values)}."))
    return errors


def _condition_errors(rule: RuleTerms) -> list[Error]:
    if rule.conditions is None:
        return []
    try:
        conditions.check(rule.conditions)
    except conditions.InvalidCondition as error:
        return [("conditions", "invalid", f"{error}".capitalize() + ".")]
    return []


def _rate(name: str, value: Decimal | None) -> list[Error]:
    if value is None:
        return []
    if not value.is_finite() or not 0 < value <= 10:
        return [(name, "out_of_range", 'Use a decimal above 0 and up to 10: "0.05" is 5 %.')]
    if value != round(value, 8):
        return [(name, "out_of_range", "A rate has at most 8 decimals.")]
    return []
