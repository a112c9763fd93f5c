from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from integrations.base import Access, CouponTerms, IssueOrder, IssueOutcome, Recipient
from integrations.errors import ProviderRejected, ProviderRetryable
from integrations.providers.shopify import client
from integrations.providers.shopify.codes import discount_code
from integrations.providers.shopify.discount import ShopifyDiscount
from referral_rocket.kit.clock import wall
from tests.integrations.payout_cases import No, PayoutCases, TakeBackCases
from tests.integrations.shopify import TOKEN, access_to, add_customer, minor, order_for


@pytest.fixture
def adapter() -> ShopifyDiscount:
    return ShopifyDiscount()


@pytest.fixture
def access(sandbox) -> Access:
    return access_to(sandbox)


@pytest.fixture
def order(sandbox) -> IssueOrder:
    add_customer(sandbox)
    return order_for()


def discounts(sandbox, code: str) -> list:
    return sandbox.get("shopify/discounts", code=code)["discounts"]


def _nobody(sandbox, order):
    return replace(order, recipient=Recipient("nobody@example.com"))


def _euro(sandbox, order):
    return replace(order, currency="EUR")


def _not_enabled(sandbox, order):
    sandbox.post("shopify/shop", scopes=["read_customers", "read_gift_cards", "write_gift_cards"])
    return order


class TestShopifyDiscount(PayoutCases, TakeBackCases):
    provider = "shopify"
    money_path = take_back_path = "/graphql.json"
    money_body, take_back_body = "discountCodeBasicCreate", "discountCodeDeactivate"
    secret = TOKEN
    noes = (
        No("customer_not_found", _nobody),
        No("currency_mismatch", _euro),
        No("rejected_by_provider", _not_enabled, rejected=True),
    )

    def given(self, sandbox, order):
        found = discounts(sandbox, discount_code(order.idempotency_key))
        return [minor(discount["value"]["amount"]) for discount in found]

    def taken_back(self, sandbox, back):
        ended = [each for each in discounts(sandbox, back.issued_reference) if each["endsAt"]]
        return [minor(each["value"]["amount"]) for each in ended if not each["asyncUsageCount"]]

    def spend(self, sandbox, order, issued):
        sandbox.post("shopify/discounts/use", code=issued.provider_reference)

    @pytest.mark.parametrize("kind", ["timeout_before", "malformed", "server_error", "reset"])
    def test_a_fault_while_only_reading(self, sandbox, adapter, access, order, monkeypatch, kind):
        sandbox.held_answers_time_out(monkeypatch)
        sandbox.fault(kind, provider="shopify", body="query Recipient")

        with pytest.raises(ProviderRetryable):
            adapter.issue(access, order)

        assert self.given(sandbox, order) == []


def test_the_code_is_this_customers_and_for_one_order(sandbox, adapter, access, order):
    result = adapter.issue(access, order)

    (made,) = discounts(sandbox, result.provider_reference)
    assert made["customers"] == [f"gid://shopify/Customer/{result.recipient_provider_id}"]
    assert (made["usageLimit"], made["endsAt"]) == (1, None)
    assert made["value"]["amount"] == {"amount": "12.0", "currencyCode": "USD"}
    assert made["value"]["appliesOnEachItem"] is False
    assert result.provider_reference in result.message


def test_the_campaigns_coupon_settings(sandbox, adapter, access, order):
    terms = CouponTerms(kind="PERCENT", percent_off=Decimal("12.5"), expires_days=30)

    result = adapter.issue(access, replace(order, coupon=terms))
    again = adapter.issue(access, replace(order, coupon=terms))

    (made,) = discounts(sandbox, result.provider_reference)
    assert made["value"] == {"__typename": "DiscountPercentage", "percentage": 0.125}
    lasts = datetime.fromisoformat(made["endsAt"]) - datetime.fromisoformat(made["startsAt"])
    assert lasts == timedelta(days=30)
    assert again.provider_reference == result.provider_reference


def test_a_code_that_somebody_made_by_hand_is_refused(sandbox, adapter, access, order):
    """The same code, worth something else: it isn't this reward's."""
    adapter.issue(access, replace(order, amount=999))

    with pytest.raises(ProviderRejected) as caught:
        adapter.issue(access, order)

    assert caught.value.code == "rejected_by_provider"
    assert [minor(each["value"]["amount"]) for each in discounts(sandbox, "")] == [999]


def test_a_part_is_not_taken_back(sandbox, adapter, access, order):
    cases = TestShopifyDiscount()
    back, _ = cases.deduction(adapter, access, order)

    result = adapter.take_back(access, replace(back, amount=500))

    assert (result.outcome, result.sent, result.code) == (IssueOutcome.WAITING, False, "needs_a_person")
    assert cases.taken_back(sandbox, back) == []


def test_a_use_that_shopify_counts_late_is_seen_afterwards(sandbox, adapter, access, order, monkeypatch):
    cases = TestShopifyDiscount()
    back, issued = cases.deduction(adapter, access, order)
    honest = client.Conversation.write

    def used_meanwhile(talk, document, variables, field):
        cases.spend(sandbox, order, issued)
        return honest(talk, document, variables, field)

    monkeypatch.setattr(client.Conversation, "write", used_meanwhile)

    result = adapter.take_back(access, back)

    assert (result.outcome, result.sent, result.code) == (IssueOutcome.WAITING, False, "needs_a_person")


def test_an_ended_code_is_still_found(adapter, access, order):
    back, issued = TestShopifyDiscount().deduction(adapter, access, order)
    adapter.take_back(access, back)

    found = adapter.look_up(access, replace(order, first_attempt_at=wall()))

    assert (found.outcome, found.provider_reference) == (IssueOutcome.SUCCEEDED, issued.provider_reference)
