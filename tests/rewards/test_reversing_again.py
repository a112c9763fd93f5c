"""Refunds that come, fail or wait around an issuing that is under way, and what a person said about what was restored."""

from collections.abc import Callable
from typing import Any

import pytest

from integrations.base import IssueOutcome, IssueResult
from integrations.errors import ProviderRejected
from participants.models import ReversalStatus
from participants.reversals import ReversalReport
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward
from rewards.services import issuing
from rewards.services.conclusions import Answer, Answered
from rewards.services.confirming import reward_cancel, reward_confirm, reward_deduct
from rewards.services.lanes import next_lane
from rewards.services.outcomes import answers_write
from rewards.services.reversing import settle_what_waited, transaction_reverse
from tests import factories

pytestmark = pytest.mark.django_db

Reverse = Callable[..., None]
SUCCEEDED = IssueResult(IssueOutcome.SUCCEEDED, sent=True, provider_reference="cbtxn_1", recipient_provider_id="cus_1")


@pytest.fixture
def reward(referred: Any) -> Reward:
    """$12.00, due, of a payment of $120.00."""
    return factories.event(referred, 12000).rewards[0]


@pytest.fixture
def reverse(reward: Reward) -> Reverse:
    def make(refund_id: str, amount: int = 12000, status: str = ReversalStatus.DONE) -> None:
        with tenant(reward.organization):
            transaction_reverse(
                organization=reward.organization,
                campaign_id=reward.campaign_id,
                transaction_id=str(reward.transaction_id),
                report=ReversalReport(refund_id=refund_id, amount=amount, status=status),
                actor=factories.ACTOR,
            )

    return make


def rows(reward: Reward) -> list[tuple[str, int]]:
    with tenant(reward.organization):
        return [(str(each.status), each.amount) for each in Reward.objects.order_by("pk")]


def settle(reward: Reward) -> int:
    with tenant(reward.organization):
        return settle_what_waited(organization=reward.organization, actor=factories.ACTOR)


@pytest.fixture
def begun(reward: Reward) -> Callable[[], Callable[[Answer], None]]:
    """Begins to issue the reward at the provider; what it answers writes the answer given."""

    def begin() -> Callable[[Answer], None]:
        factories.connection(reward.organization)
        factories.batch(reward.organization, [reward], method="STRIPE_CREDIT")
        lane = next_lane()
        assert lane is not None
        assert lane.connection is not None
        (started,) = issuing.begin(lane)

        def answer(given: Answer) -> None:
            with tenant(reward.organization):
                answers_write(
                    organization=reward.organization,
                    answers=[Answered(started.item, started.attempt, given, was_in_doubt=False)],
                    lease_token=lane.lease.token,
                    actor=factories.ACTOR,
                )

        return answer

    return begin


def test_what_is_given_back_while_the_reward_is_being_issued_is_restored_afterwards(reward, reverse, begun) -> None:
    reverse("re_1", 6000)
    answer = begun()
    reverse("re_1", 6000, ReversalStatus.FAILED)
    answer(SUCCEEDED)

    assert settle(reward) == 1

    assert rows(reward) == [("AVAILABLE", 600), ("PENDING", 600)]
    assert settle(reward) == 0


def test_a_refund_that_waited_for_a_refusal_counts_whoever_issues_next(reward, reverse, begun) -> None:
    """The next issuing begins before anybody has settled what waited: the refund is taken back all the same."""
    answer = begun()
    reverse("re_1", 6000)
    answer(ProviderRejected("no", code="rejected_by_provider"))

    with tenant(reward.organization):
        reward_confirm(organization=reward.organization, reward=reward, actor=factories.ACTOR)
    settle(reward)

    assert rows(reward) == [("AVAILABLE", 1200), ("PENDING_DEDUCTION", 600)]


def restored(reward: Reward, reverse: Reverse) -> Reward:
    """Canceled by a refund that failed afterwards."""
    reverse("re_1")
    reverse("re_1", status=ReversalStatus.FAILED)
    with tenant(reward.organization):
        return Reward.objects.get(restores=reward)


def test_a_restoration_that_a_person_canceled_is_not_given_again(reward, reverse) -> None:
    again = restored(reward, reverse)
    with tenant(reward.organization):
        reward_cancel(organization=reward.organization, reward=again, actor=factories.ACTOR, reason="not wanted")

    reverse("re_2", 6000)
    reverse("re_2", 6000, ReversalStatus.FAILED)

    assert rows(reward) == [("CANCELED", 1200), ("CANCELED", 1200)]


def test_what_a_person_cut_from_a_restoration_is_not_given_again(reward, reverse) -> None:
    again = restored(reward, reverse)
    with tenant(reward.organization):
        reward_confirm(organization=reward.organization, reward=again, actor=factories.ACTOR, amount=1000)

    reverse("re_1", status=ReversalStatus.FAILED)

    assert rows(reward) == [("CANCELED", 1200), ("AVAILABLE", 1000)]


def test_a_person_s_reason_may_be_any_word(reward, reverse) -> None:
    with tenant(reward.organization):
        reward_cancel(organization=reward.organization, reward=reward, actor=factories.ACTOR, reason="refunded")

    reverse("re_1", 6000)

    assert rows(reward) == [("CANCELED", 1200)]


def test_a_restoration_that_was_canceled_is_not_deducted(reward, reverse) -> None:
    with tenant(reward.organization):
        reward_confirm(organization=reward.organization, reward=reward, actor=factories.ACTOR)
    reverse("re_1", 6000)
    with tenant(reward.organization):
        deduction = Reward.objects.get(deducts=reward)
        reward_deduct(organization=reward.organization, reward=deduction, actor=factories.ACTOR)
    reverse("re_1", 6000, ReversalStatus.FAILED)
    with tenant(reward.organization):
        again = Reward.objects.get(restores=reward)
        reward_cancel(organization=reward.organization, reward=again, actor=factories.ACTOR, reason="not wanted")

    reverse("re_2", 6000)

    assert rows(reward) == [("AVAILABLE", 1200), ("DEDUCTED", 600), ("CANCELED", 600)]
