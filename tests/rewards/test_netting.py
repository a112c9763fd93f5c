"""Deductions are settled from the next rewards while those are issued; the provider gets the difference."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from campaigns.models import FulfilmentKind
from integrations.errors import OutcomeUnknown, ProviderRejected
from participants.models import Participant
from participants.reversals import ReversalReport
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.errors import BeingIssued
from rewards.models import BatchItem, Claim, Netting, Reward
from rewards.services import issuing
from rewards.services.confirming import reward_deduct
from rewards.services.lanes import next_lane
from rewards.services.reversing import transaction_reverse
from rewards.services.selecting import Selection, batch_plan
from rewards.states import ItemOutcome, RewardStatus
from tests import factories
from tests.rewards import pigeons
from tests.rewards.books import assert_books_agree
from tests.rewards.owing import all_of, deduction, due, now, refund
from tests.rewards.pigeons import Pigeons

pytestmark = pytest.mark.django_db


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Pigeons:
    return pigeons.register(monkeypatch)


@pytest.fixture
def sharer(organization: Any, far: Pigeons) -> Participant:
    pigeons.connection(organization)
    return factories.participant(factories.campaign(organization, budget=100_000))


def issue(*rewards: Reward, method: str = "PIGEON") -> None:
    factories.batch(rewards[0].organization, rewards, method=method)
    issuing.run(seconds=5)


def sent(far: Pigeons) -> list[int]:
    return sorted(order.amount for order in far.paid.values())


def nothing_is_claimed(organization: Any) -> None:
    with tenant(organization):
        assert not Claim.objects.filter(closed_at__isnull=True).exists()
    assert_books_agree(organization)


def test_it_works(far: Pigeons, sharer: Participant) -> None:
    owed, reward = deduction(sharer, 500), due(sharer)
    with tenant(sharer.organization):
        plan = batch_plan(method="PIGEON", selection=Selection(reward_ids=[reward.pk]))

    issue(reward)

    assert plan.netted == {"USD": 500}
    assert sent(far) == [700]
    reward, owed = now(reward), now(owed)
    assert (reward.status, reward.amount, reward.netted_amount) == (RewardStatus.AVAILABLE, 1200, 500)
    assert (owed.status, owed.amount, owed.settled_by_id, owed.method) == ("DEDUCTED", 500, reward.pk, "PIGEON")
    # Budget comes back with what was deducted.
    assert owed.deducts_id is not None
    with tenant(sharer.organization):
        assert Reward.objects.get(pk=owed.deducts_id).target_amount == 700
    nothing_is_claimed(sharer.organization)


@pytest.mark.parametrize("method", ["PIGEON", "MANUAL", "PIGEON_FLOCK"])
def test_a_larger_one_is_split_over_the_next_rewards(far: Pigeons, sharer: Participant, method: str) -> None:
    issued = [due(sharer), due(sharer)]
    issue(*issued, method="MANUAL")
    for each in issued:
        refund(each, 8000)
    first, second = due(sharer, 12000), due(sharer, 12000)

    issue(first, second, method=method)

    assert (now(first).netted_amount, now(second).netted_amount) == (1200, 400)
    assert all_of(sharer.organization, RewardStatus.DEDUCTED) == [400, 400, 800]
    assert all_of(sharer.organization, RewardStatus.PENDING_DEDUCTION) == []
    assert sent(far) == ([] if method == "MANUAL" else [800])
    nothing_is_claimed(sharer.organization)


def test_what_is_settled_whole_sends_nothing(far: Pigeons, sharer: Participant) -> None:
    deduction(sharer, 1200)
    reward = due(sharer)

    issue(reward)

    assert far.paid == {}
    assert (now(reward).status, now(reward).netted_amount) == (RewardStatus.AVAILABLE, 1200)
    with tenant(sharer.organization):
        item = BatchItem.objects.get(reward=reward)
    assert (item.outcome, item.tries) == (ItemOutcome.SUCCEEDED, 1)
    assert "nothing was sent" in item.message
    nothing_is_claimed(sharer.organization)


def test_a_refusal_frees_the_deduction(far: Pigeons, sharer: Participant) -> None:
    owed, reward = deduction(sharer, 500), due(sharer)
    far.answers = lambda order: ProviderRejected("No.")

    issue(reward)
    assert (now(reward).status, now(reward).netted_amount, now(owed).status) == ("PENDING", 0, "PENDING_DEDUCTION")
    nothing_is_claimed(sharer.organization)

    far.answers = lambda order: None
    issue(reward)
    assert (sent(far), now(owed).status) == ([700], "DEDUCTED")


def test_killed_between_the_attempt_and_its_answer(far: Pigeons, sharer: Participant, settings: Any) -> None:
    owed, reward = deduction(sharer, 500), due(sharer)
    factories.batch(sharer.organization, [reward], method="PIGEON")
    lane = next_lane()
    assert lane is not None
    (started,) = issuing.begin(lane)
    far.issue(started.call.access, started.call.order)  # type: ignore[arg-type]
    # and then the process is gone. Nobody else gets the deduction, and a later one isn't netted from what was sent.
    with tenant(sharer.organization), pytest.raises(BeingIssued):
        reward_deduct(organization=sharer.organization, reward=owed, actor=factories.ACTOR)

    with time_machine.travel(clock.wall() + timedelta(seconds=settings.LEASE_SECONDS + 1), tick=True):
        issuing.run(seconds=5)

    assert sent(far) == [700]
    assert (now(reward).netted_amount, now(owed).status) == (500, "DEDUCTED")
    nothing_is_claimed(sharer.organization)


def test_what_was_sent_stays_as_it_was_after_an_unknown_outcome(far: Pigeons, sharer: Participant) -> None:
    reward = due(sharer)
    far.answers = lambda order: OutcomeUnknown("Lost.")
    issue(reward)
    far.answers = lambda order: None
    deduction(sharer, 500, method="MANUAL")

    with time_machine.travel(clock.wall() + timedelta(seconds=2), tick=True):
        issuing.run(seconds=5)

    assert sent(far) == [1200]
    assert (now(reward).netted_amount, all_of(sharer.organization, "PENDING_DEDUCTION")) == (0, [500])


def test_a_deduction_that_is_given_back_meanwhile_waits_for_the_outcome(far: Pigeons, sharer: Participant) -> None:
    owed, reward = deduction(sharer, 500), due(sharer)
    factories.batch(sharer.organization, [reward], method="PIGEON")
    lane = next_lane()
    assert lane is not None
    issuing.begin(lane)
    assert owed.deducts_id is not None
    with tenant(sharer.organization):
        origin = Reward.objects.get(pk=owed.deducts_id)

    _refund_failed(origin)

    assert (now(owed).status, now(owed).pending_reduction) == (RewardStatus.PENDING_DEDUCTION, -500)
    with time_machine.travel(clock.wall() + timedelta(seconds=120), tick=True):
        issuing.run(seconds=5)
    assert now(owed).status == RewardStatus.DEDUCTED
    # What was netted is given back as a reward of its own.
    assert all_of(sharer.organization, RewardStatus.PENDING) == [500]
    assert_books_agree(sharer.organization)


def _refund_failed(origin: Reward) -> None:
    with tenant(origin.organization):
        transaction_reverse(
            organization=origin.organization,
            campaign_id=origin.campaign_id,
            transaction_id=str(origin.transaction_id),
            report=ReversalReport(refund_id="re_1", amount=5000, status="FAILED"),
            actor=factories.ACTOR,
        )


def test_only_of_the_same_participant_and_campaign(far: Pigeons, sharer: Participant) -> None:
    deduction(sharer, 500)
    other = due(factories.participant(sharer.campaign))
    elsewhere = due(factories.participant(factories.campaign(sharer.organization), sharer.customer.email))

    issue(other, elsewhere)

    assert sent(far) == [1200, 1200]
    with tenant(sharer.organization):
        assert not Netting.objects.exists()


def test_webhook_fulfilment_nets_nothing(far: Pigeons, sharer: Participant) -> None:
    owed, reward = deduction(sharer, 500), due(sharer)
    with tenant(sharer.organization):
        Reward.objects.filter(pk=owed.pk).update(fulfilment_kind=FulfilmentKind.WEBHOOK)

    issue(reward)

    assert (sent(far), now(owed).status) == ([1200], RewardStatus.PENDING_DEDUCTION)
