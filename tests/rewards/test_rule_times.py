"""When a rule pays: windows, months of commission, and the days and months of the organization."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from rewards.rules import Standing
from tests.rewards.rule_cases import (
    AT,
    a_person,
    a_purchase,
    a_rule,
    codes,
    judge,
)


@pytest.mark.parametrize(
    ("after", "code"),
    [(timedelta(days=60), "rewarded"), (timedelta(days=60, microseconds=1), "outside_attribution_window")],
)
def test_the_attribution_window_ends_to_the_moment(after, code):
    person = a_person(attributed_at=AT - after)

    assert codes(judge(a_rule(), person=person)) == [code]


@pytest.mark.parametrize(("zone", "day"), [("UTC", 5), ("Pacific/Auckland", 6)])
def test_a_day_is_told_as_people_there_write_it(zone, day):
    started = datetime(2026, 3, 5, 12, tzinfo=UTC)
    (verdict,) = judge(a_rule(), person=a_person(attributed_at=started), zone=ZoneInfo(zone))

    assert verdict.message == f"It happened more than 60 days after the referral on {day} March 2026."


def test_a_month_is_the_organization_s():
    rule, standing = a_rule(rate="0.1", max_amount_per_month=1200), Standing()
    last_evening = datetime(2026, 11, 30, 12, tzinfo=UTC)
    moments = [last_evening - timedelta(hours=2), last_evening]

    verdicts = [
        judge(rule, standing=standing, occurrence=a_purchase(occurred_at=at), zone=ZoneInfo("Pacific/Auckland"))[0]
        for at in moments
    ]

    assert codes(verdicts) == ["rewarded", "rewarded"]


def test_the_window_is_for_referral_rules_only():
    person = a_person(attributed_at=AT - timedelta(days=600))

    verdicts = judge(a_rule(type="TRANSACTIONAL"), a_rule(type="OFFER", beneficiary="BUYER"), person=person)

    assert codes(verdicts) == ["rewarded", "rewarded"]


@pytest.mark.parametrize(
    ("first", "last", "too_late"),
    [
        (datetime(2026, 1, 31, tzinfo=AT.tzinfo), datetime(2026, 2, 28, tzinfo=AT.tzinfo), timedelta(seconds=1)),
        (datetime(2026, 1, 15, tzinfo=AT.tzinfo), datetime(2026, 2, 15, tzinfo=AT.tzinfo), timedelta(seconds=1)),
    ],
)
def test_commission_months_replace_the_window_after_the_first_reward(first, last, too_late):
    rule, standing = a_rule(rate="0.1", commission_months=1), Standing()
    person = a_person(attributed_at=first - timedelta(days=60))

    verdicts = [
        judge(rule, person=person, occurrence=a_purchase(occurred_at=at), standing=standing)[0]
        for at in (first, last, last + too_late)
    ]

    assert codes(verdicts) == ["rewarded", "rewarded", "outside_attribution_window"]


def test_the_window_stands_until_the_first_reward():
    rule = a_rule(rate="0.1", commission_months=12)

    assert codes(judge(rule, person=a_person(attributed_at=AT - timedelta(days=61)))) == ["outside_attribution_window"]
