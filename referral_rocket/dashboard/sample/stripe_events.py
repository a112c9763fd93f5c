"""Stripe's events as they would have arrived for the sample payments: the fields that anybody looks at."""

from datetime import datetime
from random import Random
from typing import Any

from referral_rocket.dashboard.sample.plot import Buying

_API_VERSION = "2026-10-28.endive"


def payment(buying: Buying, *, livemode: bool, random: Random) -> dict[str, Any]:
    """`payment_intent.succeeded`, with a receipt's e-mail, tax and shipping."""
    person = buying.joining.person
    created = int(buying.at.timestamp())
    intent = {
        "id": _id("pi", random),
        "object": "payment_intent",
        "amount": buying.amount,
        "amount_details": {"shipping": {"amount": buying.shipping}, "tax": {"total_tax_amount": buying.tax}},
        "amount_received": buying.amount,
        "created": created,
        "currency": buying.joining.recipe.currency.lower(),
        "customer": person.stripe_id(livemode=livemode),
        "latest_charge": _id("ch", random),
        "livemode": livemode,
        "metadata": {},
        "receipt_email": person.email,
        "shipping": {"address": {"country": person.country}},
        "status": "succeeded",
    }
    return _event("payment_intent.succeeded", intent, created, livemode, random)


def customer_updated(about: dict[str, Any], random: Random) -> dict[str, Any]:
    """An event that says nothing about a payment, of the same customer and second as the event given."""
    intent = about["data"]["object"]
    thing = {"id": intent["customer"], "object": "customer", "email": intent["receipt_email"]}
    return _event("customer.source.updated", thing, about["created"], about["livemode"], random)


def refund(about: dict[str, Any], at: datetime, amount: int, random: Random) -> dict[str, Any]:
    """`refund.created` of a payment's event, over `amount` in minor units."""
    intent = about["data"]["object"]
    created = int(at.timestamp())
    thing = {
        "id": _id("re", random),
        "object": "refund",
        "amount": amount,
        "charge": intent["latest_charge"],
        "created": created,
        "currency": intent["currency"],
        "payment_intent": intent["id"],
        "status": "succeeded",
    }
    return _event("refund.created", thing, created, about["livemode"], random)


def _event(event_type: str, thing: dict[str, Any], created: int, livemode: bool, random: Random) -> dict[str, Any]:
    return {
        "id": _id("evt", random),
        "object": "event",
        "api_version": _API_VERSION,
        "created": created,
        "data": {"object": thing},
        "livemode": livemode,
        "type": event_type,
    }


def _id(prefix: str, random: Random) -> str:
    return f"{prefix}_{random.getrandbits(120):030x}"
