"""What one rule makes of one event: every decision code and every field of a rule. Pure."""

from datetime import timedelta
from uuid import UUID

import pytest

from campaigns.models import Campaign
from rewards.rules import Standing, commission_base
from tests.rewards.rule_cases import (
    AT,
    FRIEND,
    SHARER,
    a_campaign,
    a_person,
    a_purchase,
    a_rule,
    codes,
    judge,
    purchases,
    referred_by_sharer,
)


def test_it_works():
    (verdict,) = judge(a_rule())

    assert (verdict.outcome, verdict.code, verdict.beneficiary_id, verdict.amount, verdict.uncut_amount) == (
        "REWARDED",
        "rewarded",
        SHARER,
        1200,
        None,
    )
    assert verdict.message == "Earns $12.00."


def test_a_rule_for_the_referred_person():
    (verdict,) = judge(a_rule(beneficiary="REFERRED", rate="0.05"))

    assert (verdict.beneficiary_id, verdict.amount) == (FRIEND, 600)


@pytest.mark.parametrize("referrer", [None, SHARER])
def test_a_transactional_rule_pays_the_buyer_referred_or_not(referrer):
    (verdict,) = judge(a_rule(type="TRANSACTIONAL", rate="0.1"), person=a_person(referrer_id=referrer))

    assert (verdict.code, verdict.beneficiary_id, verdict.amount) == ("rewarded", FRIEND, 1200)


@pytest.mark.parametrize(
    ("rule", "changes", "code"),
    [
        ({}, {"occurrence": a_purchase(type="signup")}, "other_event_type"),
        ({}, {"occurrence": a_purchase(currency="EUR")}, "currency_mismatch"),
        ({}, {"person": a_person(referrer_id=None)}, "not_referred"),
        ({}, {"person": a_person(referrer_id=None, own_code=True)}, "self_referral"),
        ({}, {"person": a_person(attributed_at=AT - timedelta(days=60, seconds=1))}, "outside_attribution_window"),
        ({}, {"person": a_person(barred=frozenset({SHARER}))}, "condition_not_met"),
        ({"min_purchase": 12001}, {}, "below_min_purchase"),
        ({"min_purchase": 1}, {"occurrence": a_purchase(None)}, "below_min_purchase"),
        ({"min_purchase_count": 2}, {}, "below_min_count"),
        ({"min_total_spent": 12001}, {}, "below_min_total"),
        ({"conditions": {"all": [{"field": "country", "op": "eq", "value": "DE"}]}}, {}, "condition_not_met"),
        ({"beneficiary": "REFERRED", "when_referrer_rewarded": True}, {}, "condition_not_met"),
        ({"rate": "0.05"}, {"occurrence": a_purchase(9)}, "zero_amount"),
        ({"rate": "0.05"}, {"occurrence": a_purchase(None)}, "zero_amount"),
        ({"rate": "0.05"}, {"occurrence": a_purchase(1900, tax=1900)}, "zero_amount"),
        ({"tiers": [{"from_referrals": 2, "amount": 5}]}, {}, "below_min_count"),
        ({"type": "OFFER", "every_n_referrals": 2}, {}, "below_min_count"),
        ({}, {"campaign": a_campaign(budget=5), "standing": Standing(budget_used=5)}, "budget_exhausted"),
        ({}, {"campaign": a_campaign(budget=5), "standing": Standing(budget_used=9)}, "budget_exhausted"),
    ],
)
def test_why_a_rule_does_not_pay(rule, changes, code):
    standing = changes.get("standing", Standing())
    used = standing.budget_used

    (verdict,) = judge(a_rule(**rule), **{**changes, "standing": standing})

    assert (verdict.outcome, verdict.code, verdict.amount, verdict.uncut_amount) == ("NOT_REWARDED", code, 0, None)
    assert verdict.message.endswith(".")
    assert verdict.beneficiary_id is None
    assert not any(standing.reward_count.values())
    assert not standing.first_rewarded
    assert standing.budget_used == used


@pytest.mark.parametrize(
    ("occurrence", "code"),
    [
        (a_purchase(5000), "rewarded"),
        (a_purchase(4999), "below_min_purchase"),
        # What was paid counts, not the base of the rate.
        (a_purchase(5000, tax=4000), "rewarded"),
    ],
)
def test_min_purchase(occurrence, code):
    assert codes(judge(a_rule(min_purchase=5000), occurrence=occurrence)) == [code]


def test_minimum_100_and_three_payments():
    """product.md: only payments of at least the minimum count, so 90 and 80 don't."""
    verdicts = purchases(a_rule(min_purchase=100, min_purchase_count=3), [100, 90, 150, 80, 100])

    assert codes(verdicts) == [
        "below_min_count",
        "below_min_purchase",
        "below_min_count",
        "below_min_purchase",
        "rewarded",
    ]


def test_from_the_third_payment_on_with_each_event():
    verdicts = purchases(a_rule(min_purchase_count=3, once_per="EVENT"), [1, 1, 1, 1])

    assert codes(verdicts) == ["below_min_count", "below_min_count", "rewarded", "rewarded"]


def test_min_total_spent_is_reached_with_the_payment_itself():
    rule = a_rule(type="OFFER", min_total_spent=10000)

    assert codes(purchases(rule, [4000, 5999, 1, 1])) == [
        "below_min_total",
        "below_min_total",
        "rewarded",
        "already_rewarded",
    ]


def test_money_in_another_currency_is_not_spent():
    standing = Standing()
    judge(a_rule(), occurrence=a_purchase(9000, currency="EUR"), standing=standing)

    assert codes(judge(a_rule(min_total_spent=10000), occurrence=a_purchase(1000), standing=standing)) == [
        "below_min_total"
    ]
    assert (standing.paid[FRIEND, 0], standing.spent[FRIEND]) == (1, 1000)


@pytest.mark.parametrize(
    ("terms", "later"),
    [
        ({"amount": 1200}, "already_rewarded"),
        ({"rate": "0.1"}, "rewarded"),
        ({"amount": 1200, "once_per": "EVENT"}, "rewarded"),
        ({"rate": "0.1", "once_per": "REFERRED"}, "already_rewarded"),
        ({"tiers": [{"from_referrals": 1, "amount": 1200}]}, "already_rewarded"),
        ({"tiers": [{"from_referrals": 1, "rate": "0.1"}]}, "rewarded"),
    ],
)
def test_once_per_is_the_person_for_an_amount_and_the_event_for_a_rate(terms, later):
    assert codes(purchases(a_rule(**terms), [12000, 12000])) == ["rewarded", later]


def test_once_per_referred_person_is_for_each_of_them():
    rule, standing = a_rule(), Standing()

    verdicts = [judge(rule, person=referred_by_sharer(number), standing=standing)[0] for number in (1, 2, 1, 2)]

    assert codes(verdicts) == ["rewarded", "rewarded", "already_rewarded", "already_rewarded"]


@pytest.mark.parametrize(
    ("amount", "rate", "reward"),
    [
        # Half to even, once: 0.5 → 0 would be no reward, 1.5 → 2, 2.5 → 2, 3.5 → 4.
        (30, "0.05", 2),
        (50, "0.05", 2),
        (70, "0.05", 4),
        (51, "0.05", 3),
        (49, "0.05", 2),
        # A third of 5 cents is 1.67, of 4 cents 1.33.
        (5, "0.33333333", 2),
        (4, "0.33333333", 1),
        (10**15, "0.00000001", 10**7),
        (10**15, "10", 10**16),
    ],
)
def test_a_rate_is_rounded_half_to_even_once(amount, rate, reward):
    assert judge(a_rule(rate=rate), occurrence=a_purchase(amount))[0].amount == reward


def test_half_a_cent_is_no_reward():
    assert codes(judge(a_rule(rate="0.05"), occurrence=a_purchase(10))) == ["zero_amount"]


@pytest.mark.parametrize(
    ("currency", "amount", "message"),
    [
        ("JPY", 12000, "Earns ¥1,200. The rate of 10 % is of ¥12,000."),
        ("KWD", 12000, "Earns KWD1.200. The rate of 10 % is of KWD12.000."),
    ],
)
def test_currencies_with_no_and_three_digits(currency, amount, message):
    (verdict,) = judge(
        a_rule(rate="0.1"), campaign=a_campaign(currency=currency), occurrence=a_purchase(amount, currency=currency)
    )

    assert verdict.amount == 1200
    assert verdict.message.replace("\u00a0", "") == message


@pytest.mark.parametrize(
    ("choice", "base"),
    [
        ({}, 12000 - 1900 - 500),
        ({"base_tax": True}, 12000 - 500),
        ({"base_shipping": True}, 12000 - 1900),
        ({"base_discounts": False}, 12000 - 1900 - 500 + 800),
        ({"base_tax": True, "base_shipping": True, "base_discounts": False}, 12000 + 800),
    ],
)
def test_what_a_rate_is_taken_of(choice, base):
    assert commission_base(Campaign(**choice), a_purchase(12000, tax=1900, shipping=500, discount=800)) == base


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({}, "Earns $9.60. The rate of 10 % is of $96.00 ($120.00 paid, less $19.00 tax, less $5.00 shipping)."),
        (
            {"base_tax": True, "base_shipping": True, "base_discounts": False},
            "Earns $12.80. The rate of 10 % is of $128.00 ($120.00 paid, with $8.00 of discounts added back).",
        ),
        ({"base_tax": True, "base_shipping": True}, "Earns $12.00. The rate of 10 % is of $120.00."),
    ],
)
def test_what_a_rate_was_taken_of_is_said_item_by_item(choice, words):
    """Kept with the decision, since the campaign may choose otherwise later."""
    occurrence = a_purchase(12000, tax=1900, shipping=500, discount=800)

    (verdict,) = judge(a_rule(rate="0.1"), campaign=a_campaign(**choice), occurrence=occurrence)

    assert verdict.message == words


def test_the_base_is_never_below_nothing():
    assert commission_base(Campaign(), a_purchase(100, tax=90, shipping=90)) == 0


@pytest.mark.parametrize(("most", "reward"), [(500, 500), (1200, 1200), (9000, 1200)])
def test_max_per_reward(most, reward):
    (verdict,) = judge(a_rule(rate="0.1", max_per_reward=most))

    assert (verdict.code, verdict.amount) == ("rewarded", reward)


def test_max_rewards_per_participant_counts_the_one_who_is_rewarded():
    rule, standing = a_rule(max_rewards_per_participant=2), Standing()

    verdicts = [judge(rule, person=referred_by_sharer(number), standing=standing)[0] for number in range(3)]
    other = judge(rule, person=a_person(participant_id=UUID(int=9), referrer_id=UUID(int=99)), standing=standing)

    assert codes(verdicts) == ["rewarded", "rewarded", "cap_reached"]
    assert codes(other) == ["rewarded"]


def test_max_amount_per_month_gives_what_is_left_and_begins_anew():
    rule, standing = a_rule(rate="0.1", max_amount_per_month=2000), Standing()

    months = [AT, AT, AT, AT.replace(month=12)]
    verdicts = [judge(rule, standing=standing, occurrence=a_purchase(occurred_at=at))[0] for at in months]

    assert [(verdict.code, verdict.amount, verdict.uncut_amount) for verdict in verdicts] == [
        ("rewarded", 1200, None),
        ("rewarded", 800, 1200),
        ("cap_reached", 0, None),
        ("rewarded", 1200, None),
    ]
    assert verdicts[1].message == "Earns $8.00: what was left under the monthly cap. The rate of 10 % is of $120.00."


def test_a_budget_is_cut_and_then_exhausted():
    standing = Standing()
    campaign = a_campaign(budget=2000)

    verdicts = [
        judge(a_rule(), campaign=campaign, person=referred_by_sharer(number), standing=standing)[0]
        for number in range(3)
    ]

    assert [(verdict.code, verdict.amount, verdict.uncut_amount) for verdict in verdicts] == [
        ("rewarded", 1200, None),
        ("budget_cut", 800, 1200),
        ("budget_exhausted", 0, None),
    ]
    assert standing.budget_used == 2000


def test_the_rules_of_one_event_share_the_budget_in_their_order():
    verdicts = judge(a_rule(amount=1000), a_rule(beneficiary="REFERRED", amount=1000), campaign=a_campaign(budget=1500))

    assert [(verdict.code, verdict.amount) for verdict in verdicts] == [("rewarded", 1000), ("budget_cut", 500)]


def test_a_reward_that_fits_the_budget_to_the_cent_is_not_cut():
    (verdict,) = judge(a_rule(), campaign=a_campaign(budget=1200))

    assert (verdict.code, verdict.amount, verdict.uncut_amount) == ("rewarded", 1200, None)


def test_what_both_caps_cut_names_the_amount_before_both():
    (verdict,) = judge(a_rule(amount=1200, max_amount_per_month=1000), campaign=a_campaign(budget=700))

    assert (verdict.code, verdict.amount, verdict.uncut_amount) == ("budget_cut", 700, 1200)


def test_every_second_referral():
    rule, standing = a_rule(type="OFFER", every_n_referrals=2), Standing()

    verdicts = [judge(rule, person=referred_by_sharer(number), standing=standing)[0] for number in (1, 1, 2, 3, 3, 4)]

    assert rule.beneficiary == "REFERRER"
    assert codes(verdicts) == [
        "below_min_count",
        "below_min_count",
        "rewarded",
        "below_min_count",
        "below_min_count",
        "rewarded",
    ]


@pytest.mark.parametrize(
    ("before", "code", "amount"),
    [
        (0, "below_min_count", 0),
        (1, "rewarded", 500),
        (3, "rewarded", 500),
        (4, "rewarded", 1200),
        (9, "rewarded", 1200),
    ],
)
def test_tiers_by_the_number_of_referrals(before, code, amount):
    """The event's own person is a referral as well: `before` others came first."""
    tiers = [{"from_referrals": 5, "rate": "0.1"}, {"from_referrals": 2, "amount": 500}]
    standing = Standing()
    standing.referrals[SHARER] = {UUID(int=number + 100) for number in range(before)}

    (verdict,) = judge(a_rule(tiers=tiers), standing=standing)

    assert (verdict.code, verdict.amount) == (code, amount)


def test_when_referrer_rewarded_looks_at_the_same_event_wherever_the_rule_stands():
    waits = a_rule(beneficiary="REFERRED", amount=300, when_referrer_rewarded=True, once_per="EVENT")
    gives = a_rule(max_rewards_per_participant=1)
    standing = Standing()

    first = judge(waits, gives, standing=standing)
    second = judge(waits, gives, person=referred_by_sharer(7), standing=standing)

    assert codes(first) == ["rewarded", "rewarded"]
    assert codes(second) == ["condition_not_met", "cap_reached"]


def test_when_referrer_rewarded_is_not_met_by_a_buyer_s_own_reward():
    verdicts = judge(
        a_rule(beneficiary="REFERRED", when_referrer_rewarded=True),
        a_rule(type="TRANSACTIONAL"),
        a_rule(min_purchase=99999),
    )

    assert codes(verdicts) == ["condition_not_met", "rewarded", "below_min_purchase"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"field": "country", "op": "eq", "value": "DE"}, True),
        ({"field": "country", "op": "ne", "value": "DE"}, False),
        ({"field": "country", "op": "in", "value": ["AT", "DE"]}, True),
        ({"field": "amount", "op": "gte", "value": 12000}, True),
        ({"field": "amount", "op": "gte", "value": 12001}, False),
        ({"field": "amount", "op": "lte", "value": 12000}, True),
        ({"field": "currency", "op": "eq", "value": "USD"}, True),
        ({"field": "product", "op": "eq", "value": "sku_1"}, True),
        ({"field": "product", "op": "in", "value": ["sku_3", "sku_2"]}, True),
        ({"field": "product", "op": "ne", "value": "sku_1"}, False),
        ({"field": "metadata.plan", "op": "eq", "value": "pro"}, True),
        ({"field": "metadata.seats", "op": "gte", "value": 3}, True),
        ({"field": "metadata.text", "op": "gte", "value": 3}, True),
        ({"field": "metadata.text", "op": "eq", "value": 12}, True),
        ({"field": "metadata.text", "op": "eq", "value": "12"}, True),
        ({"field": "metadata.text", "op": "in", "value": [11, 12]}, True),
        ({"field": "metadata.text", "op": "lte", "value": 11}, False),
        ({"field": "metadata.none", "op": "eq", "value": "x"}, False),
        ({"field": "metadata.none", "op": "ne", "value": "x"}, True),
        ({"field": "metadata.none", "op": "gte", "value": 0}, False),
        ({"field": "metadata.plan", "op": "gte", "value": 0}, False),
    ],
)
def test_conditions(condition, holds):
    occurrence = a_purchase(
        country="DE", products=frozenset({"sku_1", "sku_2"}), metadata={"plan": "pro", "seats": 3, "text": "12"}
    )

    (verdict,) = judge(a_rule(conditions={"all": [condition]}), occurrence=occurrence)

    assert verdict.code == ("rewarded" if holds else "condition_not_met")


def test_conditions_nest():
    tree = {
        "any": [
            {"field": "country", "op": "eq", "value": "FR"},
            {"all": [{"field": "amount", "op": "gte", "value": 1}, {"field": "product", "op": "eq", "value": "b"}]},
        ]
    }

    assert codes(judge(a_rule(conditions=tree), occurrence=a_purchase(products=frozenset({"b"})))) == ["rewarded"]
    assert codes(judge(a_rule(conditions=tree), occurrence=a_purchase(products=frozenset({"c"})))) == [
        "condition_not_met"
    ]


def test_a_signup_without_an_amount_earns_a_fixed_amount():
    (verdict,) = judge(
        a_rule(), campaign=a_campaign(qualifying_event="signup"), occurrence=a_purchase(None, type="signup")
    )

    assert (verdict.code, verdict.amount) == ("rewarded", 1200)


@pytest.mark.parametrize("amount", [0, 1])
def test_a_payment_of_nothing_counts_for_nothing(amount):
    standing = Standing()

    judge(a_rule(type="OFFER", every_n_referrals=1), occurrence=a_purchase(amount), standing=standing)

    assert standing.paid[FRIEND, 0] == amount
    assert standing.referrals[SHARER] == ({FRIEND} if amount else set())


def test_an_event_of_another_type_moves_nothing_on():
    standing = Standing()

    judge(a_rule(), occurrence=a_purchase(type="signup"), standing=standing)

    assert standing == Standing()
