"""The share link: the click is kept, and the visitor goes on with the code in hand."""

import pytest

from participants.models import Click
from referral_rocket.accounts.scoping import tenant
from tests import factories

pytestmark = pytest.mark.django_db

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Safari/537.36"


@pytest.fixture
def sharer(organization):
    campaign = factories.campaign(
        organization, landing_url="https://shop.example/start?plan=pro&referral_code=OLD#offer"
    )
    return factories.participant(campaign, "sharer@example.com", name="Ada")


def clicks(organization):
    with tenant(organization):
        return list(Click.objects.values_list("participant", "referrer_host", "by_bot"))


def test_it_works(client, organization, sharer):
    answer = client.get(
        f"/r/{sharer.referral_code}?utm_source=mail&utm_source=again",
        headers={"user-agent": BROWSER, "referer": "https://blog.example/post?secret=1"},
    )

    assert answer.status_code == 302
    assert answer["Location"] == (
        "https://shop.example/start?plan=pro&utm_source=mail&utm_source=again"
        f"&referral_code={sharer.referral_code}#offer"
    )
    assert answer["Cache-Control"] == "no-store"
    assert clicks(organization) == [(sharer.pk, "blog.example", False)]


@pytest.mark.parametrize(
    ("landing_query", "visitor_query", "expected"),
    [
        ("?/offers/summer", "", "?/offers/summer&"),
        ("?sig=a%2Bb/c==&flag", "q=a%20b+c", "?sig=a%2Bb/c==&flag&q=a%20b+c&"),
        ("?a=1&&b", "&referral%5Fcode=EVIL&referral_code", "?a=1&b&"),
        ("", "x=%0d%0aSet-Cookie:a", "?x=%0d%0aSet-Cookie:a&"),
        ("?ä=ö", "", "?%C3%A4=%C3%B6&"),
        ("", "", "?"),
    ],
)
def test_what_is_in_a_query_stays_as_it_is_written(client, organization, landing_query, visitor_query, expected):
    campaign = factories.campaign(organization, landing_url=f"https://shop.example/{landing_query}#o%20k")
    code = factories.participant(campaign, "other@example.com").referral_code

    answer = client.get(f"/r/{code}", QUERY_STRING=visitor_query, headers={"user-agent": BROWSER})

    assert answer["Location"] == f"https://shop.example/{expected}referral_code={code}#o%20k"


def test_a_code_may_be_typed_in_small_letters(client, organization, sharer):
    answer = client.get(f"/r/{sharer.referral_code.lower()}", headers={"user-agent": BROWSER})

    assert answer.status_code == 302
    assert f"referral_code={sharer.referral_code}" in answer["Location"]


@pytest.mark.parametrize("code", ["NOBODY23", "NOBODY%00", "%ff"])
def test_an_unknown_code(client, organization, sharer, code):
    assert client.get(f"/r/{code}").status_code == 404
    assert clicks(organization) == []


def test_looking_without_fetching_is_no_click(client, organization, sharer):
    assert client.head(f"/r/{sharer.referral_code}", headers={"user-agent": BROWSER}).status_code == 302
    assert clicks(organization) == []


@pytest.mark.parametrize(
    "agent", ["", "curl/8.5.0", "Slackbot-LinkExpanding 1.0", "facebookexternalhit/1.1", "Googlebot/2.1" + "x" * 5000]
)
def test_programs_are_no_visitors(client, organization, sharer, agent):
    client.get(f"/r/{sharer.referral_code}", headers={"user-agent": agent})
    assert [by_bot for _, _, by_bot in clicks(organization)] == [True]


def test_a_campaign_without_a_landing_page_has_a_page_of_its_own(client, organization):
    sharer = factories.participant(factories.campaign(organization, name="Friends"), name="Ada <b>")
    answer = client.get(f"/r/{sharer.referral_code}", headers={"user-agent": BROWSER})

    assert answer.status_code == 200
    text = answer.content.decode()
    assert "Friends" in text
    assert sharer.referral_code in text
    assert "Ada &lt;b&gt;" in text
    assert len(clicks(organization)) == 1
