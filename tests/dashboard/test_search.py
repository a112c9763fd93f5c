"""The search dialog: people, campaigns, rewards and batches of this organization, and of no other."""

import pytest

from campaigns.models import Campaign
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from tests import factories
from tests.dashboard.visitor import Visitor, member, stranger, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def campaign(organization: Organization) -> Campaign:
    return factories.campaign(organization, name="Friends of Acme")


@pytest.fixture
def viewer(organization: Organization) -> Visitor:
    return member(organization, Role.VIEWER)


def test_it_works(campaign: Campaign, viewer: Visitor) -> None:
    ada = factories.participant(campaign, "ada@example.com", name="Ada Lovelace")
    for asked in ("ada@", "Ada L", ada.referral_code.lower()):
        found = text(viewer.get("search", q=asked))
        assert viewer.url("participant", ada.pk) in found, asked
    assert "<html" not in text(viewer.get("search", q="ada"))


def test_campaigns_rewards_and_batches(campaign: Campaign, viewer: Visitor) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    batch = factories.batch(campaign.organization, [reward])
    assert viewer.url("campaign", campaign.pk) in text(viewer.get("search", q="acme"))
    assert viewer.url("reward", reward.pk) in text(viewer.get("search", q=reward.transaction_id))
    assert viewer.url("reward", reward.pk) in text(viewer.get("search", q=str(reward.pk)))
    assert viewer.url("batch", batch.pk) in text(viewer.get("search", q=str(batch.pk)))


def test_nothing(viewer: Visitor) -> None:
    assert "palette-item" not in text(viewer.get("search"))
    page = text(viewer.get("search", q="<b>"))
    assert "Nothing begins with" in page
    assert viewer.url("participants") in page
    assert "<b>" not in text(viewer.get("search", q="<b>"))


def test_only_this_organization(campaign: Campaign) -> None:
    ada = factories.participant(campaign, "ada@example.com")
    elsewhere = member(factories.organization())
    for asked in ("ada", "Friends", ada.referral_code):
        assert "palette-item" not in text(elsewhere.get("search", q=asked)), asked
    assert stranger(campaign.organization).get("search", q="ada").status_code == 404


def test_queries_do_not_grow(campaign: Campaign, viewer: Visitor) -> None:
    factories.participant(campaign, "ada1@example.com")
    before = viewer.queries("search", q="ada")
    for number in range(2, 8):
        factories.participant(campaign, f"ada{number}@example.com")
    assert viewer.queries("search", q="ada") == before
