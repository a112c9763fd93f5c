"""Stripe's published samples, as the events that tell of them, signed and put through the door."""

import time
from typing import Any

import pytest

from participants.models import Payment, QualifyingEvent, Reversal
from referral_rocket.accounts.scoping import tenant
from tests import factories
from tests.integrations.conftest import stripe_samples
from tests.integrations.stripe_events import over
from tests.webhooks.stripe_sales import deliver
from webhooks.inbound import dispatch
from webhooks.inbound.models import InboundEvent, InboundStatus

__all__ = ["stripe_samples"]
pytestmark = pytest.mark.django_db

PAID = {"id": "pi_1", "amount": 12000, "amount_received": 12000, "status": "succeeded", "customer": "cus_1"}
SESSION = {
    "id": "cs_1", "payment_intent": "pi_1", "amount_total": 12000, "payment_status": "paid", "currency": "usd",
    "customer_details": {"email": "buyer@example.com"}, "customer": "cus_1", "status": "complete",
}  # fmt: skip
INVOICE = {
    "id": "in_1", "amount_paid": 12000, "status": "paid", "customer": "cus_1", "customer_email": "buyer@example.com",
    "shipping_cost": None, "total_taxes": [{"amount": 1900}], "amount_shipping": 0,
}  # fmt: skip
REFUND = {
    "id": "re_1",
    "payment_intent": "pi_1",
    "charge": "ch_1",
    "amount": 3000,
    "currency": "usd",
    "status": "succeeded",
}
CHARGE = {"id": "ch_1", "payment_intent": "pi_1", "amount": 12000, "amount_refunded": 3000, "currency": "usd"}
DISPUTE = {"id": "dp_1", "payment_intent": "pi_1", "charge": "ch_1", "amount": 12000, "currency": "usd"}
JOINED = {"invoice": "in_1", "payment": {"type": "payment_intent", "payment_intent": "pi_1"}, "currency": "usd"}

# (event type, sample, what matters in it) → (status, payments with an amount, qualifying events, reversals)
TABLE = [
    ("checkout.session.completed", "checkout.session", SESSION, (InboundStatus.PROCESSED, 1, 1, [])),
    ("checkout.session.async_payment_succeeded", "checkout.session", SESSION, (InboundStatus.PROCESSED, 1, 1, [])),
    (
        "checkout.session.completed", "checkout.session", {**SESSION, "payment_status": "unpaid"},
        (InboundStatus.IGNORED, 0, 0, []),
    ),
    (
        "payment_intent.succeeded", "payment_intent", {**PAID, "receipt_email": "buyer@example.com"},
        (InboundStatus.PROCESSED, 1, 1, []),
    ),
    ("payment_intent.succeeded", "payment_intent", PAID, (InboundStatus.PROCESSED, 1, 0, [])),
    ("invoice.paid", "invoice", INVOICE, (InboundStatus.PROCESSED, 1, 1, [])),
    ("invoice.paid", "invoice", {**INVOICE, "amount_paid": 0}, (InboundStatus.PROCESSED, 1, 0, [])),
    ("invoice_payment.paid", "invoice_payment", JOINED, (InboundStatus.PROCESSED, 0, 0, [])),
    ("refund.created", "refund", REFUND, (InboundStatus.PROCESSED, 0, 0, [("REFUND", "DONE", 3000)])),
    ("refund.updated", "refund", REFUND, (InboundStatus.PROCESSED, 0, 0, [("REFUND", "DONE", 3000)])),
    (
        "refund.failed", "refund", {**REFUND, "status": "failed"},
        (InboundStatus.PROCESSED, 0, 0, [("REFUND", "FAILED", 3000)]),
    ),
    ("charge.refunded", "charge", CHARGE, (InboundStatus.PROCESSED, 0, 0, [("REFUND", "DONE", 3000)])),
    (
        "charge.dispute.created", "dispute", {**DISPUTE, "status": "needs_response"},
        (InboundStatus.PROCESSED, 0, 0, [("DISPUTE", "OPEN", 12000)]),
    ),
    (
        "charge.dispute.closed", "dispute", {**DISPUTE, "status": "won"},
        (InboundStatus.PROCESSED, 0, 0, [("DISPUTE", "WON", 12000)]),
    ),
    (
        "charge.dispute.closed", "dispute", {**DISPUTE, "status": "lost"},
        (InboundStatus.PROCESSED, 0, 0, [("DISPUTE", "LOST", 12000)]),
    ),
    (
        "charge.dispute.funds_withdrawn", "dispute", {**DISPUTE, "status": "under_review"},
        (InboundStatus.PROCESSED, 0, 0, [("DISPUTE", "OPEN", 12000)]),
    ),
    (
        "charge.dispute.funds_reinstated", "dispute", {**DISPUTE, "status": "won"},
        (InboundStatus.PROCESSED, 0, 0, [("DISPUTE", "WON", 12000)]),
    ),
    (
        "charge.dispute.created", "dispute", {**DISPUTE, "status": "warning_needs_response"},
        (InboundStatus.IGNORED, 0, 0, []),
    ),
    ("customer.created", "customer", {"email": "buyer@example.com"}, (InboundStatus.PROCESSED, 0, 0, [])),
    ("customer.updated", "customer", {"email": "nobody@example.com"}, (InboundStatus.IGNORED, 0, 0, [])),
    ("plan.created", "plan", {}, (InboundStatus.IGNORED, 0, 0, [])),
    ("payout.paid", "payout", {}, (InboundStatus.IGNORED, 0, 0, [])),
    ("charge.succeeded", "charge", CHARGE, (InboundStatus.IGNORED, 0, 0, [])),
]  # fmt: skip


@pytest.mark.parametrize(("event_type", "sample", "changes", "ends"), TABLE)
def test_it_works(
    organization: Any, connection: Any, stripe_samples: Any, event_type: str, sample: str, changes: Any, ends: Any
) -> None:
    factories.participant(factories.campaign(organization), "buyer@example.com")
    thing = over(stripe_samples[sample], changes)
    event = {
        "id": "evt_1",
        "type": event_type,
        "created": int(time.time()),
        "livemode": True,
        "data": {"object": thing},
    }

    deliver(connection, [event, event])
    dispatch.run()

    with tenant(organization):
        (stored,) = InboundEvent.objects.all()
        found = (
            stored.status,
            Payment.objects.exclude(amount=None).count(),
            QualifyingEvent.objects.count(),
            list(Reversal.objects.values_list("kind", "status", "amount")),
        )
    assert found == ends, stored.reason
    assert stored.reason
