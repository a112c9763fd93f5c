"""Paddle's webhooks: the shared cases."""

from typing import Any

import pytest

from integrations.registry import provider_of
from participants.models import Reversal
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.signing import hex_signature
from tests.integrations.inbound_cases import CUSTOMER, EMAIL, InboundCases, Message, Teller, now

STAMP = "1763719200"


class Paddle(Teller):
    provider = "paddle"
    credentials = {"api_key": "pdl_live_apikey_factory0001"}
    other_mode = {"api_key": "pdl_sdbx_apikey_factory0001"}
    webhook_secret = "pdl_ntfset_factory0001"

    def paid(self, payment: str, amount: int = 12000, *, code: str = "", own_id: str = "", who: bool = True) -> Message:
        custom = {"referral_code": code, "transaction_id": own_id}
        return self._message(
            "transaction.completed",
            id=payment,
            status="completed",
            customer_id=CUSTOMER,
            currency_code="USD",
            custom_data={key: value for key, value in custom.items() if value} or None,
            billed_at=now().isoformat(),
            details={
                "totals": {"grand_total": str(amount), "tax": "0", "discount": "0"},
                "line_items": [
                    {"product": {"id": "pro_1"}, "quantity": 1, "totals": {"total": str(amount)}, "price_id": "pri_1"}
                ],
            },
        )

    def customer(self) -> Message | None:
        return self._message("customer.created", id=CUSTOMER, email=EMAIL)

    def refunded(self, payment: str, refund: str, amount: int, status: str = "approved") -> Message:
        return self._adjustment("refund", payment, refund, amount, status)

    def disputed(self, payment: str, dispute: str, amount: int, outcome: str) -> Message:
        # A lost chargeback is never heard of again: it stays approved.
        return self._adjustment("chargeback", payment, dispute, amount, "reversed" if outcome == "WON" else "approved")

    def unknown(self) -> Message:
        return self._message("subscription.canceled", id="sub_1")

    def headers(self, message: Message, secret: str) -> dict[str, str]:
        return {"Paddle-Signature": f"ts={STAMP};h1={hex_signature(secret, STAMP.encode() + b':' + message.body)}"}

    def _adjustment(self, action: str, payment: str, adjustment: str, amount: int, status: str) -> Message:
        return self._message(
            "adjustment.created" if status == "approved" else "adjustment.updated",
            id=adjustment,
            action=action,
            transaction_id=payment,
            status=status,
            currency_code="USD",
            totals={"total": str(amount)},
        )

    def _message(self, event_type: str, **data: Any) -> Message:
        event_id = f"evt_{event_type}_{data['id']}_{data.get('status')}"
        return Message(
            {"event_id": event_id, "event_type": event_type, "occurred_at": now().isoformat(), "data": data},
            event_id,
            event_type,
        )


class TestInbound(InboundCases):
    teller = Paddle()

    @pytest.mark.parametrize(
        ("action", "status", "reversal"),
        [
            ("refund", "pending_approval", []),
            ("refund", "rejected", [("REFUND", "FAILED")]),
            ("chargeback_warning", "approved", []),
            ("chargeback_reverse", "approved", []),
            ("credit", "approved", []),
        ],
    )
    def test_what_adjustments_come_to(self, organization, link, action, status, reversal):
        self.tell(link, self.teller._adjustment(action, "pay_1", "adj_1", 1000, status))

        with tenant(organization):
            assert [(each.kind, each.status) for each in Reversal.objects.all()] == reversal

    def test_while_a_secret_is_rotated_there_are_two_signatures(self, organization, link):
        message = self.teller.paid("pay_1")
        good = self.teller.headers(message, self.teller.secret)["Paddle-Signature"]
        stamp, signature = good.split(";")

        answer = self.post(link, message, **{"Paddle-Signature": f"{stamp};h1={'0' * 64};{signature}"})

        assert answer.status_code == 200

    @pytest.mark.parametrize("header", ["h1=aa", "ts=1", "ts=1;ts=2;h1=aa", "nonsense", "ts=\u0661;h1=\u0661"])
    def test_a_header_of_another_form(self, organization, link, header):
        answer = self.post(link, self.teller.paid("pay_1"), **{"Paddle-Signature": header})

        assert answer.status_code == 400

    def test_a_transaction_item_by_item(self):
        message = self.teller.paid("pay_1", 12000)
        totals = {"grand_total": "12000", "tax": "2000", "discount": "500"}
        data = {**message.payload["data"], "details": {**message.payload["data"]["details"], "totals": totals}}

        (fact,) = provider_of("paddle").inbound.read({**message.payload, "data": data})

        assert (fact.amount, fact.tax, fact.discount) == (12000, 2000, 500)
        assert [(item.product, item.quantity, item.amount) for item in fact.items] == [("pro_1", 1, 12000)]
