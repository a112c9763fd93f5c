"""The main job in a real browser: a payment comes in as a signed webhook, its reward is issued, the stand-in has it once.

Everything is real but the far side of the sockets: the pages, the webhook door, a Celery worker in processes of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from campaigns.models import Campaign
from integrations.models import Connection
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward
from rewards.states import RewardStatus, WaitingFor
from tests import factories
from tests.integrations.stand_in import RunningSandbox, running
from tests.rewards.worker import wait_until, worker

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]

OWNER, PASSWORD = "mara@acme.test", "correct horse battery staple"
REFERRER, FRIEND = "ada@example.com", "friend@example.com"
STEP_SECONDS = 30


@dataclass
class World:
    """An organization whose campaign rewards ada@example.com with $12.00 for each friend who pays."""

    organization: Organization
    connection: Connection
    campaign: Campaign
    stand_in: RunningSandbox
    url: str

    def friend_pays(self) -> None:
        """The stand-in tells of a sale of $120.00, by signed webhooks."""
        told = self.stand_in.post(
            "stripe/webhooks",
            url=f"{self.url}/webhooks/in/stripe/{self.connection.pk}",
            secret=factories.WEBHOOK_SECRET,
            email=FRIEND,
            amount=12000,
            currency="usd",
            livemode=True,
        )
        assert told
        wait_until(lambda: self.reward() is not None, seconds=STEP_SECONDS)

    def reward(self) -> Reward | None:
        with tenant(self.organization):
            return Reward.objects.select_related("campaign").first()


@pytest.fixture
def world(live_server: LiveServer, settings: Any) -> Iterator[World]:
    with running() as stand_in:
        base = f"{stand_in.url}/stripe"
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": base}
        organization = factories.organization("Acme", owner=factories.user(OWNER, PASSWORD))
        connection = factories.connection(organization)
        campaign = factories.campaign(organization, name="Friends", fulfilment_method="STRIPE_CREDIT")
        factories.participant(campaign, FRIEND, referred_by=factories.participant(campaign, REFERRER))
        with worker(STRIPE_API_BASE=base):
            yield World(organization, connection, campaign, stand_in, live_server.url)


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(STEP_SECONDS * 1000)
    yield context.new_page()
    context.close()


def log_in(page: Page, world: World) -> None:
    page.goto(f"{world.url}/")
    page.get_by_label("E-mail").fill(OWNER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Rewards").click()


def issue_what_is_due(page: Page) -> None:
    """From the Rewards section to the batch's page."""
    page.get_by_role("link", name="Friends").click()
    page.get_by_label(f"Select {REFERRER}").check()
    page.get_by_text("Issue Reward", exact=True).click()
    page.get_by_role("button", name="Send rewards with Stripe").click()
    expect(page.get_by_text("$12.00").first).to_be_visible()
    expect(page.get_by_text("nobody is paid").first).to_be_visible()
    page.get_by_role("button", name="Send with Stripe: 1 reward").click()
    expect(page.locator('[data-status="FINISHED"]')).to_be_visible(timeout=STEP_SECONDS * 1000)


def test_it_works(world: World, page: Page) -> None:
    customer = world.stand_in.add_customer(REFERRER, livemode=True)
    world.friend_pays()
    log_in(page, world)
    issue_what_is_due(page)

    rewarded = page.locator("#rewarded")
    expect(rewarded.locator('[data-status="AVAILABLE"]')).to_have_count(1)
    rewarded.get_by_role("link", name=REFERRER).click()
    expect(page.get_by_text("Credited to the customer's balance.").first).to_be_visible()
    reward = world.reward()
    assert reward is not None
    assert (reward.status, reward.amount, reward.method) == (RewardStatus.AVAILABLE, 1200, "STRIPE_CREDIT")
    given = world.stand_in.credits()["credits"]
    assert [(credit["customer"], credit["amount"], credit["reward_id"]) for credit in given] == [
        (customer, 1200, str(reward.pk))
    ]


def test_customer_unknown_to_stripe_is_not_rewarded(world: World, page: Page) -> None:
    world.friend_pays()
    log_in(page, world)
    issue_what_is_due(page)

    not_rewarded = page.locator("#not-rewarded")
    expect(not_rewarded.get_by_text("Not rewarded").last).to_be_visible()
    expect(not_rewarded.get_by_text("Stripe has no customer with this e-mail address").first).to_be_visible()
    expect(not_rewarded.get_by_role("link", name="Retry")).to_be_visible()
    expect(page.locator("#rewarded")).to_have_count(0)
    reward = world.reward()
    assert reward is not None
    assert (reward.status, reward.waiting_for) == (RewardStatus.PENDING, WaitingFor.RECIPIENT)
    assert world.stand_in.credits()["count"] == 0

    # Once Stripe knows the customer, Retry is all that is needed.
    world.stand_in.add_customer(REFERRER, livemode=True)
    not_rewarded.get_by_role("link", name="Retry").click()
    page.get_by_role("button", name="Send with Stripe: 1 reward").click()
    expect(page.locator("#rewarded").locator('[data-status="AVAILABLE"]')).to_have_count(1)
    assert world.stand_in.credits()["count"] == 1
