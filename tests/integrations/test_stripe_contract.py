"""The stand-in against what Stripe publishes: its sample objects and its SDK's types of parameters."""

from typing import Any

import pytest

from integrations.sandbox.stripe import billing_shapes, forms, resources, shapes
from tests.integrations.stand_in import RunningSandbox

KEY = {"Authorization": "Bearer sk_test_contract"}
SALE = {
    "amount": 12000, "currency": "usd", "customer": "cus_1", "email": "friend@example.com", "name": "A Friend",
    "country": "DE", "tax": 1900, "shipping": 500, "discount": 100, "created": 1800000000, "subscription": "sub_1",
    "metadata": {"referral_code": "K7QF2M9P"}, "client_reference_id": None,
}  # fmt: skip
INTENT = shapes.payment_intent(SALE, False)
CUSTOMER = shapes.customer({"email": "friend@example.com"}, False)
PRICE = billing_shapes.price({"amount": 5000, "currency": "usd"}, False)
SUBSCRIPTION = billing_shapes.subscription(CUSTOMER, PRICE, {})
COUPON = billing_shapes.coupon(
    {"id": "rr-1", "percent_off": 12.5, "duration": "repeating", "duration_in_months": 3}, False
)
MADE = {
    "price": PRICE,
    "subscription": SUBSCRIPTION,
    "subscription_item": SUBSCRIPTION["items"]["data"][0],
    "coupon": COUPON,
    "deleted_coupon": billing_shapes.deleted_coupon("rr-1"),
    "promotion_code": billing_shapes.promotion_code({"promotion": {"coupon": "rr-1"}}, False),
    "discount": billing_shapes.discount(SUBSCRIPTION, COUPON),
    "webhook_endpoint": billing_shapes.webhook_endpoint({"url": "https://x.example", "enabled_events": ["*"]}, False),
    "account": shapes.account(False),
    "customer": CUSTOMER,
    "deleted_customer": shapes.deleted_customer("cus_1"),
    "customer_balance_transaction": shapes.balance_transaction(CUSTOMER, {"amount": -5, "currency": "usd"}, -5),
    "event": shapes.event("invoice.paid", {}, False, "2026-10-28.endive", 1800000000),
    "payment_intent": INTENT,
    "checkout.session": shapes.checkout_session(SALE, "pi_1", "in_1", False),
    "invoice": shapes.invoice(SALE, False),
    "invoice_payment": shapes.invoice_payment("in_1", INTENT),
    "refund": shapes.refund(INTENT, 100, "succeeded", 1800000000),
    "charge": shapes.charge(INTENT, 100),
    "dispute": shapes.dispute(INTENT, 100, "needs_response", 1800000000),
}
# What the product reads or writes back whole has to be complete; of the others it is enough that nothing is made up.
COMPLETE = (
    "customer", "customer_balance_transaction", "deleted_customer", "event", "invoice_payment",
    "coupon", "promotion_code", "discount", "deleted_coupon", "price", "webhook_endpoint",
)  # fmt: skip
# The samples are generated and leave these maps empty or of another kind of the same field.
FREE = {"metadata", "parent", "data", "amount_details", "payment", "settings", "lines", "customer_shipping", "shipping"}


def compare(ours: Any, theirs: Any, path: str) -> list[str]:
    """Where ours has a field that theirs has not, or of another type."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{path}.{name} isn't Stripe's" for name in ours if name not in theirs]
        for name in set(ours) & set(theirs) - FREE:
            found += compare(ours[name], theirs[name], f"{path}.{name}")
        return found
    if ours is None or theirs is None or isinstance(ours, type(theirs)):
        return []
    return [f"{path} is {type(ours).__name__}, Stripe's is {type(theirs).__name__}"]


@pytest.mark.parametrize("name", list(MADE))
def test_our_objects_have_only_fields_of_stripes(stripe_samples, name):
    assert compare(MADE[name], stripe_samples[name], name) == []


@pytest.mark.parametrize("name", COMPLETE)
def test_our_objects_lack_no_field_of_stripes(stripe_samples, name):
    assert set(stripe_samples[name]) - set(MADE[name]) == set()


@pytest.mark.parametrize(("method", "path", "shape"), [route[:3] for route in resources.ROUTES])
def test_every_route_refuses_a_parameter_that_the_sdk_has_not(method, path, shape):
    needed = dict.fromkeys(shape.__required_keys__, "1")

    with pytest.raises(forms.BadParameter) as caught:
        forms.checked({**needed, "nonsense": "1"}, shape)

    assert (caught.value.code, caught.value.parameter) == ("parameter_unknown", "nonsense")


def refusal(sandbox: RunningSandbox, method: str, path: str, body: str) -> tuple[int, str | None, str | None]:
    answer = sandbox.call(method, f"/stripe{path}", body, KEY)
    error = answer.json()["error"]
    return answer.status_code, error.get("code"), error.get("param")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "parameter"),
    [
        ("POST", "/v1/customers", "emial=x", 400, "parameter_unknown", "emial"),
        ("POST", "/v1/customers", "address[street]=x", 400, "parameter_unknown", "address[street]"),
        ("POST", "/v1/customers", "balance=1.5", 400, "parameter_invalid_integer", "balance"),
        ("POST", "/v1/customers", "tax_exempt=maybe", 400, "parameter_invalid_enum", "tax_exempt"),
        ("POST", "/v1/customers", "email[a]=x", 400, "parameter_invalid_string", "email"),
        ("POST", "/v1/customers/cus_1/balance_transactions", "amount=-5", 400, "parameter_missing", "currency"),
        ("GET", "/v1/customers?limit=0", "", 400, "parameter_invalid_integer", "limit"),
        ("GET", "/v1/customers?api_key=x", "", 400, "parameter_unknown", "api_key"),
        ("GET", "/v1/customers/cus_none", "", 404, "resource_missing", "id"),
        ("GET", "/v1/nothing", "", 404, None, None),
        ("POST", "/v1/coupons", "percent_off=10&duration=sometimes", 400, "parameter_invalid_enum", "duration"),
        ("POST", "/v1/coupons", "percent_off=a&duration=once", 400, "parameter_invalid_decimal", "percent_off"),
        ("POST", "/v1/coupons", "amount_off=5&duration=once", 400, "parameter_missing", "currency"),
        ("POST", "/v1/promotion_codes", "coupon=x", 400, "parameter_unknown", "coupon"),
        ("POST", "/v1/promotion_codes", "promotion[type]=gift", 400, "parameter_invalid_enum", "promotion[type]"),
        ("POST", "/v1/subscriptions/sub_1", "coupon=x", 400, "parameter_unknown", "coupon"),
        ("POST", "/v1/subscriptions/sub_1", "discounts[0][id]=x", 400, "parameter_unknown", "discounts[id]"),
        ("GET", "/v1/subscriptions?status=gone", "", 400, "parameter_invalid_enum", "status"),
        ("GET", "/v1/coupons/none", "", 404, "resource_missing", "coupon"),
    ],
)
def test_what_stripe_would_refuse(sandbox, method, path, body, status, code, parameter):
    assert refusal(sandbox, method, path, body) == (status, code, parameter)


@pytest.mark.parametrize("key", ["", "Bearer pk_test_1", "Basic x", "Bearer sk_test"])
def test_without_a_secret_key(sandbox, key):
    answer = sandbox.call("GET", "/stripe/v1/account", "", {"Authorization": key})

    assert answer.status_code == 401


def test_forms_nest():
    assert forms.parse("a[b]=1&a[c][d]=2&e[]=3&e[]=4&f=") == {
        "a": {"b": "1", "c": {"d": "2"}},
        "e": {"0": "3", "1": "4"},
        "f": "",
    }
