"""The one door to a reward's status and amounts: only the table's moves, all or none, with history and totals."""

import itertools

import pytest
from django.db import IntegrityError, transaction

from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from rewards.errors import InvalidRewardTransition
from rewards.models import Reward, RewardTotals, RewardTransition
from rewards.services.door import Move, rewards_move
from rewards.states import REWARD_TRANSITIONS, RewardStatus
from tests import factories
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db

# product.md, Reward statuses, word for word.
ALLOWED = {
    ("EARNED", "PENDING"),
    ("EARNED", "AGGREGATED"),
    ("EARNED", "CANCELED"),
    ("PENDING", "AVAILABLE"),
    ("PENDING", "CANCELED"),
    ("AVAILABLE", "PENDING"),
    ("PENDING_DEDUCTION", "DEDUCTED"),
    ("PENDING_DEDUCTION", "AGGREGATED"),
    ("PENDING_DEDUCTION", "CANCELED"),
}


def move(organization, *moves, reason="test"):
    with tenant(organization):
        rewards_move(organization=organization, moves=moves, actor="user:1", reason=reason)


def state(organization):
    with tenant(organization):
        return (
            sorted(Reward.objects.values_list("pk", "status", "amount", "target_amount")),
            sorted(RewardTotals.objects.values_list("status", "count", "amount", "target")),
            RewardTransition.objects.count(),
            Activity.objects.count(),
        )


def test_it_works(organization, campaign):
    (reward,) = factories.due_rewards(campaign, 1)

    move(organization, Move(reward, "CANCELED", target_amount=0, reason="fraud"))

    assert (reward.status, reward.target_amount) == ("CANCELED", 0)
    with tenant(organization):
        step = RewardTransition.objects.order_by("-id")[0]
        assert (step.from_status, step.to_status, step.actor, step.reason) == ("PENDING", "CANCELED", "user:1", "fraud")
        told = Activity.objects.filter(kind="reward.changed").get()
        assert (told.subject_id, told.data["from"], told.data["to"]) == (reward.pk, "PENDING", "CANCELED")
    assert_books_agree(organization)


def test_the_table_is_the_one_of_the_design():
    allowed = {
        (current, wanted)
        for current, wanted in itertools.product(RewardStatus.values, repeat=2)
        if REWARD_TRANSITIONS.allows(current, wanted)
    }

    assert allowed == ALLOWED
    assert REWARD_TRANSITIONS.final() == {"AGGREGATED", "CANCELED", "DEDUCTED"}


@pytest.mark.parametrize(
    ("current", "wanted"),
    [
        pair
        for pair in itertools.product(RewardStatus.values, repeat=2)
        if pair not in ALLOWED
        and (pair[0] != pair[1] or pair[0] in ("AVAILABLE", "CANCELED", "DEDUCTED", "AGGREGATED"))
    ],
)
def test_every_other_move_is_refused_and_nothing_happens(organization, campaign, current, wanted):
    (reward,) = factories.due_rewards(campaign, 1)
    before = state(organization)
    reward.status = current

    with pytest.raises(InvalidRewardTransition):
        move(organization, Move(reward, wanted))

    assert state(organization) == before


def test_one_move_that_is_refused_refuses_them_all(organization, campaign):
    first, second, third = factories.due_rewards(campaign, 3)
    with tenant(organization):
        stale = Reward.objects.get(pk=second.pk)
    move(organization, Move(second, "CANCELED", target_amount=0))
    before = state(organization)

    with pytest.raises(InvalidRewardTransition):
        move(organization, *(Move(each, "CANCELED", target_amount=0) for each in (first, stale, third)))

    assert state(organization) == before
    assert_books_agree(organization)


def test_only_the_amount_changes_where_the_status_stays(organization, campaign):
    (reward,) = factories.due_rewards(campaign, 1)

    move(organization, Move(reward, "PENDING", amount=700, target_amount=700, refunded_amount=500))

    assert (reward.amount, reward.target_amount, reward.earned_amount) == (700, 700, 1200)
    with tenant(organization):
        step = RewardTransition.objects.order_by("-id")[0]
        assert (step.from_status, step.to_status, step.amount_before, step.amount_after) == (
            "PENDING",
            "PENDING",
            1200,
            700,
        )
        assert RewardTotals.objects.get(status="PENDING").amount == 700
    assert_books_agree(organization)


@pytest.mark.parametrize("fields", [{"amount": 0}, {"amount": -1}, {"amount": 1201}])
def test_the_database_repeats_what_must_never_be_false(organization, campaign, fields):
    (reward,) = factories.due_rewards(campaign, 1)
    before = state(organization)

    with pytest.raises(IntegrityError), transaction.atomic():
        move(organization, Move(reward, "PENDING", **fields))

    assert state(organization) == before


def test_a_reward_of_another_organization_can_not_be_moved(organization, campaign, other_organization):
    (reward,) = factories.due_rewards(campaign, 1)
    before = state(organization)

    with pytest.raises(InvalidRewardTransition):
        move(other_organization, Move(reward, "CANCELED", target_amount=0))

    assert state(organization) == before
    with tenant(other_organization):
        assert not RewardTransition.objects.exists()


def test_no_moves_are_nothing(organization, campaign):
    before = state(organization)

    move(organization)

    assert state(organization) == before
