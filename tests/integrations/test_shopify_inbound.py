"""Shopify's webhooks: the shared cases, and every example payload of its schema package."""

import json
from hashlib import sha256
from typing import Any

import pytest

from integrations.registry import provider_of
from participants.models import Payment, Reversal
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.signing import base64_signature
from tests.integrations.inbound_cases import CUSTOMER, EMAIL, InboundCases, Message, Teller, now
from webhooks.inbound.models import InboundEvent

VERSION = "shopify-webhooks-2026-07"


def number(name: str) -> int:
    """Shopify's ids are numbers: one for each name."""
    return int.from_bytes(sha256(name.encode()).digest()[:6])


class Shopify(Teller):
    provider = "shopify"
    credentials = {
        "shop": "factory.myshopify.com",
        "access_token": "shpat_factory0001",
        "client_secret": "shpss_factory0001",
    }
    signing = "client_secret"

    def paid(self, payment: str, amount: int = 12000, *, code: str = "", own_id: str = "", who: bool = True) -> Message:
        attributes = {"referral_code": code, "transaction_id": own_id}
        order = {
            "id": number(payment),
            "currency": "USD",
            "total_price": f"{amount / 100:.2f}",
            "processed_at": now().isoformat(),
            "email": EMAIL if who else "",
            "customer": {"id": int(CUSTOMER), "email": EMAIL if who else None},
            "note_attributes": [{"name": name, "value": value} for name, value in attributes.items() if value],
            "test": False,
        }
        return self._message("orders/paid", order)

    def refunded(self, payment: str, refund: str, amount: int) -> Message:
        transaction = {"kind": "refund", "status": "success", "amount": f"{amount / 100:.2f}", "currency": "USD"}
        told = {
            "id": number(refund),
            "order_id": number(payment),
            "created_at": now().isoformat(),
            "transactions": [transaction],
        }
        return self._message("refunds/create", told)

    def disputed(self, payment: str, dispute: str, amount: int, outcome: str) -> Message:
        told = {
            "id": number(dispute),
            "order_id": number(payment),
            "type": "chargeback",
            "amount": f"{amount / 100:.2f}",
            "currency": "USD",
            "status": {"OPEN": "needs_response"}.get(outcome, outcome.lower()),
            "initiated_at": now().isoformat(),
        }
        return self._message("disputes/create" if outcome == "OPEN" else "disputes/update", told)

    def unknown(self) -> Message:
        return self._message("orders/updated", self.paid("pay_1").payload)

    def other_mode_told(self, payment: str) -> Message | None:
        return self._message("orders/paid", {**self.paid(payment).payload, "test": True})

    def headers(self, message: Message, secret: str) -> dict[str, str]:
        return {
            "X-Shopify-Hmac-SHA256": base64_signature(secret, message.body),
            "X-Shopify-Webhook-Id": message.event_id,
            "X-Shopify-Topic": message.type,
        }

    def _message(self, topic: str, payload: Any) -> Message:
        return Message(payload, f"{topic}:{payload['id']}:{payload.get('status')}", topic)


class TestInbound(InboundCases):
    teller = Shopify()

    @pytest.mark.parametrize(
        ("topic", "status", "amount", "reversal"),
        [
            ("orders_paid", "PROCESSED", 40495, None),
            ("orders_cancelled", "PROCESSED", None, ("REFUND", "DONE", 40495, "USD")),
            ("refunds_create", "PROCESSED", None, ("REFUND", "DONE", 8500, "USD")),
            ("disputes_create", "PROCESSED", None, ("DISPUTE", "OPEN", 1150, "CAD")),
            ("disputes_update", "PROCESSED", None, ("DISPUTE", "OPEN", 1150, "CAD")),
            ("customers_create", "IGNORED", None, None),
            ("customers_redact", "PROCESSED", None, None),
            ("orders_create", "IGNORED", None, None),
            ("orders_updated", "IGNORED", None, None),
        ],
    )
    def test_every_example_of_its_package(self, organization, link, contracts, topic, status, amount, reversal):
        told = json.loads((contracts / VERSION / f"{topic}.metadata.json").read_text())["response"]
        payload = json.loads(told) if isinstance(told, str) else told
        if "shop_domain" in payload:
            payload["shop_domain"] = self.teller.credentials["shop"]
        if "test" in payload:
            # The examples are of test orders, which a live organization leaves alone.
            payload["test"] = False
        name = topic.replace("_", "/", 1)

        self.tell(link, Message(payload, "wh_1", name))

        with tenant(organization):
            event = InboundEvent.objects.get()
            assert (event.event_type, event.status, bool(event.reason)) == (name, status, True)
            payments = list(Payment.objects.values_list("amount", "transaction_id", "email"))
            assert (
                payments
                == {
                    40495: [(40495, "820982911946154500", "jon@example.com")],
                    None: [(None, None, None)] if reversal else [],
                }[amount]
            )
            reversals = [(each.kind, each.status, each.amount) for each in Reversal.objects.all()]
            assert reversals == ([reversal[:3]] if reversal else [])

    def test_there_is_no_other_topic_in_the_package(self, contracts):
        topics = {path.name.split(".")[0] for path in (contracts / VERSION).glob("*.metadata.json")}
        assert topics == {
            "orders_paid", "orders_cancelled", "refunds_create", "disputes_create", "disputes_update",
            "customers_create", "customers_redact", "orders_create", "orders_updated",
        }  # fmt: skip

    def test_an_order_item_by_item(self):
        order = {
            **self.teller.paid("pay_1").payload,
            "taxes_included": True,
            "total_tax": "19.00",
            "total_discounts": "5.00",
            "total_shipping_price_set": {"shop_money": {"amount": "5.95", "currency_code": "USD"}},
            "shipping_lines": [{"tax_lines": [{"price": "0.95"}]}],
            "shipping_address": {"country_code": "DE"},
            "discount_codes": [{"code": "K7QF2M9P"}],
            "line_items": [{"product_id": 7, "quantity": 2, "price": "40.00", "total_discount": "5.00"}],
        }

        (fact,) = provider_of("shopify").inbound.read_type("orders/paid", order)

        assert (fact.tax, fact.shipping, fact.discount, fact.country) == (1900, 500, 500, "DE")
        assert fact.referral_code == "K7QF2M9P"
        assert [(item.product, item.quantity, item.amount) for item in fact.items] == [("7", 2, 7500)]

    def test_a_cancelled_order_s_refund_counts_once(self, organization, link, friend):
        refund = self.teller.refunded("pay_1", "re_1", 2000)
        order = {
            **self.teller.paid("pay_1").payload,
            "financial_status": "partially_refunded",
            "refunds": [refund.payload],
        }

        self.tell(link, self.teller.paid("pay_1"), Message(order, "wh_c", "orders/cancelled"), refund)

        assert self.owed(organization) == [(10000, 1000)]

    def test_an_inquiry_takes_nothing(self, organization, link, friend):
        dispute = self.teller.disputed("pay_1", "di_1", 3000, "OPEN")
        inquiry = Message({**dispute.payload, "type": "inquiry"}, "wh_i", dispute.type)

        self.tell(link, self.teller.paid("pay_1"), inquiry)

        assert self.owed(organization) == [(12000, 1200)]

    def test_a_body_without_its_topic_is_refused(self, organization, link):
        answer = self.post(link, self.teller.paid("pay_1"), **{"X-Shopify-Topic": ""})

        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
