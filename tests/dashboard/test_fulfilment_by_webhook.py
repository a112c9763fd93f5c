"""Rewards that the tenant's own system issues: shown and never selectable, confirmed or released by a person."""

import pytest

from campaigns.models import Campaign, FulfilmentKind
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward, RewardBatch
from rewards.states import RewardStatus
from tests import factories
from tests.dashboard.visitor import Visitor, member, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def marketer(organization: Organization) -> Visitor:
    return member(organization, Role.MARKETER)


@pytest.fixture
def campaign(organization: Organization) -> Campaign:
    return factories.campaign(organization, fulfilment_kind=FulfilmentKind.WEBHOOK)


@pytest.fixture
def reward(campaign: Campaign) -> Reward:
    return factories.due_rewards(campaign, 1)[0]


def stored(reward: Reward) -> Reward:
    with tenant(reward.organization):
        return Reward.objects.get(pk=reward.pk)


def test_it_works(reward: Reward, marketer: Visitor) -> None:
    page = text(marketer.get("reward_due", reward.campaign_id))
    assert "Your own system issues it" in page
    assert "data-select-row" not in page
    issue = text(
        marketer.get(
            "issue", campaign=reward.campaign_id, selected=f"{reward.participant_id}:{reward.currency}", choice="MANUAL"
        )
    )
    assert "Nothing to issue" in issue
    assert "Issue Reward" not in text(marketer.get("reward", reward.pk))


def test_everything_leaves_it_out(reward: Reward, marketer: Visitor) -> None:
    page = text(marketer.get("issue", campaign=reward.campaign_id, everything="1", choice="MANUAL"))
    assert "Nothing to issue" in page
    with tenant(reward.organization):
        assert RewardBatch.objects.count() == 0


def test_a_person_confirms_it(reward: Reward, marketer: Visitor) -> None:
    assert marketer.post("reward_confirm", reward.pk, **{"confirm-amount": "12.00"}).status_code == 302
    held = stored(reward)
    assert (held.status, held.method) == (RewardStatus.AVAILABLE, "WEBHOOK")


def test_releasing_has_to_be_typed(reward: Reward, marketer: Visitor) -> None:
    marketer.post("reward_release", reward.pk, confirmation="yes")
    assert stored(reward).fulfilment_kind == FulfilmentKind.WEBHOOK
    marketer.post("reward_release", reward.pk, confirmation="RELEASE")
    held = stored(reward)
    assert (held.status, held.fulfilment_kind, held.fulfilment_method) == (
        RewardStatus.PENDING,
        FulfilmentKind.METHOD,
        "MANUAL",
    )
    assert "data-select-row" in text(marketer.get("reward_due", reward.campaign_id))


def test_viewer_may_not_release(reward: Reward) -> None:
    viewer = member(reward.organization, Role.VIEWER)
    assert viewer.post("reward_release", reward.pk, confirmation="RELEASE").status_code == 403
    assert stored(reward).fulfilment_kind == FulfilmentKind.WEBHOOK


def test_editing_a_campaign_keeps_it(campaign: Campaign, marketer: Visitor) -> None:
    page = marketer.get("campaign_edit", campaign.pk)
    assert page.context["form"]["fulfilment"].value() == "WEBHOOK"
    sent = {
        "name": "Renamed",
        "currency": "USD",
        "qualifying_event": "purchase",
        "earning_timing": "IMMEDIATE",
        "attribution_window_days": "60",
        "holding_days": "0",
        "fulfilment": "WEBHOOK",
        "rules-0-type": "REFERRAL",
        "rules-0-beneficiary": "REFERRER",
        "rules-0-how": "amount",
        "rules-0-amount": "12.00",
        "do": "save",
    }
    assert marketer.post("campaign_edit", campaign.pk, **sent).status_code == 302
    with tenant(campaign.organization):
        campaign.refresh_from_db()
    assert (campaign.name, campaign.fulfilment_kind) == ("Renamed", FulfilmentKind.WEBHOOK)
    assert "ordered by webhook" in text(marketer.get("campaign", campaign.pk, tab="fulfilment"))
