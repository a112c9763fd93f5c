import json
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from integrations.base import Access, IssueOrder, IssueOutcome, Recipient
from integrations.errors import OutcomeUnknown, ProviderRejected
from integrations.providers.tremendous import catalogue, client
from integrations.providers.tremendous.adapter import TremendousReward
from integrations.sandbox.tremendous import shapes
from referral_rocket.kit.clock import wall
from referral_rocket.kit.money import plain
from tests.integrations.payout_cases import No, PayoutCases, ReadsFirstCases

KEY = "TEST_standin_0123456789"
EMAIL = "friend@example.com"
SETTINGS = {"funding_source_id": shapes.FUNDING, "campaign_id": shapes.CAMPAIGN}


@pytest.fixture
def adapter() -> TremendousReward:
    return TremendousReward()


@pytest.fixture
def access(sandbox) -> Access:
    return Access(uuid4(), "tremendous", "TEST", {"api_key": KEY}, SETTINGS, f"{sandbox.url}/tremendous")


@pytest.fixture
def order() -> IssueOrder:
    reward_id = uuid4()
    return IssueOrder(reward_id, f"{reward_id}:1", 1200, "USD", Recipient(EMAIL, "A Friend"), "Reward: Friends")


def orders(sandbox, key: str) -> list:
    return sandbox.get("tremendous/orders", external_id=key)["orders"]


def _too_dear(sandbox, order):
    sandbox.post("tremendous/account", balance="11.99")
    return order


def _nobody(sandbox, order):
    return replace(order, recipient=Recipient(None))


def _bad_address(sandbox, order):
    return replace(order, recipient=Recipient("friend@localhost"))


def _not_in_that_currency(sandbox, order):
    return replace(order, currency="JPY")


def _above_every_product(sandbox, order):
    return replace(order, amount=300000)


class TestTremendous(PayoutCases, ReadsFirstCases):
    provider = "tremendous"
    money_path = "/orders"
    secret = KEY
    noes = (
        No("insufficient_funds", _too_dear, rejected=True),
        No("invalid_recipient", _nobody),
        No("invalid_recipient", _bad_address, rejected=True),
        No("product_unavailable", _not_in_that_currency),
        No("product_unavailable", _above_every_product),
    )

    def given(self, sandbox, order):
        return [
            round(made["rewards"][0]["value"]["denomination"] * 100) for made in orders(sandbox, order.idempotency_key)
        ]


class TestWaiting(PayoutCases):
    """The same where the account's orders wait for somebody's approval."""

    provider = "tremendous"
    money_path = "/orders"
    secret = KEY
    noes = TestTremendous.noes[1:]
    done = IssueOutcome.WAITING
    given = TestTremendous.given

    @pytest.fixture(autouse=True)
    def _approval(self, sandbox) -> None:
        sandbox.post("tremendous/account", next_status="PENDING APPROVAL")


def issued_as(sandbox, adapter, access, order, status: str):
    sandbox.post("tremendous/account", next_status=status)
    return adapter.issue(access, order)


def look_up(adapter, access, order):
    return adapter.look_up(access, replace(order, first_attempt_at=wall() - timedelta(seconds=5)))


def test_the_order(sandbox, adapter, access, order):
    result = adapter.issue(access, replace(order, amount=1234))

    (made,) = orders(sandbox, order.idempotency_key)
    assert made["campaign_id"] == shapes.CAMPAIGN
    assert made["rewards"][0]["value"] == {"denomination": 12.34, "currency_code": "USD"}
    assert made["rewards"][0]["recipient"] == {"name": "A Friend", "email": EMAIL}
    assert made["rewards"][0]["delivery"]["method"] == "EMAIL"
    assert result.provider_reference == made["rewards"][0]["id"]


@pytest.mark.parametrize(
    ("amount", "currency", "number"), [(1234, "USD", "12.34"), (10, "USD", "0.10"), (5, "JPY", "5")]
)
def test_an_amount_is_written_digit_by_digit(amount, currency, number):
    text = client._encoded({"denomination": client.AMOUNT, "name": "AMOUNT"}, plain(amount, currency))

    assert text == f'{{"denomination": {number}, "name": "AMOUNT"}}'
    assert json.loads(text)["name"] == "AMOUNT"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("PENDING APPROVAL", "needs_a_person"),
        ("PENDING INTERNAL PAYMENT APPROVAL", "provider_busy"),
        ("PENDING SETTLEMENT", "insufficient_funds"),
        ("OPEN", "provider_busy"),
    ],
)
def test_an_order_that_is_not_executed_waits(sandbox, adapter, access, order, status, code):
    result = issued_as(sandbox, adapter, access, order, status)

    assert (result.outcome, result.sent, result.code) == (IssueOutcome.WAITING, True, code)
    assert result.message
    assert result.provider_reference == orders(sandbox, order.idempotency_key)[0]["id"]


def test_it_is_issued_once_it_is_executed(sandbox, adapter, access, order):
    waiting = issued_as(sandbox, adapter, access, order, "PENDING APPROVAL")
    sandbox.post("tremendous/orders/become", id=waiting.provider_reference, status="EXECUTED")

    found = look_up(adapter, access, order)

    assert (found.outcome, found.sent) == (IssueOutcome.SUCCEEDED, True)
    assert found.provider_reference == orders(sandbox, order.idempotency_key)[0]["rewards"][0]["id"]


@pytest.mark.parametrize(("status", "code"), [("CANCELED", "returned_by_provider"), ("FAILED", "insufficient_funds")])
def test_an_order_that_ended_has_come_back(sandbox, adapter, access, order, status, code):
    waiting = issued_as(sandbox, adapter, access, order, "PENDING APPROVAL")
    sandbox.post("tremendous/orders/become", id=waiting.provider_reference, status=status)

    found = look_up(adapter, access, order)

    assert (found.outcome, found.code) == (IssueOutcome.RETURNED, code)


def test_an_order_that_failed_at_once_is_looked_up_before_anything_else(sandbox, adapter, access, order):
    with pytest.raises(OutcomeUnknown):
        issued_as(sandbox, adapter, access, order, "FAILED")

    assert look_up(adapter, access, order).outcome == IssueOutcome.RETURNED


def test_what_came_back_goes_out_anew_with_the_next_key(sandbox, adapter, access, order):
    with pytest.raises(OutcomeUnknown):
        issued_as(sandbox, adapter, access, order, "FAILED")
    sandbox.post("tremendous/account", next_status="EXECUTED")

    again = adapter.issue(access, replace(order, idempotency_key=f"{order.reward_id}:2"))

    assert again.outcome == IssueOutcome.SUCCEEDED


def test_a_delivery_that_failed_is_shown_to_a_person(sandbox, adapter, access, order):
    adapter.issue(access, order)
    (made,) = orders(sandbox, order.idempotency_key)
    sandbox.post("tremendous/orders/deliver", id=made["id"], status="FAILED")

    found = look_up(adapter, access, order)

    assert (found.outcome, found.code) == (IssueOutcome.SUCCEEDED, "needs_a_person")
    assert "couldn't be delivered" in found.message


def test_a_delivery_that_succeeded(sandbox, adapter, access, order):
    adapter.issue(access, order)
    (made,) = orders(sandbox, order.idempotency_key)
    sandbox.post("tremendous/orders/deliver", id=made["id"], status="SUCCEEDED")

    found = look_up(adapter, access, order)

    assert (found.outcome, found.code) == (IssueOutcome.SUCCEEDED, None)
    assert found.message == "The recipient has got the reward."


def test_a_link_is_never_on_record(sandbox, adapter, access, order):
    by_link = replace(access, settings={**SETTINGS, "delivery": "LINK"})

    result = adapter.issue(by_link, order)

    assert "fetch its link" in result.message
    assert "payout" not in repr(result)
    assert result.exchanges[-1].response["order"]["rewards"][0]["delivery"]["link"] == "[redacted]"


def test_products_instead_of_a_campaign(sandbox, adapter, access, order):
    chosen = replace(access, settings={"funding_source_id": "BALANCE", "product_ids": [shapes.STORE]})

    result = adapter.issue(chosen, replace(order, currency="EUR"))

    assert result.outcome == IssueOutcome.SUCCEEDED
    assert "campaign_id" not in orders(sandbox, order.idempotency_key)[0]


@pytest.mark.parametrize(("country", "there"), [("DE", True), ("FR", False)])
def test_only_where_a_product_is_offered(sandbox, adapter, access, order, country, there):
    result = adapter.issue(replace(access, settings={**SETTINGS, "country": country}), order)

    assert (result.code is None) is there
    assert len(orders(sandbox, order.idempotency_key)) == there
    if not there:
        assert (result.outcome, result.sent, result.code) == (IssueOutcome.WAITING, False, "product_unavailable")
        assert "FR" in result.message


def test_the_catalogue_is_asked_for_once_in_ten_minutes(adapter, access, order, monkeypatch):
    first = adapter.issue(access, order)
    second = adapter.issue(access, replace(order, idempotency_key=f"{uuid4()}:1"))

    assert [exchange.method for exchange in first.exchanges] == ["GET", "GET", "POST"]
    assert [exchange.method for exchange in second.exchanges] == ["POST"]
    monkeypatch.setattr(catalogue, "KEPT_SECONDS", 0)
    third = adapter.issue(access, replace(order, idempotency_key=f"{uuid4()}:1"))
    assert [exchange.method for exchange in third.exchanges] == ["GET", "GET", "POST"]


@pytest.mark.parametrize("settings", [{}, {"campaign_id": shapes.CAMPAIGN}, {"funding_source_id": shapes.FUNDING}])
def test_settings_that_are_missing_are_named(sandbox, adapter, access, order, settings):
    result = adapter.issue(replace(access, settings=settings), order)

    assert (result.outcome, result.sent, result.code) == (IssueOutcome.WAITING, False, "needs_a_person")
    assert "under Integrations" in result.message
    assert orders(sandbox, order.idempotency_key) == []


def test_a_funding_source_that_the_api_may_not_use(sandbox, adapter, access, order):
    by_card = replace(access, settings={**SETTINGS, "funding_source_id": shapes.CARD})

    with pytest.raises(ProviderRejected) as caught:
        adapter.issue(by_card, order)

    assert caught.value.code == "rejected_by_provider"
    assert "funding source" in caught.value.message
    assert orders(sandbox, order.idempotency_key) == []


def test_the_key_with_another_amount_is_never_sent_twice(sandbox, adapter, access, order):
    adapter.issue(access, order)

    with pytest.raises(OutcomeUnknown) as caught:
        adapter.issue(access, replace(order, amount=1300))

    assert "12 USD" in caught.value.message
    assert len(orders(sandbox, order.idempotency_key)) == 1


def test_a_repeat_costs_nothing(sandbox, adapter, access, order):
    sandbox.post("tremendous/account", balance="12")

    for _ in range(3):
        assert adapter.issue(access, order).outcome == IssueOutcome.SUCCEEDED

    assert TestTremendous().given(sandbox, order) == [1200]


def test_check_lists_what_the_settings_can_name(adapter, access):
    said = adapter.check(access)

    assert said.account == "Referral Rocket stand-in (test) (STANDINTEST1)"
    assert (said.currency, said.mode) == ("USD", "TEST")
    assert f"balance ({shapes.FUNDING}, 50000 USD left)" in said.message
    assert f"Referral rewards ({shapes.CAMPAIGN})" in said.message
    assert shapes.CARD not in said.message
