from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from integrations.base import Access, IssueOrder, IssueOutcome, Recipient
from integrations.errors import ConnectionNeedsAttention, OutcomeUnknown, ProviderRejected, ProviderRetryable
from integrations.providers.shopify import gift_card, points
from integrations.providers.shopify.codes import gift_card_code
from integrations.providers.shopify.gift_card import ShopifyGiftCard
from referral_rocket.kit.clock import wall
from tests.integrations.payout_cases import No, PayoutCases, TakeBackCases
from tests.integrations.shopify import EMAIL, TOKEN, access_to, add_customer, cards_of, minor, order_for


@pytest.fixture
def adapter() -> ShopifyGiftCard:
    return ShopifyGiftCard()


@pytest.fixture
def access(sandbox) -> Access:
    return access_to(sandbox)


@pytest.fixture
def order(sandbox) -> IssueOrder:
    add_customer(sandbox)
    return order_for()


def _nobody(sandbox, order):
    return replace(order, recipient=Recipient("nobody@example.com"))


def _nameless(sandbox, order):
    return replace(order, recipient=Recipient(None))


def _euro(sandbox, order):
    return replace(order, currency="EUR")


def _above_the_limit(sandbox, order):
    sandbox.post("shopify/shop", limit="10.00")
    return order


def _not_enabled(sandbox, order):
    sandbox.post("shopify/shop", scopes=["read_customers"])
    return order


class TestShopifyGiftCard(PayoutCases, TakeBackCases):
    provider = "shopify"
    money_path = take_back_path = "/graphql.json"
    money_body, take_back_body = "giftCardCreate", "giftCardDeactivate"
    secret = TOKEN
    noes = (
        No("customer_not_found", _nobody),
        No("customer_not_found", _nameless),
        No("currency_mismatch", _euro),
        No("rejected_by_provider", _above_the_limit, rejected=True),
        No("rejected_by_provider", _not_enabled, rejected=True),
    )

    def given(self, sandbox, order):
        return [minor(card["initialValue"]) for card in cards_of(sandbox, order.idempotency_key)]

    def taken_back(self, sandbox, back):
        cards = sandbox.get("shopify/gift_cards")["gift_cards"]
        return [minor(card["balance"]) for card in cards if card["id"] == back.issued_reference and not card["enabled"]]

    def spend(self, sandbox, order, issued):
        sandbox.post("shopify/gift_cards/spend", id=issued.provider_reference, amount="1.00")

    @pytest.mark.parametrize("kind", ["timeout_before", "malformed", "server_error", "reset"])
    def test_a_fault_while_only_reading(self, sandbox, adapter, access, order, monkeypatch, kind):
        sandbox.held_answers_time_out(monkeypatch)
        sandbox.fault(kind, provider="shopify", body="query Recipient")

        with pytest.raises(ProviderRetryable):
            adapter.issue(access, order)

        assert self.given(sandbox, order) == []


def test_the_card_is_the_customers_in_the_shops_money_and_noted(sandbox, adapter, access, order):
    result = adapter.issue(access, order)

    (card,) = cards_of(sandbox, order.idempotency_key)
    assert card["id"] == result.provider_reference
    assert card["initialValue"] == card["balance"] == {"amount": "12.0", "currencyCode": "USD"}
    assert card["note"] == f"Referral Rocket reward {order.idempotency_key}"
    assert card["customer"]["id"] == f"gid://shopify/Customer/{result.recipient_provider_id}"
    assert card["lastCharacters"] == gift_card_code(order.idempotency_key)[-4:].lower()


def test_no_code_is_ever_on_record(adapter, access, order):
    """The code is the money."""
    code = gift_card_code(order.idempotency_key)
    first = adapter.issue(access, order)
    again = adapter.issue(access, order)
    found = adapter.look_up(access, replace(order, first_attempt_at=wall()))

    for result in (first, again, found):
        assert code.lower() not in repr(result).lower()
        assert "[redacted]" in repr(result.exchanges)


def test_the_stored_customer_goes_before_the_address(sandbox, adapter, access, order):
    stored = add_customer(sandbox, "other@example.com", number="207119551")

    result = adapter.issue(access, replace(order, recipient=Recipient(EMAIL, provider_id="207119551")))

    assert result.recipient_provider_id == "207119551"
    assert cards_of(sandbox, order.idempotency_key)[0]["customer"]["id"] == stored


def test_a_stored_customer_of_another_shop_falls_back_to_the_address(adapter, access, order):
    result = adapter.issue(access, replace(order, recipient=Recipient(EMAIL, provider_id="999")))

    assert result.outcome == IssueOutcome.SUCCEEDED


def test_an_address_typed_in_capitals_finds_the_customer(adapter, access, order):
    result = adapter.issue(access, replace(order, recipient=Recipient("Friend@Example.com")))

    assert result.outcome == IssueOutcome.SUCCEEDED


@pytest.mark.parametrize(("currency", "amount", "shopifys"), [("JPY", 500, "500.0"), ("KWD", 1230, "1.23")])
def test_amounts_of_other_currencies(sandbox, adapter, access, order, currency, amount, shopifys):
    sandbox.post("shopify/shop", currency=currency)

    adapter.issue(access, replace(order, amount=amount, currency=currency))

    assert cards_of(sandbox, order.idempotency_key)[0]["initialValue"] == {
        "amount": shopifys,
        "currencyCode": currency,
    }


def test_the_other_currency_is_named(sandbox, adapter, access, order):
    result = adapter.issue(access, replace(order, currency="EUR"))

    assert "EUR" in result.message
    assert "USD" in result.message


def test_a_missing_permission_for_customers_stops_the_connection(sandbox, adapter, access, order):
    sandbox.post("shopify/shop", scopes=["write_gift_cards", "read_gift_cards"])

    with pytest.raises(ConnectionNeedsAttention) as caught:
        adapter.issue(access, order)

    assert "read_customers" in caught.value.message
    assert cards_of(sandbox, order.idempotency_key) == []


def test_a_card_that_the_search_does_not_know_yet_is_found_among_the_newest(sandbox, adapter, access, order):
    sandbox.post("shopify/shop", search_lags=600)
    first = adapter.issue(access, order)

    found = adapter.look_up(access, replace(order, first_attempt_at=wall()))
    again = adapter.issue(access, order)

    assert found.provider_reference == again.provider_reference == first.provider_reference
    assert len(cards_of(sandbox, order.idempotency_key)) == 1


def test_more_new_cards_than_are_read_leave_it_unknown(sandbox, adapter, access, order, monkeypatch):
    sandbox.post("shopify/shop", search_lags=600)
    adapter.issue(access, order)
    for _ in range(4):
        adapter.issue(access, order_for())
    monkeypatch.setattr(gift_card, "PAGE", 2)
    monkeypatch.setattr(gift_card, "MOST_PAGES", 2)

    with pytest.raises(OutcomeUnknown) as caught:
        adapter.look_up(access, replace(order, first_attempt_at=wall() - timedelta(hours=1)))

    assert caught.value.code == "outcome_unknown"


def test_an_old_card_is_found_by_the_search(sandbox, adapter, access, order, monkeypatch):
    first = adapter.issue(access, order)
    for _ in range(4):
        adapter.issue(access, order_for())
    monkeypatch.setattr(gift_card, "PAGE", 2)
    monkeypatch.setattr(gift_card, "MOST_PAGES", 1)

    found = adapter.look_up(access, replace(order, first_attempt_at=wall() - timedelta(days=90)))

    assert found.provider_reference == first.provider_reference


def test_a_card_is_found_after_the_installations_secret_has_changed(sandbox, adapter, access, order, settings):
    first = adapter.issue(access, order)
    settings.SECRET_KEY = "a new secret of the same installation, long enough"

    found = adapter.look_up(access, replace(order, first_attempt_at=wall()))

    assert found.provider_reference == first.provider_reference


def test_a_code_that_belongs_to_somebody_elses_card_is_refused(sandbox, adapter, access, order):
    other = replace(order_for(), idempotency_key=order.idempotency_key)
    adapter.issue(access, other)
    # Somebody changed the note in Shopify, so that it can't be told whose card it is.
    sandbox.post("shopify/gift_cards/annotate", id=cards_of(sandbox, other.idempotency_key)[0]["id"], note="x")

    with pytest.raises(ProviderRejected) as caught:
        adapter.issue(access, order)

    assert caught.value.code == "rejected_by_provider"
    assert len(sandbox.get("shopify/gift_cards")["gift_cards"]) == 1


def test_the_next_key_makes_a_new_card(sandbox, adapter, access, order):
    """After the money provably came back, the reward is issued anew with `reward_id:2`."""
    first = adapter.issue(access, order)
    second = adapter.issue(access, replace(order, idempotency_key=f"{order.reward_id}:2"))

    assert first.provider_reference != second.provider_reference


# Points ----------------------------------------------------------------------------------------------------------


def test_throttled_names_the_time_after_which_there_are_points(sandbox, adapter, access, order, monkeypatch):
    monkeypatch.setattr(points, "LONGEST_WAIT", 0)
    sandbox.post("shopify/points", maximum=100, restore=1, left=4)

    with pytest.raises(ProviderRetryable) as caught:
        adapter.issue(access, order)

    # The query took 3 of the 4 points; the card costs 10, and one comes back a second.
    assert caught.value.code == "rate_limited"
    assert 7 <= caught.value.retry_after <= 9
    assert cards_of(sandbox, order.idempotency_key) == []


# Taking back -----------------------------------------------------------------------------------------------------


def test_a_part_is_not_taken_back(sandbox, adapter, access, order):
    cases = TestShopifyGiftCard()
    back, _ = cases.deduction(adapter, access, order)

    result = adapter.take_back(access, replace(back, amount=500))

    assert (result.outcome, result.sent, result.code) == (IssueOutcome.WAITING, False, "needs_a_person")
    assert cases.taken_back(sandbox, back) == []


def test_a_card_that_is_gone_is_left_to_a_person(adapter, access, order):
    back, _ = TestShopifyGiftCard().deduction(adapter, access, order)

    result = adapter.take_back(access, replace(back, issued_reference="gid://shopify/GiftCard/1"))

    assert (result.outcome, result.code) == (IssueOutcome.WAITING, "needs_a_person")


def test_a_card_that_was_disabled_in_shopify_counts_as_taken_back(sandbox, adapter, access, order):
    cases = TestShopifyGiftCard()
    back, _ = cases.deduction(adapter, access, order)
    adapter.take_back(access, back)

    again = adapter.take_back(access, replace(back, reward_id=uuid4()))

    assert again.outcome == IssueOutcome.SUCCEEDED


def test_spent_between_the_look_and_the_disabling(sandbox, adapter, access, order, monkeypatch):
    cases = TestShopifyGiftCard()
    back, issued = cases.deduction(adapter, access, order)
    honest = gift_card._deactivated

    def at_the_checkout_meanwhile(talk, order):
        cases.spend(sandbox, order, issued)
        return honest(talk, order)

    monkeypatch.setattr(gift_card, "_deactivated", at_the_checkout_meanwhile)

    result = adapter.take_back(access, back)

    assert (result.outcome, result.sent, result.code) == (IssueOutcome.WAITING, True, "needs_a_person")
    assert "11.0 USD of $12.00" in result.message


def test_check(adapter, access):
    said = adapter.check(access)

    assert said.account == "Stand-in shop (test) (stand-in-test.myshopify.com)"
    assert (said.currency, said.mode) == ("USD", "TEST")
    assert said.message == "Connected to Stand-in shop (test), a development shop."


def test_check_names_what_the_app_lacks(sandbox, adapter, access):
    sandbox.post(
        "shopify/shop",
        scopes=[
            "read_customers",
            "read_orders",
            "read_shopify_payments_disputes",
            "write_discounts",
            "read_gift_cards",
        ],
    )

    assert "lacks write_gift_cards:" in adapter.check(access).message
