"""A place under a cap is free when a reward is gone, and may be taken; what is given back then stands above the cap."""

from datetime import timedelta

import pytest

from participants.models import Participant
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Decision, Reward
from rewards.services.earning import EventResult
from rewards.services.releasing import release
from rewards.services.reversing import transaction_reverse
from tests import factories
from tests.rewards.books import assert_books_agree

CAP = 2


def dispute(earned: EventResult, status: str) -> None:
    reward = earned.rewards[0]
    with tenant(reward.organization):
        transaction_reverse(
            organization=reward.organization,
            campaign_id=reward.campaign_id,
            transaction_id=str(reward.transaction_id),
            report=ReversalReport("dp_1", "DISPUTE", status, None),
            actor=factories.ACTOR,
        )


@pytest.mark.django_db
@pytest.mark.parametrize("timing", [{}, {"earning_timing": "DELAYED", "delay_days": 0}], ids=["at once", "in a sum"])
def test_it_works(organization: Organization, timing: dict[str, object]) -> None:
    rules = [factories.referral_rule(amount=1200, max_rewards_per_participant=CAP)]
    campaign = factories.campaign(organization, rules=rules, **timing)
    sharer = factories.participant(campaign)

    def friend() -> Participant:
        return factories.participant(campaign, referred_by=sharer)

    first = factories.event(friend())
    factories.event(friend())
    with clock.as_of(clock.now(organization) + timedelta(days=1)):
        release(organization=organization)

    dispute(first, "OPEN")
    factories.event(friend())
    dispute(first, "WON")
    refused = factories.event(friend())

    with tenant(organization):
        given = (
            Reward.objects.filter(beneficiary="REFERRER").exclude(status="CANCELED").values_list("amount", flat=True)
        )
        assert list(given) == [1200, 1200, 1200]
        assert refused.rewards == []
        assert Decision.objects.filter(event=refused.event).get().code == "cap_reached"
    assert_books_agree(organization)
