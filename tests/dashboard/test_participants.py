"""The list of participants: filters, search, order, pages, adding, and the file."""

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest

from campaigns.models import Campaign, CampaignStatus
from participants.models import Participant
from participants.services import participant_ban
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.dashboard import pagination
from referral_rocket.kit import clock
from tests import factories
from tests.dashboard.visitor import Visitor, member, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def campaign(organization: Organization) -> Campaign:
    return factories.campaign(organization, name="Friends")


@pytest.fixture
def marketer(organization: Organization) -> Visitor:
    return member(organization, Role.MARKETER)


def who(response: Any) -> list[str]:
    """The names of the rows, from the top."""
    return [str(row.participant.customer) for row in response.context["rows"]]


def test_it_works(campaign: Campaign, marketer: Visitor) -> None:
    ada = factories.participant(campaign, "ada@example.com", name="Ada Lovelace")
    bob = factories.participant(campaign, "bob@example.com", name="Bob", referred_by=ada)
    factories.event(bob)
    answer = marketer.get("participants")
    assert who(answer) == ["Bob", "Ada Lovelace"]
    rows = {row.participant.pk: row for row in answer.context["rows"]}
    assert (rows[ada.pk].referrals, rows[ada.pk].events, list(rows[ada.pk].earned)) == (1, 0, [("USD", 1200)])
    assert (rows[bob.pk].referrals, rows[bob.pk].events, list(rows[bob.pk].earned)) == (0, 1, [])
    assert "$12.00" in text(answer)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"q": "ada"}, ["Ada"]),
        ({"q": "Bo"}, ["Bob"]),
        ({"q": "BOB@EXAMPLE"}, ["Bob"]),
        ({"q": "shop-7"}, ["Ada"]),
        ({"q": "dam"}, []),
        ({"state": "referred"}, ["Bob"]),
        ({"state": "alone"}, ["Cem", "Ada"]),
        ({"state": "banned"}, ["Cem"]),
        ({"state": "nonsense"}, ["Cem", "Bob", "Ada"]),
        ({"sort": "name"}, ["Ada", "Bob", "Cem"]),
        ({"sort": "-name"}, ["Cem", "Bob", "Ada"]),
        ({"sort": "joined"}, ["Ada", "Bob", "Cem"]),
    ],
)
def test_filters_search_and_order(
    asked: dict[str, str], found: list[str], campaign: Campaign, marketer: Visitor
) -> None:
    ada = factories.participant(campaign, "ada@example.com", name="Ada", external_id="shop-7")
    factories.participant(campaign, "bob@example.com", name="Bob", referred_by=ada)
    cem = factories.participant(campaign, "cem@example.com", name="Cem")
    with tenant(campaign.organization):
        participant_ban(organization=campaign.organization, participant=cem, reason="Spam", actor="system:test")
    assert who(marketer.get("participants", **asked)) == found


def test_a_referral_code_and_a_campaign_find_too(campaign: Campaign, marketer: Visitor) -> None:
    ada = factories.participant(campaign, name="Ada")
    factories.participant(factories.campaign(campaign.organization), name="Elsewhere")
    assert who(marketer.get("participants", q=ada.referral_code[:6].lower())) == ["Ada"]
    assert who(marketer.get("participants", campaign=campaign.pk)) == ["Ada"]
    assert marketer.get("participants", campaign="friends").status_code == 400


@pytest.mark.parametrize("sort", ["-joined", "joined", "name", "-name"])
def test_pages_lead_there_and_back(
    sort: str, campaign: Campaign, marketer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagination.page_by_id, "__kwdefaults__", {**pagination.page_by_id.__kwdefaults__, "size": 2})
    monkeypatch.setattr(pagination.page, "__kwdefaults__", {**pagination.page.__kwdefaults__, "size": 2})
    # Two of one name, so that the id has to decide.
    for name in ("Ada", "Bob", "Bob", "Cem", "Dia"):
        factories.participant(campaign, name=name)
    seen, after, last = [], "", None
    while True:
        last = marketer.get("participants", sort=sort, after=after)
        seen += [row.participant.pk for row in last.context["rows"]]
        after = last.context["page"].next
        if not after:
            break
    assert len(seen) == len(set(seen)) == 5
    before = marketer.get("participants", sort=sort, before=last.context["page"].previous)
    assert [row.participant.pk for row in before.context["rows"]] == seen[2:4]


def test_a_cursor_that_nobody_wrote_is_refused(campaign: Campaign, marketer: Visitor) -> None:
    for cursor in ("nonsense", "W10", "WyJhIl0"):
        assert marketer.get("participants", after=cursor).status_code == 400


def test_nobody_yet_says_what_to_do(marketer: Visitor, campaign: Campaign) -> None:
    assert "No participants yet" in text(marketer.get("participants"))
    assert "Nobody matches" in text(marketer.get("participants", q="zzz"))


def test_queries_do_not_grow(campaign: Campaign, marketer: Visitor) -> None:
    factories.event(factories.participant(campaign, referred_by=factories.participant(campaign)))
    before = marketer.queries("participants"), marketer.queries("participants", q="p", sort="name")
    for _ in range(5):
        factories.event(factories.participant(campaign, referred_by=factories.participant(campaign)))
    assert (marketer.queries("participants"), marketer.queries("participants", q="p", sort="name")) == before


# Adding


def test_adding_one(campaign: Campaign, marketer: Visitor) -> None:
    ada = factories.participant(campaign, "ada@example.com")
    sent = {"campaign": campaign.pk, "email": "Bob@Example.com", "name": "Bob", "referral_code": ada.referral_code}
    answer = marketer.post("participant_add", **sent)
    with tenant(campaign.organization):
        bob = Participant.objects.select_related("customer").get(customer__email_key="bob@example.com")
    assert answer.headers["Location"] == marketer.url("participant", bob.pk)
    assert (bob.customer.name, bob.referred_by_id) == ("Bob", ada.pk)
    again = marketer.post("participant_add", **sent)
    assert again.headers["Location"] == marketer.url("participant", bob.pk)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"email": "not an address"}, "Enter a valid email address."),
        ({"referral_code": "NOSUCHCODE"}, "has the referral code"),
        ({"referral_code": "own"}, "nobody refers themselves"),
        ({"external_id": "shop-1"}, "Another customer has the external id"),
        ({"campaign": ""}, "This field is required."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    wrong: dict[str, str], message: str, campaign: Campaign, marketer: Visitor
) -> None:
    ada = factories.participant(campaign, "ada@example.com", external_id="shop-1")
    sent = {"campaign": str(campaign.pk), "email": "bob@example.com", **wrong}
    if wrong.get("referral_code") == "own":
        sent |= {"referral_code": ada.referral_code, "email": "ada@example.com"}
    answer = marketer.post("participant_add", **sent)
    assert answer.status_code == 422
    assert message in text(answer)
    with tenant(campaign.organization):
        assert Participant.objects.count() == 1


def test_another_organizations_campaign_cannot_be_chosen(campaign: Campaign, marketer: Visitor) -> None:
    foreign = factories.campaign(factories.organization())
    answer = marketer.post("participant_add", campaign=foreign.pk, email="bob@example.com")
    assert answer.status_code == 422
    with tenant(foreign.organization):
        assert not Participant.objects.exists()


def test_an_ended_campaign_takes_nobody(organization: Organization, marketer: Visitor) -> None:
    ended = factories.campaign(organization, status=CampaignStatus.ENDED)
    assert marketer.post("participant_add", campaign=ended.pk, email="bob@example.com").status_code == 422


# The file


def lines(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_the_export_has_what_the_filters_find(campaign: Campaign, marketer: Visitor) -> None:
    ada = factories.participant(campaign, "ada@example.com", name="=HYPERLINK(1)")
    bob = factories.participant(campaign, "bob@example.com", name="Bob", referred_by=ada)
    factories.event(bob)
    answer = marketer.get("participant_export")
    assert re.search(r'attachment; filename="participants-.*\.csv"', answer.headers["Content-Disposition"])
    first, second = lines(answer)
    assert (first["name"], first["earned"], first["referrals"]) == ("'=HYPERLINK(1)", "12.00 USD", "1")
    assert (second["email"], second["referred_by"], second["events"]) == ("bob@example.com", ada.referral_code, "1")
    assert [line["name"] for line in lines(marketer.get("participant_export", q="bob"))] == ["Bob"]


def test_the_export_goes_on_after_a_chunk(
    campaign: Campaign, marketer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("referral_rocket.dashboard.participants.export.CHUNK", 2)
    made = [str(factories.participant(campaign).pk) for _ in range(5)]
    assert [line["participant_id"] for line in lines(marketer.get("participant_export"))] == made


def test_who_was_added_last_comes_first_whenever_they_joined(campaign: Campaign, marketer: Visitor) -> None:
    factories.participant(campaign, name="Ada")
    with clock.as_of(clock.wall() - timedelta(days=400)):
        factories.participant(campaign, name="Moved here")
    answer = marketer.get("participants")
    assert who(answer) == ["Moved here", "Ada"]
    assert re.search(r'aria-sort="descending"><a class="sort-link" href="[^"]*">Added<', text(answer))
    assert text(answer).count(">joined</span>") == 2
