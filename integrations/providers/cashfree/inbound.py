"""Cashfree's webhooks: are they Cashfree's, and what do they mean. API version 2025-01-01.

An order is paid by one payment, and a refund or dispute names both, so both ids are the payment's. Amounts are decimals
in major units.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from integrations.base import (
    Fact,
    Ignored,
    PaymentSeen,
    Received,
    Reference,
    ReversalKind,
    ReversalSeen,
    ReversalStatus,
)
from integrations.providers.cashfree import words
from integrations.reading import (
    CODE_KEY,
    Json,
    digest,
    from_decimal,
    header,
    mapping,
    moment,
    opened,
    readable,
    text,
    texts,
    transaction,
    type_of,
)
from referral_rocket.kit.signing import base64_signature

SIGNATURE = "x-webhook-signature"
TIMESTAMP = "x-webhook-timestamp"
# Types to subscribe to at Cashfree.
TYPES = (
    "PAYMENT_SUCCESS_WEBHOOK",
    "REFUND_STATUS_WEBHOOK",
    "AUTO_REFUND_STATUS_WEBHOOK",
    "DISPUTE_CREATED",
    "DISPUTE_UPDATED",
    "DISPUTE_CLOSED",
)
_REFUND_STATUS = {
    "SUCCESS": ReversalStatus.DONE,
    "CANCELLED": ReversalStatus.FAILED,
    "FAILED": ReversalStatus.FAILED,
    "REVERSED": ReversalStatus.FAILED,
}
# The end of a dispute's status, after its stage (CHARGEBACK_…, PRE_ARBITRATION_…). The rest is open.
_DISPUTE_ENDS = {
    "MERCHANT_WON": ReversalStatus.WON,
    "MERCHANT_LOST": ReversalStatus.LOST,
    "MERCHANT_ACCEPTED": ReversalStatus.LOST,
    "INSUFFICIENT_EVIDENCE": ReversalStatus.LOST,
}


class CashfreePayments:
    """See `integrations.base.InboundAdapter`."""

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...], now: datetime) -> Received:
        signed = header(headers, TIMESTAMP).encode("utf-8", errors="surrogatepass") + body
        expected = [base64_signature(secret, signed) for secret in secrets]
        event = opened(headers, SIGNATURE, body, expected, provider=words.NAME, no_secret=words.UNSIGNED)
        event_type = type_of(event, "type")
        told = event.get("event_time")
        with readable(words.NAME, event_type):
            return Received(_key(event_type, event, body), event_type, None, moment(told) if told else now)

    def read(self, payload: Mapping[str, Any]) -> tuple[Fact, ...]:
        event_type = str(payload.get("type"))
        data = mapping(payload.get("data"))
        with readable(words.NAME, event_type):
            at = moment(payload["event_time"])
            if event_type == "PAYMENT_SUCCESS_WEBHOOK":
                return _payment(data, at)
            if "PAYMENT" in event_type:
                return (Ignored(words.NOT_PAID),)
            if "REFUND" in event_type:
                return _refund(mapping(data.get("refund") or data["auto_refund"]), at)
            if event_type.startswith("DISPUTE_"):
                return _dispute(data, at)
        return (Ignored(words.other_type(event_type)),)


def _key(event_type: str, event: Json, body: bytes) -> str:
    """Cashfree gives its events no id: the type, what it is about and its status (providers.md) name one."""
    data = mapping(event.get("data"))
    for kind, names, status in (
        ("dispute", ("dispute_id",), "dispute_status"),
        ("refund", ("cf_refund_id", "refund_id"), "refund_status"),
        ("auto_refund", ("cf_refund_id", "refund_id"), "refund_status"),
        ("payment", ("cf_payment_id",), "payment_status"),
    ):
        thing = mapping(data.get(kind))
        found = next(filter(None, (text(thing.get(name)) for name in names)), None)
        if found:
            return f"{event_type}:{found}:{text(thing.get(status)) or ''}"[:255]
    return digest(body)


def _payment(data: Json, at: datetime) -> tuple[Fact, ...]:
    order, payment = data["order"], data["payment"]
    if payment.get("payment_status", "SUCCESS") != "SUCCESS":
        return (Ignored(words.NOT_PAID),)
    payer = mapping(data.get("customer_details"))
    tags = texts(order.get("order_tags"))
    currency = str(payment.get("payment_currency") or order["order_currency"]).upper()
    return (
        PaymentSeen(
            references=_references(order["order_id"], payment["cf_payment_id"]),
            **transaction(tags, order["order_id"]),
            amount=from_decimal(payment["payment_amount"], currency),
            currency=currency,
            occurred_at=at,
            email=text(payer.get("customer_email")),
            provider_customer_id=text(payer.get("customer_id")),
            referral_code=tags.get(CODE_KEY),
            metadata=tags,
        ),
    )


def _refund(refund: Json, at: datetime) -> tuple[Fact, ...]:
    status = _REFUND_STATUS.get(refund["refund_status"])
    if status is None:
        return (Ignored(words.NOT_REFUNDED),)
    currency = str(refund["refund_currency"]).upper()
    return (
        ReversalSeen(
            references=_references(refund["order_id"], refund.get("cf_payment_id")),
            # The tenant's own id of the refund first: by the API it may tell of it under that.
            refund_id=text(refund.get("refund_id")) or str(refund["cf_refund_id"]),
            amount=from_decimal(refund["refund_amount"], currency),
            currency=currency,
            kind=ReversalKind.REFUND,
            status=status,
            cumulative=False,
            occurred_at=at,
        ),
    )


def _dispute(data: Json, at: datetime) -> tuple[Fact, ...]:
    dispute, order = data["dispute"], data["order_details"]
    if dispute["dispute_type"] == "RETRIEVAL":
        return (Ignored(words.INQUIRY),)
    status = str(dispute["dispute_status"])
    currency = str(dispute.get("dispute_amount_currency") or order["order_currency"]).upper()
    return (
        ReversalSeen(
            references=_references(order["order_id"], order.get("cf_payment_id")),
            refund_id=str(dispute["dispute_id"]),
            amount=from_decimal(dispute["dispute_amount"], currency),
            currency=currency,
            kind=ReversalKind.DISPUTE,
            status=next((found for end, found in _DISPUTE_ENDS.items() if status.endswith(end)), ReversalStatus.OPEN),
            cumulative=False,
            occurred_at=at,
        ),
    )


def _references(order_id: Any, payment_id: Any) -> tuple[Reference, ...]:
    order, payment = text(order_id), text(payment_id)
    if order is None:
        raise TypeError("no order_id")
    # The tenant chooses order ids, and one may be the number of another payment.
    return (Reference("order", order), *((Reference("payment", f"cf_{payment}"),) if payment else ()))
