"""Razorpay's webhooks: are they Razorpay's, and what do they mean. https://razorpay.com/docs/webhooks/payloads/

A payment is known by its payment id alone: an order may be paid in parts, so an order's id is of no single payment. The
amounts are ISO 4217 minor units. `tax` and `fee` of a payment are what Razorpay charges the merchant, no part of a sale.
"""

from collections.abc import Callable, Mapping
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
from integrations.providers.razorpay import words
from integrations.reading import (
    CODE_KEY,
    Json,
    digest,
    header,
    mapping,
    moment,
    opened,
    readable,
    text,
    texts,
    transaction,
    type_of,
    whole,
)
from referral_rocket.kit.signing import hex_signature

SIGNATURE = "X-Razorpay-Signature"
EVENT_ID = "x-razorpay-event-id"
# What Razorpay puts where a payer gave no address.
_NO_EMAIL = frozenset({"void@razorpay.com"})
# Phases of a dispute in which nothing is deducted: https://razorpay.com/docs/payments/disputes/
_INQUIRY_PHASES = frozenset({"fraud", "retrieval"})

Reader = Callable[[Json, datetime], tuple[Fact, ...]]


class RazorpayPayments:
    """See `integrations.base.InboundAdapter`."""

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...], now: datetime) -> Received:
        expected = [hex_signature(secret, body) for secret in secrets]
        event = opened(headers, SIGNATURE, body, expected, provider=words.NAME, no_secret=words.UNSIGNED)
        event_type = type_of(event, "event")
        # Razorpay's modes have webhooks and secrets of their own, and an event doesn't say of which it is.
        created = event.get("created_at")
        return Received(
            header(headers, EVENT_ID) or digest(body), event_type, None, moment(created) if created else now
        )

    def read(self, payload: Mapping[str, Any]) -> tuple[Fact, ...]:
        event_type = str(payload.get("event"))
        reader = READERS.get(event_type)
        if reader is None:
            return (Ignored(words.other_type(event_type)),)
        with readable(words.NAME, event_type):
            entities = {name: inner["entity"] for name, inner in payload["payload"].items()}
            return reader(entities, moment(payload["created_at"]))


def _payment(entities: Json, at: datetime) -> tuple[Fact, ...]:
    payment = entities["payment"]
    # A subscription's notes are there for each of its payments, so what they say of a transaction is of none of them.
    notes = {**texts(mapping(entities.get("order")).get("notes")), **texts(payment.get("notes"))}
    standing = texts(mapping(entities.get("subscription")).get("notes"))
    email = text(payment.get("email"))
    return (
        PaymentSeen(
            references=(_reference(payment["id"]),),
            **transaction(notes, payment["id"]),
            amount=whole(payment["amount"]),
            currency=str(payment["currency"]).upper(),
            occurred_at=at,
            email=None if email in _NO_EMAIL else email,
            provider_customer_id=text(payment.get("customer_id"))
            or text(mapping(entities.get("subscription")).get("customer_id")),
            referral_code=notes.get(CODE_KEY) or standing.get(CODE_KEY),
            metadata={**standing, **notes},
        ),
    )


def _authorized(entities: Json, at: datetime) -> tuple[Fact, ...]:
    return (Ignored(words.NOT_CAPTURED),)


def _refund(entities: Json, at: datetime) -> tuple[Fact, ...]:
    refund = entities["refund"]
    status = {"processed": ReversalStatus.DONE, "failed": ReversalStatus.FAILED}.get(refund["status"])
    if status is None:
        return (Ignored(words.NOT_REFUNDED),)
    return (_reversal(refund, ReversalKind.REFUND, status, at),)


def _dispute(entities: Json, at: datetime) -> tuple[Fact, ...]:
    dispute = entities["dispute"]
    if dispute.get("phase") in _INQUIRY_PHASES:
        return (Ignored(words.INQUIRY),)
    status = {"won": ReversalStatus.WON, "lost": ReversalStatus.LOST}.get(dispute["status"], ReversalStatus.OPEN)
    if dispute["status"] == "closed":
        # Closed without a verdict: what was deducted says how it ended.
        status = ReversalStatus.LOST if whole(dispute.get("amount_deducted") or 0) else ReversalStatus.WON
    return (_reversal(dispute, ReversalKind.DISPUTE, status, at),)


def _reversal(thing: Json, kind: ReversalKind, status: ReversalStatus, at: datetime) -> ReversalSeen:
    return ReversalSeen(
        references=(_reference(thing["payment_id"]),),
        refund_id=thing["id"],
        amount=whole(thing["amount"]),
        currency=str(thing["currency"]).upper(),
        kind=kind,
        status=status,
        cumulative=False,
        occurred_at=at,
    )


def _reference(payment_id: Any) -> Reference:
    if not isinstance(payment_id, str) or not payment_id:
        raise TypeError("a payment without an id")
    return Reference("payment", payment_id)


READERS: Mapping[str, Reader] = {
    "payment.captured": _payment,
    "order.paid": _payment,
    "subscription.charged": _payment,
    "payment.authorized": _authorized,
    "refund.created": _refund,
    "refund.processed": _refund,
    "refund.failed": _refund,
    "payment.dispute.created": _dispute,
    "payment.dispute.under_review": _dispute,
    "payment.dispute.action_required": _dispute,
    "payment.dispute.won": _dispute,
    "payment.dispute.lost": _dispute,
    "payment.dispute.closed": _dispute,
}
