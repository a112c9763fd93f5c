"""How a reward's amount is explained line by line: the lines add up to what is stored."""

from decimal import Decimal

import pytest

from campaigns.models import Campaign, RewardRule
from participants.models import QualifyingEvent
from referral_rocket.dashboard.rewards.arithmetic import Line, arithmetic
from rewards.models import Reward
from rewards.selectors import Sums
from rewards.states import RewardStatus

CAMPAIGN = Campaign(currency="USD")


def reward(**fields: object) -> Reward:
    earned = fields.pop("earned_amount", 1200)
    return Reward(**{"status": RewardStatus.PENDING, "earned_amount": earned, "amount": earned, **fields})


def test_it_works() -> None:
    event = QualifyingEvent(type="purchase", amount=12000, tax=1900, shipping=500)
    rule = RewardRule(rate=Decimal("0.1"))
    assert arithmetic(reward(earned_amount=960), CAMPAIGN, event, rule) == [
        Line("Paid", 12000),
        Line("Tax", 1900, taken=True),
        Line("Shipping", 500, taken=True),
        Line("Base", 9600, result=True),
        Line("10\xa0% of the base", 960),
        Line("Owed", 960, result=True),
    ]


def test_discount_is_added_back_where_the_campaign_says_so() -> None:
    campaign = Campaign(currency="USD", base_discounts=False)
    event = QualifyingEvent(type="purchase", amount=9000, discount=1000)
    lines = arithmetic(reward(earned_amount=500), campaign, event, RewardRule(rate=Decimal("0.05")))
    assert lines[:3] == [Line("Paid", 9000), Line("Discount, added back", 1000), Line("Base", 10000, result=True)]


def test_fixed_amount() -> None:
    event = QualifyingEvent(type="signup")
    assert arithmetic(reward(), CAMPAIGN, event, RewardRule(amount=1200)) == [
        Line("Fixed amount of the rule", 1200),
        Line("Owed", 1200, result=True),
    ]


def test_most_for_one_reward() -> None:
    event = QualifyingEvent(type="purchase", amount=59900)
    rule = RewardRule(rate=Decimal("0.05"), max_per_reward=2000)
    lines = arithmetic(reward(earned_amount=2000), CAMPAIGN, event, rule)
    assert lines[1:] == [
        Line("5\xa0% of it", 2995),
        Line("Over the most for one reward", 995, taken=True),
        Line("Owed", 2000, result=True),
    ]


def test_budget_cut() -> None:
    event = QualifyingEvent(type="signup")
    lines = arithmetic(reward(earned_amount=700, uncut_amount=1200), CAMPAIGN, event, RewardRule(amount=1200))
    assert lines == [
        Line("Fixed amount of the rule", 1200),
        Line("Cut: the budget or the month's limit was used up", 500, taken=True),
        Line("Owed", 700, result=True),
    ]


def test_refunded_and_partly_issued() -> None:
    given = reward(status=RewardStatus.AVAILABLE, earned_amount=1200, amount=500, remainder_amount=100)
    assert arithmetic(given, CAMPAIGN, None, None) == [
        Line("Given by hand", 1200),
        Line("Earned", 1200, result=True),
        Line("Taken off for refunds", 600, taken=True),
        Line("Not issued, and dropped", 100, taken=True),
        Line("Issued", 500, result=True),
    ]


@pytest.mark.parametrize("amount", [0, 1200])
def test_canceled(amount: int) -> None:
    lines = arithmetic(reward(status=RewardStatus.CANCELED, amount=amount), CAMPAIGN, None, None)
    assert lines[-2:] == [Line("Canceled", 1200, taken=True), Line("Owed", 0, result=True)]


@pytest.mark.parametrize(("count", "words"), [(1, "1 deduction"), (2, "2 deductions")])
def test_a_total_counts_its_deductions(count: int, words: str) -> None:
    total = reward(earned_amount=900, parts_count=1 + count)
    sums = Sums(earned_count=1, earned=1200, deducted_count=count, deducted=300)
    assert arithmetic(total, CAMPAIGN, None, None, sums) == [
        Line("1 earned", 1200),
        Line(words, 300, taken=True),
        Line("Owed", 900, result=True),
    ]
