"""A sale as Stripe tells of it: the stand-in's own shapes, signed, and put through the door."""

import json
import time
from collections.abc import Iterable
from typing import Any

from django.test import Client

from integrations.models import Connection
from integrations.sandbox.store import Store
from integrations.sandbox.stripe.webhooks import Webhooks, signature
from tests.factories import WEBHOOK_SECRET

INTENT = "payment_intent.succeeded"
SESSION = "checkout.session.completed"
INVOICE = "invoice.paid"
JOINED = "invoice_payment.paid"

Event = dict[str, Any]


def sale(**wanted: Any) -> dict[str, Event]:
    """The events of one live sale of 120.00 USD to friend@example.com, by type; arguments as the stand-in takes them."""
    asked = {"email": "friend@example.com", "amount": 12000, "currency": "usd", "livemode": True, **wanted}
    _, events = Webhooks(Store(":memory:"))._sale(asked)
    return {event["type"]: event for event in events}


def set_metadata(event: Event, **metadata: str) -> Event:
    event["data"]["object"]["metadata"] = {**event["data"]["object"].get("metadata", {}), **metadata}
    return event


def post(
    connection: Connection, event: Event | bytes, *, secret: str = WEBHOOK_SECRET, age: int = 0, **headers: str
) -> Any:
    """Deliver one event with a signature that is `age` seconds old."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    signed = {"Stripe-Signature": signature(body, secret, int(time.time()) - age), **headers}
    return Client(raise_request_exception=False).post(
        f"/webhooks/in/{connection.provider}/{connection.pk}",
        data=body,
        content_type="application/json",
        headers=signed,
    )


def deliver(connection: Connection, events: Iterable[Event]) -> None:
    """Deliver events that have to be accepted."""
    for event in events:
        answer = post(connection, event)
        assert answer.status_code == 200, answer.content
