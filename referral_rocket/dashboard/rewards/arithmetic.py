"""How a reward's amount came about, line by line. Pure: what is stored in, lines out."""

from dataclasses import dataclass
from decimal import Decimal

from campaigns.models import Campaign, Remainder, RewardRule
from campaigns.terms import percent
from participants.models import QualifyingEvent
from referral_rocket.kit.money import rate_of
from rewards.models import Reward
from rewards.rules import Occurrence, commission_base
from rewards.selectors import Sums
from rewards.states import RewardStatus

_FINAL: dict[str, str] = {
    RewardStatus.AVAILABLE: "Issued",
    RewardStatus.PENDING_DEDUCTION: "To be taken back",
    RewardStatus.DEDUCTED: "Taken back",
    RewardStatus.AGGREGATED: "In a statement",
}


@dataclass(frozen=True)
class Line:
    """`amount` in minor units; `taken` marks what is subtracted, `result` what the lines above it come to."""

    label: str
    amount: int
    taken: bool = False
    result: bool = False


def arithmetic(
    reward: Reward,
    campaign: Campaign,
    event: QualifyingEvent | None,
    rule: RewardRule | None,
    totals: Sums | None = None,
) -> list[Line]:
    """From what was paid, or the rule's fixed amount, to what is owed or was issued."""
    if reward.parts_count is not None and reward.carried_from_id is None:
        return _total(reward, totals or Sums())
    lines = _earned(reward, campaign, event, rule)
    lines.append(Line("Earned", reward.earned_amount, result=True))
    # Refunds and confirmations change the amount in different states; whatever is left of the difference is named.
    lowered = reward.earned_amount - reward.amount - reward.remainder_amount
    if reward.status == RewardStatus.CANCELED:
        return [*lines, Line("Canceled", reward.earned_amount, taken=True), Line("Owed", 0, result=True)]
    if lowered > 0:
        lines.append(Line("Taken off for refunds", lowered, taken=True))
    if reward.remainder_amount:
        carried = campaign.remainder == Remainder.CARRY and reward.deducts_id is None
        words = "Not issued, and carried over" if carried else "Not issued, and dropped"
        lines.append(Line(words, reward.remainder_amount, taken=True))
    if len(lines) > 1 and lines[-1].result:
        lines.pop()
    return [*lines, Line(_FINAL.get(reward.status, "Owed"), reward.amount, result=True), *_netted(reward)]


def _netted(reward: Reward) -> list[Line]:
    """What the provider was told, where deductions settled a part of it."""
    if not reward.netted_amount:
        return []
    return [
        Line("Taken back from it", reward.netted_amount, taken=True),
        Line("Sent", reward.amount - reward.netted_amount, result=True),
    ]


def _total(reward: Reward, totals: Sums) -> list[Line]:
    """An aggregate is its parts as they are now: earnings less deductions, less what wasn't issued of it."""
    lines = [Line(f"{totals.earned_count} earned", totals.earned + reward.remainder_amount)]
    if totals.deducted_count:
        noun = "deduction" if totals.deducted_count == 1 else "deductions"
        lines.append(Line(f"{totals.deducted_count} {noun}", totals.deducted, taken=True))
    if reward.remainder_amount:
        lines.append(Line("Not issued", reward.remainder_amount, taken=True))
    if reward.status == RewardStatus.CANCELED:
        return [*lines, Line("Owed", 0, result=True)]
    return [*lines, Line(_FINAL.get(reward.status, "Owed"), reward.amount, result=True), *_netted(reward)]


def _earned(reward: Reward, campaign: Campaign, event: QualifyingEvent | None, rule: RewardRule | None) -> list[Line]:
    if reward.deducts_id is not None:
        return [Line("Taken back from an issued reward", reward.earned_amount)]
    if reward.carried_from_id is not None:
        return [Line("Left over of another reward", reward.earned_amount)]
    if reward.restores_id is not None:
        return [Line("Given back after a deduction", reward.earned_amount)]
    if rule is None or event is None:
        return [Line("Given by hand", reward.earned_amount)]
    uncut = reward.uncut_amount or reward.earned_amount
    if rule.rate is not None and event.amount is not None:
        lines = _of_payment(campaign, event, rule.rate)
        lines += _capped(rule, lines[-1].amount, uncut)
    elif rule.tiers is not None:
        lines = [Line("By the tier that was reached", uncut)]
    else:
        lines = [Line("Fixed amount of the rule", rule.amount or uncut)]
        lines += _capped(rule, lines[-1].amount, uncut)
    if uncut > reward.earned_amount:
        lines.append(Line("Cut: the budget or the month's limit was used up", uncut - reward.earned_amount, taken=True))
    return lines


def _of_payment(campaign: Campaign, event: QualifyingEvent, rate: Decimal) -> list[Line]:
    paid = event.amount or 0
    occurrence = Occurrence(
        type=event.type,
        occurred_at=event.occurred_at,
        amount=paid,
        tax=event.tax,
        shipping=event.shipping,
        discount=event.discount,
    )
    base = commission_base(campaign, occurrence)
    lines = [Line("Paid", paid)]
    if event.tax and not campaign.base_tax:
        lines.append(Line("Tax", event.tax, taken=True))
    if event.shipping and not campaign.base_shipping:
        lines.append(Line("Shipping", event.shipping, taken=True))
    if event.discount and not campaign.base_discounts:
        lines.append(Line("Discount, added back", event.discount))
    if len(lines) > 1:
        lines.append(Line("Base", base, result=True))
    share = percent(rate).replace(" ", "\N{NO-BREAK SPACE}")
    return [*lines, Line(f"{share} of {'the base' if len(lines) > 1 else 'it'}", rate_of(base, rate))]


def _capped(rule: RewardRule, raw: int, uncut: int) -> list[Line]:
    if rule.max_per_reward is None or raw <= rule.max_per_reward:
        return []
    return [Line("Over the most for one reward", raw - max(uncut, rule.max_per_reward), taken=True)]
