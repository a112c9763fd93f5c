"""Earning timing: statements and delayed totals, made once, by what was ready, each with its own date."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from campaigns.models import Campaign, EarningTiming
from campaigns.services import campaign_update, terms_of
from participants.models import Participant
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import PendingActivity
from rewards.models import Reward, RewardTransition, StatementPeriod
from rewards.payloads import reward_data
from rewards.services.aggregating import next_close
from rewards.services.confirming import reward_approve, reward_confirm, reward_give
from rewards.services.releasing import release, release_everywhere
from rewards.states import RewardStatus, RewardType, WaitingFor
from tests import factories
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db

JANUARY = datetime(2027, 1, 10, 12, tzinfo=UTC)


def program(organization: Organization, **terms: Any) -> tuple[Campaign, Participant, Participant]:
    campaign = factories.campaign(
        organization, rules=[factories.referral_rule(once_per="EVENT")], **{"earning_timing": "STATEMENT", **terms}
    )
    sharer = factories.participant(campaign)
    return campaign, sharer, factories.participant(campaign, referred_by=sharer)


def aggregates(organization: Organization) -> list[Reward]:
    with tenant(organization):
        return list(Reward.objects.filter(parts_count__isnull=False).order_by("pk"))


def parts(organization: Organization) -> list[Reward]:
    with tenant(organization):
        return list(Reward.objects.filter(parts_count__isnull=True).order_by("pk"))


def test_it_works(organization: Organization) -> None:
    with time_machine.travel(JANUARY, tick=False):
        _, sharer, friend = program(organization)
        first, second = (factories.event(friend).rewards[0] for _ in range(2))
    assert (first.status, first.waiting_for) == (RewardStatus.EARNED, WaitingFor.AGGREGATION)

    assert release(organization=organization, at=datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)) == 0
    assert aggregates(organization) == []

    with time_machine.travel(datetime(2027, 2, 1, 0, 5, tzinfo=UTC), tick=False):
        assert release(organization=organization) == 1
        assert release(organization=organization) == 0
    (statement,) = aggregates(organization)
    assert (statement.type, statement.status, statement.amount) == (RewardType.STATEMENT, RewardStatus.PENDING, 2400)
    assert (statement.earned_amount, statement.target_amount, statement.parts_count) == (2400, 0, 2)
    assert (statement.participant_id, statement.customer_id) == (sharer.pk, sharer.customer_id)
    assert (statement.event_id, statement.rule_id, statement.transaction_id) == (None, None, None)
    assert statement.due_at == statement.period_ends_at == datetime(2027, 2, 1, tzinfo=UTC)
    assert [(each.status, each.amount, each.target_amount, each.aggregate_id) for each in parts(organization)] == [
        (RewardStatus.AGGREGATED, 1200, 1200, statement.pk)
    ] * 2
    with tenant(organization):
        period = StatementPeriod.objects.get()
        assert (period.ends_at, period.customers, period.parts) == (datetime(2027, 2, 1, tzinfo=UTC), 1, 2)
        assert (period.to_issue, period.to_deduct) == (2400, 0)
        steps = RewardTransition.objects.filter(reward=second).order_by("id").values_list("from_status", "to_status")
        assert list(steps) == [(None, "EARNED"), ("EARNED", "AGGREGATED")]
    assert_books_agree(organization)


def test_what_is_told_of_a_part_is_what_the_door_says(organization: Organization) -> None:
    with time_machine.travel(JANUARY + timedelta(microseconds=123_999), tick=False):
        _, sharer, friend = program(organization)
        (reward,) = factories.event(friend).rewards
    release(organization=organization, at=datetime(2027, 2, 2, tzinfo=UTC))
    with tenant(organization):
        reward.refresh_from_db()
        told = PendingActivity.objects.order_by("-id").filter(snapshot__reward_id=str(reward.pk)).first()
        assert told is not None
        assert told.snapshot == {
            **reward_data(reward, sharer.customer.external_id),
            "previous_status": "EARNED",
            "reason": "statement closed",
        }
        (statement,) = Reward.objects.filter(parts_count__isnull=False)
        order = reward_data(statement, None)
        told = PendingActivity.objects.order_by("-id").filter(snapshot__reward_id=str(statement.pk)).first()
        assert told is not None
        assert told.snapshot == {**order, "previous_status": None, "reason": "statement closed"}
    assert order["parts_count"] == 1
    assert "transaction_id" not in order


def test_missed_closes_are_made_up_each_with_its_date(organization: Organization) -> None:
    with time_machine.travel(JANUARY, tick=False):
        _, _, friend = program(organization, statement_day=15)
        factories.event(friend)
    for day in (20, 50):
        with time_machine.travel(JANUARY + timedelta(days=day), tick=False):
            factories.event(friend)
    with time_machine.travel(datetime(2027, 4, 3, tzinfo=UTC), tick=False):
        release(organization=organization)
    assert [(each.amount, each.due_at) for each in aggregates(organization)] == [
        (1200, datetime(2027, 1, 16, tzinfo=UTC)),
        (1200, datetime(2027, 2, 16, tzinfo=UTC)),
        (1200, datetime(2027, 3, 16, tzinfo=UTC)),
    ]
    assert_books_agree(organization)


def test_what_is_ready_later_goes_into_the_next(organization: Organization) -> None:
    with time_machine.travel(JANUARY, tick=False):
        _, _, friend = program(organization, statement_day=15, holding_days=7, review_above=1100)
        (in_review,) = factories.event(friend).rewards
    with time_machine.travel(JANUARY + timedelta(days=9), tick=False), tenant(organization):
        reward_approve(organization=organization, reward=in_review, actor=factories.ACTOR)
    with time_machine.travel(JANUARY + timedelta(days=10), tick=False):
        release(organization=organization)
        assert aggregates(organization) == []
    release(organization=organization, at=datetime(2027, 2, 16, tzinfo=UTC))
    (statement,) = aggregates(organization)
    assert statement.period_ends_at == datetime(2027, 2, 16, tzinfo=UTC)


def test_holding_that_ends_at_the_close_is_too_late_for_it(organization: Organization) -> None:
    close = datetime(2027, 1, 16, tzinfo=UTC)
    with time_machine.travel(close - timedelta(days=3), tick=False):
        _, _, friend = program(organization, statement_day=15, holding_days=3)
        factories.event(friend)
        factories.event(friend)
    release(organization=organization, at=close + timedelta(days=1))
    assert aggregates(organization) == []
    release(organization=organization, at=datetime(2027, 2, 16, tzinfo=UTC))
    assert [each.amount for each in aggregates(organization)] == [2400]


@pytest.mark.parametrize(
    ("zone", "begun", "close"),
    [
        ("UTC", datetime(2027, 2, 10, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2027, 2, 10, tzinfo=UTC), datetime(2027, 2, 28, 10, tzinfo=UTC)),
        # The clocks go forward on 28 March: the month's last midnight is in summer time.
        ("Europe/Berlin", datetime(2027, 3, 10, tzinfo=UTC), datetime(2027, 3, 31, 22, tzinfo=UTC)),
        ("America/Havana", datetime(2026, 10, 10, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC)),
    ],
)
def test_day_31_is_the_last_of_the_month_in_the_organizations_zone(zone: str, begun: datetime, close: datetime) -> None:
    with time_machine.travel(begun, tick=False):
        organization = factories.organization(time_zone=zone)
        campaign, _, friend = program(organization, statement_day=31)
        factories.event(friend)
    with tenant(organization):
        assert next_close(campaign) == close
    release(organization=organization, at=close - timedelta(seconds=1))
    assert aggregates(organization) == []
    release(organization=organization, at=close)
    assert [each.due_at for each in aggregates(organization)] == [close]


def test_a_day_is_due_after_the_last_of_it(organization: Organization) -> None:
    noon, evening = JANUARY, JANUARY + timedelta(hours=8)
    with time_machine.travel(noon, tick=False):
        _, _, friend = program(organization, earning_timing="DELAYED", delay_days=3)
        factories.event(friend)
    with time_machine.travel(evening, tick=False):
        factories.event(friend)
    with time_machine.travel(noon + timedelta(days=1), tick=False):
        factories.event(friend)

    release(organization=organization, at=noon + timedelta(days=3, hours=1))
    assert aggregates(organization) == []
    release(organization=organization, at=evening + timedelta(days=3))
    assert [(each.type, each.amount, each.due_at) for each in aggregates(organization)] == [
        (RewardType.DELAYED, 2400, evening + timedelta(days=3))
    ]
    release(organization=organization, at=noon + timedelta(days=40))
    assert [(each.amount, each.due_at) for each in aggregates(organization)] == [
        (2400, evening + timedelta(days=3)),
        (1200, noon + timedelta(days=4)),
    ]
    assert_books_agree(organization)


def test_a_day_waits_for_what_is_held_of_it(organization: Organization) -> None:
    with time_machine.travel(JANUARY, tick=False):
        _, _, friend = program(organization, earning_timing="DELAYED", delay_days=1, holding_days=5)
        factories.event(friend)
    with time_machine.travel(JANUARY + timedelta(hours=6), tick=False):
        factories.event(friend)
    release(organization=organization, at=JANUARY + timedelta(days=5, hours=1))
    assert aggregates(organization) == []
    release(organization=organization, at=JANUARY + timedelta(days=5, hours=6))
    assert [(each.amount, each.due_at) for each in aggregates(organization)] == [
        (2400, JANUARY + timedelta(days=5, hours=6))
    ]


def test_no_delay_means_once_the_day_is_over(organization: Organization) -> None:
    with time_machine.travel(JANUARY, tick=False):
        _, _, friend = program(organization, earning_timing="DELAYED", delay_days=0)
        factories.event(friend)
    release(organization=organization, at=datetime(2027, 1, 10, 23, tzinfo=UTC))
    assert aggregates(organization) == []
    release(organization=organization, at=datetime(2027, 1, 11, tzinfo=UTC))
    assert [each.due_at for each in aggregates(organization)] == [datetime(2027, 1, 11, tzinfo=UTC)]


def test_a_gift_joins_the_statement(organization: Organization) -> None:
    with time_machine.travel(JANUARY, tick=False), tenant(organization):
        _, sharer, friend = program(organization)
        factories.event(friend)
        gift = reward_give(
            organization=organization, participant=sharer, amount=300, reason="goodwill", actor=factories.ACTOR
        )
    assert (gift.status, gift.waiting_for, gift.due_at) == (RewardStatus.EARNED, WaitingFor.AGGREGATION, None)
    release(organization=organization, at=datetime(2027, 2, 1, tzinfo=UTC))
    assert [each.amount for each in aggregates(organization)] == [1500]


def test_turning_to_another_timing(organization: Organization) -> None:
    with time_machine.travel(JANUARY, tick=False):
        campaign, _, friend = program(organization, statement_day=9)
        factories.event(friend)
    changed = JANUARY + timedelta(days=10)
    with time_machine.travel(changed, tick=False), tenant(organization):
        # The 15th is over: what was ready before waits for the next one.
        campaign_update(
            organization=organization,
            campaign=campaign,
            terms=replace(terms_of(campaign), statement_day=15),
            actor=factories.ACTOR,
        )
    release(organization=organization, at=changed + timedelta(days=1))
    assert aggregates(organization) == []
    release(organization=organization, at=datetime(2027, 2, 16, tzinfo=UTC))
    assert [each.due_at for each in aggregates(organization)] == [datetime(2027, 2, 16, tzinfo=UTC)]

    with time_machine.travel(datetime(2027, 2, 20, tzinfo=UTC), tick=False):
        (waiting,) = factories.event(friend).rewards
        with tenant(organization):
            campaign.refresh_from_db()
            campaign_update(
                organization=organization,
                campaign=campaign,
                terms=replace(terms_of(campaign), earning_timing=EarningTiming.IMMEDIATE),
                actor=factories.ACTOR,
            )
        assert release_everywhere() == 1
    with tenant(organization):
        waiting.refresh_from_db()
    assert (waiting.status, waiting.waiting_for) == (RewardStatus.PENDING, None)
    assert len(aggregates(organization)) == 1
    assert_books_agree(organization)


def test_a_late_row_never_reopens_a_period(organization: Organization) -> None:
    """A run that is killed has made a customer's statement; a row of before the close is committed only then."""
    with time_machine.travel(JANUARY, tick=False):
        _, _, friend = program(organization)
        factories.event(friend)
    close = datetime(2027, 2, 1, tzinfo=UTC)
    release(organization=organization, at=close)
    with time_machine.travel(JANUARY, tick=False):
        factories.event(friend)
    with tenant(organization):
        # As the killed run left it.
        Campaign.objects.update(closed_until=JANUARY)
    release(organization=organization, at=close)
    assert [each.amount for each in aggregates(organization)] == [1200]
    with tenant(organization):
        assert Campaign.objects.get().closed_until == close
    release(organization=organization, at=datetime(2027, 3, 1, tzinfo=UTC))
    assert [(each.amount, each.due_at) for each in aggregates(organization)] == [
        (1200, close),
        (1200, datetime(2027, 3, 1, tzinfo=UTC)),
    ]


def test_an_aggregate_is_issued_like_any_other(organization: Organization) -> None:
    with time_machine.travel(JANUARY, tick=False):
        _, _, friend = program(organization)
        factories.event(friend)
    release(organization=organization, at=datetime(2027, 2, 1, tzinfo=UTC))
    (statement,) = aggregates(organization)
    with tenant(organization):
        reward_confirm(organization=organization, reward=statement, actor=factories.ACTOR)
        statement.refresh_from_db()
    assert (statement.status, statement.amount) == (RewardStatus.AVAILABLE, 1200)
    assert_books_agree(organization)
