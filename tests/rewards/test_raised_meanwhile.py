"""What a reward rises by after its batch was made isn't issued with it: nobody saw, approved or limited that."""

from typing import Any

import pytest

from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from rewards.models import BatchItem, Claim, Reward
from rewards.services import issuing
from rewards.services.reversing import transaction_reverse
from tests import factories
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db


@pytest.fixture
def reward(organization: Organization) -> Reward:
    return factories.due_rewards(factories.campaign(organization), 1)[0]


def dispute(reward: Reward, status: str) -> None:
    with tenant(reward.organization):
        transaction_reverse(
            organization=reward.organization,
            campaign_id=reward.campaign_id,
            transaction_id=str(reward.transaction_id),
            report=ReversalReport("dp_1", "DISPUTE", status, 6000),
            actor=factories.ACTOR,
        )


def item(reward: Reward) -> tuple[str, str]:
    with tenant(reward.organization):
        found: Any = BatchItem.objects.values_list("outcome", "code").get(reward=reward)
    return found


def now(reward: Reward) -> tuple[str, int]:
    with tenant(reward.organization):
        return Reward.objects.values_list("status", "amount").get(pk=reward.pk)


def test_it_works(reward: Reward) -> None:
    dispute(reward, "OPEN")
    assert now(reward) == ("PENDING", 600)
    factories.batch(reward.organization, [reward])
    dispute(reward, "WON")
    assert now(reward) == ("PENDING", 1200)

    issuing.run(seconds=5)

    assert item(reward) == ("FAILED", "not_due")
    assert now(reward) == ("PENDING", 1200)
    with tenant(reward.organization):
        assert not Claim.objects.filter(closed_at__isnull=True).exists()
    assert_books_agree(reward.organization)


def test_what_a_refund_lowers_goes_with_less(reward: Reward) -> None:
    factories.batch(reward.organization, [reward])
    dispute(reward, "OPEN")

    issuing.run(seconds=5)

    assert item(reward) == ("SUCCEEDED", "")
    assert now(reward) == ("AVAILABLE", 600)
    assert_books_agree(reward.organization)
