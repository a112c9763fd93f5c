"""Cashfree's webhooks: the shared cases, and payloads that its OpenAPI document's schemas accept."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from integrations.registry import provider_of
from participants.models import Payment, Reversal
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.signing import base64_signature
from tests.integrations.checks import access, assert_refused, assert_tried_again, assert_works
from tests.integrations.inbound_cases import CUSTOMER, EMAIL, InboundCases, Message, Teller, now
from webhooks.inbound.models import InboundEvent

STAMP = "1763699400000"


class Cashfree(Teller):
    provider = "cashfree"
    credentials = {"client_id": "factory0001", "client_secret": "cfsk_ma_prod_factory0001"}
    other_mode = {"client_id": "TESTfactory0001", "client_secret": "cfsk_ma_test_factory0001"}
    signing = "client_secret"

    def paid(self, payment: str, amount: int = 12000, *, code: str = "", own_id: str = "", who: bool = True) -> Message:
        tags = {"referral_code": code, "transaction_id": own_id}
        return self._message(
            "PAYMENT_SUCCESS_WEBHOOK",
            order={
                "order_id": payment,
                "order_amount": amount / 100,
                "order_currency": "USD",
                "order_tags": {key: value for key, value in tags.items() if value} or None,
            },
            payment={
                "cf_payment_id": f"9{payment[4:]}",
                "payment_status": "SUCCESS",
                "payment_amount": amount / 100,
                "payment_currency": "USD",
                "payment_time": now().isoformat(),
            },
            customer_details={"customer_id": CUSTOMER, "customer_email": EMAIL if who else None},
        )

    def refunded(self, payment: str, refund: str, amount: int, status: str = "SUCCESS") -> Message:
        return self._message(
            "REFUND_STATUS_WEBHOOK",
            refund={
                "cf_refund_id": f"cf_{refund}",
                "refund_id": refund,
                "cf_payment_id": f"9{payment[4:]}",
                "order_id": payment,
                "refund_amount": amount / 100,
                "refund_currency": "USD",
                "refund_status": status,
            },
        )

    def disputed(self, payment: str, dispute: str, amount: int, outcome: str) -> Message:
        status = {"OPEN": "CHARGEBACK_CREATED", "WON": "CHARGEBACK_MERCHANT_WON", "LOST": "CHARGEBACK_MERCHANT_LOST"}
        return self._message(
            "DISPUTE_CREATED" if outcome == "OPEN" else "DISPUTE_CLOSED",
            dispute={
                "dispute_id": dispute,
                "dispute_type": "CHARGEBACK",
                "dispute_amount": amount / 100,
                "dispute_status": status[outcome],
            },
            order_details={"order_id": payment, "order_currency": "USD", "cf_payment_id": f"9{payment[4:]}"},
        )

    def unknown(self) -> Message:
        return self._message("SETTLEMENT_INITIATED", settlement={"cf_settlement_id": "1"})

    def headers(self, message: Message, secret: str) -> dict[str, str]:
        return {
            "x-webhook-timestamp": STAMP,
            "x-webhook-signature": base64_signature(secret, STAMP.encode() + message.body),
        }

    def _message(self, event_type: str, **data: Any) -> Message:
        return Message({"data": data, "event_time": now().isoformat(), "type": event_type}, "", event_type)


class TestInbound(InboundCases):
    teller = Cashfree()

    def test_payloads_that_its_schemas_accept(self, organization, link, contracts):
        document = json.loads((contracts / "cashfree-openapi-payment-gateway.json").read_text())
        told = [
            ("PaymentWebhook", self.teller.paid("pay_1", code="CODE2345"), "PROCESSED"),
            ("RefundWebhook", self.teller.refunded("pay_1", "re_1", 2050), "PROCESSED"),
            ("RefundWebhook", self.teller.refunded("pay_1", "re_2", 1000, "PENDING"), "IGNORED"),
            ("RefundWebhook", self.teller.refunded("pay_1", "re_3", 1000, "ONHOLD"), "IGNORED"),
            ("RefundWebhook", self.teller.refunded("pay_1", "re_1", 2050, "CANCELLED"), "PROCESSED"),
            ("SettlementWebhook", self.teller.unknown(), "IGNORED"),
        ]
        for schema, message, status in told:
            body = json.loads(message.body, parse_float=float)
            _without_nulls(body)
            reference = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
            Draft202012Validator(reference).validate(body)
            self.tell(link, Message(body, "", message.type))
            with tenant(organization):
                assert InboundEvent.objects.latest("pk").status == status, message

        with tenant(organization):
            payment = Payment.objects.get()
            assert (payment.amount, payment.currency, payment.transaction_id) == (12000, "USD", "pay_1")
            assert payment.referral_code == "CODE2345"
            assert [(each.refund_id, each.amount, each.status) for each in Reversal.objects.all()] == [
                ("re_1", 2050, "FAILED")
            ]

    @pytest.mark.parametrize("end", ["MERCHANT_WON", "MERCHANT_LOST", "MERCHANT_ACCEPTED", "INSUFFICIENT_EVIDENCE"])
    def test_every_status_of_a_dispute_that_its_document_names(self, organization, link, contracts, end):
        document = json.loads((contracts / "cashfree-openapi-payment-gateway.json").read_text())
        statuses = document["components"]["schemas"]["DisputesEntity"]["properties"]["dispute_status"]["enum"]
        wanted = {"MERCHANT_WON": "WON"}.get(end, "LOST")

        for number, status in enumerate(each for each in statuses if each.endswith(end)):
            kind = status.removesuffix(f"_{end}")
            message = self.teller.disputed("pay_1", f"di_{number}", 3000, "OPEN")
            dispute = {**message.payload["data"]["dispute"], "dispute_status": status, "dispute_type": kind}
            payload = {**message.payload, "data": {**message.payload["data"], "dispute": dispute}}
            self.tell(link, Message(payload, "", message.type))
            with tenant(organization):
                told = Reversal.objects.filter(refund_id=f"di_{number}").values_list("status", flat=True)
                assert list(told) == ([] if kind == "RETRIEVAL" else [wanted]), status

    @pytest.mark.parametrize(
        ("amount", "currency", "minor"),
        [(10.1, "INR", 1010), (0.29, "USD", 29), (500, "JPY", 500), (1.234, "KWD", 1234)],
    )
    def test_amounts_in_major_units(self, amount, currency, minor):
        message = self.teller.paid("pay_1")
        payment = {**message.payload["data"]["payment"], "payment_amount": amount, "payment_currency": currency}

        (fact,) = provider_of("cashfree").inbound.read(
            {**message.payload, "data": {**message.payload["data"], "payment": payment}}
        )

        assert (fact.amount, fact.currency) == (minor, currency)

    def test_a_refund_that_goes_on_is_three_events(self, organization, link):
        for status in ("PENDING", "SUCCESS", "SUCCESS"):
            self.tell(link, self.teller.refunded("pay_1", "re_1", 1000, status))

        with tenant(organization):
            assert sorted(InboundEvent.objects.values_list("provider_event_id", flat=True)) == [
                "REFUND_STATUS_WEBHOOK:cf_re_1:PENDING",
                "REFUND_STATUS_WEBHOOK:cf_re_1:SUCCESS",
            ]


def _without_nulls(value: Any) -> None:
    if isinstance(value, dict):
        for key in [key for key, inner in value.items() if inner is None]:
            del value[key]
        for inner in value.values():
            _without_nulls(inner)


def test_checking_the_credentials(sandbox):
    described = provider_of("cashfree")
    mine = access(sandbox, "cashfree", Cashfree.credentials)

    assert_works(described, mine, account="factory0001", currency=None)
    assert_tried_again(described, mine, sandbox)
    sandbox.post("cashfree/revoked", client_id="factory0001")
    assert_refused(described, mine)
