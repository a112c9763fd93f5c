"""What a person or the tenant's system says about a reward."""

import pytest

from referral_rocket.accounts.scoping import tenant
from rewards.errors import (
    AmountExceedsOwed,
    BeingIssued,
    BudgetExhausted,
    FulfilledByMethod,
    InvalidReward,
    InvalidRewardTransition,
)
from rewards.models import Claim, Reward, RewardTransition
from rewards.services.confirming import (
    reward_approve,
    reward_cancel,
    reward_confirm,
    reward_give,
    reward_reject,
)
from tests import factories
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db


def do(service, reward, **fields):
    with tenant(reward.organization):
        return service(organization=reward.organization, reward=reward, actor=factories.ACTOR, **fields)


def steps(reward):
    with tenant(reward.organization):
        return RewardTransition.objects.filter(reward=reward).count()


@pytest.fixture
def due(campaign):
    return factories.due_rewards(campaign, 1)[0]


@pytest.fixture
def in_review(organization):
    campaign = factories.campaign(organization, review_above=100)
    return factories.event(factories.participant(campaign, referred_by=factories.participant(campaign))).rewards[0]


def test_it_works(organization, due):
    confirmed = do(reward_confirm, due, amount=1000, reference="bank 7")

    assert (confirmed.status, confirmed.amount, confirmed.earned_amount, confirmed.remainder_amount) == (
        "AVAILABLE",
        1000,
        1200,
        200,
    )
    assert (confirmed.method, confirmed.provider_reference) == ("MANUAL", "bank 7")
    assert confirmed.issued_at is not None
    with tenant(organization):
        assert Claim.objects.get().closed_at is not None
    assert_books_agree(organization)


@pytest.mark.parametrize("amount", [None, 1000])
def test_the_same_confirmation_again_changes_nothing(organization, due, amount):
    first = do(reward_confirm, due, amount=amount)

    again = do(reward_confirm, due, amount=amount)

    assert (again.status, again.amount, again.issued_at) == (first.status, first.amount, first.issued_at)
    assert steps(due) == 2


@pytest.mark.parametrize("amount", [999, 1001, 1200])
def test_another_amount_afterwards_is_refused(organization, due, amount):
    do(reward_confirm, due, amount=1000)

    with pytest.raises(InvalidRewardTransition):
        do(reward_confirm, due, amount=amount)

    with tenant(organization):
        due.refresh_from_db()
    assert (due.amount, steps(due)) == (1000, 2)


def test_more_than_is_owed(organization, due):
    with pytest.raises(AmountExceedsOwed):
        do(reward_confirm, due, amount=1201)

    assert steps(due) == 1
    with tenant(organization):
        assert not Claim.objects.exists()


def test_a_reward_that_a_provider_issues(organization):
    campaign = factories.campaign(organization, fulfilment_method="STRIPE_CREDIT")
    (due,) = factories.due_rewards(campaign, 1)

    for service, fields in ((reward_confirm, {}), (reward_cancel, {"reason": "x"})):
        with pytest.raises(FulfilledByMethod):
            do(service, due, **fields)

    assert steps(due) == 1


def test_a_person_cancels_what_a_provider_would_issue(organization):
    campaign = factories.campaign(organization, fulfilment_method="STRIPE_CREDIT")
    (due,) = factories.due_rewards(campaign, 1)

    canceled = do(reward_cancel, due, reason="a mistake", by_person=True)

    assert (canceled.status, canceled.target_amount, canceled.reason) == ("CANCELED", 0, "a mistake")
    assert_books_agree(organization)


def test_a_reward_that_a_batch_holds(organization, due):
    factories.batch(organization, [due])

    for service, fields in (
        (reward_confirm, {}),
        (reward_cancel, {"reason": "x"}),
        (reward_cancel, {"reason": "x", "by_person": True}),
    ):
        with pytest.raises(BeingIssued):
            do(service, due, **fields)

    assert steps(due) == 1


def test_cancel(organization, due):
    canceled = do(reward_cancel, due, reason="moved away")
    again = do(reward_cancel, due, reason="another reason")

    assert (canceled.status, canceled.target_amount, canceled.reason) == ("CANCELED", 0, "moved away")
    assert again.reason == "moved away"
    assert steps(due) == 2
    with pytest.raises(InvalidRewardTransition):
        do(reward_confirm, due)
    assert_books_agree(organization)


def test_what_is_issued_can_not_be_canceled(due):
    do(reward_confirm, due)

    with pytest.raises(InvalidRewardTransition):
        do(reward_cancel, due, reason="x")

    assert steps(due) == 2


@pytest.mark.parametrize("service", [reward_confirm, reward_cancel])
def test_what_is_not_due_yet(in_review, service):
    with pytest.raises(InvalidRewardTransition):
        do(service, in_review, **({"reason": "x"} if service is reward_cancel else {}))

    assert steps(in_review) == 1


def test_approve(organization, in_review):
    approved = do(reward_approve, in_review)

    assert (approved.status, approved.waiting_for) == ("PENDING", None)
    assert approved.due_at is not None
    with pytest.raises(InvalidRewardTransition):
        do(reward_approve, in_review)
    assert steps(in_review) == 2
    assert_books_agree(organization)


def test_approve_within_the_holding_period(organization):
    campaign = factories.campaign(organization, review_above=100, holding_days=7)
    (reward,) = factories.event(factories.participant(campaign, referred_by=factories.participant(campaign))).rewards

    approved = do(reward_approve, reward)

    assert (approved.status, approved.waiting_for, approved.due_at) == ("EARNED", "HOLDING", None)


def test_reject(organization, in_review):
    rejected = do(reward_reject, in_review, reason="fraud")

    assert (rejected.status, rejected.reason, rejected.target_amount) == ("CANCELED", "fraud", 0)
    with pytest.raises(InvalidRewardTransition):
        do(reward_approve, in_review)
    assert_books_agree(organization)


def give(participant, amount=500, external_ref="ticket 7"):
    with tenant(participant.organization):
        return reward_give(
            organization=participant.organization,
            participant=participant,
            amount=amount,
            reason="sorry",
            actor=factories.ACTOR,
            external_ref=external_ref,
        )


def test_give(organization, participant):
    reward = give(participant)

    assert (reward.type, reward.status, reward.amount, reward.currency) == ("ONE_TIME", "PENDING", 500, "USD")
    assert (reward.reason, reward.external_ref, reward.event_id, reward.rule_id) == ("sorry", "ticket 7", None, None)
    assert_books_agree(organization)


@pytest.mark.parametrize("amount", [0, -1, 10**15 + 1])
def test_give_an_amount_that_is_none(organization, participant, amount):
    with pytest.raises(InvalidReward) as caught:
        give(participant, amount)

    assert caught.value.field == "amount"
    with tenant(organization):
        assert not Reward.objects.exists()


def test_give_more_than_the_budget_has(organization):
    participant = factories.participant(factories.campaign(organization, budget=900))

    given = [give(participant, 500, "ticket 7"), give(participant, 500, "ticket 8")]
    with pytest.raises(BudgetExhausted):
        give(participant, 1, "ticket 9")

    assert [(reward.amount, reward.uncut_amount) for reward in given] == [(500, None), (400, 500)]
    with tenant(organization):
        assert Reward.objects.count() == 2
    assert_books_agree(organization)
