"""Stripe's webhooks: is it Stripe's, and what does it mean.

`READERS` is the table from Stripe's event types to ours; everything else is ignored, saying so. Shapes of old API
versions (an invoice that names its intent, an intent that names its invoice) are read too, since an account's webhooks
keep the version they were made with.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from integrations.base import (
    CustomerSeen,
    Fact,
    Ignored,
    PaymentJoined,
    Received,
    Reference,
    ReversalKind,
    ReversalSeen,
    ReversalStatus,
)
from integrations.errors import BadSignature, UnreadableEvent
from integrations.providers.stripe import payments
from integrations.providers.stripe.amounts import from_stripe
from integrations.reading import header
from referral_rocket.kit.signing import hex_signature, same

# https://docs.stripe.com/webhooks/signature: Stripe's own libraries allow five minutes.
TOLERANCE_SECONDS = 300

Json = Mapping[str, Any]
Reader = Callable[[Json, datetime], tuple[Fact, ...]]


class StripePayments:
    """See `integrations.base.InboundAdapter`."""

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...], now: datetime) -> Received:
        _check_signature(header(headers, "Stripe-Signature"), body, secrets, now)
        return _received(body)

    def read(self, payload: Mapping[str, Any]) -> tuple[Fact, ...]:
        event_type = payload.get("type")
        reader = READERS.get(event_type) if isinstance(event_type, str) else None
        if reader is None:
            return (Ignored(f"{event_type} says nothing about a payment, so it isn't used."),)
        try:
            occurred_at = datetime.fromtimestamp(payload["created"], UTC)
            return reader(payload["data"]["object"], occurred_at)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnreadableEvent(
                f"{event_type} isn't as Stripe documents it: {type(error).__name__} {error}"
            ) from error


def _check_signature(given: str, body: bytes, secrets: tuple[str, ...], now: datetime) -> None:
    if not given:
        raise BadSignature("missing", "The Stripe-Signature header is missing.")
    if not secrets:
        raise BadSignature("no_secret", "This connection has no webhook secret yet; put Stripe's whsec_… there.")
    pairs = [part.strip().split("=", 1) for part in given.split(",") if "=" in part]
    stamps = [value for name, value in pairs if name == "t"]
    signatures = [value for name, value in pairs if name == "v1"]
    if len(stamps) != 1 or not stamps[0].isascii() or not stamps[0].isdigit() or not signatures:
        raise BadSignature("malformed", "The Stripe-Signature header isn't t=…,v1=….")
    signed = stamps[0].encode() + b"." + body
    expected = [hex_signature(secret, signed) for secret in secrets]
    # No early exit: which secret and which signature fit is nobody's business.
    fits = [same(ours, theirs) for ours in expected for theirs in signatures]
    if not any(fits):
        raise BadSignature("wrong", "The signature doesn't match this connection's webhook secret.")
    # Ten digits are a time until the year 2286; more would overflow nothing but is no time of Stripe's.
    if len(stamps[0]) > 12 or abs(now.timestamp() - int(stamps[0])) > TOLERANCE_SECONDS:
        raise BadSignature("stale", f"The signature is more than {TOLERANCE_SECONDS} seconds old or ahead.")


def _received(body: bytes) -> Received:
    try:
        event = json.loads(body)
        event_id, event_type, livemode = event["id"], event["type"], event.get("livemode")
        occurred_at = datetime.fromtimestamp(event["created"], UTC)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError) as error:
        raise UnreadableEvent("the body isn't a Stripe event in JSON") from error
    if not (isinstance(event_id, str) and isinstance(event_type, str) and event_id and event_type):
        raise UnreadableEvent("the event has no id or type")
    return Received(event_id, event_type, livemode if isinstance(livemode, bool) else None, occurred_at)


# Payments --------------------------------------------------------------------------------------------------------


def _session(session: Json, at: datetime) -> tuple[Fact, ...]:
    if session.get("mode") == "setup":
        return (Ignored("The checkout only saved a card; nothing was paid."),)
    if session["payment_status"] == "unpaid":
        return (Ignored("The checkout isn't paid yet; the payment is taken when Stripe reports it."),)
    return (payments.of_session(session, at),)


def _intent(intent: Json, at: datetime) -> tuple[Fact, ...]:
    return (payments.of_intent(intent, at),)


def _invoice(invoice: Json, at: datetime) -> tuple[Fact, ...]:
    return (payments.of_invoice(invoice, at),)


def _invoice_payment(paid: Json, at: datetime) -> tuple[Fact, ...]:
    payment = paid["payment"]
    references = payments.references(
        ("invoice", paid["invoice"]),
        ("payment_intent", payment.get("payment_intent")),
        ("charge", payment.get("charge")),
    )
    if len(references) < 2:
        return (Ignored("The invoice was paid without a payment intent or charge, so there is nothing to join."),)
    return (PaymentJoined(references, at),)


def _customer(customer: Json, at: datetime) -> tuple[Fact, ...]:
    return (CustomerSeen(customer["id"], customer.get("email") or None),)


# Reversals -------------------------------------------------------------------------------------------------------


def _reversed_payment(thing: Json) -> tuple[Reference, ...]:
    return payments.references(("charge", thing.get("charge")), ("payment_intent", thing.get("payment_intent")))


def _refund(refund: Json, at: datetime) -> tuple[Fact, ...]:
    # A pending refund counts from its making on, as it does in the charge's running total; if it fails it comes back.
    failed = refund.get("status") in ("failed", "canceled")
    return (_refund_fact(refund, ReversalStatus.FAILED if failed else ReversalStatus.DONE, at),)


def _refund_failed(refund: Json, at: datetime) -> tuple[Fact, ...]:
    return (_refund_fact(refund, ReversalStatus.FAILED, at),)


def _refund_fact(refund: Json, status: ReversalStatus, at: datetime) -> Fact:
    currency = refund["currency"].upper()
    amount = from_stripe(refund["amount"], currency)
    references = _reversed_payment(refund)
    if not references:
        return Ignored("The refund names no charge or payment intent (it is of a customer's cash balance, say).")
    return ReversalSeen(
        references=references,
        refund_id=refund["id"],
        amount=amount,
        currency=currency,
        kind=ReversalKind.REFUND,
        status=status,
        cumulative=False,
        occurred_at=at,
    )


def _charge_refunded(charge: Json, at: datetime) -> tuple[Fact, ...]:
    currency = charge["currency"].upper()
    fact = ReversalSeen(
        references=payments.references(("charge", charge["id"]), ("payment_intent", charge.get("payment_intent"))),
        refund_id=charge["id"],
        amount=from_stripe(charge["amount_refunded"], currency),
        currency=currency,
        kind=ReversalKind.REFUND,
        status=ReversalStatus.DONE,
        cumulative=True,
        occurred_at=at,
    )
    return (fact,)


def _dispute(dispute: Json, at: datetime) -> tuple[Fact, ...]:
    return (_dispute_fact(dispute, _DISPUTE_STATUS.get(dispute["status"], ReversalStatus.OPEN), at),)


def _dispute_reinstated(dispute: Json, at: datetime) -> tuple[Fact, ...]:
    # Stripe also reinstates part of a lost dispute, where part had been refunded before: that stays lost.
    lost = dispute["status"] == "lost"
    return (_dispute_fact(dispute, ReversalStatus.LOST if lost else ReversalStatus.WON, at),)


# Stripe's dispute status; the rest (needs_response, under_review) is open. `prevented` took nothing in the end.
_DISPUTE_STATUS = {"won": ReversalStatus.WON, "lost": ReversalStatus.LOST, "prevented": ReversalStatus.WON}


def _dispute_fact(dispute: Json, status: ReversalStatus, at: datetime) -> Fact:
    if str(dispute["status"]).startswith("warning_"):
        return Ignored("An inquiry, not a dispute: no money was taken.")
    currency = dispute["currency"].upper()
    return ReversalSeen(
        references=_reversed_payment(dispute),
        refund_id=dispute["id"],
        amount=from_stripe(dispute["amount"], currency),
        currency=currency,
        kind=ReversalKind.DISPUTE,
        status=status,
        cumulative=False,
        occurred_at=at,
    )


READERS: Mapping[str, Reader] = {
    "checkout.session.completed": _session,
    "checkout.session.async_payment_succeeded": _session,
    "payment_intent.succeeded": _intent,
    "invoice.paid": _invoice,
    "invoice_payment.paid": _invoice_payment,
    "customer.created": _customer,
    "customer.updated": _customer,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund_failed,
    "charge.refunded": _charge_refunded,
    "charge.dispute.created": _dispute,
    "charge.dispute.closed": _dispute,
    "charge.dispute.funds_withdrawn": _dispute,
    "charge.dispute.funds_reinstated": _dispute_reinstated,
}
