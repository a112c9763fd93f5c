"""The overview: figures that are true, whose days are the organization's, and what waits for a person."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from campaigns.models import Campaign
from integrations.models import DisabledReason, Endpoint, EndpointStatus
from integrations.services import connection_needs_attention
from participants.services import click_store
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.dashboard.overview.period import period_of
from referral_rocket.kit import clock
from rewards.models import Reward
from rewards.services import issuing
from tests import factories
from tests.dashboard.visitor import Visitor, member, text
from webhooks.inbound.models import InboundEvent, InboundStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def campaign(organization: Organization) -> Campaign:
    return factories.campaign(organization, name="Friends")


@pytest.fixture
def visitor(organization: Organization) -> Visitor:
    return member(organization, Role.MARKETER)


def issue(organization: Organization, rewards: list[Reward]) -> None:
    factories.batch(organization, rewards)
    assert issuing.run(seconds=5) == len(rewards)


def test_it_works(organization: Organization, campaign: Campaign, visitor: Visitor) -> None:
    rewards = factories.due_rewards(campaign, 3)
    issue(organization, rewards[:1])
    context = visitor.get("overview").context
    assert [(due.currency, due.count, due.amount) for due in context["due"]] == [("USD", 2, 2400)]
    (flow,) = context["flows"]
    assert (flow.earned, flow.issued, flow.issued_count, flow.change) == (3600, 1200, 1, None)
    assert context["chart"]["series"] == [
        {"name": "Earned", "values": [0] * 29 + [3600]},
        {"name": "Issued", "values": [0] * 29 + [1200]},
    ]
    (row,) = context["ranking"]
    assert (row.joined, row.events, row.earned, row.due) == (6, 3, 3600, 2400)


def test_each_currency_is_its_own(organization: Organization, campaign: Campaign, visitor: Visitor) -> None:
    factories.due_rewards(campaign, 2)
    factories.due_rewards(factories.campaign(organization, currency="JPY"), 1)
    context = visitor.get("overview", currency="JPY").context
    assert [(due.currency, due.amount) for due in context["due"]] == [("USD", 2400), ("JPY", 1200)]
    assert (context["chart"]["currency"], context["chart"]["digits"]) == ("JPY", 0)
    assert "¥1,200" in text(visitor.get("overview"))


def test_the_funnel_counts_people_who_came_through_a_link(campaign: Campaign, visitor: Visitor) -> None:
    ada = factories.participant(campaign)
    factories.participant(campaign)
    with tenant(campaign.organization):
        for by_bot in (False, False, False, False, True):
            click_store(participant=ada, referrer_host="", by_bot=by_bot)
    bob = factories.participant(campaign, referred_by=ada)
    factories.participant(campaign, referred_by=ada)
    factories.event(bob)
    factories.event(bob)
    steps = visitor.get("overview").context["funnel"]
    assert [(step["value"], step["share"]) for step in steps] == [(4, 100), (2, 50), (1, 25), (1, 25)]


def test_a_period_begins_at_the_organizations_midnight() -> None:
    organization = Organization(time_zone="America/New_York")
    # Two in the morning in UTC is still the evening before in New York.
    with clock.as_of(datetime(2026, 11, 21, 2, 0, tzinfo=ZoneInfo("UTC"))):
        period = period_of(organization, "7")
    assert period.start == datetime(2026, 11, 14, 0, 0, tzinfo=ZoneInfo("America/New_York"))
    assert [span[0].day for span in period.spans] == [14, 15, 16, 17, 18, 19, 20]


@pytest.mark.parametrize(("asked", "days"), [("", 30), ("7", 7), ("90", 90), ("31", 30), ("x", 30), ("-7", 30)])
def test_only_offered_periods_are_shown(asked: str, days: int, visitor: Visitor, campaign: Campaign) -> None:
    assert visitor.get("overview", days=asked).context["period"].days == days


def test_ninety_days_are_shown_by_weeks() -> None:
    with clock.as_of(datetime(2026, 11, 21, 12, 0, tzinfo=ZoneInfo("UTC"))):
        period = period_of(Organization(time_zone="UTC"), "90")
    assert [len(span) for span in period.spans] == [6] + [7] * 12
    assert period.spans[-1][-1] == period.today
    assert sum(len(span) for span in period.spans) == 90


def test_what_was_before_the_period_is_compared_with(
    organization: Organization, campaign: Campaign, visitor: Visitor
) -> None:
    rewards = factories.due_rewards(campaign, 3)
    issue(organization, rewards)
    with tenant(organization):
        Reward.objects.filter(pk=rewards[0].pk).update(issued_at=clock.wall() - timedelta(days=10))
    (flow,) = visitor.get("overview", days=7).context["flows"]
    assert (flow.issued, flow.previously, flow.change) == (2400, 1200, 100)


def test_what_needs_a_person(organization: Organization, visitor: Visitor) -> None:
    factories.due_rewards(factories.campaign(organization, review_above=1000), 2)
    connection = factories.connection(organization)
    with tenant(organization):
        connection_needs_attention(connection=connection, reason="The key was revoked.", actor="system:test")
        InboundEvent.objects.create(
            organization=organization,
            connection=connection,
            provider_event_id="evt_1",
            event_type="invoice.paid",
            body=b"{}",
            received_at=clock.wall(),
            next_attempt_at=clock.wall(),
            status=InboundStatus.FAILED,
        )
    answer = visitor.get("overview")
    waiting = answer.context["waiting"]
    assert waiting.reviews == [("USD", 2, 2400)]
    assert waiting.broken == [connection]
    assert waiting.failed == [(connection, 1)]
    page = text(answer)
    assert "The key was revoked." in page
    assert f"{visitor.url('connection', connection.pk)}?status=FAILED" in page


def test_an_endpoint_that_was_disabled_needs_a_person(
    organization: Organization, campaign: Campaign, visitor: Visitor
) -> None:
    with tenant(organization):
        endpoint = Endpoint.objects.create(
            organization=organization,
            url="https://example.com/hook",
            event_types=["EVENT"],
            secrets={},
            status=EndpointStatus.DISABLED,
            disabled_reason=DisabledReason.NO_SUCCESS,
            disabled_at=clock.wall(),
        )
    answer = visitor.get("overview")
    assert answer.context["waiting"].endpoints == [endpoint]
    assert visitor.url("endpoint", endpoint.pk) in text(answer)


def test_an_empty_organization_is_led_through_its_beginnings(organization: Organization, visitor: Visitor) -> None:
    page = text(visitor.get("overview"))
    assert "Get started" in page
    assert "Campaigns, ranked" not in page
    campaign = factories.campaign(organization)
    factories.connection(organization)
    issue(organization, factories.due_rewards(campaign, 1))
    assert "Get started" not in text(visitor.get("overview"))


def test_queries_do_not_grow(organization: Organization, campaign: Campaign, visitor: Visitor) -> None:
    factories.connection(organization)
    factories.due_rewards(campaign, 1)
    before = visitor.queries("overview")
    for _ in range(3):
        factories.due_rewards(factories.campaign(organization), 2)
    assert visitor.queries("overview") == before
