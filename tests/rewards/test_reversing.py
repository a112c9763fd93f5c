"""Refunds and disputes: what is owed follows what is left of the payment, whatever was done with the reward so far."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from integrations.base import IssueOutcome, IssueResult
from participants.models import QualifyingEvent, ReversalKind, ReversalStatus
from participants.reversals import ReversalReport
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward, RewardTotals
from rewards.services import issuing
from rewards.services.conclusions import Answered
from rewards.services.confirming import reward_cancel, reward_confirm, reward_deduct
from rewards.services.lanes import next_lane
from rewards.services.outcomes import answers_write
from rewards.services.reversing import ReversalResult, settle_what_waited, transaction_reverse
from rewards.states import RewardStatus
from tests import factories

pytestmark = pytest.mark.django_db

Reverse = Callable[..., ReversalResult]


@pytest.fixture
def reward(referred: Any) -> Reward:
    """$12.00, due, of a payment of $120.00."""
    return factories.event(referred, 12000).rewards[0]


@pytest.fixture
def reverse(reward: Reward) -> Reverse:
    def make(refund_id: str = "re_1", amount: int | None = None, **fields: Any) -> ReversalResult:
        with tenant(reward.organization):
            return transaction_reverse(
                organization=reward.organization,
                campaign_id=reward.campaign_id,
                transaction_id=str(reward.transaction_id),
                report=ReversalReport(refund_id=refund_id, amount=amount, **fields),
                actor=factories.ACTOR,
            )

    return make


def confirm(reward: Reward, amount: int | None = None) -> None:
    with tenant(reward.organization):
        reward_confirm(organization=reward.organization, reward=reward, actor=factories.ACTOR, amount=amount)


def rows(reward: Reward) -> list[tuple[str, int]]:
    with tenant(reward.organization):
        return [(each.status, each.amount) for each in Reward.objects.order_by("pk")]


def test_it_works(reward: Reward, reverse: Reverse) -> None:
    result = reverse(amount=6000)

    assert (result.net_amount, result.capped, result.created) == (6000, False, True)
    assert rows(reward) == [(RewardStatus.PENDING, 600)]
    with tenant(reward.organization):
        reward.refresh_from_db()
        assert (reward.earned_amount, reward.refunded_amount, reward.target_amount) == (1200, 600, 600)
        total = RewardTotals.objects.get(status=RewardStatus.PENDING)
        assert (total.count, total.amount, total.target) == (1, 600, 600)


def test_a_full_refund_cancels_what_is_not_issued(reward: Reward, reverse: Reverse) -> None:
    reverse()

    assert rows(reward) == [(RewardStatus.CANCELED, 1200)]
    with tenant(reward.organization):
        assert QualifyingEvent.objects.get().net_amount == 0


def test_one_refund_id_counts_once(reward: Reward, reverse: Reverse) -> None:
    reverse(amount=3000)
    again = reverse(amount=3000)

    assert again.created is False
    assert rows(reward) == [(RewardStatus.PENDING, 900)]


def test_rounding_is_from_the_totals(reward: Reward, reverse: Reverse) -> None:
    for number in range(7):
        reverse(f"re_{number}", amount=1001)

    # 1200 × (12000 − 7007) ÷ 12000 = 499.3, and not seven times a rounded 100.1.
    assert rows(reward) == [(RewardStatus.PENDING, 499)]


def test_refunds_beyond_the_payment_count_up_to_it(reward: Reward, reverse: Reverse) -> None:
    result = reverse(amount=99999)

    assert (result.net_amount, result.capped) == (0, True)
    assert rows(reward) == [(RewardStatus.CANCELED, 1200)]


def test_ten_dollars_of_twelve_issued_and_half_refunded_deducts_five(reward: Reward, reverse: Reverse) -> None:
    confirm(reward, 1000)
    reverse(amount=6000)

    assert rows(reward) == [(RewardStatus.AVAILABLE, 1000), (RewardStatus.PENDING_DEDUCTION, 500)]
    with tenant(reward.organization):
        deduction = Reward.objects.get(status=RewardStatus.PENDING_DEDUCTION)
        assert (deduction.deducts_id, deduction.event_id, deduction.target_amount) == (reward.pk, reward.event_id, 0)


def test_a_refund_before_issuing_is_not_taken_again(reward: Reward, reverse: Reverse) -> None:
    reverse(amount=6000)
    confirm(reward)
    reverse("re_2", amount=3000)

    # $6.00 was issued while half of the payment was left; of that half, half again went.
    assert rows(reward) == [(RewardStatus.AVAILABLE, 600), (RewardStatus.PENDING_DEDUCTION, 300)]


def test_a_dispute_that_is_won_gives_back(reward: Reward, reverse: Reverse) -> None:
    reverse("dp_1", kind=ReversalKind.DISPUTE, status=ReversalStatus.OPEN, amount=6000)
    assert rows(reward) == [(RewardStatus.PENDING, 600)]

    reverse("dp_1", kind=ReversalKind.DISPUTE, status=ReversalStatus.WON, amount=6000)
    assert rows(reward) == [(RewardStatus.PENDING, 1200)]


def test_a_canceled_reward_is_restored_by_a_new_one(reward: Reward, reverse: Reverse) -> None:
    reverse("dp_1", kind=ReversalKind.DISPUTE, status=ReversalStatus.OPEN)
    reverse("dp_1", kind=ReversalKind.DISPUTE, status=ReversalStatus.WON)

    assert rows(reward) == [(RewardStatus.CANCELED, 1200), (RewardStatus.PENDING, 1200)]
    with tenant(reward.organization):
        assert Reward.objects.get(status=RewardStatus.PENDING).restores_id == reward.pk


def test_an_unstarted_deduction_is_canceled_when_the_refund_fails(reward: Reward, reverse: Reverse) -> None:
    confirm(reward)
    reverse(amount=6000)
    reverse(amount=6000, status=ReversalStatus.FAILED)

    assert rows(reward) == [(RewardStatus.AVAILABLE, 1200), (RewardStatus.CANCELED, 600)]


def test_a_deduction_that_was_taken_is_restored(reward: Reward, reverse: Reverse) -> None:
    confirm(reward)
    reverse("dp_1", kind=ReversalKind.DISPUTE, status=ReversalStatus.OPEN, amount=6000)
    with tenant(reward.organization):
        deduction = Reward.objects.get(status=RewardStatus.PENDING_DEDUCTION)
        reward_deduct(organization=reward.organization, reward=deduction, actor=factories.ACTOR)
    reverse("dp_1", kind=ReversalKind.DISPUTE, status=ReversalStatus.WON, amount=6000)

    assert rows(reward) == [
        (RewardStatus.AVAILABLE, 1200),
        (RewardStatus.DEDUCTED, 600),
        (RewardStatus.PENDING, 600),
    ]


def test_what_a_person_canceled_stays_so(reward: Reward, reverse: Reverse) -> None:
    with tenant(reward.organization):
        reward_cancel(organization=reward.organization, reward=reward, actor=factories.ACTOR, reason="fraud")
    reverse("dp_1", kind=ReversalKind.DISPUTE, status=ReversalStatus.OPEN)
    reverse("dp_1", kind=ReversalKind.DISPUTE, status=ReversalStatus.WON)

    assert rows(reward) == [(RewardStatus.CANCELED, 1200)]


def test_a_forgiven_deduction_is_not_asked_for_again(reward: Reward, reverse: Reverse) -> None:
    confirm(reward)
    reverse(amount=6000)
    with tenant(reward.organization):
        deduction = Reward.objects.get(status=RewardStatus.PENDING_DEDUCTION)
        reward_cancel(organization=reward.organization, reward=deduction, actor=factories.ACTOR, reason="goodwill")
    reverse("re_2", amount=3000)

    assert rows(reward) == [
        (RewardStatus.AVAILABLE, 1200),
        (RewardStatus.CANCELED, 600),
        (RewardStatus.PENDING_DEDUCTION, 300),
    ]


def test_a_deduction_taken_in_part_leaves_the_rest_to_be_taken(reward: Reward, reverse: Reverse) -> None:
    confirm(reward)
    reverse()
    with tenant(reward.organization):
        deduction = Reward.objects.get(status=RewardStatus.PENDING_DEDUCTION)
        reward_deduct(organization=reward.organization, reward=deduction, actor=factories.ACTOR, amount=500)
        rest = Reward.objects.get(status=RewardStatus.PENDING_DEDUCTION)
        reward.refresh_from_db()
        assert (rest.carried_from_id, rest.deducts_id, rest.amount) == (deduction.pk, reward.pk, 700)
        assert reward.target_amount == 700
    assert rows(reward) == [
        (RewardStatus.AVAILABLE, 1200),
        (RewardStatus.DEDUCTED, 500),
        (RewardStatus.PENDING_DEDUCTION, 700),
    ]


def test_a_refund_before_its_payment_waits_for_it(referred: Any) -> None:
    report = factories.report(referred, 12000)
    with tenant(referred.organization):
        early = transaction_reverse(
            organization=referred.organization,
            campaign_id=referred.campaign_id,
            transaction_id=str(report.transaction_id),
            report=ReversalReport(refund_id="re_1", amount=9000),
            actor=factories.ACTOR,
        )
    assert (early.event, early.net_amount) == (None, None)

    result = factories.event(referred, 12000, transaction_id=report.transaction_id)

    assert [(each.status, each.amount) for each in result.rewards] == [(RewardStatus.PENDING, 300)]
    assert result.event.net_amount == 3000


def test_a_refund_while_the_reward_is_being_issued_waits_for_the_outcome(reward: Reward, reverse: Reverse) -> None:
    factories.connection(reward.organization)
    factories.batch(reward.organization, [reward], method="STRIPE_CREDIT")
    lane = next_lane()
    assert lane is not None
    assert lane.connection is not None
    started = issuing.begin(lane)

    reverse(amount=6000)
    with tenant(reward.organization):
        reward.refresh_from_db()
        assert (reward.status, reward.amount, reward.pending_reduction) == (RewardStatus.PENDING, 1200, 600)

    succeeded = IssueResult(
        IssueOutcome.SUCCEEDED, sent=True, provider_reference="cbtxn_1", recipient_provider_id="cus_1"
    )
    answered = Answered(started[0].item, started[0].attempt, succeeded, was_in_doubt=False)
    with tenant(reward.organization):
        answers_write(
            organization=reward.organization, answers=[answered], lease_token=lane.lease.token, actor=factories.ACTOR
        )
    with tenant(reward.organization):
        settle_what_waited(organization=reward.organization, actor=factories.ACTOR)

    assert rows(reward) == [(RewardStatus.AVAILABLE, 1200), (RewardStatus.PENDING_DEDUCTION, 600)]
    with tenant(reward.organization):
        reward.refresh_from_db()
        assert reward.pending_reduction == 0


def test_a_refund_before_the_runner_begins_lowers_what_it_issues(reward: Reward, reverse: Reverse) -> None:
    factories.batch(reward.organization, [reward])
    reverse(amount=6000)
    issuing.run(seconds=1)

    assert rows(reward) == [(RewardStatus.AVAILABLE, 600)]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_running_totals_and_single_refunds_are_not_added_up(
    reward: Reward, reverse: Reverse, order: tuple[int, int, int]
) -> None:
    now = reward.earned_at
    reports = [
        ReversalReport("ch_1", amount=3000, cumulative=True, occurred_at=now),
        ReversalReport("re_1", amount=3000),
        ReversalReport("re_2", amount=2000),
    ]
    for position in order:
        report = replace(reports[position])
        reverse(report.refund_id, report.amount, cumulative=report.cumulative, occurred_at=report.occurred_at)

    # The larger of 3000 (running) and 3000 + 2000 (single).
    assert rows(reward) == [(RewardStatus.PENDING, 700)]
