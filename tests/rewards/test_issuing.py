"""The runner against Stripe's stand-in: what becomes of items, rewards and claims, whatever the provider answers."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from integrations.models import Connection, ConnectionStatus
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, Claim, IssueAttempt, Reward, RewardBatch
from rewards.services import conclusions, issuing
from rewards.services.batches import batch_cancel
from rewards.services.calling import call
from rewards.services.lanes import next_lane
from rewards.services.outcomes import answers_write
from rewards.states import AttemptOutcome, BatchStatus, ItemOutcome, RewardStatus, WaitingFor
from tests import factories
from tests.integrations.stand_in import RunningSandbox, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": f"{sandbox.url}/stripe"}
        yield sandbox


@pytest.fixture
def due(stand_in: RunningSandbox) -> list[Reward]:
    """Three rewards of $12.00, whose people the stand-in knows."""
    organization = factories.organization()
    factories.connection(organization)
    rewards = factories.due_rewards(factories.campaign(organization), 3)
    with tenant(organization):
        for reward in rewards:
            stand_in.add_customer(reward.customer.email, livemode=True)
    return rewards


def issue(rewards: list[Reward]) -> RewardBatch:
    batch = factories.batch(rewards[0].organization, rewards, method="STRIPE_CREDIT")
    issuing.run(seconds=5)
    return batch


def later(seconds: float) -> None:
    """Run again after a while."""
    with time_machine.travel(clock.wall() + timedelta(seconds=seconds), tick=True):
        issuing.run(seconds=5)


def only_item(batch: RewardBatch) -> BatchItem:
    with tenant(batch.organization):
        return BatchItem.objects.select_related("reward", "claim").get(batch=batch)


def open_claims(batch: RewardBatch) -> int:
    with tenant(batch.organization):
        return Claim.objects.filter(closed_at__isnull=True).count()


def test_it_works(stand_in: RunningSandbox, due: list[Reward]) -> None:
    batch = issue(due)

    with tenant(batch.organization):
        batch.refresh_from_db()
        assert batch.status == BatchStatus.FINISHED
        rewards = list(Reward.objects.order_by("pk"))
        assert [(reward.status, reward.amount, reward.method) for reward in rewards] == [
            (RewardStatus.AVAILABLE, 1200, "STRIPE_CREDIT")
        ] * 3
        assert all(reward.issued_at for reward in rewards)
    given = stand_in.credits()["credits"]
    assert {credit["reward_id"]: credit["id"] for credit in given} == {
        str(reward.pk): reward.provider_reference for reward in rewards
    }
    assert [(credit["amount"], credit["currency"]) for credit in given] == [(1200, "usd")] * 3
    assert open_claims(batch) == 0


def test_a_customer_that_stripe_does_not_know_waits_and_is_due(stand_in: RunningSandbox, due: list[Reward]) -> None:
    stranger = factories.due_rewards(due[0].campaign, 1)
    batch = issue(stranger)

    item = only_item(batch)
    assert (item.outcome, item.code) == (ItemOutcome.WAITING, "customer_not_found")
    assert item.message
    assert (item.reward.status, item.reward.waiting_for) == (RewardStatus.PENDING, WaitingFor.RECIPIENT)
    assert stand_in.credits()["count"] == 0
    assert open_claims(batch) == 0


@pytest.mark.parametrize("fault", ["reset", "malformed"])
def test_an_answer_lost_after_acting_is_looked_up(stand_in: RunningSandbox, due: list[Reward], fault: str) -> None:
    stand_in.fault(fault, method="POST", path="balance_transactions")
    batch = issue(due[:1])
    item = only_item(batch)
    assert (item.outcome, item.in_doubt, item.reward.status) == (ItemOutcome.QUEUED, True, RewardStatus.PENDING)
    assert open_claims(batch) == 1

    later(2)

    item = only_item(batch)
    assert (item.outcome, item.reward.status) == (ItemOutcome.SUCCEEDED, RewardStatus.AVAILABLE)
    assert stand_in.credits()["count"] == 1
    with tenant(batch.organization):
        assert list(IssueAttempt.objects.order_by("pk").values_list("outcome", flat=True)) == [
            AttemptOutcome.UNKNOWN,
            AttemptOutcome.SUCCEEDED,
        ]
        assert len(set(IssueAttempt.objects.values_list("idempotency_key", flat=True))) == 1


def test_a_refusal_for_now_is_tried_again_not_sooner_than_asked(stand_in: RunningSandbox, due: list[Reward]) -> None:
    stand_in.fault("rate_limited", method="POST", path="balance_transactions", retry_after=40)
    batch = issue(due[:1])
    assert only_item(batch).outcome == ItemOutcome.QUEUED

    later(30)
    assert stand_in.credits()["count"] == 0

    later(41)
    assert only_item(batch).outcome == ItemOutcome.SUCCEEDED
    assert stand_in.credits()["count"] == 1


def test_what_stays_unknown_is_kept_from_everybody_else_until_it_is_looked_up(
    stand_in: RunningSandbox, due: list[Reward]
) -> None:
    stand_in.fault("server_error", method="POST", path="balance_transactions", times=None, acts=False)
    batch = issue(due[:1])
    for round_number in range(1, 6):
        later(700 * round_number)
    item = only_item(batch)
    assert (item.outcome, item.code) == (ItemOutcome.UNKNOWN, "outcome_unknown")
    with tenant(batch.organization):
        batch.refresh_from_db()
    assert batch.status == BatchStatus.FINISHED

    second = issue(due[:1])
    assert (only_item(second).outcome, only_item(second).code) == (ItemOutcome.FAILED, "being_issued")

    stand_in.clear_faults()
    later(700 * 5 + 601)
    item = only_item(batch)
    assert (item.outcome, item.reward.status) == (ItemOutcome.FAILED, RewardStatus.PENDING)
    assert open_claims(batch) == 0
    assert stand_in.credits()["count"] == 0


def test_refused_credentials_stop_the_connection(stand_in: RunningSandbox, due: list[Reward]) -> None:
    stand_in.fault("revoked", times=None)
    batch = issue(due)

    with tenant(batch.organization):
        items = BatchItem.objects.filter(batch=batch)
        assert {(item.outcome, item.code) for item in items} == {(ItemOutcome.FAILED, "connection_revoked")}
        assert Connection.objects.get().status == ConnectionStatus.NEEDS_ATTENTION
        assert set(Reward.objects.values_list("status", flat=True)) == {RewardStatus.PENDING}
    assert open_claims(batch) == 0
    assert stand_in.credits()["count"] == 0


def test_the_same_rewards_in_two_batches_are_issued_once(stand_in: RunningSandbox, due: list[Reward]) -> None:
    first = factories.batch(due[0].organization, due, method="STRIPE_CREDIT")
    second = factories.batch(due[0].organization, due, method="MANUAL")
    issuing.run(seconds=5)

    with tenant(first.organization):
        assert {item.outcome for item in BatchItem.objects.filter(batch=first)} == {ItemOutcome.SUCCEEDED}
        assert {item.code for item in BatchItem.objects.filter(batch=second)} == {"being_issued"}
        assert set(Reward.objects.values_list("method", flat=True)) == {"STRIPE_CREDIT"}
    assert stand_in.credits()["count"] == 3


def test_canceling_frees_what_nobody_has_started(stand_in: RunningSandbox, due: list[Reward]) -> None:
    batch = factories.batch(due[0].organization, due, method="STRIPE_CREDIT")
    with tenant(batch.organization):
        batch_cancel(organization=batch.organization, batch=batch, actor=factories.ACTOR)
    issuing.run(seconds=5)

    with tenant(batch.organization):
        assert RewardBatch.objects.get().status == BatchStatus.CANCELED
        assert set(Reward.objects.values_list("status", flat=True)) == {RewardStatus.PENDING}
    assert open_claims(batch) == 0
    assert stand_in.credits()["count"] == 0


def test_the_lease_of_a_dead_runner_runs_out(stand_in: RunningSandbox, due: list[Reward], settings: Any) -> None:
    batch = factories.batch(due[0].organization, due[:1], method="STRIPE_CREDIT")
    lane = next_lane()
    assert lane is not None
    assert lane.connection is not None
    issuing.begin(lane)  # and then the process is gone, before or after the call

    assert issuing.run(seconds=1) == 0
    later(settings.LEASE_SECONDS + 1)

    assert only_item(batch).outcome == ItemOutcome.SUCCEEDED
    assert stand_in.credits()["count"] == 1


def test_an_answer_after_the_lease_is_dropped(stand_in: RunningSandbox, due: list[Reward], settings: Any) -> None:
    batch = factories.batch(due[0].organization, due[:1], method="STRIPE_CREDIT")
    lane = next_lane()
    assert lane is not None
    assert lane.connection is not None
    started = issuing.begin(lane)
    answers = call(started[0])
    later(settings.LEASE_SECONDS + 1)
    with tenant(batch.organization):
        transitions = only_item(batch).reward.transitions.count()
        written = answers_write(
            organization=batch.organization, answers=answers, lease_token=lane.lease.token, actor="system:test"
        )

    assert written == 0
    with tenant(batch.organization):
        assert only_item(batch).reward.transitions.count() == transitions == 2
    assert stand_in.credits()["count"] == 1


def test_what_was_tried_often_enough_is_not_said_to_be_tried_again(
    stand_in: RunningSandbox, due: list[Reward], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conclusions, "RETRY_SECONDS", (1,))
    stand_in.fault("rate_limited", method="POST", path="balance_transactions", times=None)
    batch = issue(due[:1])
    later(60)

    item = only_item(batch)
    assert item.outcome == ItemOutcome.FAILED
    assert item.message == "Stripe asks to be called less often. It was tried 2 times in vain."
