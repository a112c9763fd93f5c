"""Our requests, and the stand-in's answers, held against the models of Tremendous's own client."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest
import requests
from tremendous import models
from tremendous.api import tremendous_api

from integrations.base import Access, IssueOrder, Recipient
from integrations.providers.tremendous import adapter as adapter_module
from integrations.providers.tremendous.adapter import TremendousReward
from integrations.sandbox.tremendous import shapes
from referral_rocket.kit.http import Caller

KEY = "TEST_contract_0123456789"
# What is asked, the client's name for it, and the model of its answer.
ANSWERS = {
    ("GET", r"organizations"): ("list_organizations", models.ListOrganizations200Response),
    ("GET", r"funding_sources"): ("list_funding_sources", models.ListFundingSources200Response),
    ("GET", r"campaigns"): ("list_campaigns", models.ListCampaigns200Response),
    ("GET", r"campaigns/[^/]+"): ("get_campaign", models.CreateCampaign200Response),
    ("GET", r"products"): ("list_products", models.ListProductsResponse),
    ("GET", r"orders/[^/]+"): ("get_order", models.GetOrder200Response),
    ("POST", r"orders"): ("create_order", models.CreateOrder200Response),
}


@pytest.fixture
def access(sandbox) -> Access:
    settings = {"funding_source_id": shapes.FUNDING, "campaign_id": shapes.CAMPAIGN, "product_ids": [shapes.VISA]}
    return Access(uuid4(), "tremendous", "TEST", {"api_key": KEY}, settings, f"{sandbox.url}/tremendous")


@pytest.fixture
def said(sandbox, access, monkeypatch) -> list[tuple[str, str, Any, int, Any]]:
    """Every request and answer of rewards sent, repeated, refused, looked up and delivered, and of a check."""
    spoken: list[tuple[str, str, Any, int, Any]] = []
    honest = Caller.send

    def send(self: Caller, method: str, url: str, **named: Any) -> Any:
        answer = honest(self, method, url, **named)
        path = url.partition("/api/v2/")[2].partition("?")[0]
        body = json.loads(named["body"]) if named.get("body") else None
        spoken.append((method, path, body, answer.status, json.loads(answer.body)))
        return answer

    monkeypatch.setattr(Caller, "send", send)
    adapter = TremendousReward()
    adapter.check(access)
    by_campaign = Access(
        access.connection_id, "tremendous", "TEST", {"api_key": KEY},
        {"funding_source_id": "BALANCE", "campaign_id": shapes.CAMPAIGN, "delivery": "LINK"}, access.api_base,
    )  # fmt: skip
    for way in (access, by_campaign):
        reward_id = uuid4()
        order = IssueOrder(reward_id, f"{reward_id}:1", 1250, "USD", Recipient("a@example.com", "A"), "Reward")
        adapter.issue(way, order)
        adapter.issue(way, order)
        adapter.look_up(way, order)
        sandbox.post("tremendous/account", next_status="PENDING APPROVAL")
    return spoken


def model_of(method: str, path: str) -> tuple[str, Any]:
    return next(found for (verb, pattern), found in ANSWERS.items() if verb == method and re.fullmatch(pattern, path))


def test_it_works(said):
    """Every answer is what Tremendous's client reads, and every resource is asked for."""
    for method, path, _, status, answer in said:
        assert status in (200, 201)
        name, model = model_of(method, path)
        assert hasattr(tremendous_api.TremendousApi, name)
        assert model.from_dict(answer) is not None
    assert {model_of(method, path)[0] for method, path, *_ in said} == {name for name, _ in ANSWERS.values()}


def test_every_answer_names_only_what_tremendous_names(said):
    for method, path, _, _, answer in said:
        _, model = model_of(method, path)
        assert _beyond(answer, model.from_dict(answer).to_dict(), path) == []


def _beyond(ours: Any, theirs: Any, path: str) -> list[str]:
    """Where ours has a field that the model didn't take over."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{path}.{name}" for name in ours if name not in theirs]
        return found + [
            each for name in ours.keys() & theirs.keys() for each in _beyond(ours[name], theirs[name], f"{path}.{name}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list):
        return [
            each for place, (one, other) in enumerate(zip(ours, theirs, strict=True))
            for each in _beyond(one, other, f"{path}[{place}]")
        ]  # fmt: skip
    return []


def test_every_order_is_what_tremendous_takes(said):
    orders = [body for method, path, body, *_ in said if (method, path) == ("POST", "orders")]
    assert len(orders) == 4
    for body in orders:
        model = models.SingleRewardOrder.from_dict(body)
        assert model is not None
        assert _beyond(body, model.to_dict(), "order") == []
        assert body["reward"]["delivery"]["method"] in set(models.DeliveryMethod)


def test_every_state_of_an_order_is_known_to_us():
    states = {state.value for state in models.OrderStatus}

    assert {adapter_module.EXECUTED, *adapter_module.WAITS, *adapter_module.ENDED} == states


def test_a_repeat_is_answered_201_and_the_first_time_200(said):
    posted = [status for method, path, _, status, _ in said if (method, path) == ("POST", "orders")]

    assert posted == [200, 201, 200, 201]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"payment": {"funding_source_id": shapes.CARD}}, "payment"),
        ({"reward": {"recipient": {"email": "nonsense"}}}, "reward"),
        ({"reward": {"products": ["NOSUCHPRODUCT"]}}, "reward"),
    ],
)
def test_refusals_are_tremendouss_too(sandbox, change, field):
    order = {
        "external_id": "x:1",
        "payment": {"funding_source_id": "BALANCE"},
        "reward": {
            "value": {"denomination": 10, "currency_code": "USD"},
            "recipient": {"email": "a@example.com"},
            "campaign_id": shapes.CAMPAIGN,
            **change.get("reward", {}),
        },
        **{name: value for name, value in change.items() if name != "reward"},
    }
    answer = requests.post(
        f"{sandbox.url}/tremendous/api/v2/orders", json=order, headers={"Authorization": f"Bearer {KEY}"}, timeout=10
    )

    assert answer.status_code == 422
    error = models.ListRewards401Response.from_dict(answer.json())
    assert error.errors.message
    assert list(error.errors.payload) == [field]
    assert sandbox.get("tremendous/orders")["orders"] == []


@pytest.mark.parametrize("key", ["", "Bearer sk_test_1"])
def test_without_a_key(sandbox, key):
    answer = requests.get(f"{sandbox.url}/tremendous/api/v2/organizations", headers={"Authorization": key}, timeout=10)

    assert answer.status_code == 401
