"""Totals on the dashboard: what waits for the next one, which periods were closed, and what one is made of."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Reward
from rewards.services.confirming import reward_confirm
from rewards.services.releasing import release
from rewards.services.reversing import transaction_reverse
from rewards.states import RewardType
from tests import factories
from tests.dashboard.visitor import Visitor, member, text

pytestmark = pytest.mark.django_db

BEGUN = datetime(2027, 1, 10, tzinfo=UTC)


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def viewer(organization: Organization) -> Visitor:
    return member(organization, Role.VIEWER)


def words(answer: Any) -> str:
    """What is read on the page, without its tags."""
    return " ".join(re.sub(r"<[^>]*>", " ", text(answer)).split())


def test_it_works(organization: Organization, viewer: Visitor) -> None:
    with clock.as_of(BEGUN):
        campaign = factories.campaign(
            organization, rules=[factories.referral_rule(once_per="EVENT")], earning_timing="STATEMENT"
        )
        friend = factories.participant(campaign, referred_by=factories.participant(campaign))
        first, _ = (factories.event(friend).rewards[0] for _ in range(2))
        page = words(viewer.get("campaign", campaign.pk, tab="totals"))
        assert "2 rewards, $24.00" in page
        assert "No period was closed yet" in page
    with clock.as_of(BEGUN + timedelta(days=30)):
        release(organization=organization)
        with tenant(organization):
            statement = Reward.objects.get(type=RewardType.STATEMENT)
            reward_confirm(organization=organization, reward=statement, actor=factories.ACTOR)
            transaction_reverse(
                organization=organization,
                campaign_id=campaign.pk,
                transaction_id=str(first.transaction_id),
                report=ReversalReport("re_1", amount=6000),
                actor=factories.ACTOR,
            )
            deduction = Reward.objects.get(deducts=statement)
        page = words(viewer.get("campaign", campaign.pk, tab="totals"))
        assert "0 rewards, $0.00" in page
        assert "Deductions 1, $6.00" in page
        assert "Closed periods" in page
        assert "All statements" in page

        shown = words(viewer.get("reward", statement.pk))
        assert "What it is made of 2 parts" in shown
        assert "2 earned $24.00 Issued $24.00" in shown
        assert str(first.transaction_id) in shown
        waiting = words(viewer.get("reward", deduction.pk))
        assert "Waits for the next total" in waiting
        part = words(viewer.get("reward", first.pk))
        assert "Part of $24.00" in part
        assert "Taken back by $6.00" in part


def test_a_list_of_parts_takes_as_many_queries_however_many_there_are(
    organization: Organization, viewer: Visitor
) -> None:
    counts = []
    for number in (1, 6):
        with clock.as_of(BEGUN):
            campaign = factories.campaign(
                organization, rules=[factories.referral_rule(once_per="EVENT")], earning_timing="STATEMENT"
            )
            friend = factories.participant(campaign, referred_by=factories.participant(campaign))
            for _ in range(number):
                factories.event(friend)
        release(organization=organization, at=BEGUN + timedelta(days=30))
        with tenant(organization):
            statement = Reward.objects.get(type=RewardType.STATEMENT, campaign=campaign)
        counts.append((viewer.queries("reward", statement.pk), viewer.queries("campaign", campaign.pk, tab="totals")))
    assert counts[0] == counts[1]


def test_campaigns_that_total_nothing_have_no_such_tab(organization: Organization, viewer: Visitor) -> None:
    campaign = factories.campaign(organization)
    assert "Totals" not in words(viewer.get("campaign", campaign.pk))
    assert viewer.get("campaign", campaign.pk, tab="totals").status_code == 200


def test_a_campaign_that_totals_days_closes_no_period(organization: Organization, viewer: Visitor) -> None:
    with clock.as_of(BEGUN):
        campaign = factories.campaign(organization, earning_timing="DELAYED", delay_days=1)
        factories.due_rewards(campaign, 1)
    release(organization=organization, at=BEGUN + timedelta(days=30))
    with tenant(organization):
        assert Reward.objects.filter(type=RewardType.DELAYED).count() == 1
    answer = viewer.get("campaign", campaign.pk, tab="totals")
    assert "No period closes here" in words(answer)
    assert "was closed yet" not in words(answer)
    assert f"?tab=all&amp;type=DELAYED&amp;campaign={campaign.pk}" in text(answer)
