"""A referral that looks like none is earned and waits for a person, whatever its amount."""

import pytest

from referral_rocket.accounts.scoping import tenant
from rewards.models import Decision, Reward
from rewards.services.confirming import reward_approve
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(campaign):
    sharer = factories.participant(campaign, "sharer@gmail.com")
    return factories.event(factories.participant(campaign, "s.harer+2@gmail.com", referred_by=sharer)).rewards[0]


def test_it_works(organization, held):
    with tenant(organization):
        decision = Decision.objects.get()
        assert (held.status, held.waiting_for, held.due_at) == ("EARNED", "REVIEW", None)
        assert (decision.outcome, decision.code) == ("REWARDED", "held_for_fraud")
        assert decision.message == (
            "Earns $12.00. Referrer and referred person get their mail in one mailbox. It waits for a person's review."
        )


def test_approved_it_is_due(organization, held):
    with tenant(organization):
        reward_approve(organization=organization, reward=held, actor=factories.ACTOR)
        reward = Reward.objects.get()
        assert (reward.status, reward.waiting_for) == ("PENDING", None)


def test_what_the_buyer_earns_by_buying_is_not_held(organization):
    campaign = factories.campaign(
        organization, rules=[factories.referral_rule(type="TRANSACTIONAL", beneficiary="BUYER", once_per="EVENT")]
    )
    sharer = factories.participant(campaign, "sharer@gmail.com")
    reward = factories.event(factories.participant(campaign, "sharer+2@gmail.com", referred_by=sharer)).rewards[0]
    assert (reward.status, reward.waiting_for) == ("PENDING", None)


def test_both_sides_are_held(organization):
    campaign = factories.campaign(
        organization, rules=[factories.referral_rule(), factories.referral_rule(beneficiary="REFERRED")]
    )
    sharer = factories.participant(campaign, "sharer@mailinator.com")
    rewards = factories.event(factories.participant(campaign, "friend@example.com", referred_by=sharer)).rewards
    assert [(reward.status, reward.waiting_for) for reward in rewards] == [("EARNED", "REVIEW")] * 2
