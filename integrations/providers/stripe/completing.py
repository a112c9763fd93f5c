"""What a webhook of Stripe leaves out, asked afterwards: which intent paid an invoice, and which code a checkout used.

An invoice names no intent and an intent no invoice; `invoice_payment.paid` joins them, and where it doesn't come the
invoice's payment is asked for. A checkout names its promotion code by id; the code itself may be a referral code.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from integrations.base import Access, Fact, PaymentJoined, PaymentSeen
from integrations.providers.stripe import payments
from integrations.providers.stripe.client import Conversation, Missing

Json = Mapping[str, Any]


def leaves_out(payload: Json) -> bool:
    """Whether there is something to ask. Reads only what a readable event has."""
    thing = payload["data"]["object"]
    if payload["type"] == "invoice.paid":
        return bool(thing.get("amount_paid")) and not (thing.get("payment_intent") or thing.get("charge"))
    if payload["type"] in ("checkout.session.completed", "checkout.session.async_payment_succeeded"):
        return bool(_promotion(thing)) and payments.of_session(thing, _at(payload)).referral_code is None
    return False


def ask(access: Access, payload: Json) -> tuple[Fact, ...]:
    """The facts that were left out; none where Stripe has none. Raises the errors of `integrations.errors`."""
    talk = Conversation(access)
    thing, at = payload["data"]["object"], _at(payload)
    if payload["type"] == "invoice.paid":
        return _joined(talk, thing["id"], at)
    try:
        with talk.reading():
            code = talk.api.promotion_codes.retrieve(str(_promotion(thing))).to_dict()["code"]
    except Missing:
        return ()
    seen: PaymentSeen = payments.of_session(thing, at)
    return (replace(seen, referral_code=code),)


def _joined(talk: Conversation, invoice_id: str, at: datetime) -> tuple[Fact, ...]:
    with talk.reading():
        paid = [
            each.to_dict()["payment"]
            for each in talk.api.invoice_payments.list({"invoice": invoice_id, "limit": 10}).data
        ]
        found = []
        for payment in paid:
            references = payments.references(
                ("invoice", invoice_id),
                ("payment_intent", payment.get("payment_intent")),
                ("charge", payment.get("charge")),
            )
            if len(references) > 1:
                found.append(PaymentJoined(references, at))
    # Paid in parts, an invoice is several payments, and none of them is the invoice.
    return tuple(found) if len(found) == 1 else ()


def _promotion(session: Json) -> str | None:
    for discount in session.get("discounts") or ():
        promotion = discount.get("promotion_code")
        if promotion:
            return str(promotion["id"] if isinstance(promotion, Mapping) else promotion)
    return None


def _at(payload: Json) -> datetime:
    return datetime.fromtimestamp(payload["created"], UTC)
