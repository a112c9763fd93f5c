"""Shopify's webhooks: are they Shopify's, and what do they mean. Payload version 2026-07.

The topic stands in a header and not in the body, so the stored event's type says how to read it. Amounts are decimals in
the shop's currency. An order is one payment here, however it was paid.
"""

from collections.abc import Callable, Iterable, Mapping
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
from integrations.errors import UnreadableEvent
from integrations.providers.shopify import words
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
    transaction,
)
from referral_rocket.kit.signing import base64_signature

SIGNATURE = "X-Shopify-Hmac-SHA256"
WEBHOOK_ID = "X-Shopify-Webhook-Id"
TOPIC = "X-Shopify-Topic"

Reader = Callable[[Json], tuple[Fact, ...]]


class ShopifyPayments:
    """See `integrations.base.ReadsByType`."""

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...], now: datetime) -> Received:
        expected = [base64_signature(secret, body) for secret in secrets]
        told = opened(headers, SIGNATURE, body, expected, provider=words.NAME, no_secret=words.UNSIGNED)
        topic = header(headers, TOPIC)
        if not topic:
            raise UnreadableEvent(f"the {TOPIC} header is missing")
        return Received(header(headers, WEBHOOK_ID) or digest(body), topic, _livemode(told), now)

    def read(self, payload: Mapping[str, Any]) -> tuple[Fact, ...]:
        raise UnreadableEvent("a Shopify event can't be read without its topic")

    def read_type(self, event_type: str, payload: Mapping[str, Any]) -> tuple[Fact, ...]:
        reader = READERS.get(event_type)
        if reader is None:
            return (Ignored(words.other_topic(event_type)),)
        with readable(words.NAME, event_type):
            return reader(payload)


def _livemode(payload: Json) -> bool | None:
    """Orders and a refund's transactions say whether they are tests; the rest doesn't."""
    said = [payload.get("test"), *(mapping(each).get("test") for each in payload.get("transactions") or ())]
    known = [each for each in said if isinstance(each, bool)]
    return not any(known) if known else None


# Payments --------------------------------------------------------------------------------------------------------


def _paid(order: Json) -> tuple[Fact, ...]:
    currency = str(order["currency"]).upper()
    attributes = _attributes(order)
    customer = mapping(order.get("customer"))
    return (
        PaymentSeen(
            references=(_reference(order["id"]),),
            **transaction(attributes, str(order["id"])),
            amount=from_decimal(order["total_price"], currency),
            currency=currency,
            occurred_at=moment(order.get("processed_at") or order["created_at"]),
            email=text(order.get("email")) or text(order.get("contact_email")) or text(customer.get("email")),
            provider_customer_id=text(customer.get("id")),
            referral_code=attributes.get(CODE_KEY) or _discount_code(order),
            country=text(mapping(order.get("shipping_address") or order.get("billing_address")).get("country_code")),
            tax=from_decimal(order.get("total_tax"), currency),
            shipping=_shipping(order, currency),
            discount=from_decimal(order.get("total_discounts"), currency),
            items=tuple(_items(order, currency)),
            metadata=attributes,
        ),
    )


def _attributes(order: Json) -> dict[str, str]:
    """Note attributes; what a theme calls cart attributes arrives as these too."""
    pairs = (mapping(each) for each in order.get("note_attributes") or ())
    return {str(pair["name"]): value for pair in pairs if "name" in pair and (value := text(pair.get("value")))}


def _discount_code(order: Json) -> str | None:
    # One that is no participant's code attributes nothing.
    return next(filter(None, (text(mapping(each).get("code")) for each in order.get("discount_codes") or ())), None)


def _shipping(order: Json, currency: str) -> int:
    """Shipping before tax: in shops whose prices include tax, its tax is in the total tax already."""
    shipping = from_decimal(_shop_money(order.get("total_shipping_price_set")).get("amount"), currency)
    if not order.get("taxes_included"):
        return shipping
    taxes = [tax for line in order.get("shipping_lines") or () for tax in line.get("tax_lines") or ()]
    return max(shipping - sum(from_decimal(tax.get("price"), currency) for tax in taxes), 0)


def _items(order: Json, currency: str) -> Iterable[Item]:
    for line in order.get("line_items") or ():
        product = text(line.get("product_id")) or text(line.get("sku"))
        if product:
            quantity = int(line.get("quantity") or 1)
            full = from_decimal(line.get("price"), currency) * quantity
            yield Item(product, quantity, max(full - from_decimal(line.get("total_discount"), currency), 0))


def _shop_money(price: Any) -> Json:
    return mapping(mapping(price).get("shop_money"))


def _customer(customer: Json) -> tuple[Fact, ...]:
    return (CustomerSeen(str(customer["id"]), text(customer.get("email"))),)


# Reversals -------------------------------------------------------------------------------------------------------


def _refunded(refund: Json) -> tuple[Fact, ...]:
    return (_refund(refund, refund["order_id"], None),)


def _refund(refund: Json, order_id: Any, currency: str | None) -> Fact:
    # A pending transaction counts from its making: no topic of a refund tells when it has gone through.
    back = [
        mapping(each)
        for each in refund.get("transactions") or ()
        if mapping(each).get("kind") == "refund" and mapping(each).get("status") in ("success", "pending")
    ]
    known = currency or next(filter(None, (text(each.get("currency")) for each in back)), None)
    # Without a currency of its own, a transaction is in the shop's.
    known = known or text(_shop_money(refund.get("total_duties_set")).get("currency_code"))
    if not back or known is None:
        return Ignored(words.NOTHING_REFUNDED)
    currency = known.upper()
    return ReversalSeen(
        references=(_reference(order_id),),
        refund_id=str(refund["id"]),
        amount=sum(from_decimal(each["amount"], currency) for each in back),
        currency=currency,
        kind=ReversalKind.REFUND,
        status=ReversalStatus.DONE,
        cumulative=False,
        occurred_at=moment(refund.get("processed_at") or refund["created_at"]),
    )


def _cancelled(order: Json) -> tuple[Fact, ...]:
    """A cancellation gives back what its refunds say; one whose payment was voided gives back everything."""
    currency = str(order["currency"]).upper()
    if order.get("financial_status") == "voided":
        return (
            ReversalSeen(
                references=(_reference(order["id"]),),
                refund_id=f"cancelled:{order['id']}",
                amount=from_decimal(order["total_price"], currency),
                currency=currency,
                kind=ReversalKind.REFUND,
                status=ReversalStatus.DONE,
                cumulative=False,
                occurred_at=moment(order.get("cancelled_at") or order["updated_at"]),
            ),
        )
    refunds = [_refund(mapping(each), order["id"], currency) for each in order.get("refunds") or ()]
    return tuple(refunds) or (Ignored(words.CANCELLED_WITHOUT_REFUND),)


# Shopify's dispute status; the rest (needs_response, under_review) is open. Of a charge that was refunded the refund tells.
_DISPUTE_STATUS = {
    "won": ReversalStatus.WON,
    "lost": ReversalStatus.LOST,
    "accepted": ReversalStatus.LOST,
    "prevented": ReversalStatus.WON,
    "charge_refunded": ReversalStatus.WON,
}


def _dispute(dispute: Json) -> tuple[Fact, ...]:
    if dispute["type"] == "inquiry":
        return (Ignored(words.INQUIRY),)
    if dispute.get("order_id") is None:
        return (Ignored(words.DISPUTE_WITHOUT_ORDER),)
    currency = str(dispute["currency"]).upper()
    return (
        ReversalSeen(
            references=(_reference(dispute["order_id"]),),
            refund_id=str(dispute["id"]),
            amount=from_decimal(dispute["amount"], currency),
            currency=currency,
            kind=ReversalKind.DISPUTE,
            status=_DISPUTE_STATUS.get(dispute["status"], ReversalStatus.OPEN),
            cumulative=False,
            occurred_at=moment(dispute.get("finalized_on") or dispute["initiated_at"]),
        ),
    )


def _reference(order_id: Any) -> Reference:
    found = text(order_id)
    if found is None:
        raise TypeError("no order id")
    return Reference("order", found)


READERS: Mapping[str, Reader] = {
    "orders/paid": _paid,
    "orders/cancelled": _cancelled,
    "refunds/create": _refunded,
    "disputes/create": _dispute,
    "disputes/update": _dispute,
    "customers/create": _customer,
    "customers/update": _customer,
}
