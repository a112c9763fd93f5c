"""A campaign's rules, timing and coupons read out in words."""

from decimal import Decimal

from campaigns import conditions
from campaigns.models import (
    Campaign,
    EarningTiming,
    OncePer,
    RewardRule,
)
from campaigns.terms.fields import CampaignTerms, RuleTerms
from referral_rocket.kit.money import format_money


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
