"""Every request to PayPal and Wise, and every answer of their stand-ins, against what PayPal and Wise publish."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import jsonschema
import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from integrations.base import Access, IssueOrder, IssueOutcome, Recipient, TakeBack
from integrations.errors import ProviderError
from integrations.providers.paypal.adapter import PayPalPayouts
from integrations.providers.wise.adapter import WiseTransfers
from integrations.sandbox.paypal import control as paypal_control
from integrations.sandbox.paypal import shapes as paypal_shapes
from integrations.sandbox.wise import shapes as wise_shapes
from referral_rocket.kit.clock import wall
from referral_rocket.kit.http import Answer, Caller

FOLDER = Path(os.environ.get("CONTRACTS_DIR") or Path(__file__).parents[3] / "shared" / "contracts")
CLIENT = {"client_id": "AClientIdOfTheStandIn", "client_secret": "EClientSecretOfTheStandIn", "webhook_id": ""}
TOKEN = "ab12cd34-ef56-4a78-9b01-23456789abcd"
# PayPal's payouts document is about payouts alone: tokens and the account's own number are described elsewhere.
ELSEWHERE = ("/v1/oauth2/token", "/v1/identity/oauth2/userinfo")


def document(name: str) -> Any:
    path = FOLDER / name
    if not path.exists():
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{path} is missing; CI has to have the contracts")
        pytest.skip(f"{path} is not here; set CONTRACTS_DIR")
    text = path.read_text()
    return json.loads(text) if name.endswith(".json") else yaml.load(text, yaml.CSafeLoader)


def without_security(spec: Any) -> Any:
    """How to authorise is asserted by the stand-ins; openapi-core knows no OAuth client credentials."""
    if isinstance(spec, dict):
        return {name: without_security(value) for name, value in spec.items() if name != "security"}
    return [without_security(value) for value in spec] if isinstance(spec, list) else spec


@pytest.fixture(scope="module")
def paypal() -> OpenAPI:
    return OpenAPI.from_dict(without_security(document("paypal_payments_payouts_batch_v1.json")))


@pytest.fixture(scope="module")
def wise() -> OpenAPI:
    return OpenAPI.from_dict(without_security(document("wise-platform-openapi.yml")))


@contextmanager
def held_to(contract: OpenAPI, base: str, server: str) -> Iterator[list[tuple[str, str, int]]]:
    """Check what is said inside, both ways; gives the list of what was."""
    said: list[tuple[str, str, int]] = []
    honest: Callable[..., Answer] = Caller.send

    def send(self: Caller, method: str, url: str, **named: Any) -> Answer:
        answer = honest(self, method, url, **named)
        parts = urlsplit(url.removeprefix(base))
        if parts.path not in ELSEWHERE:
            headers = {name: value for name, value in named["headers"].items() if name != "Content-Type"}
            body = named.get("body")
            request = MockRequest(
                server,
                method.lower(),
                parts.path,
                args=dict(parse_qsl(parts.query)),
                headers=headers,
                data=body.encode() if isinstance(body, str) else body,
                content_type="application/json",
            )
            contract.validate_request(request)
            response = MockResponse(answer.body, status_code=answer.status, content_type="application/json")
            contract.validate_response(request, response)
            said.append((method, parts.path, answer.status))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Caller, "send", send)
        yield said


def new_order(email: str, **fields: Any) -> IssueOrder:
    reward_id = uuid4()
    order = IssueOrder(reward_id, f"{reward_id}:1", 1234, "USD", Recipient(email, "A Friend"), "Reward from Friends")
    return replace(order, group_key=str(uuid4()), **fields)


def test_paypal(sandbox, paypal):
    adapter, base = PayPalPayouts(), f"{sandbox.url}/paypal"
    access = Access(uuid4(), "paypal", "TEST", CLIENT, {}, base)
    sandbox.post("paypal/receivers", email="stranger@example.com", state="unregistered")
    sandbox.post("paypal/receivers", email="locked@example.com", state="locked")
    paid, unclaimed, blocked = (new_order(f"{who}@example.com") for who in ("friend", "stranger", "locked"))

    with held_to(paypal, base, "https://api-m.sandbox.paypal.com") as said:
        key = paid.group_key
        answers = adapter.issue_group(access, key, [paid, unclaimed, blocked, new_order("no address at all")])
        adapter.look_up(access, replace(paid, first_attempt_at=wall()))
        adapter.look_up(access, new_order("friend@example.com", first_attempt_at=wall()))
        adapter.look_up(access, replace(blocked, provider_reference=answers[blocked.reward_id].provider_reference))
        back = TakeBack(
            unclaimed.reward_id, "1", 1234, "USD", answers[unclaimed.reward_id].provider_reference, 1234, paid.recipient
        )
        assert adapter.take_back(access, back).outcome == IssueOutcome.SUCCEEDED
        with pytest.raises(ProviderError):
            adapter.look_up(access, new_order("x@example.com", provider_reference="ABCDEFGHJKLMN"))
        sandbox.post("paypal/balance", client_id=CLIENT["client_id"], currency="USD", value="1.00")
        with pytest.raises(ProviderError):
            adapter.issue(access, new_order("friend@example.com"))
        for kind in ("rate_limited", "server_error", "unavailable"):
            sandbox.fault(kind, provider="paypal", path="payouts", times=2)
            with pytest.raises(ProviderError):
                adapter.issue(access, new_order("friend@example.com"))
            sandbox.clear_faults()

    statuses = {(method, status) for method, _, status in said}
    assert {("POST", 201), ("POST", 400), ("POST", 422), ("POST", 429), ("POST", 500), ("POST", 503)} <= statuses
    assert {("GET", 200), ("GET", 404)} <= statuses


def test_paypals_webhook(paypal):
    item = paypal_shapes.item(
        {"recipient_type": "EMAIL", "receiver": "friend@example.com", "amount": {"currency": "USD", "value": "1.00"}},
        "BATCH", "KEY", "UNCLAIMED", None,
    )  # fmt: skip
    event = paypal_control.event_of(item, "https://api-m.sandbox.paypal.com")
    spec = document("paypal_notifications_webhooks_v1.json")
    schema = {"$ref": "#/components/schemas/event", "components": spec["components"]}

    jsonschema.validate(event, schema)
    resource = {"$ref": "#/components/schemas/payout_item-2", **document("paypal_payments_payouts_batch_v1.json")}
    jsonschema.validate(event["resource"], resource)


def test_wise(sandbox, wise):
    adapter, base = WiseTransfers(), f"{sandbox.url}/wise"
    settings = {"profile_id": str(wise_shapes.profile_of(TOKEN)), "source_currency": "EUR"}
    access = Access(uuid4(), "wise", "TEST", {"api_token": TOKEN}, settings, base)

    with held_to(wise, base, "https://api.wise-sandbox.com") as said:
        adapter.check(access)
        paid = new_order("friend@example.com")
        issued = adapter.issue(access, paid)
        assert adapter.look_up(access, replace(paid, first_attempt_at=wall())).outcome == IssueOutcome.SUCCEEDED
        adapter.look_up(access, replace(paid, provider_reference=issued.provider_reference))
        sandbox.fault("timeout_before", provider="wise", method="POST", path="/payments", seconds=0.01)
        lost = new_order("friend@example.com")
        with pytest.raises(ProviderError):
            adapter.issue(access, lost)
        assert adapter.look_up(access, replace(lost, first_attempt_at=wall())).outcome == IssueOutcome.RETURNED
        sandbox.fault("rate_limited", provider="wise", path="/payments", retry_after=5)
        with pytest.raises(ProviderError):
            adapter.issue(access, new_order("friend@example.com"))

    asked = {(method, path.split("/")[-1]) for method, path, _ in said}
    assert {("POST", name) for name in ("accounts", "quotes", "batch-groups", "transfers", "payments")} <= asked
    assert {("GET", "profiles"), ("GET", "balances"), ("GET", "transfers"), ("PUT", "cancel")} <= asked
    assert "PATCH" in {method for method, _ in asked}


def test_wises_webhook():
    spec = document("wise-webhooks-asyncapi.yml")
    quoted = wise_shapes.quote({"sourceCurrency": "EUR", "targetCurrency": "USD", "targetAmount": 12}, 1, 1)
    one = wise_shapes.transfer({"targetAccount": 5, "customerTransactionId": str(uuid4())}, quoted, 7)
    event = wise_shapes.state_change(one, 1, "processing")
    schema = {
        "allOf": [spec["components"]["messages"]["TransferStateChangeEvent"]["payload"]], "components": spec["components"]
    }  # fmt: skip

    jsonschema.validate(event, schema)
