"""The earning rules: what one rule makes of one event. Pure: facts in, a verdict in minor units out.

`Standing` holds what the past says (counts, sums, dates), loaded for a whole claim of events by `services.earning` and
moved on in memory from event to event, so that a hundred events in one transaction are judged as if each came alone.
Source of every rule: product.md, Reward types; field names: api.md, Campaign.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID

from dateutil.relativedelta import relativedelta

from campaigns import conditions
from campaigns.models import Beneficiary, Campaign, OncePer, RewardRule, RuleType
from campaigns.terms import percent
from referral_rocket.kit.money import format_money, rate_of

REWARDED = "REWARDED"
NOT_REWARDED = "NOT_REWARDED"
# What a decision may say (api.md, Event); the last two are set where the reward is made, of a verdict that is `rewarded`.
DECISION_CODES = (
    "rewarded",
    "budget_cut",
    "budget_exhausted",
    "below_min_purchase",
    "below_min_count",
    "below_min_total",
    "cap_reached",
    "already_rewarded",
    "not_referred",
    "self_referral",
    "outside_attribution_window",
    "currency_mismatch",
    "condition_not_met",
    "other_event_type",
    "zero_amount",
    "in_review",
    "held_for_fraud",
)


@dataclass(frozen=True)
class Person:
    """The participant who did it, and who referred them. `own_code`: came with a code of their own.

    `barred` are people of the campaign who earn nothing: banned, or erased. What an erased person does earns nothing
    for anybody (product.md, People leaving).
    """

    participant_id: UUID
    referrer_id: UUID | None = None
    attributed_at: datetime | None = None
    own_code: bool = False
    barred: frozenset[UUID] = frozenset()
    erased: bool = False


@dataclass(frozen=True)
class Occurrence:
    """What happened. `amount` is what was paid, after discount, with tax and shipping; None where nothing was paid."""

    type: str
    occurred_at: datetime
    amount: int | None = None
    currency: str | None = None
    tax: int = 0
    shipping: int = 0
    discount: int = 0
    country: str | None = None
    products: frozenset[str] = frozenset()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Standing:
    """What counted before this event, in one campaign. A reward counts while its target is above 0."""

    # (participant, min_purchase) → events of at least that much that aren't fully refunded
    paid: dict[tuple[UUID, int], int] = field(default_factory=lambda: defaultdict(int))
    # participant → what they paid less refunds, in the campaign's currency
    spent: dict[UUID, int] = field(default_factory=lambda: defaultdict(int))
    # referrer → those of their referred participants who did the qualifying event
    referrals: dict[UUID, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    # (rule, the event's participant) → when the first event that this rule rewarded occurred
    first_rewarded: dict[tuple[UUID, UUID], datetime] = field(default_factory=dict)
    # (rule, beneficiary) → number of rewards; (rule, beneficiary, month) → their sum
    reward_count: dict[tuple[UUID, UUID], int] = field(default_factory=lambda: defaultdict(int))
    month_sum: dict[tuple[UUID, UUID, str], int] = field(default_factory=lambda: defaultdict(int))
    budget_used: int = 0

    def add_event(self, person: Person, occurrence: Occurrence, thresholds: Sequence[int], currency: str) -> None:
        """Count the event itself, before its rules are asked: the third payment is the third one."""
        amount = occurrence.amount or 0
        if occurrence.amount == 0 or (occurrence.currency or currency) != currency:
            return
        for threshold in thresholds:
            if amount >= threshold:
                self.paid[person.participant_id, threshold] += 1
        self.spent[person.participant_id] += amount
        if person.referrer_id:
            self.referrals[person.referrer_id].add(person.participant_id)

    def add_reward(
        self, rule: RewardRule, person: Person, occurrence: Occurrence, verdict: "Verdict", month: str
    ) -> None:
        assert verdict.beneficiary_id is not None
        key = (rule.rule_id, person.participant_id)
        # The earliest, as the database says it: a late message may be about an earlier payment.
        self.first_rewarded[key] = min(self.first_rewarded.get(key, occurrence.occurred_at), occurrence.occurred_at)
        self.reward_count[rule.rule_id, verdict.beneficiary_id] += 1
        self.month_sum[rule.rule_id, verdict.beneficiary_id, month] += verdict.amount
        self.budget_used += verdict.amount


@dataclass(frozen=True)
class Verdict:
    """What a rule made of an event. `amount` is 0 unless `outcome` is REWARDED; `uncut_amount` where it was cut."""

    outcome: str
    code: str
    message: str
    beneficiary_id: UUID | None = None
    amount: int = 0
    uncut_amount: int | None = None

    @property
    def rewarded(self) -> bool:
        return self.outcome == REWARDED


class _No(Exception):
    """A rule doesn't pay. Carries the decision code of api.md and the reason in words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.verdict = Verdict(NOT_REWARDED, code, message)


def month_of(moment: datetime, zone: tzinfo) -> str:
    """The calendar month in a zone, as `2026-11`."""
    return f"{moment.astimezone(zone):%Y-%m}"


def decide(
    *,
    campaign: Campaign,
    rules: Sequence[RewardRule],
    person: Person,
    occurrence: Occurrence,
    standing: Standing,
    zone: tzinfo,
) -> list[tuple[RewardRule, Verdict]]:
    """The verdict of every rule, in the rules' order; `standing` is moved on by the event and by what it earned.

    `zone` is the organization's: monthly caps go by its months, and reasons name its days. Rules that pay when the
    referrer is rewarded are asked last.
    """
    qualifies = occurrence.type == campaign.qualifying_event
    if qualifies:
        thresholds = sorted({rule.min_purchase for rule in rules})
        standing.add_event(person, occurrence, thresholds, campaign.currency)
    verdicts: dict[UUID, Verdict] = {}
    referrer_rewarded = False
    for rule in sorted(rules, key=lambda rule: rule.when_referrer_rewarded):
        verdict = _judge(campaign, rule, person, occurrence, standing, zone, referrer_rewarded)
        if verdict.rewarded:
            standing.add_reward(rule, person, occurrence, verdict, month_of(occurrence.occurred_at, zone))
            referrer_rewarded |= verdict.beneficiary_id == person.referrer_id
        verdicts[rule.pk] = verdict
    return [(rule, verdicts[rule.pk]) for rule in rules]


def _judge(
    campaign: Campaign,
    rule: RewardRule,
    person: Person,
    occurrence: Occurrence,
    standing: Standing,
    zone: tzinfo,
    referrer_rewarded: bool,
) -> Verdict:
    try:
        _check_event(campaign, occurrence)
        if person.erased:
            raise _No("condition_not_met", "The person who did it was erased, and earns nothing for anybody any more.")
        beneficiary = _beneficiary(campaign, rule, person, occurrence, standing, zone)
        month = month_of(occurrence.occurred_at, zone)
        _check_purchase(campaign, rule, person, occurrence, standing)
        _check_conditions(rule, occurrence, referrer_rewarded)
        _check_limits(rule, person, beneficiary, standing)
        amount, how = _amount(campaign, rule, beneficiary, occurrence, standing)
        verdict = _within_budget(
            campaign, beneficiary, *_within_month(campaign, rule, beneficiary, amount, standing, month), standing
        )
        return replace(verdict, message=f"{verdict.message}{how}")
    except _No as no:
        return no.verdict


def _check_event(campaign: Campaign, occurrence: Occurrence) -> None:
    if occurrence.type != campaign.qualifying_event:
        raise _No("other_event_type", f"The campaign rewards {campaign.qualifying_event}, not {occurrence.type}.")
    if occurrence.currency is not None and occurrence.currency != campaign.currency:
        raise _No(
            "currency_mismatch", f"The payment was in {occurrence.currency}, the campaign is in {campaign.currency}."
        )
    if occurrence.amount == 0:
        raise _No("zero_amount", "Nothing was paid, and a payment of 0 qualifies for nothing.")


def _beneficiary(
    campaign: Campaign, rule: RewardRule, person: Person, occurrence: Occurrence, standing: Standing, zone: tzinfo
) -> UUID:
    if rule.type == RuleType.REFERRAL or rule.beneficiary != Beneficiary.BUYER:
        _check_referred(person)
    if rule.type == RuleType.REFERRAL:
        _check_window(campaign, rule, person, occurrence, standing, zone)
    beneficiary = person.referrer_id if rule.beneficiary == Beneficiary.REFERRER else person.participant_id
    assert beneficiary is not None
    if beneficiary in person.barred:
        raise _No("condition_not_met", "The person who would be rewarded is banned from the campaign or was erased.")
    return beneficiary


def _check_referred(person: Person) -> None:
    if person.referrer_id is not None:
        return
    if person.own_code:
        raise _No("self_referral", "The code belongs to the same person: a code of one's own refers nobody.")
    raise _No("not_referred", "Nobody referred this participant.")


def _check_window(
    campaign: Campaign, rule: RewardRule, person: Person, occurrence: Occurrence, standing: Standing, zone: tzinfo
) -> None:
    first = standing.first_rewarded.get((rule.rule_id, person.participant_id))
    if rule.commission_months is not None and first is not None:
        if occurrence.occurred_at > first + relativedelta(months=rule.commission_months):
            raise _No(
                "outside_attribution_window",
                f"Commission runs for {rule.commission_months} months from the first rewarded payment on {_day(first, zone)}.",
            )
        return
    start = person.attributed_at
    assert start is not None
    if occurrence.occurred_at > start + timedelta(days=campaign.attribution_window_days):
        raise _No(
            "outside_attribution_window",
            f"It happened more than {campaign.attribution_window_days} days after the referral on {_day(start, zone)}.",
        )


def _day(moment: datetime, zone: tzinfo) -> str:
    day = moment.astimezone(zone)
    return f"{day.day} {day:%B %Y}"


def _check_purchase(
    campaign: Campaign, rule: RewardRule, person: Person, occurrence: Occurrence, standing: Standing
) -> None:
    if rule.min_purchase and (occurrence.amount or 0) < rule.min_purchase:
        paid = format_money(occurrence.amount or 0, campaign.currency)
        least = format_money(rule.min_purchase, campaign.currency)
        raise _No("below_min_purchase", f"{paid} was paid; the rule asks for at least {least}.")
    count = standing.paid[person.participant_id, rule.min_purchase]
    if count < rule.min_purchase_count:
        raise _No("below_min_count", f"Payment {count} of {rule.min_purchase_count} that the rule asks for.")
    spent = standing.spent[person.participant_id]
    if rule.min_total_spent is not None and spent < rule.min_total_spent:
        total = format_money(spent, campaign.currency)
        least = format_money(rule.min_total_spent, campaign.currency)
        raise _No("below_min_total", f"{total} spent so far; the rule asks for {least} in all.")


def _check_conditions(rule: RewardRule, occurrence: Occurrence, referrer_rewarded: bool) -> None:
    if rule.conditions is not None and not conditions.hold(rule.conditions, _values_of(occurrence)):
        raise _No("condition_not_met", f"The rule asks that {conditions.in_words(rule.conditions)}.")
    if rule.when_referrer_rewarded and not referrer_rewarded:
        raise _No("condition_not_met", "The rule pays only when the referrer is rewarded for the same event.")


def _values_of(occurrence: Occurrence) -> dict[str, Any]:
    return {
        "amount": occurrence.amount,
        "currency": occurrence.currency,
        "country": occurrence.country,
        "product": occurrence.products,
        "metadata": occurrence.metadata,
    }


def _check_limits(rule: RewardRule, person: Person, beneficiary: UUID, standing: Standing) -> None:
    given = standing.reward_count[rule.rule_id, beneficiary]
    if rule.every_n_referrals is not None:
        referrals = len(standing.referrals[beneficiary])
        if referrals // rule.every_n_referrals <= given:
            raise _No(
                "below_min_count",
                f"{referrals} referrals so far; the next reward is at {(given + 1) * rule.every_n_referrals}.",
            )
    elif rule.once_per == OncePer.REFERRED and (rule.rule_id, person.participant_id) in standing.first_rewarded:
        raise _No(
            "already_rewarded", "This rule has rewarded this person's event before, and pays once for each person."
        )
    if rule.max_rewards_per_participant is not None and given >= rule.max_rewards_per_participant:
        raise _No("cap_reached", f"The rule gives a participant at most {rule.max_rewards_per_participant} rewards.")


def _amount(
    campaign: Campaign, rule: RewardRule, beneficiary: UUID, occurrence: Occurrence, standing: Standing
) -> tuple[int, str]:
    """The amount, and of a rate in words what it was taken of."""
    fixed, rate = rule.amount, rule.rate
    if rule.tiers is not None:
        referrals = len(standing.referrals[beneficiary])
        reached = [tier for tier in rule.tiers if tier["from_referrals"] <= referrals]
        if not reached:
            first = min(tier["from_referrals"] for tier in rule.tiers)
            raise _No("below_min_count", f"{referrals} referrals so far; the first tier begins at {first}.")
        tier = max(reached, key=lambda tier: tier["from_referrals"])
        fixed, rate = tier.get("amount"), Decimal(tier["rate"]) if tier.get("rate") else None
    amount = fixed if fixed is not None else rate_of(commission_base(campaign, occurrence), rate or Decimal(0))
    if rule.max_per_reward is not None:
        amount = min(amount, rule.max_per_reward)
    if amount == 0:
        raise _No("zero_amount", "The amount comes to 0.")
    return amount, "" if fixed is not None else _base_in_words(campaign, occurrence, rate or Decimal(0))


def _base_in_words(campaign: Campaign, occurrence: Occurrence, rate: Decimal) -> str:
    """Kept with the decision: the campaign may count tax, shipping and discounts otherwise later."""

    def money(amount: int) -> str:
        return format_money(amount, campaign.currency)

    parts = [f"{money(occurrence.amount or 0)} paid"]
    if occurrence.tax and not campaign.base_tax:
        parts.append(f"less {money(occurrence.tax)} tax")
    if occurrence.shipping and not campaign.base_shipping:
        parts.append(f"less {money(occurrence.shipping)} shipping")
    if occurrence.discount and not campaign.base_discounts:
        parts.append(f"with {money(occurrence.discount)} of discounts added back")
    itemised = f" ({', '.join(parts)})" if len(parts) > 1 else ""
    return f" The rate of {percent(rate)} is of {money(commission_base(campaign, occurrence))}{itemised}."


def commission_base(campaign: Campaign, occurrence: Occurrence) -> int:
    """What a rate is taken of, by the campaign's choice of tax, shipping and discounts; never below 0."""
    base = occurrence.amount or 0
    if not campaign.base_tax:
        base -= occurrence.tax
    if not campaign.base_shipping:
        base -= occurrence.shipping
    if not campaign.base_discounts:
        base += occurrence.discount
    return max(base, 0)


def _within_month(
    campaign: Campaign, rule: RewardRule, beneficiary: UUID, amount: int, standing: Standing, month: str
) -> tuple[int, int]:
    """(amount that the monthly cap leaves, amount before)."""
    if rule.max_amount_per_month is None:
        return amount, amount
    left = rule.max_amount_per_month - standing.month_sum[rule.rule_id, beneficiary, month]
    if left <= 0:
        most = format_money(rule.max_amount_per_month, campaign.currency)
        raise _No("cap_reached", f"The rule gives a participant at most {most} a month.")
    return min(amount, left), amount


def _within_budget(campaign: Campaign, beneficiary: UUID, amount: int, uncut: int, standing: Standing) -> Verdict:
    left = amount if campaign.budget is None else campaign.budget - standing.budget_used
    if left <= 0:
        raise _No("budget_exhausted", "The campaign's budget is used up.")
    code, words = "rewarded", f"Earns {format_money(min(amount, left), campaign.currency)}"
    if left < amount:
        code, words = "budget_cut", f"{words}: what was left of the budget"
    elif amount < uncut:
        words = f"{words}: what was left under the monthly cap"
    amount = min(amount, left)
    return Verdict(REWARDED, code, f"{words}.", beneficiary, amount, uncut if amount < uncut else None)
