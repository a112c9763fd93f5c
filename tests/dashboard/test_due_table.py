"""The Reward Due table: rows by participant and currency, sorted, searched, paged, and what can be selected."""

import re
from typing import Any

import pytest

from campaigns.models import Campaign
from participants.models import Participant
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.dashboard import pagination
from rewards.due import DueFilter, due_rows, free_sum
from rewards.models import Reward
from rewards.states import WaitingFor
from tests import factories
from tests.dashboard.visitor import Visitor, member, stranger, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def campaign(organization: Organization) -> Campaign:
    return factories.campaign(organization, rules=[factories.referral_rule(rate="0.10")])


@pytest.fixture
def marketer(organization: Organization) -> Visitor:
    return member(organization, Role.MARKETER)


def earns(campaign: Campaign, name: str, *amounts: int) -> Participant:
    """A participant to whom a tenth of each amount is due."""
    referrer = factories.participant(campaign, f"{name.lower().replace(' ', '.')}@example.com", name=name)
    for amount in amounts:
        factories.event(factories.participant(campaign, referred_by=referrer), amount)
    return referrer


def names(response: Any) -> list[str]:
    return re.findall(r'data-select-row .*?aria-label="Select ([^"]+)"', response.content.decode())


def heading(response: Any) -> str:
    """What the page says below the campaign's name, without its tags."""
    said = re.search(r'<div class="page-note[^>]*>(.*?)</div>', text(response))
    return re.sub("<[^>]+>", "", said[1]).strip() if said else ""


def test_it_works(campaign: Campaign, marketer: Visitor) -> None:
    ada = earns(campaign, "Ada", 10_000, 20_000)
    earns(campaign, "Ben", 50_000)
    page = marketer.get("reward_due", campaign.pk)
    assert page.status_code == 200
    assert names(page) == ["Ben", "Ada"]
    assert f'value="{ada.pk}:USD"' in page.content.decode()
    assert 'data-amount="3000" data-currency="USD" data-digits="2" data-count="2"' in text(page)
    assert ">Issue Reward<" in text(page)


def test_opens_to_its_rewards_with_why(campaign: Campaign, marketer: Visitor) -> None:
    ada = earns(campaign, "Ada", 10_000)
    with tenant(campaign.organization):
        reward = Reward.objects.select_related("event__participant__customer").get()
        assert reward.event is not None
        friend = reward.event.participant.customer
    opened = text(marketer.get("due_row", campaign.pk, ada.pk, "USD"))
    assert "$10.00" in opened
    assert f"purchase {reward.transaction_id} by {friend}" in opened
    assert marketer.url("reward", reward.pk) in opened
    assert "<html" not in opened


def test_row_that_is_gone_is_404(campaign: Campaign, marketer: Visitor) -> None:
    nobody = factories.participant(campaign)
    assert marketer.get("due_row", campaign.pk, nobody.pk, "USD").status_code == 404


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("total", ["Cleo", "Ada", "Ben"]),
        ("-total", ["Ben", "Ada", "Cleo"]),
        ("name", ["Ada", "Ben", "Cleo"]),
        ("-name", ["Cleo", "Ben", "Ada"]),
        ("-number", ["Ada", "Cleo", "Ben"]),
        ("oldest", ["Ben", "Ada", "Cleo"]),
        ("nonsense", ["Ben", "Ada", "Cleo"]),
    ],
)
def test_sorts(campaign: Campaign, marketer: Visitor, sort: str, expected: list[str]) -> None:
    earns(campaign, "Ben", 90_000)
    earns(campaign, "Ada", 10_000, 10_000, 10_000)
    earns(campaign, "Cleo", 5_000, 5_000)
    assert names(marketer.get("reward_due", campaign.pk, sort=sort)) == expected


@pytest.mark.parametrize("sort", ["-total", "total", "name", "-number", "oldest"])
def test_pages_in_both_directions(
    campaign: Campaign, marketer: Visitor, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    for number in range(7):
        earns(campaign, f"P{number}", 10_000 + 1_000 * (number // 2))
    with tenant(campaign.organization):
        whole = [str(row.customer) for row in due_rows(DueFilter(campaign.pk), sort=sort, limit=100)]
    monkeypatch.setattr(pagination.page, "__kwdefaults__", {**(pagination.page.__kwdefaults__ or {}), "size": 3})
    first = marketer.get("reward_due", campaign.pk, sort=sort)
    second = marketer.get("reward_due", campaign.pk, sort=sort, after=first.context["page"].next)
    third = marketer.get("reward_due", campaign.pk, sort=sort, after=second.context["page"].next)
    back = marketer.get("reward_due", campaign.pk, sort=sort, before=third.context["page"].previous)
    assert names(first) + names(second) + names(third) == whole
    assert names(back) == names(second)
    assert (first.context["page"].previous, third.context["page"].next) == ("", "")


def test_bad_cursor_is_400(campaign: Campaign, marketer: Visitor) -> None:
    earns(campaign, "Ada", 10_000)
    for cursor in ("x", "bm8", "W10", "WzEsMiwz"):
        assert marketer.get("reward_due", campaign.pk, after=cursor).status_code == 400, cursor


def test_searches_by_prefix(campaign: Campaign, marketer: Visitor) -> None:
    earns(campaign, "Ada", 10_000)
    earns(campaign, "Adam", 20_000)
    earns(campaign, "Ben", 30_000)
    assert names(marketer.get("reward_due", campaign.pk, q="Ada")) == ["Adam", "Ada"]
    assert names(marketer.get("reward_due", campaign.pk, q="ben@")) == ["Ben"]
    assert names(marketer.get("reward_due", campaign.pk, q="da")) == []


def test_what_is_being_issued_cannot_be_selected(campaign: Campaign, marketer: Visitor) -> None:
    earns(campaign, "Ada", 10_000)
    ben = earns(campaign, "Ben", 20_000, 30_000)
    with tenant(campaign.organization):
        rewards = list(Reward.objects.order_by("pk"))
    batch = factories.batch(campaign.organization, rewards[:2])
    page = marketer.get("reward_due", campaign.pk)
    assert names(page) == ["Ben"]
    assert "Ada: can't be selected, Being issued by a batch right now" in page.content.decode().replace("&#x27;", "'")
    assert 'data-amount="3000"' in text(page)
    assert "1 of 2 being issued" in text(page)
    assert marketer.url("batch", batch.pk) in text(marketer.get("due_row", campaign.pk, ben.pk, "USD"))
    with tenant(campaign.organization):
        assert free_sum(DueFilter(campaign.pk)).sums == [("USD", 1, 3000)]


def test_what_needs_a_recipient_is_not_called_ready(campaign: Campaign, marketer: Visitor) -> None:
    earns(campaign, "Ada", 10_000, 20_000)
    waiting = earns(campaign, "Ben", 50_000)
    with tenant(campaign.organization):
        Reward.objects.filter(participant=waiting).update(waiting_for=WaitingFor.RECIPIENT)
        assert free_sum(DueFilter(campaign.pk)).sums == [("USD", 3, 8000)]
    assert heading(marketer.get("reward_due", campaign.pk)) == "2 ready, $30.00 · 1 needs a recipient"
    assert heading(marketer.get("reward_due", campaign.pk, state="recipient")) == "1 needs a recipient"
    assert heading(marketer.get("reward_due", campaign.pk, state="ready")) == "2 ready, $30.00"


def test_viewer_sees_and_is_offered_nothing(campaign: Campaign) -> None:
    earns(campaign, "Ada", 10_000)
    page = member(campaign.organization, Role.VIEWER).get("reward_due", campaign.pk)
    assert page.status_code == 200
    assert "Ada" in text(page)
    assert "Issue Reward" not in text(page)
    assert names(page) == []


def test_stranger_finds_nothing(campaign: Campaign) -> None:
    earns(campaign, "Ada", 10_000)
    assert stranger(campaign.organization).get("reward_due", campaign.pk).status_code == 404


def test_another_organizations_campaign_is_not_here(campaign: Campaign) -> None:
    elsewhere = factories.organization()
    assert member(elsewhere).get("reward_due", campaign.pk).status_code == 404


def test_queries_do_not_grow(campaign: Campaign, marketer: Visitor) -> None:
    ada = earns(campaign, "Ada", 10_000)
    before = marketer.queries("reward_due", campaign.pk), marketer.queries("due_row", campaign.pk, ada.pk, "USD")
    for number in range(8):
        earns(campaign, f"Person {number}", 10_000, 20_000)
    factories.event(factories.participant(campaign, referred_by=ada), 10_000)
    assert (
        marketer.queries("reward_due", campaign.pk),
        marketer.queries("due_row", campaign.pk, ada.pk, "USD"),
    ) == before


def test_the_way_that_is_meant_stands_first(campaign: Campaign) -> None:
    files = factories.campaign(campaign.organization, fulfilment_method="PAYPAL_FILE")
    factories.due_rewards(files, 1)
    menu = member(campaign.organization, Role.MARKETER).get("reward_due", files.pk).context["menu"]
    assert [(line.key, line.meant) for line in menu][:1] == [("PAYPAL_FILE", True)]
    assert [line.meant for line in menu].count(True) == 1
