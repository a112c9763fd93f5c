"""What holds of the rules whatever comes: amounts stay under their caps, and a budget is never exceeded."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from referral_rocket.kit.money import rate_of, share
from rewards.rules import Standing
from tests.rewards.rule_cases import AT, a_campaign, a_purchase, a_rule, judge, referred_by_sharer

amounts = st.integers(0, 10**12)
caps = st.none() | st.integers(1, 10**9)
rates = st.decimals("0.00000001", "10", places=8)
rules = st.builds(
    lambda way, beneficiary, once_per, **limits: a_rule(
        **way, beneficiary=beneficiary, once_per=once_per, **{name: value for name, value in limits.items() if value}
    ),
    way=st.one_of(
        st.builds(lambda amount: {"amount": amount}, st.integers(1, 10**9)),
        st.builds(lambda rate: {"rate": rate}, rates),
        st.just({"tiers": [{"from_referrals": 1, "rate": "0.07"}, {"from_referrals": 3, "amount": 900}]}),
    ),
    beneficiary=st.sampled_from(["REFERRER", "REFERRED"]),
    once_per=st.sampled_from(["REFERRED", "EVENT"]),
    min_purchase=st.none() | amounts,
    min_purchase_count=st.none() | st.integers(1, 4),
    max_per_reward=caps,
    max_rewards_per_participant=st.none() | st.integers(1, 3),
    max_amount_per_month=caps,
)
events = st.lists(st.tuples(st.integers(0, 3), amounts, st.sampled_from([10, 11])), max_size=12)


@given(st.lists(rules, min_size=1, max_size=3), events, caps)
def test_it_works(some_rules, some_events, budget):
    """No reward is above its cap, no sum above the month's cap or the budget, and none is of nothing."""
    campaign, standing = a_campaign(budget=budget), Standing()
    given_out = []
    for number, (person, amount, month) in enumerate(some_events):
        verdicts = judge(
            *some_rules,
            campaign=campaign,
            person=referred_by_sharer(person),
            occurrence=a_purchase(amount, occurred_at=AT.replace(month=month) + timedelta(minutes=number)),
            standing=standing,
        )
        given_out += [
            (rule, verdict, month, person)
            for rule, verdict in zip(some_rules, verdicts, strict=True)
            if verdict.rewarded
        ]

    total = sum(verdict.amount for _, verdict, _, _ in given_out)
    assert standing.budget_used == total
    assert budget is None or total <= budget
    for rule, verdict, month, person in given_out:
        same = [
            (other, other_month, other_person)
            for each, other, other_month, other_person in given_out
            if each is rule and other.beneficiary_id == verdict.beneficiary_id
        ]
        assert verdict.amount > 0
        assert verdict.uncut_amount is None or verdict.uncut_amount > verdict.amount
        assert (verdict.code == "budget_cut") <= (verdict.uncut_amount is not None)
        assert rule.max_per_reward is None or verdict.amount <= rule.max_per_reward
        assert rule.max_rewards_per_participant is None or len(same) <= rule.max_rewards_per_participant
        in_month = sum(other.amount for other, other_month, _ in same if other_month == month)
        assert rule.max_amount_per_month is None or in_month <= rule.max_amount_per_month
        if rule.once_per == "REFERRED":
            assert sum(each is rule and whose == person for each, _, _, whose in given_out) == 1


@given(amounts, rates)
def test_a_rate_is_within_half_a_unit_of_the_product(amount, rate):
    exact = amount * rate

    assert abs(Decimal(rate_of(amount, rate)) - exact) <= Decimal("0.5")


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(1, 10**15))
def test_a_share_is_within_half_a_unit_and_even_at_the_half(amount, part, whole):
    result = share(amount, part, whole)

    assert abs(2 * (result * whole - amount * part)) <= whole
    if abs(2 * (result * whole - amount * part)) == whole:
        assert result % 2 == 0


@given(st.integers(0, 10**15), st.integers(1, 10**15))
def test_the_whole_share_is_the_amount(amount, whole):
    assert share(amount, whole, whole) == amount
    assert share(amount, 0, whole) == 0
