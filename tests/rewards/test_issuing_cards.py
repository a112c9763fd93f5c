"""Batches through Shopify and Tremendous: the runner, the adapters and the stand-ins together, paid exactly once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from integrations.sandbox.tremendous import shapes
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, Claim, Reward, RewardBatch
from rewards.services import issuing
from rewards.states import ItemOutcome, RewardStatus
from tests import factories
from tests.integrations.stand_in import RunningSandbox, running

pytestmark = pytest.mark.django_db


def _cards(sandbox: RunningSandbox) -> list[Any]:
    return sandbox.get("shopify/gift_cards", livemode="true")["gift_cards"]


def _discounts(sandbox: RunningSandbox) -> list[Any]:
    return sandbox.get("shopify/discounts", livemode="true")["discounts"]


def _orders(sandbox: RunningSandbox) -> list[Any]:
    return sandbox.get("tremendous/orders", livemode="true")["orders"]


@dataclass(frozen=True)
class Way:
    """A method, the part of the request that moves the money, and what the provider shows for it."""

    method: str
    provider: str
    body: str
    given: Callable[[RunningSandbox], list[Any]]


WAYS = [
    Way("SHOPIFY_GIFT_CARD", "shopify", "giftCardCreate", _cards),
    Way("SHOPIFY_DISCOUNT", "shopify", "discountCodeBasicCreate", _discounts),
    Way("TREMENDOUS", "tremendous", "external_id", _orders),
]


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        bases = {provider: f"{sandbox.url}/{provider}" for provider in ("shopify", "tremendous")}
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, **bases}
        yield sandbox


@pytest.fixture
def due(stand_in: RunningSandbox) -> list[Reward]:
    """Three rewards of $12.00, whose people the shop knows."""
    organization = factories.organization()
    shop = {"shop": "acme.myshopify.com", "access_token": "shpat_live_factory1", "client_secret": "shpss_factory1"}
    factories.connection(organization, provider="shopify", webhook_secret=None, credentials=shop)
    factories.connection(
        organization,
        provider="tremendous",
        credentials={"api_key": "PROD_factory_0123456789"},
        settings={"funding_source_id": shapes.FUNDING, "campaign_id": shapes.CAMPAIGN},
    )
    rewards = factories.due_rewards(factories.campaign(organization), 3)
    with tenant(organization):
        emails = [{"email": reward.customer.email} for reward in rewards]
    stand_in.post("shopify/customers", livemode=True, customers=emails)
    return rewards


def issue(rewards: list[Reward], way: Way) -> RewardBatch:
    batch = factories.batch(rewards[0].organization, rewards, method=way.method)
    issuing.run(seconds=5)
    return batch


def later(seconds: float) -> None:
    with time_machine.travel(clock.wall() + timedelta(seconds=seconds), tick=True):
        issuing.run(seconds=5)


def items(batch: RewardBatch) -> list[BatchItem]:
    with tenant(batch.organization):
        return list(BatchItem.objects.filter(batch=batch).select_related("reward").order_by("pk"))


def open_claims(batch: RewardBatch) -> int:
    with tenant(batch.organization):
        return Claim.objects.filter(closed_at__isnull=True).count()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.method)
def test_it_works(stand_in: RunningSandbox, due: list[Reward], way: Way) -> None:
    batch = issue(due, way)

    done = items(batch)
    assert {item.outcome for item in done} == {ItemOutcome.SUCCEEDED}
    assert {(item.reward.status, item.reward.amount, item.reward.method) for item in done} == {
        (RewardStatus.AVAILABLE, 1200, way.method)
    }
    assert len({item.reward.provider_reference for item in done}) == 3
    assert len(way.given(stand_in)) == 3
    assert open_claims(batch) == 0


@pytest.mark.parametrize("fault", ["reset", "malformed", "server_error"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.method)
def test_an_answer_lost_after_acting_is_looked_up(
    stand_in: RunningSandbox, due: list[Reward], way: Way, fault: str
) -> None:
    stand_in.fault(fault, provider=way.provider, method="POST", body=way.body, acts=True)
    batch = issue(due[:1], way)
    (item,) = items(batch)
    assert (item.outcome, item.in_doubt, item.reward.status) == (ItemOutcome.QUEUED, True, RewardStatus.PENDING)
    assert len(way.given(stand_in)) == open_claims(batch) == 1

    later(2)

    (item,) = items(batch)
    assert (item.outcome, item.reward.status) == (ItemOutcome.SUCCEEDED, RewardStatus.AVAILABLE)
    assert len(way.given(stand_in)) == 1
    assert open_claims(batch) == 0


@pytest.mark.parametrize("way", WAYS[:2], ids=lambda way: way.method)
def test_somebody_whom_the_shop_does_not_know_waits_and_is_due(
    stand_in: RunningSandbox, due: list[Reward], way: Way
) -> None:
    batch = issue(factories.due_rewards(due[0].campaign, 1), way)

    (item,) = items(batch)
    assert (item.outcome, item.code) == (ItemOutcome.WAITING, "customer_not_found")
    assert item.reward.status == RewardStatus.PENDING
    assert way.given(stand_in) == []
    assert open_claims(batch) == 0


def test_an_order_waits_for_its_approval_and_is_issued_then(stand_in: RunningSandbox, due: list[Reward]) -> None:
    stand_in.post("tremendous/account", livemode=True, next_status="PENDING APPROVAL")
    batch = issue(due[:1], WAYS[2])
    (item,) = items(batch)
    assert (item.outcome, item.code, item.reward.status) == (
        ItemOutcome.WAITING,
        "needs_a_person",
        RewardStatus.PENDING,
    )
    assert open_claims(batch) == 1

    (order,) = _orders(stand_in)
    stand_in.post("tremendous/orders/become", livemode=True, id=order["id"], status="EXECUTED")
    later(3600)

    (item,) = items(batch)
    assert (item.outcome, item.reward.status) == (ItemOutcome.SUCCEEDED, RewardStatus.AVAILABLE)
    assert item.reward.provider_reference == order["rewards"][0]["id"]
    assert len(_orders(stand_in)) == 1
    assert open_claims(batch) == 0


def test_an_order_that_is_canceled_at_the_provider_is_due_again(stand_in: RunningSandbox, due: list[Reward]) -> None:
    stand_in.post("tremendous/account", livemode=True, next_status="PENDING APPROVAL")
    batch = issue(due[:1], WAYS[2])
    (order,) = _orders(stand_in)
    stand_in.post("tremendous/orders/become", livemode=True, id=order["id"], status="CANCELED")
    later(3600)

    (item,) = items(batch)
    assert (item.outcome, item.reward.status) == (ItemOutcome.FAILED, RewardStatus.PENDING)
    assert open_claims(batch) == 0

    stand_in.post("tremendous/account", livemode=True, next_status="EXECUTED")
    again = issue(due[:1], WAYS[2])
    (item,) = items(again)
    assert item.outcome == ItemOutcome.SUCCEEDED
    assert [made["external_id"] for made in _orders(stand_in)] == [f"{due[0].pk}:2", f"{due[0].pk}:1"]
