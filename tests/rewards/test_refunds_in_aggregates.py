"""A refund reaches a part of an aggregate: unissued, while it is being issued, and afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from campaigns.models import Campaign
from participants.models import Participant
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Claim, Reward
from rewards.services.claims import claims_close, claims_open
from rewards.services.confirming import reward_cancel, reward_confirm, reward_deduct
from rewards.services.releasing import release
from rewards.services.reversing import settle_what_waited, transaction_reverse
from rewards.states import ClaimKind, RewardStatus, WaitingFor
from tests import factories
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db

JANUARY = datetime(2027, 1, 10, 12, tzinfo=UTC)
CLOSES = [datetime(2027, month, 1, tzinfo=UTC) for month in (2, 3, 4, 5)]


class Months:
    """A campaign by statement, one referrer, and months that go by."""

    def __init__(self, organization: Organization, **terms: Any) -> None:
        self.organization = organization
        with time_machine.travel(JANUARY, tick=False):
            self.campaign: Campaign = factories.campaign(
                organization,
                rules=[factories.referral_rule(once_per="EVENT")],
                **{"earning_timing": "STATEMENT", **terms},
            )
            sharer = factories.participant(self.campaign)
            self.friend: Participant = factories.participant(self.campaign, referred_by=sharer)
        self.now = JANUARY
        self.refunds = 0

    def earn(self) -> Reward:
        with clock.as_of(self.now):
            return factories.event(self.friend).rewards[0]

    def refund(
        self, reward: Reward, amount: int | None = None, *, refund_id: str | None = None, status: str = "DONE"
    ) -> str:
        self.refunds += 1
        report = ReversalReport(refund_id or f"re_{self.refunds}", "REFUND", status, amount)
        with clock.as_of(self.now), tenant(self.organization):
            transaction_reverse(
                organization=self.organization,
                campaign_id=self.campaign.pk,
                transaction_id=str(reward.transaction_id),
                report=report,
                actor=factories.ACTOR,
            )
        assert_books_agree(self.organization)
        return report.refund_id

    def close(self) -> Reward:
        """The next statement."""
        self.now = next(close for close in CLOSES if close > self.now)
        with clock.as_of(self.now):
            release(organization=self.organization)
        assert_books_agree(self.organization)
        self.now += timedelta(hours=1)
        with tenant(self.organization):
            return Reward.objects.filter(parts_count__isnull=False).latest("pk")

    def confirm(self, reward: Reward, amount: int | None = None) -> None:
        with clock.as_of(self.now), tenant(self.organization):
            reward_confirm(organization=self.organization, reward=reward, actor=factories.ACTOR, amount=amount)
        assert_books_agree(self.organization)

    def fresh(self, reward: Reward) -> Reward:
        with tenant(self.organization):
            return Reward.objects.get(pk=reward.pk)

    def deductions(self) -> list[Reward]:
        with tenant(self.organization):
            return list(Reward.objects.filter(deducts__isnull=False).order_by("pk"))


@pytest.fixture
def months(organization: Organization) -> Months:
    return Months(organization)


def stands(reward: Reward) -> tuple[str, int]:
    return reward.status, reward.amount


def test_it_works(months: Months) -> None:
    first, second = months.earn(), months.earn()
    statement = months.close()
    assert stands(statement) == (RewardStatus.PENDING, 2400)

    months.refund(first, 6000)
    assert stands(months.fresh(first)) == (RewardStatus.AGGREGATED, 600)
    assert months.fresh(first).target_amount == 600
    assert stands(months.fresh(statement)) == (RewardStatus.PENDING, 1800)

    months.refund(first)
    months.refund(second)
    assert stands(months.fresh(first)) == (RewardStatus.AGGREGATED, 0)
    assert stands(months.fresh(statement)) == (RewardStatus.CANCELED, 0)
    assert months.deductions() == []


def test_an_issued_one_gets_a_deduction_that_names_both_and_joins_the_next(months: Months) -> None:
    part = months.earn()
    statement = months.close()
    months.confirm(statement)
    months.refund(part, 6000)
    assert stands(months.fresh(statement)) == (RewardStatus.AVAILABLE, 1200)
    assert stands(months.fresh(part)) == (RewardStatus.AGGREGATED, 1200)
    (deduction,) = months.deductions()
    assert (deduction.status, deduction.waiting_for, deduction.amount) == (
        RewardStatus.PENDING_DEDUCTION,
        WaitingFor.AGGREGATION,
        600,
    )
    assert (deduction.deducts_id, deduction.deducts_part_id) == (statement.pk, part.pk)
    assert (deduction.event_id, deduction.transaction_id, deduction.rule_id, deduction.type) == (
        part.event_id,
        part.transaction_id,
        part.rule_id,
        part.type,
    )
    later = months.earn()
    following = months.close()
    assert stands(following) == (RewardStatus.PENDING, 600)
    (deduction,) = months.deductions()
    assert (deduction.status, deduction.aggregate_id) == (RewardStatus.AGGREGATED, following.pk)
    # What was taken off a total is as good as taken back.
    assert (months.fresh(part).target_amount, months.fresh(later).target_amount) == (600, 1200)


def test_more_to_deduct_than_was_earned(months: Months) -> None:
    first, second = months.earn(), months.earn()
    months.confirm(months.close())
    months.refund(first)
    months.refund(second, 6000)
    months.earn()
    negative = months.close()
    assert (negative.status, negative.amount, negative.parts_count) == (RewardStatus.PENDING_DEDUCTION, 600, 3)
    assert months.fresh(first).target_amount == 1200
    with clock.as_of(months.now), tenant(months.organization):
        reward_deduct(organization=months.organization, reward=negative, actor=factories.ACTOR)
    assert stands(months.fresh(negative)) == (RewardStatus.DEDUCTED, 600)
    assert [months.fresh(each).target_amount for each in (first, second)] == [0, 600]
    assert_books_agree(months.organization)


def test_as_much_to_deduct_as_was_earned(months: Months) -> None:
    first = months.earn()
    months.confirm(months.close())
    months.refund(first)
    months.earn()
    zero = months.close()
    assert (zero.status, zero.amount, zero.reason, zero.due_at) == (RewardStatus.CANCELED, 0, "net_zero", None)


def test_one_being_issued_waits_for_the_outcome(months: Months) -> None:
    part = months.earn()
    other = months.earn()
    statement = months.close()
    with tenant(months.organization):
        (claim,) = claims_open(organization=months.organization, rewards=[statement], kind=ClaimKind.ORDER).values()
        Claim.objects.filter(pk=claim.pk).update(started_at=clock.wall())
    months.refund(part, 6000)
    months.refund(other)
    assert [months.fresh(each).pending_reduction for each in (part, other, statement)] == [600, 1200, 1800]
    assert [months.fresh(each).amount for each in (part, other, statement)] == [1200, 1200, 2400]
    assert settle_what_waited(organization=months.organization, actor=factories.ACTOR) == 0

    with tenant(months.organization):
        claims_close([claim.pk])
    assert settle_what_waited(organization=months.organization, actor=factories.ACTOR) == 2
    assert [months.fresh(each).amount for each in (part, other, statement)] == [600, 0, 600]
    assert [months.fresh(each).pending_reduction for each in (part, other, statement)] == [0, 0, 0]
    assert months.deductions() == []
    assert_books_agree(months.organization)


def test_one_that_was_issued_after_all_is_deducted_from_what_was_issued(months: Months) -> None:
    part = months.earn()
    statement = months.close()
    with tenant(months.organization):
        (claim,) = claims_open(organization=months.organization, rewards=[statement], kind=ClaimKind.ORDER).values()
        Claim.objects.filter(pk=claim.pk).update(started_at=clock.wall())
    months.refund(part, 6000)
    months.confirm(statement, 1000)
    settle_what_waited(organization=months.organization, actor=factories.ACTOR)
    assert [(each.amount, each.deducts_part_id) for each in months.deductions()] == [(500, part.pk)]
    assert_books_agree(months.organization)


def test_less_was_issued_than_owed(months: Months) -> None:
    """$10 of $12, of parts of $8 and $4: each was issued five sixths of."""
    first, second = months.earn(), months.earn()
    months.refund(first, 4000)
    months.refund(second, 8000)
    statement = months.close()
    assert stands(statement) == (RewardStatus.PENDING, 1200)
    months.confirm(statement, 1000)
    parts = [months.fresh(each) for each in (first, second)]
    assert [(each.amount, each.remainder_amount) for each in parts] == [(667, 133), (333, 67)]
    # Half of what was left of the first payment.
    months.refund(first, 4000)
    assert [(each.amount, each.deducts_part_id) for each in months.deductions()] == [(667 - 334, first.pk)]


def test_a_canceled_aggregate_leaves_nothing_of_its_parts(months: Months) -> None:
    part = months.earn()
    statement = months.close()
    with clock.as_of(months.now), tenant(months.organization):
        reward_cancel(organization=months.organization, reward=statement, actor=factories.ACTOR, reason="fraud")
    assert stands(months.fresh(statement)) == (RewardStatus.CANCELED, 1200)
    fresh = months.fresh(part)
    assert (fresh.amount, fresh.remainder_amount, fresh.target_amount) == (0, 1200, 0)
    refund = months.refund(part, 6000)
    months.refund(part, 6000, refund_id=refund, status="FAILED")
    assert months.deductions() == []
    assert stands(months.fresh(part)) == (RewardStatus.AGGREGATED, 0)


def test_a_refund_that_failed_raises_what_is_not_issued(months: Months) -> None:
    part = months.earn()
    before = months.refund(part, 3000)
    statement = months.close()
    inside = months.refund(part, 3000)
    assert stands(months.fresh(statement)) == (RewardStatus.PENDING, 600)
    months.refund(part, 3000, refund_id=inside, status="FAILED")
    assert stands(months.fresh(statement)) == (RewardStatus.PENDING, 900)
    months.refund(part, 3000, refund_id=before, status="FAILED")
    fresh = months.fresh(statement)
    assert (fresh.status, fresh.amount, fresh.earned_amount) == (RewardStatus.PENDING, 1200, 900)
    assert (months.fresh(part).amount, months.fresh(part).target_amount) == (1200, 1200)


def test_a_refund_that_failed_after_its_aggregate_was_canceled_restores(months: Months) -> None:
    part = months.earn()
    months.close()
    refund = months.refund(part)
    months.refund(part, refund_id=refund, status="FAILED")
    with tenant(months.organization):
        restoring = Reward.objects.get(restores=part.pk)
    assert (restoring.status, restoring.waiting_for, restoring.amount, restoring.target_amount) == (
        RewardStatus.EARNED,
        WaitingFor.AGGREGATION,
        1200,
        0,
    )
    assert stands(months.close()) == (RewardStatus.PENDING, 1200)


def test_a_refund_that_failed_cancels_a_deduction_that_waits_and_lifts_one_in_an_aggregate(months: Months) -> None:
    part = months.earn()
    months.confirm(months.close())
    refund = months.refund(part, 6000)
    months.refund(part, 6000, refund_id=refund, status="FAILED")
    assert [stands(each) for each in months.deductions()] == [(RewardStatus.CANCELED, 600)]

    refund = months.refund(part, 6000)
    negative = months.close()
    assert stands(negative) == (RewardStatus.PENDING_DEDUCTION, 600)
    months.refund(part, 6000, refund_id=refund, status="FAILED")
    assert [stands(each) for each in months.deductions()] == [
        (RewardStatus.CANCELED, 600),
        (RewardStatus.AGGREGATED, 0),
    ]
    assert stands(months.fresh(negative)) == (RewardStatus.CANCELED, 0)


def test_what_would_take_an_aggregate_below_nothing_is_a_deduction(months: Months) -> None:
    old = months.earn()
    months.confirm(months.close())
    months.refund(old, 6000)
    part = months.earn()
    statement = months.close()
    assert stands(statement) == (RewardStatus.PENDING, 600)
    refund = months.refund(part)
    assert stands(months.fresh(statement)) == (RewardStatus.CANCELED, 0)
    assert stands(months.fresh(part)) == (RewardStatus.AGGREGATED, 600)
    deduction = months.deductions()[-1]
    assert (deduction.amount, deduction.deducts_id, deduction.deducts_part_id) == (600, statement.pk, part.pk)

    months.refund(part, refund_id=refund, status="FAILED")
    assert stands(months.deductions()[-1]) == (RewardStatus.CANCELED, 600)
    with tenant(months.organization):
        assert Reward.objects.get(restores=part.pk).amount == 600
    assert stands(months.close()) == (RewardStatus.PENDING, 600)


def test_a_campaign_that_aggregates_no_more_leaves_deductions_by_themselves(months: Months) -> None:
    part = months.earn()
    months.confirm(months.close())
    months.refund(part, 6000)
    with tenant(months.organization):
        Campaign.objects.update(earning_timing="IMMEDIATE")
    with clock.as_of(months.now):
        release(organization=months.organization)
    (deduction,) = months.deductions()
    assert (deduction.status, deduction.waiting_for) == (RewardStatus.PENDING_DEDUCTION, None)
    assert_books_agree(months.organization)
