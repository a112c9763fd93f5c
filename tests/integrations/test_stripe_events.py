import pytest

from integrations.base import (
    CustomerSeen,
    Ignored,
    Item,
    PaymentJoined,
    PaymentSeen,
    Reference,
    ReversalKind,
    ReversalSeen,
    ReversalStatus,
    TransactionRank,
)
from integrations.errors import UnreadableEvent
from integrations.providers.stripe.inbound import READERS, StripePayments
from tests.integrations.stripe_events import AT, event, over

PAID_SESSION = {
    "id": "cs_1",
    "amount_total": 12000,
    "currency": "usd",
    "payment_status": "paid",
    "payment_intent": "pi_1",
    "customer": "cus_1",
    "client_reference_id": "K7QF2M9P",
    "customer_details": {"email": "friend@example.com", "address": {"country": "DE"}},
    "shipping_cost": {"amount_subtotal": 500},
    "total_details": {"amount_tax": 1900, "amount_discount": 1000, "amount_shipping": 595},
    "metadata": {"plan": "pro"},
}


def read(event_type, sample, changes):
    facts = StripePayments().read(event(event_type, over(sample, changes)))
    assert len(facts) == 1
    return facts[0]


def refs(*pairs):
    return tuple(Reference(kind, value) for kind, value in pairs)


def test_it_works(stripe_samples):
    fact = read("checkout.session.completed", stripe_samples["checkout.session"], PAID_SESSION)

    assert fact == PaymentSeen(
        references=refs(("payment_intent", "pi_1"), ("checkout_session", "cs_1")),
        transaction_id="pi_1",
        transaction_rank=TransactionRank.PAYMENT,
        amount=12000,
        currency="USD",
        occurred_at=AT,
        email="friend@example.com",
        provider_customer_id="cus_1",
        referral_code="K7QF2M9P",
        country="DE",
        tax=1900,
        shipping=500,
        discount=1000,
        metadata={"plan": "pro"},
    )


def test_every_event_type_of_the_table_is_tested():
    assert set(READERS) == {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "payment_intent.succeeded",
        "invoice.paid",
        "invoice_payment.paid",
        "customer.created",
        "customer.updated",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.refunded",
        "charge.dispute.created",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    }


def test_metadata_names_the_code_and_the_transaction_first(stripe_samples):
    changes = PAID_SESSION | {"metadata": {"referral_code": "9TD8MNU2", "transaction_id": "ord_991"}}

    fact = read("checkout.session.completed", stripe_samples["checkout.session"], changes)

    assert fact.referral_code == "9TD8MNU2"
    assert (fact.transaction_id, fact.transaction_rank) == ("ord_991", TransactionRank.METADATA)


def test_a_session_of_a_subscription_names_its_invoice(stripe_samples):
    changes = PAID_SESSION | {"payment_intent": None, "invoice": "in_1", "mode": "subscription"}

    fact = read("checkout.session.completed", stripe_samples["checkout.session"], changes)

    assert fact.references == refs(("invoice", "in_1"), ("checkout_session", "cs_1"))
    assert (fact.transaction_id, fact.transaction_rank) == ("in_1", TransactionRank.INVOICE)


def test_an_unpaid_session_waits_for_its_payment(stripe_samples):
    sample = stripe_samples["checkout.session"]

    assert isinstance(read("checkout.session.completed", sample, PAID_SESSION | {"payment_status": "unpaid"}), Ignored)
    assert read("checkout.session.async_payment_succeeded", sample, PAID_SESSION).amount == 12000


def test_a_free_session_is_a_payment_of_nothing(stripe_samples):
    changes = PAID_SESSION | {
        "amount_total": 0,
        "payment_status": "no_payment_required",
        "payment_intent": None,
        "mode": "subscription",
    }

    fact = read("checkout.session.completed", stripe_samples["checkout.session"], changes)

    assert (fact.amount, fact.transaction_id, fact.transaction_rank) == (0, "cs_1", TransactionRank.SESSION)
    assert fact.referral_code == "K7QF2M9P"


def test_a_session_that_only_saves_a_card(stripe_samples):
    changes = PAID_SESSION | {"mode": "setup", "currency": None, "amount_total": None}

    assert isinstance(read("checkout.session.completed", stripe_samples["checkout.session"], changes), Ignored)


def test_payment_intent(stripe_samples):
    changes = {
        "id": "pi_1",
        "amount_received": 1099,
        "currency": "eur",
        "latest_charge": "ch_1",
        "customer": {"id": "cus_1"},
        "receipt_email": "friend@example.com",
        "metadata": {"referral_code": " K7QF2M9P "},
        "shipping": {"address": {"country": "FR"}},
        "amount_details": {"tax": {"total_tax_amount": 99}, "shipping": {"amount": 300}, "discount_amount": 50},
    }

    fact = read("payment_intent.succeeded", stripe_samples["payment_intent"], changes)

    assert fact == PaymentSeen(
        references=refs(("payment_intent", "pi_1"), ("charge", "ch_1")),
        transaction_id="pi_1",
        transaction_rank=TransactionRank.PAYMENT,
        amount=1099,
        currency="EUR",
        occurred_at=AT,
        email="friend@example.com",
        provider_customer_id="cus_1",
        referral_code="K7QF2M9P",
        country="FR",
        tax=99,
        shipping=300,
        discount=50,
        metadata={"referral_code": " K7QF2M9P "},
    )


INVOICE = {
    "id": "in_1",
    "amount_paid": 5950,
    "currency": "usd",
    "customer": "cus_1",
    "customer_email": "friend@example.com",
    "customer_address": {"country": "DE"},
    "metadata": {"plan": "pro"},
    "parent": {"subscription_details": {"metadata": {"referral_code": "K7QF2M9P", "plan": "basic"}}},
    "total_taxes": [{"amount": 900}, {"amount": 50}],
    "total_discount_amounts": [{"amount": 100}],
    "shipping_cost": None,
    "lines": {
        "data": [
            {"amount": 5000, "quantity": 2, "pricing": {"price_details": {"price": "price_1", "product": "prod_1"}}},
            {"amount": 100, "quantity": 1, "pricing": None},
        ]
    },
}


def test_invoice(stripe_samples):
    fact = read("invoice.paid", stripe_samples["invoice"], INVOICE)

    assert fact == PaymentSeen(
        references=refs(("invoice", "in_1")),
        transaction_id="in_1",
        transaction_rank=TransactionRank.INVOICE,
        amount=5950,
        currency="USD",
        occurred_at=AT,
        email="friend@example.com",
        provider_customer_id="cus_1",
        referral_code="K7QF2M9P",
        country="DE",
        tax=950,
        shipping=0,
        discount=100,
        items=(Item("prod_1", 2, 5000),),
        metadata={"referral_code": "K7QF2M9P", "plan": "pro"},
    )


def test_an_invoice_of_an_old_api_version_names_its_intent(stripe_samples):
    changes = INVOICE | {
        "payment_intent": "pi_1",
        "charge": "ch_1",
        "parent": None,
        "subscription_details": {"metadata": {"referral_code": "9TD8MNU2"}},
        "total_taxes": None,
        "tax": 950,
    }

    fact = read("invoice.paid", stripe_samples["invoice"], changes)

    assert fact.references == refs(("payment_intent", "pi_1"), ("invoice", "in_1"), ("charge", "ch_1"))
    assert (fact.transaction_id, fact.referral_code, fact.tax) == ("pi_1", "9TD8MNU2", 950)


def test_the_first_invoice_of_a_trial_is_a_payment_of_nothing(stripe_samples):
    assert read("invoice.paid", stripe_samples["invoice"], INVOICE | {"amount_paid": 0}).amount == 0


def test_an_invoice_payment_joins(stripe_samples):
    changes = {"invoice": "in_1", "payment": {"type": "payment_intent", "payment_intent": "pi_1"}}

    fact = read("invoice_payment.paid", stripe_samples["invoice_payment"], changes)

    assert fact == PaymentJoined(refs(("invoice", "in_1"), ("payment_intent", "pi_1")), AT)


def test_an_invoice_paid_outside_joins_nothing(stripe_samples):
    changes = {"invoice": "in_1", "payment": {"type": "payment_record", "payment_record": "pr_1"}}

    assert isinstance(read("invoice_payment.paid", stripe_samples["invoice_payment"], changes), Ignored)


@pytest.mark.parametrize("event_type", ["customer.created", "customer.updated"])
def test_customer(stripe_samples, event_type):
    changes = {"id": "cus_1", "email": "friend@example.com"}

    assert read(event_type, stripe_samples["customer"], changes) == CustomerSeen("cus_1", "friend@example.com")


@pytest.mark.parametrize(
    ("event_type", "status", "ours"),
    [
        ("refund.created", "succeeded", ReversalStatus.DONE),
        ("refund.created", "pending", ReversalStatus.DONE),
        ("refund.created", "requires_action", ReversalStatus.DONE),
        ("refund.updated", "succeeded", ReversalStatus.DONE),
        ("refund.updated", "failed", ReversalStatus.FAILED),
        ("refund.updated", "canceled", ReversalStatus.FAILED),
        ("refund.failed", "failed", ReversalStatus.FAILED),
        ("refund.failed", "pending", ReversalStatus.FAILED),
    ],
)
def test_refund(stripe_samples, event_type, status, ours):
    changes = {"id": "re_1", "amount": 100, "charge": "ch_1", "payment_intent": "pi_1", "status": status}

    assert read(event_type, stripe_samples["refund"], changes) == ReversalSeen(
        references=refs(("charge", "ch_1"), ("payment_intent", "pi_1")),
        refund_id="re_1",
        amount=100,
        currency="USD",
        kind=ReversalKind.REFUND,
        status=ours,
        cumulative=False,
        occurred_at=AT,
    )


def test_a_refund_of_no_payment(stripe_samples):
    changes = {"charge": None, "payment_intent": None}

    assert isinstance(read("refund.created", stripe_samples["refund"], changes), Ignored)


def test_a_charge_tells_all_that_was_refunded(stripe_samples):
    changes = {"id": "ch_1", "amount": 1000, "amount_refunded": 300, "payment_intent": "pi_1", "refunded": False}

    assert read("charge.refunded", stripe_samples["charge"], changes) == ReversalSeen(
        references=refs(("charge", "ch_1"), ("payment_intent", "pi_1")),
        refund_id="ch_1",
        amount=300,
        currency="USD",
        kind=ReversalKind.REFUND,
        status=ReversalStatus.DONE,
        cumulative=True,
        occurred_at=AT,
    )


@pytest.mark.parametrize(
    ("event_type", "status", "ours"),
    [
        ("charge.dispute.created", "needs_response", ReversalStatus.OPEN),
        ("charge.dispute.created", "under_review", ReversalStatus.OPEN),
        ("charge.dispute.funds_withdrawn", "needs_response", ReversalStatus.OPEN),
        ("charge.dispute.funds_withdrawn", "lost", ReversalStatus.LOST),
        ("charge.dispute.closed", "won", ReversalStatus.WON),
        ("charge.dispute.closed", "lost", ReversalStatus.LOST),
        ("charge.dispute.closed", "prevented", ReversalStatus.WON),
        ("charge.dispute.funds_reinstated", "won", ReversalStatus.WON),
        ("charge.dispute.funds_reinstated", "under_review", ReversalStatus.WON),
        ("charge.dispute.funds_reinstated", "lost", ReversalStatus.LOST),
    ],
)
def test_dispute(stripe_samples, event_type, status, ours):
    changes = {"id": "dp_1", "amount": 1000, "charge": "ch_1", "payment_intent": "pi_1", "status": status}

    assert read(event_type, stripe_samples["dispute"], changes) == ReversalSeen(
        references=refs(("charge", "ch_1"), ("payment_intent", "pi_1")),
        refund_id="dp_1",
        amount=1000,
        currency="USD",
        kind=ReversalKind.DISPUTE,
        status=ours,
        cumulative=False,
        occurred_at=AT,
    )


@pytest.mark.parametrize("status", ["warning_needs_response", "warning_under_review", "warning_closed"])
@pytest.mark.parametrize("event_type", [name for name in READERS if "dispute" in name])
def test_an_inquiry_takes_nothing(stripe_samples, event_type, status):
    assert isinstance(read(event_type, stripe_samples["dispute"], {"status": status}), Ignored)


@pytest.mark.parametrize(
    ("currency", "stripes", "ours"),
    [("usd", 1200, 1200), ("jpy", 500, 500), ("isk", 500, 5), ("ugx", 500, 5), ("mga", 5, 500), ("kwd", 1230, 1230)],
)
def test_amounts_become_iso_minor_units(stripe_samples, currency, stripes, ours):
    changes = {"currency": currency, "amount_received": stripes}

    assert read("payment_intent.succeeded", stripe_samples["payment_intent"], changes).amount == ours


def test_other_events_are_ignored_saying_so():
    (fact,) = StripePayments().read(event("product.created", {}))

    assert isinstance(fact, Ignored)
    assert "product.created" in fact.reason


@pytest.mark.parametrize("event_type", list(READERS))
@pytest.mark.parametrize("thing", [{}, None, [], {"currency": "zzz", "status": "x", "amount": "many"}])
def test_an_event_that_lacks_what_matters(event_type, thing):
    with pytest.raises(UnreadableEvent):
        StripePayments().read(event(event_type, thing))


@pytest.mark.parametrize("amount", [10.5, "10", True, None, -1])
def test_an_amount_that_is_none(stripe_samples, amount):
    with pytest.raises(UnreadableEvent):
        read("payment_intent.succeeded", stripe_samples["payment_intent"], {"amount_received": amount})


def test_a_body_without_a_type():
    (fact,) = StripePayments().read({"type": ["x"]})

    assert isinstance(fact, Ignored)
