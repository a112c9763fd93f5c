"""A refund that failed gives back what was promised; what the budget went to meanwhile is given outside of it."""

import pytest

from campaigns.models import Campaign
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward, RewardTotals
from rewards.services.reversing import transaction_reverse
from rewards.states import RewardStatus
from tests import factories
from tests.concurrency import at_once
from tests.rewards.books import assert_books_agree

BUDGET = 2000


def earn(campaign: Campaign) -> Reward:
    friend = factories.participant(campaign, referred_by=factories.participant(campaign))
    return factories.event(friend).rewards[0]


def reverse(reward: Reward, status: str, refund_id: str = "re_1") -> None:
    """Half of it, or that this didn't happen."""
    with tenant(reward.organization):
        transaction_reverse(
            organization=reward.organization,
            campaign_id=reward.campaign_id,
            transaction_id=str(reward.transaction_id),
            report=ReversalReport(refund_id, "REFUND", status, 6000),
            actor=factories.ACTOR,
        )


def standing(organization: Organization) -> list[tuple[str, int, int, bool]]:
    with tenant(organization):
        rewards = Reward.objects.order_by("pk")
        return [(each.status, each.amount, each.target_amount, each.restores_id is not None) for each in rewards]


def used(organization: Organization) -> int:
    with tenant(organization):
        return sum(RewardTotals.objects.values_list("target", flat=True))


@pytest.mark.django_db
def test_it_works(organization: Organization) -> None:
    """$12 fell to $6, of a budget of $20 the next one has $12: $2 are left to raise it by, and $4 are given beside."""
    campaign = factories.campaign(organization, budget=BUDGET)
    first = earn(campaign)
    reverse(first, "DONE")
    earn(campaign)

    reverse(first, "FAILED")

    assert standing(organization) == [
        (RewardStatus.PENDING, 800, 800, False),
        (RewardStatus.PENDING, 1200, 1200, False),
        (RewardStatus.PENDING, 400, 0, True),
    ]
    assert used(organization) == BUDGET
    assert_books_agree(organization)

    # Refunded again, what is outside of the budget goes first.
    reverse(first, "DONE", "re_2")
    assert standing(organization)[0] == (RewardStatus.PENDING, 600, 600, False)
    assert standing(organization)[2][:2] == (RewardStatus.CANCELED, 400)
    assert_books_agree(organization)


@pytest.mark.django_db
def test_without_a_budget_it_is_raised(organization: Organization) -> None:
    first = earn(factories.campaign(organization))
    reverse(first, "DONE")
    reverse(first, "FAILED")
    assert standing(organization) == [(RewardStatus.PENDING, 1200, 1200, False)]


@pytest.mark.django_db(transaction=True)
def test_those_who_earn_at_the_same_moment(organization: Organization) -> None:
    campaign = factories.campaign(organization, budget=BUDGET)
    first = earn(campaign)
    reverse(first, "DONE")
    people = [factories.participant(campaign, referred_by=factories.participant(campaign)) for _ in range(4)]

    at_once(6, lambda number: factories.event(people[number]) if number < 4 else reverse(first, "FAILED"))

    assert used(organization) == BUDGET
    with tenant(organization):
        mine = Reward.objects.filter(event=first.event_id).exclude(status=RewardStatus.CANCELED)
        assert sum(mine.values_list("amount", flat=True)) == 1200
    assert_books_agree(organization)
