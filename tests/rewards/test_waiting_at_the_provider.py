"""What waits at the provider is asked after until it is paid or comes back, by polling and by webhooks alike."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from integrations.base import PayoutChanged
from integrations.errors import ProviderRetryable
from integrations.models import Connection
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, Claim, Reward
from rewards.services import issuing
from rewards.services.payouts import payouts_changed
from rewards.states import AttemptOutcome, RewardStatus
from tests import factories
from tests.rewards import pigeons
from tests.rewards.books import assert_books_agree
from tests.rewards.owing import now
from tests.rewards.pigeons import RETURNED, Pigeons, waits

pytestmark = pytest.mark.django_db


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Pigeons:
    return pigeons.register(monkeypatch)


@pytest.fixture
def reward(organization: Any, far: Pigeons) -> Reward:
    pigeons.connection(organization)
    (reward,) = factories.due_rewards(factories.campaign(organization), 1)
    return reward


def issue(reward: Reward) -> None:
    factories.batch(reward.organization, [reward], method="PIGEON")
    issuing.run(seconds=5)


def later(seconds: float) -> None:
    with time_machine.travel(clock.wall() + timedelta(seconds=seconds), tick=True):
        issuing.run(seconds=5)


def item(reward: Reward) -> tuple[str, str, bool]:
    """Outcome, code and whether the claim is open, of the newest."""
    with tenant(reward.organization):
        found = BatchItem.objects.select_related("claim").filter(reward=reward).order_by("-pk")[0]
        assert found.claim is not None
        return found.outcome, found.code, found.claim.closed_at is None


def tell(reward: Reward, **fact: Any) -> int:
    with tenant(reward.organization):
        return len(payouts_changed([(Connection.objects.get(), PayoutChanged(**fact))]))


def test_it_works(far: Pigeons, reward: Reward) -> None:
    far.answers = far.answers_look_up = lambda order: waits()
    issue(reward)
    assert item(reward) == ("WAITING", "needs_a_person", True)
    later(20)
    assert far.looked_up == []

    later(61)
    assert (len(far.looked_up), item(reward)) == (1, ("WAITING", "needs_a_person", True))
    far.answers_look_up = lambda order: pigeons.sent("waiting_1")
    later(3600)

    assert item(reward) == ("SUCCEEDED", "", False)
    assert (now(reward).status, now(reward).provider_reference) == (RewardStatus.AVAILABLE, "waiting_1")
    later(7 * 3600)
    assert len(far.looked_up) == 2
    assert far.looked_up[0].provider_reference == "waiting_1"


def test_what_comes_back_is_due_again_under_another_key(far: Pigeons, reward: Reward) -> None:
    far.answers = lambda order: waits()
    far.answers_look_up = lambda order: RETURNED
    issue(reward)
    later(61)

    outcome, code, claimed = item(reward)
    assert (outcome, code, claimed) == ("FAILED", "returned_by_provider", False)
    assert (now(reward).status, now(reward).issue_number) == (RewardStatus.PENDING, 2)
    far.answers = lambda order: None
    issue(reward)
    assert list(far.paid) == [f"{reward.pk}:2"]
    assert_books_agree(reward.organization)


def test_issued_money_that_comes_back(far: Pigeons, reward: Reward) -> None:
    issue(reward)
    assert now(reward).status == RewardStatus.AVAILABLE
    far.answers_look_up = lambda order: RETURNED

    assert tell(reward, provider_reference=f"ring_{reward.pk}:1") == 1
    issuing.run(seconds=5)

    back = now(reward)
    assert (back.status, back.issue_number, back.issued_at, back.method) == (RewardStatus.PENDING, 2, None, None)
    with tenant(reward.organization):
        last = back.transitions.order_by("-pk")[0]
        assert (last.from_status, last.to_status, last.reason) == ("AVAILABLE", "PENDING", "returned_by_provider")
        assert back.attempts.get().outcome == AttemptOutcome.RETURNED
        assert not Claim.objects.filter(closed_at__isnull=True).exists()
    # Told once more, nothing is asked: that payment is over.
    assert tell(reward, reward_id=reward.pk) == 0
    assert_books_agree(reward.organization)


def test_a_webhook_decides_nothing_by_itself(far: Pigeons, reward: Reward) -> None:
    issue(reward)

    assert tell(reward, reward_id=reward.pk) == 1
    issuing.run(seconds=5)

    assert (len(far.looked_up), item(reward)) == (1, ("SUCCEEDED", "", False))
    assert now(reward).status == RewardStatus.AVAILABLE
    later(7 * 3600)
    assert len(far.looked_up) == 1


def test_a_look_up_that_fails_is_made_again(far: Pigeons, reward: Reward) -> None:
    issue(reward)
    tell(reward, reward_id=reward.pk)
    far.answers_look_up = lambda order: ProviderRetryable("Busy.", sent=True)
    issuing.run(seconds=5)
    assert item(reward) == ("SUCCEEDED", "", False)

    far.answers_look_up = lambda order: RETURNED
    later(61)

    assert now(reward).status == RewardStatus.PENDING


def test_a_message_of_something_else(far: Pigeons, reward: Reward) -> None:
    issue(reward)

    assert tell(reward, provider_reference="nobody's") == 0
    assert tell(reward, reward_id=reward.participant_id) == 0
    issuing.run(seconds=1)

    assert far.looked_up == []
