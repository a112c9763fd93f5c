"""Money that came back after a part of its reward had been netted: that part stays issued, whatever is refunded then."""

from typing import Any

import pytest

from integrations.base import PayoutChanged
from integrations.models import Connection
from participants.models import Participant
from participants.reversals import ReversalReport
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward
from rewards.services import issuing
from rewards.services.payouts import payouts_changed
from rewards.services.reversing import transaction_reverse
from rewards.states import RewardStatus
from tests import factories
from tests.rewards import pigeons
from tests.rewards.books import assert_books_agree
from tests.rewards.owing import deduction, due, now, refund
from tests.rewards.pigeons import RETURNED, Pigeons

pytestmark = pytest.mark.django_db


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Pigeons:
    return pigeons.register(monkeypatch)


@pytest.fixture
def returned(organization: Any, far: Pigeons) -> Reward:
    """$12.00 of which $8.00 were netted and $4.00 sent, which came back."""
    pigeons.connection(organization)
    sharer: Participant = factories.participant(factories.campaign(organization, budget=100_000))
    deduction(sharer, 800)
    reward = due(sharer)
    issue(reward)
    assert [order.amount for order in far.paid.values()] == [400]
    far.answers_look_up = lambda order: RETURNED
    with tenant(organization):
        known = PayoutChanged(provider_reference=None, reward_id=reward.pk)
        assert payouts_changed([(Connection.objects.get(), known)])
    issuing.run(seconds=5)
    assert stands(reward) == (RewardStatus.PENDING, 1200, 800)
    far.paid.clear()
    return reward


def issue(reward: Reward) -> None:
    factories.batch(reward.organization, [now(reward)], method="PIGEON")
    issuing.run(seconds=5)


def stands(reward: Reward) -> tuple[str, int, int]:
    fresh = now(reward)
    return fresh.status, fresh.amount, fresh.netted_amount


def deductions_of(reward: Reward) -> list[tuple[str, int]]:
    with tenant(reward.organization):
        found = Reward.objects.filter(deducts=reward).order_by("pk").values_list("status", "amount")
        return list(found)


def fails(reward: Reward, refund_id: str) -> None:
    with tenant(reward.organization):
        transaction_reverse(
            organization=reward.organization,
            campaign_id=reward.campaign_id,
            transaction_id=str(reward.transaction_id),
            report=ReversalReport(refund_id, "REFUND", "FAILED"),
            actor=factories.ACTOR,
        )


def test_it_works(far: Pigeons, returned: Reward) -> None:
    """Of $12.00 are $5.00 left, and $8.00 were netted: $3.00 are to be taken back, and nothing is sent."""
    refund(returned, 7000)

    assert stands(returned) == (RewardStatus.PENDING, 800, 800)
    assert deductions_of(returned) == [(RewardStatus.PENDING_DEDUCTION, 300)]
    issue(returned)
    assert stands(returned) == (RewardStatus.AVAILABLE, 800, 800)
    assert far.paid == {}
    assert_books_agree(returned.organization)

    # Nothing is left of the payment: all that was netted is taken back, in two.
    refund(returned, 5000, "re_2")
    assert [amount for _, amount in deductions_of(returned)] == [300, 500]
    assert_books_agree(returned.organization)


def test_what_is_left_above_it_is_sent(far: Pigeons, returned: Reward) -> None:
    refund(returned, 3000)
    assert stands(returned) == (RewardStatus.PENDING, 900, 800)
    assert deductions_of(returned) == []
    issue(returned)
    assert [order.amount for order in far.paid.values()] == [100]
    assert_books_agree(returned.organization)


def test_a_refund_that_failed_gives_all_of_it_back(far: Pigeons, returned: Reward) -> None:
    refund(returned, 7000)
    fails(returned, "re_1")

    assert stands(returned) == (RewardStatus.PENDING, 1200, 800)
    assert deductions_of(returned) == [(RewardStatus.CANCELED, 300)]
    issue(returned)
    assert [order.amount for order in far.paid.values()] == [400]
    refund(returned, 6000, "re_2")
    assert [amount for status, amount in deductions_of(returned) if status != RewardStatus.CANCELED] == [600]
    assert_books_agree(returned.organization)
