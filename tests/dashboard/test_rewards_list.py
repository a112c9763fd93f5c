"""The Rewards section: campaigns with rewards due, the other tabs, filters and the export."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from campaigns.models import Campaign
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.dashboard.rewards import lists
from referral_rocket.kit import clock
from rewards.models import Reward
from rewards.services import issuing
from rewards.states import RewardStatus, WaitingFor
from tests import factories
from tests.dashboard.visitor import Visitor, member, stranger, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def campaign(organization: Organization) -> Campaign:
    return factories.campaign(organization, name="Friends")


@pytest.fixture
def viewer(organization: Organization) -> Visitor:
    return member(organization, Role.VIEWER)


def shown(visitor: Visitor, **asked: Any) -> list[Any]:
    return [reward.pk for reward in visitor.get("rewards", **asked).context["page"].rows]


def exported(visitor: Visitor, **asked: Any) -> list[dict[str, str]]:
    answer = visitor.get("rewards_export", **asked)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_it_works(campaign: Campaign, viewer: Visitor) -> None:
    factories.due_rewards(campaign, 3)
    in_euro = factories.campaign(campaign.organization, name="Partner", currency="EUR")
    factories.due_rewards(in_euro, 1)
    page = text(viewer.get("rewards"))
    assert page.index("Friends") < page.index("Partner")
    assert "$36.00" in page
    assert "€12.00" in page
    assert viewer.url("reward_due", campaign.pk) in page
    assert 'title="4 due"' in page


def test_nothing_yet(viewer: Visitor) -> None:
    assert "No rewards yet" in text(viewer.get("rewards"))
    assert "Nothing to review" in text(viewer.get("rewards", tab="review"))
    assert "Nothing is waiting" in text(viewer.get("rewards", tab="waiting"))


def test_everything_issued(campaign: Campaign, viewer: Visitor) -> None:
    factories.batch(campaign.organization, factories.due_rewards(campaign, 1))
    issuing.run(seconds=5)
    assert "Nothing is due" in text(viewer.get("rewards"))


def test_tabs(campaign: Campaign, viewer: Visitor) -> None:
    organization = campaign.organization
    (due,) = factories.due_rewards(campaign, 1)
    (waiting,) = factories.due_rewards(factories.campaign(organization, holding_days=7), 1)
    (in_review,) = factories.due_rewards(factories.campaign(organization, review_above=100), 1)
    assert shown(viewer, tab="waiting") == [waiting.pk]
    assert shown(viewer, tab="review") == [in_review.pk]
    assert shown(viewer, tab="all") == [in_review.pk, waiting.pk, due.pk]
    assert shown(viewer, tab="all", sort="earned") == [due.pk, waiting.pk, in_review.pk]
    assert "Deductions" not in text(viewer.get("rewards", tab="all"))


def test_filters(campaign: Campaign, viewer: Visitor) -> None:
    first, second = factories.due_rewards(campaign, 2)
    (elsewhere,) = factories.due_rewards(factories.campaign(campaign.organization), 1)
    with tenant(campaign.organization):
        first = Reward.objects.select_related("customer").get(pk=first.pk)
    assert shown(viewer, tab="all", campaign=campaign.pk) == [second.pk, first.pk]
    assert shown(viewer, tab="all", status="PENDING", type="REFERRAL") == [elsewhere.pk, second.pk, first.pk]
    assert shown(viewer, tab="all", status="CANCELED") == []
    assert shown(viewer, tab="all", q=str(first.customer.email)[:-4]) == [first.pk]
    assert shown(viewer, tab="all", q=second.transaction_id) == [second.pk]
    assert shown(viewer, tab="all", q=str(elsewhere.pk)) == [elsewhere.pk]
    assert shown(viewer, tab="all", q="nobody") == []
    assert shown(viewer, tab="all", campaign="x", status="x", type="x") == [elsewhere.pk, second.pk, first.pk]


def test_export_is_complete_and_streamed(campaign: Campaign, viewer: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_EXPORTED_AT_ONCE", 2)
    rewards = factories.due_rewards(campaign, 5)
    rows = exported(viewer)
    assert [row["reward_id"] for row in rows] == [str(reward.pk) for reward in rewards]
    assert (rows[0]["campaign"], rows[0]["amount"], rows[0]["currency"]) == ("Friends", "12.00", "USD")
    assert exported(viewer, status="CANCELED") == []


def test_export_holds_no_formulas(campaign: Campaign, viewer: Visitor) -> None:
    referrer = factories.participant(campaign, name="=HYPERLINK(1)")
    factories.event(factories.participant(campaign, referred_by=referrer))
    assert [row["name"] for row in exported(viewer)] == ["'=HYPERLINK(1)"]


def test_approving_from_the_list_leads_back(campaign: Campaign, organization: Organization) -> None:
    (reward,) = factories.due_rewards(factories.campaign(organization, review_above=100), 1)
    marketer = member(organization, Role.MARKETER)
    assert marketer.url("reward_approve", reward.pk) in text(marketer.get("rewards", tab="review"))
    answer = marketer.client.post(marketer.url("reward_approve", reward.pk) + "?next=review")
    assert answer["Location"] == marketer.url("rewards") + "?tab=review"
    with tenant(organization):
        assert Reward.objects.get(pk=reward.pk).status == RewardStatus.PENDING


def test_approved_reward_waits_for_the_rest_of_its_holding(organization: Organization) -> None:
    (reward,) = factories.due_rewards(factories.campaign(organization, review_above=100, holding_days=7), 1)
    member(organization).post("reward_approve", reward.pk)
    with tenant(organization):
        held = Reward.objects.get(pk=reward.pk)
    assert (held.status, held.waiting_for) == (RewardStatus.EARNED, WaitingFor.HOLDING)
    assert held.releases_at is not None
    assert held.releases_at > clock.wall() + timedelta(days=6)


def test_viewer_is_offered_no_approval(organization: Organization, viewer: Visitor) -> None:
    factories.due_rewards(factories.campaign(organization, review_above=100), 1)
    assert "Approve" not in text(viewer.get("rewards", tab="review"))


def test_stranger_finds_nothing(organization: Organization) -> None:
    visitor = stranger(organization)
    assert visitor.get("rewards").status_code == 404
    assert visitor.get("rewards_export").status_code == 404


@pytest.mark.parametrize("tab", ["due", "waiting", "all"])
def test_queries_do_not_grow(organization: Organization, viewer: Visitor, tab: str) -> None:
    def earn() -> None:
        for holding_days in (0, 7):
            factories.due_rewards(factories.campaign(organization, holding_days=holding_days), 2)

    earn()
    before = viewer.queries("rewards", tab=tab)
    for _ in range(4):
        earn()
    assert viewer.queries("rewards", tab=tab) == before


@pytest.fixture
def in_review(organization: Organization) -> list[Reward]:
    campaign = factories.campaign(organization, review_above=1000)
    return factories.due_rewards(campaign, 3)


def states(rewards: list[Reward]) -> list[tuple[str, str | None]]:
    with tenant(rewards[0].organization):
        found = Reward.objects.in_bulk([reward.pk for reward in rewards])
    return [(found[reward.pk].status, found[reward.pk].reason) for reward in rewards]


def test_many_are_approved_or_rejected_with_a_reason(organization: Organization, in_review: list[Reward]) -> None:
    marketer = member(organization, Role.MARKETER)
    page = text(marketer.get("rewards", tab="review"))
    assert page.count("It waits for a person's review.".replace("'", "&#x27;")) == 3
    one, two, three = in_review

    marketer.post("rewards_review", selected=[str(one.pk), str(two.pk)], decision="approve")
    marketer.post("rewards_review", selected=[str(two.pk), str(three.pk)], decision="reject", reason="")
    assert states(in_review) == [("PENDING", None), ("PENDING", None), ("EARNED", None)]

    marketer.post("rewards_review", selected=[str(two.pk), str(three.pk)], decision="reject", reason="Same address")

    assert states(in_review) == [("PENDING", None), ("PENDING", None), ("CANCELED", "Same address")]


def test_a_viewer_decides_nothing(organization: Organization, viewer: Visitor, in_review: list[Reward]) -> None:
    ids = [str(reward.pk) for reward in in_review]

    assert viewer.post("rewards_review", selected=ids, decision="approve").status_code == 403
    assert "reject-many" not in text(viewer.get("rewards", tab="review"))
    assert {status for status, _ in states(in_review)} == {"EARNED"}


def test_currencies_can_be_chosen_where_there_are_several(
    organization: Organization, campaign: Campaign, viewer: Visitor
) -> None:
    factories.due_rewards(campaign, 1)
    assert 'name="currency"' not in text(viewer.get("rewards", tab="all"))
    (in_euro,) = factories.due_rewards(factories.campaign(organization, currency="EUR"), 1)
    page = text(viewer.get("rewards", tab="all", currency="EUR"))
    assert '<option value="EUR" selected>EUR</option>' in page
    assert shown(viewer, tab="all", currency="EUR") == [in_euro.pk]


def expected(visitor: Visitor) -> list[tuple[Any, str, Any]]:
    rows = visitor.get("rewards", tab="waiting").context["page"].rows
    return [(each.expected.due_at, each.expected.words, each.expected.held_until) for each in rows]


def test_what_waits_says_when_it_is_due(organization: Organization, viewer: Visitor) -> None:
    (alone,) = factories.due_rewards(factories.campaign(organization, holding_days=7), 1)
    (held,) = factories.due_rewards(
        factories.campaign(organization, holding_days=7, earning_timing="DELAYED", delay_days=1), 1
    )
    factories.due_rewards(factories.campaign(organization, earning_timing="STATEMENT"), 1)
    assert expected(viewer) == [
        (None, "Next total", None),
        (None, "Next total", held.releases_at),
        (alone.releases_at, "", None),
    ]
    assert text(viewer.get("rewards", tab="waiting")).count("held until") == 1


def test_what_waits_is_never_due_in_the_past(organization: Organization, viewer: Visitor) -> None:
    (held,) = factories.due_rewards(factories.campaign(organization, holding_days=7), 1)
    factories.due_rewards(factories.campaign(organization, holding_days=7, earning_timing="STATEMENT"), 1)
    assert held.releases_at is not None
    with clock.as_of(held.releases_at + timedelta(days=1)):
        assert expected(viewer) == [(None, "Next total", None), (None, "In a moment", None)]
