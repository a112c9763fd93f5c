"""Rewards that the tenant's own system issues, as its programs see them."""

from typing import Any

import pytest

from referral_rocket.activity import outbox
from tests.api.client import Caller, problem
from tests.api.conftest import CAMPAIGN


@pytest.fixture
def endpoint(api: Caller) -> Any:
    return api.post("/webhook-endpoints", {"url": "https://example.com/hook"})


def earn(api: Caller) -> Any:
    """A reward of a campaign that is fulfilled by webhook, after the outbox was worked off."""
    campaign = api.post("/campaigns", {**CAMPAIGN, "fulfilment": {"kind": "WEBHOOK"}})
    path = f"/campaigns/{campaign['campaign_id']}"
    ann = api.post(f"{path}/participants", {"email": "ann@example.com"})
    api.post(f"{path}/participants", {"email": "ben@example.com", "referral_code": ann["referral_code"]})
    event = {
        "participant": {"email": "ben@example.com"},
        "type": "purchase",
        "transaction_id": "ord_1",
        "amount": 12000,
        "currency": "USD",
    }
    reward = api.post(f"{path}/events", event)["rewards"][0]
    while outbox.run():
        continue
    return api.get(f"/rewards/{reward['reward_id']}")


def test_it_works(api: Caller, endpoint: Any) -> None:
    reward = earn(api)
    assert (reward["status"], reward["waiting_for"]) == ("PENDING", None)
    assert reward["fulfilment"]["kind"] == "WEBHOOK"
    assert reward["fulfilment"]["endpoint_id"] == endpoint["endpoint_id"]
    sent = api.get(f"/webhook-endpoints/{endpoint['endpoint_id']}/deliveries")["data"]
    assert [(each["event_type"], each["reward_id"]) for each in sent] == [("REWARD", reward["reward_id"])]

    path = f"/rewards/{reward['reward_id']}"
    confirmed = api.patch(path, {"status": "AVAILABLE", "amount": 1000})
    assert (confirmed["status"], confirmed["amount"], confirmed["remainder_amount"]) == ("AVAILABLE", 1000, 200)
    assert confirmed["method"] == "WEBHOOK"
    assert api.patch(path, {"status": "AVAILABLE", "amount": 1000}) == confirmed
    assert problem(api.patch(path, {"status": "CANCELED", "reason": "no"}, expect=409)) == ("invalid_transition",)


def test_it_can_not_be_put_in_a_batch(api: Caller, endpoint: Any) -> None:
    reward = earn(api)
    body = {"method": "MANUAL", "reward_ids": [reward["reward_id"]], "dry_run": True}
    assert api.post("/reward-batches", body, expect=200)["problems"] == [{"code": "fulfilled_by_webhook", "count": 1}]


def test_the_tenant_says_that_it_will_not(api: Caller, endpoint: Any) -> None:
    reward = earn(api)
    canceled = api.patch(f"/rewards/{reward['reward_id']}", {"status": "CANCELED", "reason": "account closed"})
    assert (canceled["status"], canceled["reason"]) == ("CANCELED", "account closed")


def test_an_endpoint_with_orders_stays(api: Caller, endpoint: Any) -> None:
    earn(api)
    path = f"/webhook-endpoints/{endpoint['endpoint_id']}"
    assert problem(api.said("DELETE", path, None, 409)) == ("orders_open",)


def test_without_an_endpoint_it_waits_for_one(api: Caller) -> None:
    reward = earn(api)
    assert (reward["status"], reward["waiting_for"]) == ("PENDING", "NO_ENDPOINT")
    assert [each["reward_id"] for each in api.get("/rewards?waiting_for=NO_ENDPOINT")["data"]] == [reward["reward_id"]]
    api.post("/webhook-endpoints", {"url": "https://example.com/hook"})
    assert api.get(f"/rewards/{reward['reward_id']}")["waiting_for"] is None
