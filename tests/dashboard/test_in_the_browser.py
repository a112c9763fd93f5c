"""What only a browser shows: where the keyboard stands, and what the page does around a file that is downloaded."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from integrations.models import Endpoint
from participants.models import Participant
from referral_rocket.accounts.models import Organization, User
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.clock import wall
from rewards.models import RewardBatch
from tests import factories
from webhooks.outbound.endpoints import endpoint_create, endpoint_test

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def owner() -> User:
    return factories.user()


@pytest.fixture
def organization(owner: User) -> Organization:
    return factories.organization("Acme", owner=owner)


@pytest.fixture
def participant(organization: Organization) -> Participant:
    return factories.participant(factories.campaign(organization), "ada@example.com")


@pytest.fixture
def page(chromium: Browser, live_server: LiveServer, owner: User, client: Client) -> Iterator[Page]:
    client.force_login(owner)
    context = chromium.new_context(base_url=live_server.url)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    yield context.new_page()
    context.close()


def test_it_works(participant: Participant, page: Page) -> None:
    page.goto(f"/o/acme/participants/{participant.pk}/")
    expect(page).to_have_title("ada@example.com · Participant · Referral Rocket")
    opener = page.get_by_role("button", name="Mark qualifying event complete")
    opener.click()
    expect(page.locator("#event-form input[name=event-amount]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_what_a_menu_opened_gives_the_focus_back_to_its_button(participant: Participant, page: Page) -> None:
    page.goto(f"/o/acme/participants/{participant.pk}/")
    page.locator("main summary", has_text="More").click()
    page.get_by_role("button", name="Erase this person").first.click()
    expect(page.locator("#erase-word")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("main summary", has_text="More")).to_be_focused()


def test_a_payment_file_can_be_downloaded_again_and_its_results_uploaded(
    organization: Organization, participant: Participant, page: Page
) -> None:
    due = factories.due_rewards(participant.campaign, 1)
    batch = factories.batch(organization, due, method="PAYPAL_FILE")
    page.goto(f"/o/acme/rewards/batches/{batch.pk}/")
    with page.expect_download() as first:
        page.get_by_role("button", name="Download the file").click()
    assert first.value.suggested_filename.endswith(".csv")
    expect(page.get_by_role("button", name="Upload the results")).to_be_visible()
    with page.expect_download() as second:
        page.get_by_role("button", name="Download it again").click()
    assert second.value.path().read_bytes() == first.value.path().read_bytes()
    with tenant(organization):
        assert RewardBatch.objects.get(pk=batch.pk).file_at is not None


def test_a_long_word_does_not_widen_the_page(organization: Organization, page: Page) -> None:
    long_one = factories.participant(factories.campaign(organization), f"{'very-' * 12}long@example.com")
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"/o/acme/participants/{long_one.pk}/")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_drawer_takes_the_focus_and_gives_it_back(organization: Organization, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/o/acme/")
    opener = page.get_by_role("button", name="Open the menu")
    opener.click()
    expect(page.locator("[data-panel] :focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_all_of_a_page_are_selected_on_a_phone(organization: Organization, page: Page) -> None:
    campaign = factories.campaign(organization)
    factories.due_rewards(campaign, 2)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"/o/acme/rewards/due/{campaign.pk}/")
    page.get_by_text("Select all on this page").click()
    rows = page.locator("input[data-select-row]")
    assert rows.count() > 0
    expect(page.locator("input[data-select-row]:checked")).to_have_count(rows.count())
    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize(("width", "rows"), [(1280, [5]), (1000, [3, 2]), (390, [2, 2, 1])])
def test_of_five_figures_none_stands_alone(organization: Organization, page: Page, width: int, rows: list[int]) -> None:
    campaign = factories.campaign(organization, budget=500_000)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"/o/acme/campaigns/{campaign.pk}/")
    boxes = [figure.bounding_box() or {} for figure in page.locator(".figure").all()]
    tops = [round(box["y"]) for box in boxes]
    assert [tops.count(top) for top in sorted(set(tops))] == rows
    right = [round(box["x"] + box["width"]) for box in boxes]
    assert right[-1] == max(right)


def test_tabs_out_of_sight_are_hinted_at(organization: Organization, page: Page) -> None:
    def fades() -> list[bool]:
        sides = "['left', 'right'].map(side => getComputedStyle(row).getPropertyValue(`--fade-${side}`))"
        in_the_next_frame = f"row => new Promise(requestAnimationFrame).then(() => {sides})"
        return [side != "0px" for side in page.locator(".tabs-row").evaluate(in_the_next_frame)]

    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/o/acme/rewards/")
    row = page.locator(".tabs-row")
    assert row.evaluate("row => row.scrollWidth > row.clientWidth")
    assert fades() == [False, True]
    row.evaluate("row => { row.scrollLeft = row.scrollWidth; }")
    assert fades() == [True, False]
    page.set_viewport_size({"width": 1280, "height": 800})
    assert row.evaluate("row => row.scrollWidth == row.clientWidth")
    assert fades() == [False, False]


def test_a_failing_endpoint_fits_its_card(organization: Organization, page: Page) -> None:
    with tenant(organization):
        endpoint = endpoint_create(
            organization=organization,
            url="https://hooks.example.com/referrals",
            description="The shop backend",
            actor="system:test",
        ).endpoint
        moment = wall() - timedelta(minutes=50)
        Endpoint.objects.filter(pk=endpoint.pk).update(failing_since=moment, last_success_at=moment)
        endpoint_test(endpoint=endpoint, actor="system:test")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto("/o/acme/webhooks/")
    expect(page.get_by_text("Failing")).to_be_visible()
    room = page.locator(".table-scroll").evaluate("box => box.clientWidth - box.scrollWidth")
    assert room >= 0


def test_an_address_is_not_cut_by_its_badges(owner: User, page: Page) -> None:
    email = f"{'long-' * 6}address@example.com"
    EmailAddress.objects.create(user=owner, email=email, verified=True, primary=True)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/accounts/email/")
    shown = page.locator("fieldset label span", has_text=email)
    assert shown.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
