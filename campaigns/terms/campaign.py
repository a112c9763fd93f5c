"""What is wrong with a campaign's terms, field by field."""

from campaigns.errors import ImpossibleCampaign, InvalidCampaign
from campaigns.models import (
    AutoIssueWhen,
    CouponDuration,
    CouponKind,
    EarningTiming,
    FulfilmentKind,
    Remainder,
)
from campaigns.terms.amounts import Error, amount_errors
from campaigns.terms.fields import CampaignTerms
from referral_rocket.kit.money import is_currency


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
        errors += amount_errors(name, getattr(terms, name), least=1)
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
    errors = amount_errors("auto_issue.minimum", terms.auto_issue_minimum, least=0)
    errors += amount_errors("auto_issue.limit_per_run", terms.auto_issue_limit_per_run, least=1)
    errors += amount_errors("auto_issue.approve_above", terms.auto_issue_approve_above, least=0)
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
