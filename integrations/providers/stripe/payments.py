"""The three Stripe objects that show a payment (checkout session, payment intent, invoice) as one PaymentSeen."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from integrations.base import Item, PaymentSeen, Reference, TransactionRank
from integrations.providers.stripe.amounts import from_stripe
from integrations.reading import own_transaction

Json = Mapping[str, Any]

CODE_KEY = "referral_code"


def of_session(session: Json, at: datetime) -> PaymentSeen:
    currency = _currency(session)
    totals = _mapping(session.get("total_details"))
    person = _mapping(session.get("customer_details"))
    metadata = _metadata(session)
    refs = references(
        ("payment_intent", session.get("payment_intent")),
        ("invoice", session.get("invoice")),
        ("checkout_session", session["id"]),
    )
    transaction_id, rank = _transaction(metadata, refs)
    return PaymentSeen(
        references=refs,
        transaction_id=transaction_id,
        transaction_rank=rank,
        amount=from_stripe(session.get("amount_total") or 0, currency),
        currency=currency,
        occurred_at=at,
        email=person.get("email") or session.get("customer_email") or None,
        provider_customer_id=_id(session.get("customer")),
        referral_code=_text(metadata.get(CODE_KEY)) or _text(session.get("client_reference_id")),
        country=_country(person.get("address")),
        tax=from_stripe(totals.get("amount_tax") or 0, currency),
        shipping=from_stripe(_shipping(session, totals.get("amount_shipping")), currency),
        discount=from_stripe(totals.get("amount_discount") or 0, currency),
        items=_items(_mapping(session.get("line_items")), currency),
        metadata=metadata,
    )


def of_intent(intent: Json, at: datetime) -> PaymentSeen:
    currency = _currency(intent)
    details = _mapping(intent.get("amount_details"))
    metadata = _metadata(intent)
    refs = references(
        ("payment_intent", intent["id"]),
        ("invoice", intent.get("invoice")),
        ("charge", intent.get("latest_charge")),
    )
    transaction_id, rank = _transaction(metadata, refs)
    shipping = _mapping(details.get("shipping"))
    return PaymentSeen(
        references=refs,
        transaction_id=transaction_id,
        transaction_rank=rank,
        amount=from_stripe(intent["amount_received"], currency),
        currency=currency,
        occurred_at=at,
        email=intent.get("receipt_email") or None,
        provider_customer_id=_id(intent.get("customer")),
        referral_code=_text(metadata.get(CODE_KEY)),
        country=_country(_mapping(intent.get("shipping")).get("address")),
        tax=from_stripe(_mapping(details.get("tax")).get("total_tax_amount") or 0, currency),
        shipping=from_stripe(shipping.get("amount") or 0, currency),
        discount=from_stripe(details.get("discount_amount") or 0, currency),
        metadata=metadata,
    )


def of_invoice(invoice: Json, at: datetime) -> PaymentSeen:
    currency = _currency(invoice)
    metadata = {**_subscription_metadata(invoice), **_metadata(invoice)}
    refs = references(
        ("payment_intent", invoice.get("payment_intent")),
        ("invoice", invoice["id"]),
        ("charge", invoice.get("charge")),
    )
    transaction_id, rank = _transaction(metadata, refs)
    address = _mapping(invoice.get("customer_shipping")).get("address") or invoice.get("customer_address")
    return PaymentSeen(
        references=refs,
        transaction_id=transaction_id,
        transaction_rank=rank,
        amount=from_stripe(invoice["amount_paid"], currency),
        currency=currency,
        occurred_at=at,
        email=invoice.get("customer_email") or None,
        provider_customer_id=_id(invoice.get("customer")),
        referral_code=_text(metadata.get(CODE_KEY)),
        country=_country(address),
        tax=from_stripe(_tax_of_invoice(invoice), currency),
        shipping=from_stripe(_shipping(invoice, invoice.get("amount_shipping")), currency),
        discount=from_stripe(_sum(invoice.get("total_discount_amounts")), currency),
        items=_items(_mapping(invoice.get("lines")), currency),
        metadata=metadata,
    )


def references(*pairs: tuple[str, Any]) -> tuple[Reference, ...]:
    """The references that are there: a field may be absent, null, an id or an expanded object."""
    return tuple(Reference(kind, value) for kind, value in ((kind, _id(thing)) for kind, thing in pairs) if value)


def _transaction(metadata: Mapping[str, str], refs: Iterable[Reference]) -> tuple[str, int]:
    own = own_transaction(metadata)
    if own:
        return own, TransactionRank.METADATA
    by_kind = {reference.kind: reference.value for reference in refs}
    if "payment_intent" in by_kind:
        return by_kind["payment_intent"], TransactionRank.PAYMENT
    if "invoice" in by_kind:
        return by_kind["invoice"], TransactionRank.INVOICE
    return by_kind["checkout_session"], TransactionRank.SESSION


def _id(thing: Any) -> str | None:
    if isinstance(thing, Mapping):
        thing = thing.get("id")
    return thing if isinstance(thing, str) and thing else None


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _metadata(thing: Json) -> dict[str, str]:
    return {str(key): str(value) for key, value in _mapping(thing.get("metadata")).items()}


def _subscription_metadata(invoice: Json) -> dict[str, str]:
    # Under `parent` since API version 2025-03-31, at the top before.
    parent = _mapping(invoice.get("parent"))
    return _metadata(_mapping(parent.get("subscription_details") or invoice.get("subscription_details")))


def _currency(thing: Json) -> str:
    return str(thing["currency"]).upper()


def _country(address: Any) -> str | None:
    return _mapping(address).get("country") or None


def _shipping(thing: Json, otherwise: Any) -> int:
    # The subtotal is before tax; the tax on shipping is already in the total tax and must not be taken off twice.
    cost = _mapping(thing.get("shipping_cost"))
    return cost.get("amount_subtotal") or otherwise or 0


def _tax_of_invoice(invoice: Json) -> int:
    if invoice.get("total_taxes") is not None:
        return _sum(invoice["total_taxes"])
    if invoice.get("total_tax_amounts") is not None:
        return _sum(invoice["total_tax_amounts"])
    return invoice.get("tax") or 0


def _sum(lines: Any) -> int:
    return sum(line["amount"] for line in lines or ())


def _items(lines: Json, currency: str) -> tuple[Item, ...]:
    items = []
    for line in lines.get("data") or ():
        product = _product(line)
        if product:
            amount = line["amount_total"] if "amount_total" in line else line["amount"]
            items.append(Item(product, line.get("quantity") or 1, from_stripe(amount, currency)))
    return tuple(items)


def _product(line: Json) -> str | None:
    details = _mapping(_mapping(line.get("pricing")).get("price_details"))
    price = _mapping(line.get("price"))
    return _id(details.get("product")) or _id(price.get("product")) or _id(details.get("price")) or _id(price)
