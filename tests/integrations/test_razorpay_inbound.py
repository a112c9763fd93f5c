"""Razorpay's webhooks: the shared cases, and every sample of its documentation through the door."""

import json
from typing import Any

import pytest
from django.test import Client

from integrations.providers.razorpay.inbound import RazorpayPayments
from integrations.registry import provider_of
from participants.models import Payment, PaymentReference, Reversal
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.signing import hex_signature
from tests.integrations.checks import access, assert_refused, assert_tried_again, assert_works
from tests.integrations.inbound_cases import CUSTOMER, EMAIL, InboundCases, Message, Teller, now
from webhooks.inbound.models import InboundEvent


class Razorpay(Teller):
    provider = "razorpay"
    credentials = {"key_id": "rzp_live_factory0001", "key_secret": "secret0001"}
    other_mode = {"key_id": "rzp_test_factory0001", "key_secret": "secret0001"}
    webhook_secret = "chosen-by-the-tenant"

    def paid(self, payment: str, amount: int = 12000, *, code: str = "", own_id: str = "", who: bool = True) -> Message:
        notes = {"referral_code": code, "transaction_id": own_id}
        entity = {
            "id": payment, "entity": "payment", "amount": amount, "currency": "USD", "status": "captured",
            "order_id": f"order_{payment}", "email": EMAIL if who else "void@razorpay.com", "customer_id": CUSTOMER,
            "fee": 240, "tax": 40, "notes": {key: value for key, value in notes.items() if value} or [],
        }  # fmt: skip
        return self._message("payment.captured", {"payment": entity}, payment)

    def refunded(self, payment: str, refund: str, amount: int) -> Message:
        entity = {"id": refund, "payment_id": payment, "amount": amount, "currency": "USD", "status": "processed"}
        return self._message("refund.processed", {"refund": entity}, refund)

    def disputed(self, payment: str, dispute: str, amount: int, outcome: str) -> Message:
        event_type = {"OPEN": "payment.dispute.created", "WON": "payment.dispute.won", "LOST": "payment.dispute.lost"}
        entity = {
            "id": dispute, "payment_id": payment, "amount": amount, "currency": "USD", "phase": "chargeback",
            "status": outcome.lower(), "amount_deducted": amount if outcome == "LOST" else 0,
        }  # fmt: skip
        return self._message(event_type[outcome], {"dispute": entity}, f"{dispute}_{outcome}")

    def unknown(self) -> Message:
        return self._message("payment.downtime.started", {"payment.downtime": {"id": "down_1"}}, "down_1")

    def headers(self, message: Message, secret: str) -> dict[str, str]:
        return {
            "X-Razorpay-Signature": hex_signature(secret, message.body),
            "x-razorpay-event-id": message.event_id,
        }

    def _message(self, event_type: str, entities: dict[str, Any], event_id: str) -> Message:
        payload = {name: {"entity": entity} for name, entity in entities.items()}
        return Message(
            {"event": event_type, "payload": payload, "created_at": int(now().timestamp())},
            f"evt_{event_id}",
            event_type,
        )


class TestInbound(InboundCases):
    teller = Razorpay()

    # What each sample must come to: (status, payment's amount, reversals), by type and place in its list.
    SAMPLES = {
        "payment.captured": ("PROCESSED", 100, []),
        "order.paid": ("PROCESSED", 100, []),
        "refund.created": ("PROCESSED", None, [("REFUND", "DONE", 50000)]),
        "refund.processed": ("PROCESSED", None, [("REFUND", "DONE", 50000)]),
        "refund.failed": ("PROCESSED", None, [("REFUND", "FAILED", 50000)]),
        "payment.dispute.created": ("PROCESSED", None, [("DISPUTE", "OPEN", 39000)]),
        "payment.dispute.under_review": ("PROCESSED", None, [("DISPUTE", "OPEN", 130000)]),
        "payment.dispute.action_required": ("PROCESSED", None, [("DISPUTE", "OPEN", 390000)]),
        "payment.dispute.won": ("PROCESSED", None, [("DISPUTE", "WON", 130000)]),
        "payment.dispute.lost": ("PROCESSED", None, [("DISPUTE", "LOST", 39000)]),
        # A fraud alert, in which nothing is deducted.
        "payment.dispute.closed": ("IGNORED", None, []),
    }

    def test_every_sample_of_its_documentation(self, organization, link, contracts):
        samples = json.loads((contracts / "razorpay-webhook-samples.json").read_text())
        assert self.SAMPLES.keys() <= samples.keys()

        for event_type, payloads in samples.items():
            status, amount, reversals = self.SAMPLES.get(event_type, ("IGNORED", None, []))
            for place, payload in enumerate(payloads):
                self.tell(link, Message(payload, f"evt_{event_type}_{place}", event_type))
                with tenant(organization):
                    event = InboundEvent.objects.latest("pk")
                    assert (event_type, event.status, bool(event.reason)) == (event_type, status, True)
                    told = [(each.kind, each.status, each.amount) for each in Reversal.objects.all()]
                    assert (event_type, told) == (event_type, reversals)
                    payments = list(Payment.objects.exclude(amount=None).values_list("amount", "currency"))
                    assert (event_type, payments) == (event_type, [(amount, "INR")] if amount else [])
                    # Several samples are of one refund or dispute: each is to be seen by itself.
                    for model in (Reversal, PaymentReference, Payment):
                        model.objects.all().delete()

    def test_a_subscription_s_notes_name_its_code_and_no_transaction(self):
        paid = self.teller.paid("pay_1").payload
        notes = {"referral_code": "CODE2345", "transaction_id": "one for all"}
        payload = {
            **paid["payload"],
            "subscription": {"entity": {"id": "sub_1", "customer_id": CUSTOMER, "notes": notes}},
        }

        (fact,) = RazorpayPayments().read({**paid, "event": "subscription.charged", "payload": payload})

        assert (fact.referral_code, fact.transaction_id) == ("CODE2345", "pay_1")

    def test_an_event_without_an_id_is_one_all_the_same(self, organization, link):
        message = self.teller.paid("pay_1")

        answers = [self.post(link, message, **{"x-razorpay-event-id": ""}) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 200]
        with tenant(organization):
            assert InboundEvent.objects.count() == 1

    @pytest.mark.parametrize("body", [b"[]", b"{", b'{"event": ""}', b"\xff\xfe", b"{}"])
    def test_a_signed_body_that_is_none_of_razorpay_s(self, organization, link, body):
        headers = {"X-Razorpay-Signature": hex_signature(self.teller.secret, body), "x-razorpay-event-id": "evt_1"}

        answer = Client().post(
            f"/webhooks/in/razorpay/{link.pk}", data=body, content_type="application/json", headers=headers
        )

        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_checking_a_key(sandbox):
    described = provider_of("razorpay")
    mine = access(sandbox, "razorpay", Razorpay.credentials)
    assert_works(described, mine, account="rzp_live_factory0001", currency=None)
    sandbox.post("razorpay/payments", id="pay_1", amount=100, currency="INR")
    assert_works(described, mine, account="rzp_live_factory0001", currency="INR")
    assert_tried_again(described, mine, sandbox)
    sandbox.post("razorpay/revoked", key_id="rzp_live_factory0001")
    assert_refused(described, mine)
