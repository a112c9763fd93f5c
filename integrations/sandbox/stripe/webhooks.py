"""Sales, refunds and disputes of Stripe's stand-in, told by signed webhooks.

`POST /_control/stripe/webhooks` takes `{url, secret}`, or tells the endpoints that were made by the API, and
- `{type: "checkout", email, amount, currency, …}` (the default): a customer pays. Further: `name, livemode, country, tax,
  shipping, discount, promotion_code (an id), referral_code, transaction_id, metadata, client_reference_id, subscription` (true: by a
  subscription's first invoice), `events` (which to send, in which order) and `age_seconds` (how long ago it was);
- `{type: "refund", payment_intent, amount, status}`; `{type: "dispute", payment_intent, amount, status, event}`;
- `{type: "event", event: "<Stripe's type>", object: {…}, livemode}`: anything at all.
Amounts are in Stripe's units. `repeat` sends each event that often, `delay_ms` waits in between. The answer lists ids
and how each delivery was answered.
"""

import json
import time
from typing import Any

from integrations.sandbox.store import Store
from integrations.sandbox.stripe import shapes
from integrations.sandbox.telling import tell
from referral_rocket.kit.signing import hex_signature

Json = dict[str, Any]
PROVIDER = "stripe"
API_VERSION = "2026-10-28.endive"
_OF_A_SALE = ("payment_intent.succeeded", "checkout.session.completed")
_OF_A_SUBSCRIPTION = (
    "payment_intent.succeeded", "invoice.paid", "invoice_payment.paid", "checkout.session.completed",
)  # fmt: skip


class Webhooks:
    def __init__(self, store: Store) -> None:
        self._store = store

    def tell(self, wanted: Json) -> Json:
        """Make what is asked for and deliver its events. Raises KeyError or ValueError for a request that lacks something."""
        match wanted.get("type", "checkout"):
            case "checkout":
                ids, events = self._sale(wanted)
            case "refund":
                ids, events = self._refund(wanted)
            case "dispute":
                ids, events = self._dispute(wanted)
            case "event":
                livemode, now = bool(wanted.get("livemode")), int(time.time())
                ids = {}
                events = [shapes.event(wanted["event"], wanted["object"], livemode, API_VERSION, now)]
            case other:
                raise ValueError(f"type {other!r} is none of checkout, refund, dispute, event")
        return {**ids, "events": [sent for event in events for sent in self.deliver(event, wanted)]}

    # What happens ------------------------------------------------------------------------------------------------

    def _sale(self, wanted: Json) -> tuple[Json, list[Json]]:
        livemode = bool(wanted.get("livemode"))
        sale = _sale_of(wanted)
        with self._store.transaction():
            customer = self._customer(sale, livemode)
            sale["customer"] = customer["id"]
            intent = shapes.payment_intent(sale, livemode) if sale["amount"] else None
            invoice = shapes.invoice(sale, livemode) if sale["subscription"] else None
            session = shapes.checkout_session(
                sale, intent["id"] if intent else None, invoice["id"] if invoice else None, livemode
            )
            for thing in (intent, invoice, session):
                if thing:
                    self._store.put(PROVIDER, livemode, thing["object"].replace(".", "_"), thing)
            things = {"invoice.paid": invoice, "checkout.session.completed": session}
            if intent:
                things |= dict(self.paid(intent, invoice))
        order = wanted.get("events") or (_OF_A_SUBSCRIPTION if invoice else _OF_A_SALE)
        events = [
            shapes.event(event_type, thing, livemode, API_VERSION, sale["created"])
            for event_type in order
            if (thing := things.get(event_type)) is not None
        ]
        ids = {
            "customer": customer["id"],
            "checkout_session": session["id"],
            "payment_intent": intent["id"] if intent else None,
            "invoice": invoice["id"] if invoice else None,
        }
        return ids, events

    def paid(self, intent: Json, invoice: Json | None) -> list[tuple[str, Json]]:
        """Keep an intent, its charge and what joins it to its invoice; (event type, object) of what is told of them."""
        livemode = intent["livemode"]
        self._store.put(PROVIDER, livemode, "payment_intent", intent)
        self._store.put(PROVIDER, livemode, "charge", shapes.charge(intent, 0))
        told = [("payment_intent.succeeded", intent)]
        if invoice is not None:
            joined = shapes.invoice_payment(invoice["id"], intent)
            self._store.put(PROVIDER, livemode, "invoice_payment", joined)
            told.append(("invoice_payment.paid", joined))
        return told

    def _customer(self, sale: Json, livemode: bool) -> Json:
        there = self._store.find(PROVIDER, "customer", livemode=livemode, lookup=sale["email"])
        customer = there[0] if there else shapes.customer({"email": sale["email"], "name": sale.get("name")}, livemode)
        customer["currency"] = customer["currency"] or sale["currency"]
        self._store.put(PROVIDER, livemode, "customer", customer, lookup=sale["email"])
        return customer

    def _intent(self, wanted: Json) -> Json:
        for livemode in (False, True):
            found = self._store.get(PROVIDER, livemode, "payment_intent", wanted["payment_intent"])
            if found:
                return found
        raise ValueError(f"no payment intent {wanted['payment_intent']}")

    def _refund(self, wanted: Json) -> tuple[Json, list[Json]]:
        intent, now = self._intent(wanted), int(time.time())
        status = wanted.get("status", "succeeded")
        refund = shapes.refund(intent, _amount(wanted, intent), status, now)
        refunded = intent.get("standin_refunded", 0) + (refund["amount"] if status != "failed" else 0)
        livemode, charge = intent["livemode"], shapes.charge(intent, refunded)
        self._store.put(PROVIDER, livemode, "payment_intent", {**intent, "standin_refunded": refunded})
        self._store.put(PROVIDER, livemode, "charge", charge)
        self._store.put(PROVIDER, livemode, "refund", refund)
        events = [
            shapes.event("refund.created", refund, livemode, API_VERSION, now),
            shapes.event("charge.refunded", charge, livemode, API_VERSION, now),
        ]
        return {"refund": refund["id"]}, _chosen(events, wanted)

    def _dispute(self, wanted: Json) -> tuple[Json, list[Json]]:
        intent, now = self._intent(wanted), int(time.time())
        dispute = shapes.dispute(intent, _amount(wanted, intent), wanted.get("status", "needs_response"), now)
        dispute["id"] = wanted.get("dispute", dispute["id"])
        self._store.put(PROVIDER, intent["livemode"], "dispute", dispute)
        event_type = wanted.get("event", "charge.dispute.created")
        event = shapes.event(event_type, dispute, intent["livemode"], API_VERSION, now)
        return {"dispute": dispute["id"]}, [event]

    # How it is told ----------------------------------------------------------------------------------------------

    def deliver(self, event: Json, wanted: Json) -> list[Json]:
        body = json.dumps(event, indent=2).encode()
        sent = []
        for _ in range(wanted.get("repeat", 1)):
            for url, secret in self._takers(event, wanted):
                headers = {"Stripe-Signature": signature(body, secret, int(time.time()))}
                sent.append(tell(url, body, headers) | {"id": event["id"], "type": event["type"]})
            time.sleep(wanted.get("delay_ms", 0) / 1000)
        return sent

    def _takers(self, event: Json, wanted: Json) -> list[tuple[str, str]]:
        """Where to, with the secret: as asked for, else every endpoint that takes such events."""
        if wanted.get("url"):
            return [(wanted["url"], wanted["secret"])]
        endpoints = self._store.find(PROVIDER, "webhook_endpoint", livemode=event["livemode"])
        return [
            (each["url"], each["standin_secret"])
            for each in endpoints
            if not each.get("deleted")
            and each["status"] == "enabled"
            and {event["type"], "*"} & set(each["enabled_events"])
        ]


def signature(body: bytes, secret: str, at: int) -> str:
    """The Stripe-Signature header for a body, `at` seconds since 1970."""
    return f"t={at},v1={hex_signature(secret, f'{at}.'.encode() + body)}"


def _amount(wanted: Json, intent: Json) -> int:
    return int(wanted["amount"] if "amount" in wanted else intent["amount"])


def _chosen(events: list[Json], wanted: Json) -> list[Json]:
    order = wanted.get("events")
    return [event for name in order for event in events if event["type"] == name] if order else events


def _sale_of(wanted: Json) -> Json:
    metadata = {
        **(wanted.get("metadata") or {}),
        **{key: wanted[key] for key in ("referral_code", "transaction_id") if wanted.get(key)},
    }
    return {
        "email": wanted["email"],
        "name": wanted.get("name"),
        "amount": int(wanted["amount"]),
        "currency": wanted["currency"].lower(),
        "country": wanted.get("country"),
        "tax": int(wanted.get("tax", 0)),
        "shipping": int(wanted.get("shipping", 0)),
        "discount": int(wanted.get("discount", 0)),
        "client_reference_id": wanted.get("client_reference_id"),
        "promotion_code": wanted.get("promotion_code"),
        "subscription": shapes.new_id("sub") if wanted.get("subscription") else None,
        "metadata": metadata,
        # Stripe doesn't copy a session's metadata to its intent; a shop may have set it there too.
        "intent_metadata": wanted.get("intent_metadata") or {},
        "created": int(time.time()) - int(wanted.get("age_seconds", 0)),
    }
