"""Stripe's webhooks in the cases that all payment systems share; its own are in test_stripe_*.py."""

import time
from typing import Any

from django.test import Client

from integrations.sandbox.stripe.webhooks import signature
from referral_rocket.accounts.scoping import tenant
from tests.integrations.inbound_cases import CUSTOMER, EMAIL, InboundCases, Message, Teller, now
from webhooks.inbound.models import InboundEvent


class Stripe(Teller):
    provider = "stripe"
    credentials = {"api_key": "sk_live_factory0001"}
    other_mode = {"api_key": "sk_test_factory0001"}
    webhook_secret = "whsec_factory0001"

    def paid(self, payment: str, amount: int = 12000, *, code: str = "", own_id: str = "", who: bool = True) -> Message:
        metadata = {"referral_code": code, "transaction_id": own_id}
        return self._message(
            "payment_intent.succeeded",
            id=payment,
            amount_received=amount,
            currency="usd",
            latest_charge=f"ch_{payment}",
            customer=CUSTOMER,
            receipt_email=EMAIL if who else None,
            metadata={key: value for key, value in metadata.items() if value},
        )

    def refunded(self, payment: str, refund: str, amount: int) -> Message:
        return self._message(
            "refund.created",
            id=refund,
            amount=amount,
            currency="usd",
            payment_intent=payment,
            charge=f"ch_{payment}",
            status="succeeded",
        )

    def disputed(self, payment: str, dispute: str, amount: int, outcome: str) -> Message:
        return self._message(
            "charge.dispute.created" if outcome == "OPEN" else "charge.dispute.closed",
            id=dispute,
            amount=amount,
            currency="usd",
            payment_intent=payment,
            charge=f"ch_{payment}",
            status={"OPEN": "needs_response"}.get(outcome, outcome.lower()),
        )

    def unknown(self) -> Message:
        return self._message("payout.paid", id="po_1")

    def other_mode_told(self, payment: str) -> Message | None:
        message = self.paid(payment)
        return Message({**message.payload, "livemode": False}, message.event_id, message.type)

    def headers(self, message: Message, secret: str) -> dict[str, str]:
        return {"Stripe-Signature": signature(message.body, secret, int(time.time()))}

    def _message(self, event_type: str, **thing: Any) -> Message:
        event_id = f"evt_{event_type}_{thing['id']}"
        payload = {
            "id": event_id,
            "type": event_type,
            "created": int(now().timestamp()),
            "livemode": True,
            "data": {"object": thing},
        }
        return Message(payload, event_id, event_type)


class TestInbound(InboundCases):
    teller = Stripe()

    def test_a_stale_signature_is_refused(self, organization, link):
        message = self.teller.paid("pay_1")
        stale = signature(message.body, self.teller.secret, int(time.time()) - 301)

        answer = Client().post(
            f"/webhooks/in/stripe/{link.pk}",
            data=message.body,
            content_type="application/json",
            headers={"Stripe-Signature": stale},
        )

        assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature")
        with tenant(organization):
            assert InboundEvent.objects.count() == 0
