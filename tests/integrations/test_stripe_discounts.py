"""STRIPE_COUPON and STRIPE_SUBSCRIPTION against the stand-in."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from integrations.base import Access, CouponTerms, IssueOrder, IssueOutcome, Recipient
from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderRetryable
from integrations.providers.stripe import coupons, discounts, subscriptions
from integrations.providers.stripe.discounts import StripeDiscount
from referral_rocket.kit.clock import wall
from tests.integrations.payout_cases import (
    Killed,
    No,
    PayoutCases,
    ReadsFirstCases,
    TakeBackCases,
    killed_at,
    until,
)
from tests.integrations.test_stripe_credit import KEY, ask

EMAIL = "friend@example.com"
MONTHS = CouponTerms(duration="repeating", duration_months=3)


@pytest.fixture
def access(sandbox) -> Access:
    return Access(uuid4(), "stripe", "TEST", {"api_key": KEY}, {}, f"{sandbox.url}/stripe")


@pytest.fixture
def adapter() -> StripeDiscount:
    return StripeDiscount(changes_price=False)


@pytest.fixture
def order(subscription) -> IssueOrder:
    return new_order()


@pytest.fixture
def subscription(sandbox):
    return sandbox.post("stripe/subscriptions", email=EMAIL, amount=5000, currency="usd")


def new_order(**fields) -> IssueOrder:
    reward_id = uuid4()
    wanted = {"amount": 1200, "currency": "USD", "recipient": Recipient(EMAIL, "A Friend"), "description": "Reward"}
    return IssueOrder(reward_id, f"{reward_id}:1", **{**wanted, **fields})


def made_for(sandbox, order):
    return sandbox.get("stripe/rewards", reward_id=order.reward_id)


def on(sandbox, subscription) -> list[str]:
    """The coupons that lie on the subscription now."""
    [found] = [
        each
        for each in sandbox.get("stripe/subscriptions", customer=subscription["customer"])["subscriptions"]
        if each["id"] == subscription["id"]
    ]
    return [discount["source"]["coupon"]["id"] for discount in found["discounts"]]


class DiscountCases(ReadsFirstCases, TakeBackCases, PayoutCases):
    secret = KEY

    def given(self, sandbox, order):
        made = made_for(sandbox, order)
        amounts = {coupon["id"]: coupon["amount_off"] for coupon in made["coupons"]}
        given = [amounts[each["source"]["coupon"]] for each in made["discounts"]]
        return given + [amounts[each["promotion"]["coupon"]] for each in made["promotion_codes"]]


def _of(email):
    return lambda sandbox, order: replace(order, recipient=Recipient(email))


def _several(sandbox, order):
    sandbox.add_customer(EMAIL, another=True)
    return order


def _deleted(sandbox, order):
    stored = sandbox.add_customer("gone@example.com")
    ask(sandbox, "DELETE", f"/v1/customers/{stored}")
    return replace(order, recipient=Recipient("gone@example.com", provider_id=stored))


def _euro(sandbox, order):
    sandbox.add_customer("euro@example.com", currency="eur")
    return replace(order, recipient=Recipient("euro@example.com"))


def _once_of_somebody(sandbox, order):
    once = [{"percent_off": 10, "duration": "once"}]
    sandbox.post("stripe/subscriptions", email="once@example.com", amount=5000, currency="usd", coupons=once)
    return replace(order, recipient=Recipient("once@example.com"))


def _odd_dinars(sandbox, order):
    sandbox.add_customer("dinar@example.com", currency="kwd")
    return replace(order, amount=1234, currency="KWD", recipient=Recipient("dinar@example.com"))


def _no_subscription(sandbox, order):
    sandbox.add_customer("buyer@example.com")
    return replace(order, recipient=Recipient("buyer@example.com"))


COMMON = (
    No("customer_not_found", _of("nobody@example.com")),
    No("customer_not_found", _of(None)),
    No("several_customers", _several),
    No("customer_deleted", _deleted),
    No("currency_mismatch", _euro),
    No("unredeemed_discount", _once_of_somebody),
    No("rejected_by_provider", _odd_dinars, rejected=True),
)


class TestOnASubscription(DiscountCases):
    money_path = "/v1/subscriptions/"
    take_back_path = "/v1/subscriptions/"
    noes = COMMON

    def taken_back(self, sandbox, back):
        marked = [
            coupon
            for each in sandbox.get("stripe/coupons")["coupons"]
            if (coupon := each)["metadata"].get("taken_back_by") == str(back.reward_id)
        ]
        lying = {
            discount["source"]["coupon"]["id"]
            for each in sandbox.get("stripe/subscriptions")["subscriptions"]
            for discount in each["discounts"]
        }
        return [coupon["amount_off"] for coupon in marked if coupon["id"] not in lying]

    def spend(self, sandbox, order, issued):
        [mine] = sandbox.get("stripe/subscriptions", customer=issued.recipient_provider_id)["subscriptions"]
        sandbox.post("stripe/invoices", subscription=mine["id"])


class TestByPromotionCode(DiscountCases):
    money_path = "/v1/promotion_codes"
    take_back_path = "/v1/promotion_codes/"
    noes = COMMON

    @pytest.fixture
    def order(self, sandbox):
        sandbox.add_customer(EMAIL)
        return new_order()

    def taken_back(self, sandbox, back):
        code = sandbox.get("stripe/promotion_codes", id=back.issued_reference)
        ours = code["metadata"].get("taken_back_by") == str(back.reward_id) and not code["active"]
        return [back.amount] if ours else []

    def spend(self, sandbox, order, issued):
        sandbox.post("stripe/redeem", promotion_code=issued.provider_reference)


class TestPriceOfASubscription(DiscountCases):
    money_path = "/v1/subscriptions/"
    take_back_path = "/v1/subscriptions/"
    noes = (
        *COMMON,
        No("no_subscription", _no_subscription),
        No("needs_a_person", lambda sandbox, order: replace(order, coupon=CouponTerms())),
    )
    taken_back = TestOnASubscription.taken_back
    spend = TestOnASubscription.spend

    @pytest.fixture
    def adapter(self):
        return StripeDiscount(changes_price=True)

    @pytest.fixture
    def order(self, subscription):
        return new_order(coupon=MONTHS)


# What is made ------------------------------------------------------------------------------------------------------


def test_the_coupon_carries_the_reward_and_can_be_used_once(sandbox, adapter, access, order):
    result = adapter.issue(access, replace(order, metadata={"campaign_id": "c1"}))

    [coupon] = made_for(sandbox, order)["coupons"]
    assert coupon["id"] == result.provider_reference == f"rr-{order.reward_id}-1"
    assert (coupon["amount_off"], coupon["currency"], coupon["percent_off"]) == (1200, "usd", None)
    assert (coupon["duration"], coupon["max_redemptions"], coupon["times_redeemed"]) == ("once", 1, 1)
    customer = result.recipient_provider_id
    assert coupon["metadata"] == {"campaign_id": "c1", "reward_id": str(order.reward_id), "customer": customer}


def test_the_next_invoice_is_lower_once(sandbox, adapter, access, order, subscription):
    adapter.issue(access, order)

    first = sandbox.post("stripe/invoices", subscription=subscription["id"])["invoice"]
    second = sandbox.post("stripe/invoices", subscription=subscription["id"])["invoice"]

    assert (first["subtotal"], first["total"]) == (5000, 3800)
    assert (second["subtotal"], second["total"]) == (5000, 5000)
    assert on(sandbox, subscription) == []


def test_a_percentage_for_three_months(sandbox, access, order, subscription):
    terms = CouponTerms("PERCENT", Decimal("12.5"), "repeating", 3)

    result = StripeDiscount(changes_price=True).issue(access, replace(order, coupon=terms))

    assert result.message == "On the customer's invoices for 3 months."
    [coupon] = made_for(sandbox, order)["coupons"]
    assert (coupon["percent_off"], coupon["amount_off"], coupon["duration_in_months"]) == (12.5, None, 3)
    invoices = [sandbox.post("stripe/invoices", subscription=subscription["id"])["invoice"] for _ in range(4)]
    assert [invoice["total"] for invoice in invoices] == [4375, 4375, 4375, 5000]


def test_a_percentage_needs_no_currency(sandbox, adapter, access):
    euro = sandbox.post("stripe/subscriptions", email="euro@example.com", amount=5000, currency="eur")
    order = new_order(recipient=Recipient("euro@example.com"), coupon=CouponTerms("PERCENT", Decimal(20)))

    assert adapter.issue(access, order).outcome == IssueOutcome.SUCCEEDED
    assert on(sandbox, euro) == [f"rr-{order.reward_id}-1"]


def test_a_percentage_that_is_not_said(sandbox, adapter, access, order):
    result = adapter.issue(access, replace(order, coupon=CouponTerms("PERCENT")))

    assert (result.outcome, result.code) == (IssueOutcome.WAITING, "needs_a_person")
    assert made_for(sandbox, order)["coupons"] == []


def test_other_discounts_are_kept_beside_it(sandbox, adapter, access):
    forever = [{"percent_off": 10, "duration": "forever", "id": "staff"}, {"amount_off": 5, "duration": "forever"}]
    theirs = sandbox.post("stripe/subscriptions", email=EMAIL, amount=5000, currency="usd", coupons=forever)
    before = on(sandbox, theirs)
    order = new_order()

    adapter.issue(access, order)

    assert on(sandbox, theirs) == [*before, f"rr-{order.reward_id}-1"]


def test_an_accounts_own_discount_is_kept_where_the_subscription_has_none(
    sandbox, adapter, access, order, subscription
):
    customer = subscription["customer"]
    sandbox.post("stripe/customers/discount", customer=customer, coupon={"percent_off": 10, "duration": "forever"})

    adapter.issue(access, order)

    assert len(on(sandbox, subscription)) == 2


def test_an_accounts_own_discount_that_is_not_used_yet_makes_it_wait(sandbox, adapter, access, order, subscription):
    customer = subscription["customer"]
    sandbox.post("stripe/customers/discount", customer=customer, coupon={"percent_off": 10, "duration": "once"})

    assert adapter.issue(access, order).code == "unredeemed_discount"
    assert made_for(sandbox, order)["coupons"] == []


def test_the_subscription_that_is_invoiced_soonest_takes_it(sandbox, adapter, access, subscription):
    customer = subscription["customer"]
    sandbox.post("stripe/subscriptions", customer=customer, amount=90, currency="usd", interval="year")
    sandbox.post("stripe/subscriptions", customer=customer, amount=90, currency="usd", cancel_at_period_end=True)
    order = new_order()

    adapter.issue(access, order)

    assert on(sandbox, subscription) == [f"rr-{order.reward_id}-1"]


@pytest.mark.parametrize("status", ["canceled", "unpaid", "paused", "incomplete"])
def test_a_subscription_without_a_next_invoice_is_none(sandbox, adapter, access, status):
    sandbox.post("stripe/subscriptions", email=EMAIL, amount=5000, currency="usd", status=status)
    order = new_order()

    result = adapter.issue(access, order)

    assert result.provider_reference.startswith("promo_")


def test_a_promotion_code_is_the_customers_alone(sandbox, adapter, access):
    customer = sandbox.add_customer(EMAIL)
    order = new_order(coupon=CouponTerms(expires_days=30))

    result = adapter.issue(access, order)

    [code] = made_for(sandbox, order)["promotion_codes"]
    assert (code["customer"], code["max_redemptions"]) == (customer, 1)
    assert code["metadata"] == {"reward_id": str(order.reward_id)}
    assert code["code"] in result.message
    assert code["expires_at"] == made_for(sandbox, order)["coupons"][0]["redeem_by"]
    assert abs(code["expires_at"] - (wall() + timedelta(days=30)).timestamp()) < 60


# Two rewards of one customer ---------------------------------------------------------------------------------------


def test_two_rewards_at_once_give_one_and_the_other_waits(sandbox, adapter, access, subscription):
    orders = [new_order() for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda each: adapter.issue(access, each), orders))

    outcomes = sorted(result.outcome for result in results)
    assert outcomes == [IssueOutcome.SUCCEEDED, *[IssueOutcome.WAITING] * 7]
    assert {result.code for result in results if result.code} == {"unredeemed_discount"}
    assert len(on(sandbox, subscription)) == 1


def test_two_promotion_codes_at_once(sandbox, adapter, access):
    sandbox.add_customer(EMAIL)
    orders = [new_order() for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda each: adapter.issue(access, each), orders))

    assert sorted(result.code or "" for result in results) == ["", *["unredeemed_discount"] * 3]


def test_the_second_goes_once_the_first_is_used(sandbox, adapter, access, order, subscription):
    adapter.issue(access, order)
    second = new_order()
    assert adapter.issue(access, second).code == "unredeemed_discount"

    sandbox.post("stripe/invoices", subscription=subscription["id"])

    assert adapter.issue(access, second).outcome == IssueOutcome.SUCCEEDED
    assert on(sandbox, subscription) == [f"rr-{second.reward_id}-1"]


def test_a_lower_price_waits_for_the_end_of_the_one_before(sandbox, access, subscription):
    adapter = StripeDiscount(changes_price=True)
    adapter.issue(access, new_order(coupon=MONTHS))
    sandbox.post("stripe/invoices", subscription=subscription["id"])

    assert adapter.issue(access, new_order(coupon=MONTHS)).code == "unredeemed_discount"


def test_while_one_change_is_in_doubt_no_other_is_made(sandbox, adapter, access, order, subscription, monkeypatch):
    sandbox.held_answers_time_out(monkeypatch)
    sandbox.fault("slow_before", seconds=60, method="POST", path="/v1/subscriptions/")
    with pytest.raises(OutcomeUnknown) as caught:
        adapter.issue(access, order)
    assert caught.value.recipient_provider_id == subscription["customer"]

    second = new_order()
    with pytest.raises(ProviderRetryable) as waits:
        adapter.issue(access, second)
    assert 0 < waits.value.retry_after <= subscriptions.DOUBT_SECONDS
    assert made_for(sandbox, second)["coupons"] == []

    # The first change arrives after all, and is found.
    sandbox.clear_faults()
    until(lambda: on(sandbox, subscription))
    assert adapter.look_up(access, replace(order, first_attempt_at=wall())).outcome == IssueOutcome.SUCCEEDED
    assert adapter.issue(access, replace(order, first_attempt_at=wall())).outcome == IssueOutcome.SUCCEEDED
    assert on(sandbox, subscription) == [f"rr-{order.reward_id}-1"]


# Cut off in between ------------------------------------------------------------------------------------------------


def test_an_unused_coupon_goes_where_the_reward_has_to_wait_by_now(sandbox, adapter, access, order, subscription):
    with killed_at(3, "before"), pytest.raises(Killed):
        adapter.issue(access, order)
    assert [coupon["times_redeemed"] for coupon in made_for(sandbox, order)["coupons"]] == [0]
    ask(sandbox, "POST", "/v1/coupons", id="theirs", percent_off="5", duration="once")
    ask(sandbox, "POST", f"/v1/subscriptions/{subscription['id']}", **{"discounts[0][coupon]": "theirs"})

    result = adapter.issue(access, replace(order, first_attempt_at=wall()))

    assert result.code == "unredeemed_discount"
    assert [coupon.get("deleted") for coupon in made_for(sandbox, order)["coupons"]] == [True]
    assert on(sandbox, subscription) == ["theirs"]


def test_an_unused_coupon_of_another_amount_is_replaced(sandbox, adapter, access, order):
    with killed_at(3, "before"), pytest.raises(Killed):
        adapter.issue(access, order)

    adapter.issue(access, replace(order, amount=700, first_attempt_at=wall()))

    [coupon] = made_for(sandbox, order)["coupons"]
    assert (coupon["amount_off"], coupon["times_redeemed"]) == (700, 1)


def test_a_discount_that_goes_while_we_look_is_no_harm(sandbox, adapter, access, monkeypatch):
    forever = [{"percent_off": 10, "duration": "forever", "id": "staff"}]
    theirs = sandbox.post("stripe/subscriptions", email=EMAIL, amount=5000, currency="usd", coupons=forever)
    honest, times = discounts.coupons.made_for, []

    def meanwhile(*arguments):
        if not times:
            ask(sandbox, "POST", f"/v1/subscriptions/{theirs['id']}", discounts="")
        times.append(1)
        return honest(*arguments)

    monkeypatch.setattr(coupons, "made_for", meanwhile)
    order = new_order()

    assert adapter.issue(access, order).outcome == IssueOutcome.SUCCEEDED
    assert len(times) == 2
    assert on(sandbox, theirs) == [f"rr-{order.reward_id}-1"]


def test_a_look_up_after_the_discount_was_used_still_finds_it(sandbox, adapter, access, order, subscription):
    first = adapter.issue(access, order)
    sandbox.post("stripe/invoices", subscription=subscription["id"])

    found = adapter.look_up(access, replace(order, first_attempt_at=wall()))

    assert (found.provider_reference, found.recipient_provider_id) == (
        first.provider_reference,
        subscription["customer"],
    )


def test_what_stripe_refuses_leaves_no_coupon_behind(sandbox, adapter, access, order, monkeypatch):
    honest = coupons.made_for

    def expired(*arguments):
        made = honest(*arguments)
        ask(sandbox, "DELETE", f"/v1/subscriptions/{sandbox.get('stripe/subscriptions')['subscriptions'][0]['id']}")
        return made

    monkeypatch.setattr(coupons, "made_for", expired)

    with pytest.raises(ProviderRejected) as caught:
        adapter.issue(access, order)

    assert caught.value.code == "rejected_by_provider"
    assert "canceled" in caught.value.message
    assert [coupon.get("deleted") for coupon in made_for(sandbox, order)["coupons"]] == [True]
