"""The Rewards list says what each campaign is about to issue by itself, and pauses it."""

import pytest

from campaigns.models import Campaign
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from tests import factories
from tests.dashboard.visitor import member, text

pytestmark = pytest.mark.django_db


def issuing_itself(organization: Organization, count: int = 1) -> list[Campaign]:
    connection = factories.connection(organization)
    made = []
    for _ in range(count):
        campaign = factories.campaign(
            organization,
            fulfilment_method="STRIPE_CREDIT",
            fulfilment_connection_id=connection.pk,
            auto_issue_when="LAST_DAY",
        )
        factories.due_rewards(campaign, 2)
        made.append(campaign)
    return made


def test_it_works(organization: Organization) -> None:
    marketer = member(organization, Role.MARKETER)
    (campaign,) = issuing_itself(organization)
    shown = text(marketer.get("rewards"))
    assert "2 rewards," in shown
    assert "through Stripe" in shown
    assert "Pause" in shown

    assert marketer.post("auto_issue_pause", campaign.pk, paused="1", back="rewards").status_code == 302
    shown = text(marketer.get("rewards"))
    assert "Paused: nothing is issued by itself until it goes on." in shown
    assert "Go on" in shown
    with tenant(organization):
        campaign.refresh_from_db()
        paused_at = campaign.auto_issue_paused_at
    assert paused_at is not None
    marketer.post("auto_issue_pause", campaign.pk, paused="1")
    with tenant(organization):
        campaign.refresh_from_db()
    assert campaign.auto_issue_paused_at == paused_at
    marketer.post("auto_issue_pause", campaign.pk, paused="0")
    assert "Paused:" not in text(marketer.get("campaign", campaign.pk, tab="fulfilment"))


def test_a_viewer_reads_it(organization: Organization) -> None:
    (campaign,) = issuing_itself(organization)
    viewer = member(organization, Role.VIEWER)
    assert "through Stripe" in text(viewer.get("rewards"))
    assert viewer.url("auto_issue_pause", campaign.pk) not in text(viewer.get("rewards"))
    assert viewer.post("auto_issue_pause", campaign.pk, paused="1").status_code == 403
    with tenant(organization):
        campaign.refresh_from_db()
    assert campaign.auto_issue_paused_at is None


def test_the_number_of_queries_does_not_grow(organization: Organization) -> None:
    marketer = member(organization, Role.MARKETER)
    issuing_itself(organization)
    few = marketer.queries("rewards")
    issuing_itself(organization, 4)

    assert marketer.queries("rewards") == few
