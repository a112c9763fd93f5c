"""The terms of a campaign and its rules, as they are put in: checked, with defaults filled in, and read out in words.

Fields and defaults: api.md, Campaign.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from campaigns import conditions
from campaigns.errors import ImpossibleCampaign, InvalidCampaign
from campaigns.models import (
    AutoIssueWhen,
    Beneficiary,
    Campaign,
    CouponDuration,
    CouponKind,
    EarningTiming,
    FulfilmentKind,
    OncePer,
    Remainder,
    RewardRule,
    RuleType,
)
from integrations.base import CouponTerms
from referral_rocket.kit.money import MAXIMUM_AMOUNT, format_money, is_currency

Error = tuple[str, str, str]


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


def check_campaign(terms: CampaignTerms) -> None:
    """Raises InvalidCampaign, naming every field that is wrong, and ImpossibleCampaign."""
    errors: list[Error] = []
    if not terms.name.strip():
        errors.append(("name", "required", "Give the campaign a name."))
    if not is_currency(terms.currency):
        errors.append(("currency", "unknown_currency", "Use an ISO 4217 code such as USD."))
    if not terms.qualifying_event.strip():
        errors.append(("qualifying_event", "required", "Name the event that qualifies, such as purchase."))
    for name in ("review_above", "budget", "carry_minimum"):
        errors += _amount(name, getattr(terms, name), least=1)
    for name in ("attribution_window_days", "holding_days"):
        if not 0 <= getattr(terms, name) <= 3650:
            errors.append((name, "out_of_range", "Use 0 to 3650 days."))
    errors += _timing_errors(terms)
    errors += _coupon_errors(terms)
    errors += _auto_issue_errors(terms)
    if errors:
        raise InvalidCampaign(errors)
    if terms.auto_issue_when != AutoIssueWhen.OFF and terms.fulfilment_kind == FulfilmentKind.WEBHOOK:
        message = "Your own system issues these rewards, ordered by webhook; nothing is issued from here."
        raise ImpossibleCampaign([("auto_issue.when", "fulfilled_by_webhook", message)])
    if terms.earning_timing == EarningTiming.DELAYED and terms.delay_days is None:
        raise ImpossibleCampaign([("delay_days", "required", "Say after how many days what was earned is due.")])


def _auto_issue_errors(terms: CampaignTerms) -> list[Error]:
    errors = _amount("auto_issue.minimum", terms.auto_issue_minimum, least=0)
    errors += _amount("auto_issue.limit_per_run", terms.auto_issue_limit_per_run, least=1)
    errors += _amount("auto_issue.approve_above", terms.auto_issue_approve_above, least=0)
    if terms.auto_issue_when not in AutoIssueWhen.values:
        errors.append(("auto_issue.when", "invalid_choice", f"Use one of {', '.join(AutoIssueWhen.values)}."))
    return errors


def _timing_errors(terms: CampaignTerms) -> list[Error]:
    errors: list[Error] = []
    for name, choices in (("earning_timing", EarningTiming.values), ("remainder", Remainder.values)):
        if getattr(terms, name) not in choices:
            errors.append((name, "invalid_choice", f"Use one of {', '.join(choices)}."))
    if terms.statement_day is not None and not 1 <= terms.statement_day <= 31:
        errors.append(("statement_day", "out_of_range", "Use a day from 1 to 31, or nothing for the month's last."))
    if terms.delay_days is not None and not 0 <= terms.delay_days <= 3650:
        errors.append(("delay_days", "out_of_range", "Use 0 to 3650 days."))
    return errors


# Stripe lets a coupon be redeemed within five years at most; months are ours, so that nobody types 300 for 3.
MOST_COUPON_MONTHS = 36
MOST_COUPON_DAYS = 1800


def _coupon_errors(terms: CampaignTerms) -> list[Error]:
    errors: list[Error] = []
    percent, months, days = terms.coupon_percent_off, terms.coupon_duration_months, terms.coupon_expires_days
    if terms.coupon_kind not in CouponKind.values:
        errors.append(("coupon.kind", "invalid_choice", f"Use {' or '.join(CouponKind.values)}."))
    if terms.coupon_duration not in CouponDuration.values:
        errors.append(("coupon.duration", "invalid_choice", f"Use {' or '.join(CouponDuration.values)}."))
    if terms.coupon_kind == CouponKind.PERCENT and percent is None:
        errors.append(("coupon.percent_off", "required", "Say how many percent the coupon takes off."))
    elif terms.coupon_kind == CouponKind.AMOUNT and percent is not None:
        errors.append(("coupon.percent_off", "invalid", "Only a coupon of the kind PERCENT has it."))
    elif percent is not None and not (0 < percent <= 100 and percent == round(percent, 2)):
        errors.append(("coupon.percent_off", "out_of_range", "Use more than 0 up to 100, with at most two decimals."))
    if terms.coupon_duration == CouponDuration.REPEATING and months is None:
        errors.append(("coupon.duration_months", "required", "Say for how many months the coupon lowers invoices."))
    elif terms.coupon_duration == CouponDuration.ONCE and months is not None:
        errors.append(("coupon.duration_months", "invalid", "Only a repeating coupon has it."))
    elif months is not None and not 1 <= months <= MOST_COUPON_MONTHS:
        errors.append(("coupon.duration_months", "out_of_range", f"Use 1 to {MOST_COUPON_MONTHS} months."))
    if days is not None and not 1 <= days <= MOST_COUPON_DAYS:
        errors.append(("coupon.expires_days", "out_of_range", f"Use 1 to {MOST_COUPON_DAYS} days."))
    return errors


def coupon_terms(campaign: Campaign) -> CouponTerms:
    """The campaign's coupon as a provider's adapter takes it."""
    return CouponTerms(
        campaign.coupon_kind,
        campaign.coupon_percent_off,
        campaign.coupon_duration,
        campaign.coupon_duration_months,
        campaign.coupon_expires_days,
    )


def coupon_in_words(terms: CampaignTerms | Campaign) -> str:
    """What a coupon made for a reward does, for whoever sets it or gives it."""
    months = terms.coupon_duration_months
    what = "the reward's amount"
    if terms.coupon_percent_off is not None:
        what = f"{terms.coupon_percent_off.normalize():f} %"
    when = "the next invoice or purchase"
    if months is not None:
        when = f"each invoice for {months} month{'s' if months > 1 else ''}"
    until = ""
    if terms.coupon_expires_days is not None:
        days = terms.coupon_expires_days
        until = f" A code that isn't used ends after {days} day{'s' if days > 1 else ''}."
    return f"Takes {what} off {when}.{until}"


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
        return [("beneficiary", "required", "Say who is rewarded: REFERRER or REFERRED.")]
    if rule.beneficiary not in Beneficiary.values:
        return [("beneficiary", "invalid_choice", f"Use one of {', '.join(Beneficiary.values)}.")]
    allowed = {
        RuleType.REFERRAL: (Beneficiary.REFERRER, Beneficiary.REFERRED),
        RuleType.TRANSACTIONAL: (Beneficiary.BUYER,),
        RuleType.OFFER: (Beneficiary.REFERRER,) if rule.every_n_referrals else tuple(Beneficiary),
    }[RuleType(rule.type)]
    if rule.beneficiary not in allowed:
        return [("beneficiary", "invalid_choice", f"This rule can reward {' or '.join(allowed)}.")]
    if rule.when_referrer_rewarded and rule.beneficiary != Beneficiary.REFERRED:
        return [
            ("when_referrer_rewarded", "invalid", "Only a rule that rewards the REFERRED person can wait for that.")
        ]
    return []


def _how_much_errors(rule: RuleTerms) -> list[Error]:
    ways = [name for name in ("amount", "rate", "tiers") if getattr(rule, name) is not None]
    if len(ways) != 1:
        return [(ways[1] if ways else "amount", "exactly_one", "Give exactly one of amount, rate and tiers.")]
    if rule.tiers is not None:
        return _tier_errors(rule.tiers)
    return _amount("amount", rule.amount, least=1) + _rate("rate", rule.rate)


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
        errors += _amount(f"{place}.amount", tier.get("amount"), least=1)
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
    errors = _amount("min_purchase", rule.min_purchase, least=0)
    for name in ("min_total_spent", "max_per_reward", "max_amount_per_month"):
        errors += _amount(
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


def _amount(name: str, value: Any, *, least: int) -> list[Error]:
    if value is None:
        return []
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAXIMUM_AMOUNT:
        return [(name, "out_of_range", f"Use a whole number of minor units from {least} to {MAXIMUM_AMOUNT}.")]
    return []


def _rate(name: str, value: Decimal | None) -> list[Error]:
    if value is None:
        return []
    if not value.is_finite() or not 0 < value <= 10:
        return [(name, "out_of_range", 'Use a decimal above 0 and up to 10: "0.05" is 5 %.')]
    if value != round(value, 8):
        return [(name, "out_of_range", "A rate has at most 8 decimals.")]
    return []


def in_words(rule: RuleTerms | RewardRule, currency: str, locale: str = "en") -> str:
    """`The referrer earns 10 % of each purchase of at least $50.00, at most $20.00, 3 times.`"""
    who = {"REFERRER": "The referrer", "REFERRED": "The referred person", "BUYER": "The buyer"}[str(rule.beneficiary)]
    parts = [f"{who} earns {_how_much(rule, currency, locale)} {_for_what(rule, currency, locale)}"]
    if rule.max_per_reward is not None:
        parts.append(f"at most {format_money(rule.max_per_reward, currency, locale)} each")
    if rule.max_rewards_per_participant is not None:
        times = rule.max_rewards_per_participant
        parts.append("once" if times == 1 else f"at most {times} times")
    if rule.max_amount_per_month is not None:
        parts.append(f"at most {format_money(rule.max_amount_per_month, currency, locale)} a month")
    if rule.commission_months is not None:
        parts.append(f"for {rule.commission_months} months after the first")
    if rule.when_referrer_rewarded:
        parts.append("when the referrer is rewarded too")
    if rule.conditions is not None:
        parts.append(f"if {conditions.in_words(rule.conditions)}")
    return ", ".join(parts) + "."


def timing_in_words(terms: CampaignTerms | Campaign) -> str:
    """When what is earned becomes due: `What a person earned is due as one total when the month is over.`"""
    held = f", once each was held for {_days(terms.holding_days)}" if terms.holding_days else ""
    if terms.earning_timing == EarningTiming.STATEMENT:
        day = terms.statement_day
        close = "the month is over" if day in (None, 31) else f"the {_ordinal(day or 0)} of the month is over"
        shorter = ", or the last day of a shorter month" if day in (29, 30) else ""
        return f"What a person earned is due as one total when {close}{shorter}{held}."
    if terms.earning_timing == EarningTiming.DELAYED:
        return f"What a person earns on one day is due as one total {_days(terms.delay_days or 0)} after the last of it{held}."
    return f"Each reward is due {_days(terms.holding_days)} after its event." if held else "Each reward is due at once."


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def percent(rate: Decimal) -> str:
    return f"{(rate * 100).normalize():f} %"


def _how_much(rule: RuleTerms | RewardRule, currency: str, locale: str) -> str:
    if rule.amount is not None:
        return format_money(rule.amount, currency, locale)
    if rule.rate is not None:
        return f"{percent(rule.rate)} of"
    steps = []
    for tier in sorted(rule.tiers or [], key=lambda tier: tier["from_referrals"]):
        much = format_money(tier["amount"], currency, locale) if tier.get("amount") else percent(Decimal(tier["rate"]))
        steps.append(f"{much} from the {_ordinal(tier['from_referrals'])} referral on")
    return f"{' and '.join(steps)} for" if steps else "nothing for"


def _for_what(rule: RuleTerms | RewardRule, currency: str, locale: str) -> str:
    link = "" if rule.amount is None else "for "
    if rule.every_n_referrals is not None:
        return f"{link}every {rule.every_n_referrals} referrals"
    event = "event" if rule.min_purchase == 0 else "purchase"
    if rule.min_purchase_count > 1:
        each = f"the {_ordinal(rule.min_purchase_count)} {event}"
        each += " and each later one" if rule.once_per == OncePer.EVENT else ""
    elif rule.once_per == OncePer.EVENT:
        each = f"each qualifying {event}"
    else:
        each = f"the first qualifying {event}" + (" of each referred person" if rule.beneficiary == "REFERRER" else "")
    if rule.min_purchase:
        each += f" of at least {format_money(rule.min_purchase, currency, locale)}"
    if rule.min_total_spent is not None:
        each += f" once {format_money(rule.min_total_spent, currency, locale)} was spent in all"
    return f"{link}{each}"


_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


def _ordinal(number: int) -> str:
    if 10 <= number % 100 <= 20:
        return f"{number}th"
    return f"{number}{_ENDINGS.get(number % 10, 'th')}"
