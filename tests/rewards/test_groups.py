"""A provider that takes many rewards in one call: one group a claim, on record before it is sent."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from integrations.errors import OutcomeUnknown, ProviderRejected
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, IssueAttempt, Reward, RewardBatch
from rewards.services import issuing
from rewards.services.lanes import next_lane
from rewards.states import ItemOutcome, RewardStatus
from tests import factories
from tests.rewards import pigeons
from tests.rewards.pigeons import Pigeons

pytestmark = pytest.mark.django_db


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Pigeons:
    return pigeons.register(monkeypatch)


def queued(count: int, organization: Any) -> tuple[RewardBatch, list[Reward]]:
    pigeons.connection(organization)
    rewards = factories.due_rewards(factories.campaign(organization), count)
    return factories.batch(organization, rewards, method="PIGEON_FLOCK"), rewards


def later(seconds: float) -> None:
    with time_machine.travel(clock.wall() + timedelta(seconds=seconds), tick=True):
        issuing.run(seconds=5)


def outcomes(batch: RewardBatch) -> list[str]:
    with tenant(batch.organization):
        return list(BatchItem.objects.filter(batch=batch).order_by("pk").values_list("outcome", flat=True))


def test_it_works(far: Pigeons, organization: Any) -> None:
    batch, rewards = queued(7, organization)

    issuing.run(seconds=5)

    assert outcomes(batch) == [ItemOutcome.SUCCEEDED] * 7
    assert [len(ids) for _, ids in far.groups] == [3, 3, 1]
    assert len({key for key, _ in far.groups}) == 3
    with tenant(organization):
        kept = dict(IssueAttempt.objects.values_list("reward", "group_key"))
        assert kept == {reward_id: key for key, ids in far.groups for reward_id in ids}
        for reward in rewards:
            reward.refresh_from_db()
            assert (reward.status, reward.provider_reference) == (RewardStatus.AVAILABLE, f"ring_{reward.pk}:1")


def test_a_group_has_one_currency(far: Pigeons, organization: Any) -> None:
    pigeons.connection(organization)
    dollars = factories.due_rewards(factories.campaign(organization), 2)
    yen = factories.due_rewards(factories.campaign(organization, currency="JPY"), 2)
    factories.batch(organization, [dollars[0], yen[0], dollars[1], yen[1]], method="PIGEON_FLOCK")

    issuing.run(seconds=5)

    assert sorted(sorted(ids) for _, ids in far.groups) == sorted(
        [sorted(each.pk for each in dollars), sorted(each.pk for each in yen)]
    )


def test_each_has_its_own_answer(far: Pigeons, organization: Any) -> None:
    _, rewards = queued(3, organization)
    far.answers = lambda order: (
        ProviderRejected("No such loft.", code="invalid_recipient") if order.reward_id == rewards[1].pk else None
    )

    issuing.run(seconds=5)

    with tenant(organization):
        said = {item.reward_id: (item.outcome, item.code) for item in BatchItem.objects.all()}
    assert said == {
        rewards[0].pk: ("SUCCEEDED", ""),
        rewards[1].pk: ("FAILED", "invalid_recipient"),
        rewards[2].pk: ("SUCCEEDED", ""),
    }


def test_a_group_that_was_lost_after_it_was_sent_is_looked_up_and_not_sent_again(
    far: Pigeons, organization: Any
) -> None:
    batch, _ = queued(3, organization)

    def lose() -> None:
        raise OutcomeUnknown("The answer was lost.")

    far.after_group = lose
    issuing.run(seconds=1)
    assert outcomes(batch) == [ItemOutcome.QUEUED] * 3

    later(2)

    assert outcomes(batch) == [ItemOutcome.SUCCEEDED] * 3
    assert len(far.groups) == 1
    assert {order.group_key for order in far.looked_up} == {far.groups[0][0]}


def test_a_group_that_was_never_sent_goes_as_another_one(far: Pigeons, organization: Any, settings: Any) -> None:
    batch, _ = queued(3, organization)
    lane = next_lane()
    assert lane is not None
    (group_key,) = {each.group_key for each in issuing.begin(lane)}  # and then the process is gone

    later(settings.LEASE_SECONDS + 1)

    assert outcomes(batch) == [ItemOutcome.SUCCEEDED] * 3
    assert {order.group_key for order in far.looked_up} == {group_key}
    assert len(far.groups) == 1
    assert far.groups[0][0] != group_key
    assert len(far.paid) == 3


def test_a_reward_that_the_provider_says_nothing_of_is_looked_up(far: Pigeons, organization: Any) -> None:
    batch, rewards = queued(2, organization)
    far.answers = lambda order: OutcomeUnknown("?") if order.reward_id == rewards[0].pk else None

    issuing.run(seconds=1)
    assert outcomes(batch) == [ItemOutcome.QUEUED, ItemOutcome.SUCCEEDED]
    far.answers = lambda order: None
    later(2)

    assert outcomes(batch) == [ItemOutcome.SUCCEEDED] * 2
    assert [order.reward_id for order in far.looked_up] == [rewards[0].pk]
