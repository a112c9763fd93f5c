"""A reward given by hand counts against the campaign's budget."""

import pytest

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from rewards.errors import BudgetExhausted
from rewards.models import Reward
from rewards.services.confirming import reward_give
from rewards.states import RewardStatus, RewardType
from tests import factories

pytestmark = pytest.mark.django_db


def give(organization: Organization, amount: int, *, budget: int | None) -> Reward:
    participant = factories.participant(factories.campaign(organization, budget=budget))
    with tenant(organization):
        return reward_give(
            organization=organization, participant=participant, amount=amount, reason="sorry", actor=factories.ACTOR
        )


def test_it_works(organization: Organization) -> None:
    reward = give(organization, 500, budget=None)

    assert (reward.type, reward.status, reward.amount) == (RewardType.ONE_TIME, RewardStatus.PENDING, 500)
    assert (reward.uncut_amount, reward.reason, reward.event_id) == (None, "sorry", None)


def test_it_is_cut_to_what_is_left_of_the_budget(organization: Organization) -> None:
    reward = give(organization, 500, budget=300)

    assert (reward.amount, reward.earned_amount, reward.uncut_amount) == (300, 300, 500)


def test_nothing_is_given_when_the_budget_is_used_up(organization: Organization) -> None:
    first = give(organization, 300, budget=300)
    with tenant(organization), pytest.raises(BudgetExhausted):
        reward_give(
            organization=organization,
            participant=first.participant,
            amount=1,
            reason="more",
            actor=factories.ACTOR,
        )

    with tenant(organization):
        assert Reward.objects.count() == 1
