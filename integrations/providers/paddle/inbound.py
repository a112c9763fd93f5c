"""Paddle Billing's webhooks: are they Paddle's, and what do they mean. https://developer.paddle.com/webhooks/overview

`Paddle-Signature: ts=<seconds>;h1=<hex>`, an HMAC-SHA256 of `ts:body`; while a secret is rotated there are several h1.
Amounts are texts of ISO 4217 minor units. A transaction names its customer and not the e-mail: `customer.*` tells that.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from integrations.base import (
    CustomerSeen,
    Fact,
    Ignored,
    Item,
    PaymentSeen,
    Received,
    Reference,
    ReversalKind,
    ReversalSeen,
    ReversalStatus,
)
from integrations.errors import BadSignature
from integrations.providers.paddle import words
from integrations.reading import (
    CODE_KEY,
    Json,
    header,
    mapping,
    moment,
    parsed,
    readable,
    text,
    texts,
    transaction,
    whole,
)
from referral_rocket.kit.signing import hex_signature, same

SIGNATURE = "Paddle-Signature"

Reader = Callable[[Json, datetime], tuple[Fact, ...]]


class PaddlePayments:
    """See `integrations.base.InboundAdapter`."""

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...], now: datetime) -> Received:
        _check_signature(header(headers, SIGNATURE), body, secrets)
        event = parsed(body, words.NAME)
        with readable(words.NAME, "the event"):
            event_id, event_type = event["event_id"].strip(), event["event_type"].strip()
            if not event_id or not event_type:
                raise ValueError("no id or type")
            # Sandbox accounts are accounts of their own, and an event doesn't say of which kind it is.
            return Received(event_id, event_type, None, moment(event["occurred_at"]))

    def read(self, payload: Mapping[str, Any]) -> tuple[Fact, ...]:
        event_type = str(payload.get("event_type"))
        reader = READERS.get(event_type)
        if reader is None:
            return (Ignored(words.other_type(event_type)),)
        with readable(words.NAME, event_type):
            return reader(payload["data"], moment(payload["occurred_at"]))


def _check_signature(given: str, body: bytes, secrets: tuple[str, ...]) -> None:
    if not given:
        raise BadSignature("missing", f"The {SIGNATURE} header is missing.")
    if not secrets:
        raise BadSignature("no_secret", words.UNSIGNED)
    pairs = [part.strip().split("=", 1) for part in given.split(";") if "=" in part]
    stamps = [value for name, value in pairs if name == "ts"]
    signatures = [value for name, value in pairs if name == "h1"]
    if len(stamps) != 1 or not signatures:
        raise BadSignature("malformed", f"The {SIGNATURE} header isn't ts=…;h1=….")
    signed = stamps[0].encode("utf-8", errors="surrogatepass") + b":" + body
    expected = [hex_signature(secret, signed) for secret in secrets]
    fits = [same(ours, theirs) for ours in expected for theirs in signatures]
    if not any(fits):
        raise BadSignature("wrong", "The signature doesn't match this connection's webhook secret.")


def _transaction(told: Json, at: datetime) -> tuple[Fact, ...]:
    currency = str(told["currency_code"]).upper()
    details = mapping(told["details"])
    totals = details["totals"]
    custom = texts(told.get("custom_data"))
    return (
        PaymentSeen(
            references=(Reference("transaction", told["id"]),),
            **transaction(custom, told["id"]),
            amount=whole(totals["grand_total"]),
            currency=currency,
            occurred_at=moment(told.get("billed_at") or told.get("created_at") or at.isoformat()),
            # Only who is known here is found by the customer's id: for a new payer the tenant adds the address.
            email=custom.get("email"),
            provider_customer_id=text(told.get("customer_id")),
            referral_code=custom.get(CODE_KEY),
            tax=whole(totals.get("tax") or 0),
            discount=whole(totals.get("discount") or 0),
            items=tuple(_item(line) for line in details.get("line_items") or ()),
            metadata=custom,
        ),
    )


def _item(line: Json) -> Item:
    product = text(mapping(line.get("product")).get("id")) or str(line["price_id"])
    return Item(product, int(line["quantity"]), whole(mapping(line["totals"])["total"]))


def _customer(customer: Json, at: datetime) -> tuple[Fact, ...]:
    return (CustomerSeen(customer["id"], text(customer.get("email"))),)


def _adjustment(adjustment: Json, at: datetime) -> tuple[Fact, ...]:
    """https://developer.paddle.com/api-reference/adjustments: what it does, and how far it has got."""
    action, status = adjustment["action"], adjustment["status"]
    if action == "chargeback_warning":
        return (Ignored(words.INQUIRY),)
    if action == "chargeback_reverse":
        return (Ignored(words.TOLD_OTHERWISE),)
    if action not in ("refund", "chargeback"):
        return (Ignored(words.NOT_BACK),)
    if action == "refund" and status == "pending_approval":
        return (Ignored(words.NOT_APPROVED),)
    currency = str(adjustment["currency_code"]).upper()
    fact = ReversalSeen(
        references=(Reference("transaction", adjustment["transaction_id"]),),
        refund_id=adjustment["id"],
        amount=whole(mapping(adjustment["totals"])["total"]),
        currency=currency,
        kind=ReversalKind.REFUND if action == "refund" else ReversalKind.DISPUTE,
        status=_refund_status(status) if action == "refund" else _chargeback_status(status),
        cumulative=False,
        occurred_at=at,
    )
    return (fact,)


def _refund_status(status: str) -> ReversalStatus:
    return ReversalStatus.DONE if status == "approved" else ReversalStatus.FAILED


def _chargeback_status(status: str) -> ReversalStatus:
    return ReversalStatus.WON if status in ("reversed", "rejected") else ReversalStatus.OPEN


READERS: Mapping[str, Reader] = {
    "transaction.completed": _transaction,
    "adjustment.created": _adjustment,
    "adjustment.updated": _adjustment,
    "customer.created": _customer,
    "customer.updated": _customer,
}
