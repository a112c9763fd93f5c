"""What tests and the demo ask of PayPal's stand-in, under `/_control/paypal/`:

GET  items ?sender_item_id=: every payout item whose key begins so, with its state
POST items {sender_item_id, state}: claim (SUCCESS), return (RETURNED), block, hold … an item
POST receivers {email, state}: unregistered, locked, refused, reviewed, slow; anything else is an ordinary account
POST balance {client_id, currency, value}: from then on payouts come out of it; without it there is no end of money
POST batches {client_id, slow}: whether batches stay PENDING without items; false also finishes those that do
POST webhooks {url, webhook_id, sender_item_id | body}: tell of an item's state, signed
POST credentials/revoke {client_id} and credentials/restore; POST tokens/end: forget every token given so far
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from integrations.sandbox.paypal import shapes
from integrations.sandbox.paypal.payouts import PROVIDER, Payouts
from integrations.sandbox.paypal.signing import Signer
from integrations.sandbox.server import Call, Reply
from integrations.sandbox.store import Store

Json = dict[str, Any]
# PayPal's event for each state of an item (its page "Webhook event names").
EVENTS = {
    "SUCCESS": "PAYMENT.PAYOUTS-ITEM.SUCCEEDED",
    "FAILED": "PAYMENT.PAYOUTS-ITEM.FAILED",
    "UNCLAIMED": "PAYMENT.PAYOUTS-ITEM.UNCLAIMED",
    "RETURNED": "PAYMENT.PAYOUTS-ITEM.RETURNED",
    "ONHOLD": "PAYMENT.PAYOUTS-ITEM.HELD",
    "BLOCKED": "PAYMENT.PAYOUTS-ITEM.BLOCKED",
    "REFUNDED": "PAYMENT.PAYOUTS-ITEM.REFUNDED",
    "REVERSED": "PAYMENT.PAYOUTS-ITEM.CANCELED",
    "PENDING": "PAYMENT.PAYOUTS-ITEM.HELD",
}


class PayPalControl:
    def __init__(self, store: Store, payouts: Payouts, signer: Signer) -> None:
        self._store = store
        self._payouts = payouts
        self._signer = signer
        self._revoked: set[str] = set()

    def is_revoked(self, client_id: str) -> bool:
        return client_id in self._revoked

    def answer(self, call: Call) -> Reply:
        action = _ACTIONS.get((call.method, call.path))
        if action is None:
            return Reply(404, {"error": f"nothing at {call.path}"})
        return Reply(200, action(self, call) or {})

    def list_items(self, call: Call) -> Json:
        return {"items": [_brief(item) for item in self._items(call.arguments.get("sender_item_id", ""))]}

    def change_items(self, call: Call) -> None:
        wanted = call.json()
        for item in self._items(wanted["sender_item_id"]):
            self._payouts.change(item, wanted["state"])

    def set_receiver(self, call: Call) -> None:
        wanted = call.json()
        key = f"paypal-receiver:{wanted['email'].lower()}"
        self._store.put(PROVIDER, False, "receiver", {"id": key, "state": wanted["state"]})

    def revoke(self, call: Call) -> None:
        self._revoked.add(call.json()["client_id"])

    def restore(self, call: Call) -> None:
        self._revoked.discard(call.json()["client_id"])

    def end_tokens(self, call: Call) -> None:
        for token in self._store.find(PROVIDER, "token"):
            self._store.put(PROVIDER, False, "token", {**token, "ended": True})

    def _items(self, sender_item_id: str) -> list[Json]:
        return self._store.find(
            PROVIDER,
            "item",
            keep=lambda item: str(item["payout_item"].get("sender_item_id", "")).startswith(sender_item_id),
        )

    def set_balance(self, call: Call) -> None:
        wanted = call.json()
        key = f"paypal-balance:{shapes.account_of(wanted['client_id'])}:{wanted['currency']}"
        self._store.put(PROVIDER, False, "balance", {"id": key, "value": wanted["value"]})

    def set_slow(self, call: Call) -> None:
        wanted = call.json()
        key = f"paypal-slow:{shapes.account_of(wanted['client_id'])}"
        with self._store.transaction():
            self._store.put(PROVIDER, False, "setting", {"id": key, "slow": wanted["slow"]})
            if not wanted["slow"]:
                for batch in self._store.find(PROVIDER, "batch", keep=lambda batch: batch["status"] == "PENDING"):
                    self._store.put(PROVIDER, False, "batch", {**batch, "status": "SUCCESS"})

    def tell(self, call: Call) -> Json:
        wanted = call.json()
        base = f"http://{call.headers.get('Host', 'localhost')}/{PROVIDER}"
        if "body" in wanted:
            body = wanted["body"].encode()
        else:
            (item,) = self._items(wanted["sender_item_id"])
            body = json.dumps(event_of(item, base)).encode()
        told = self._signer.tell(wanted["url"], body, wanted["webhook_id"], base)
        return {**told, "body": body.decode()}


def event_of(item: Json, base: str) -> Json:
    """What PayPal tells of an item's state."""
    state = item["transaction_status"]
    resource = {**shapes.shown_item(item, base), "sender_batch_id": item["sender_batch_id"]}
    return shapes.event(EVENTS[state], "payouts_item", resource, f"The payout item is {state}", base)


def _brief(item: Json) -> Json:
    sent = item["payout_item"]
    return {
        "payout_item_id": item["id"],
        "payout_batch_id": item["payout_batch_id"],
        "sender_batch_id": item["sender_batch_id"],
        "sender_item_id": sent.get("sender_item_id"),
        "receiver": sent["receiver"],
        "value": sent["amount"]["value"],
        "currency": sent["amount"]["currency"],
        "state": item["transaction_status"],
    }


_ACTIONS: Mapping[tuple[str, str], Callable[[PayPalControl, Call], Json | None]] = {
    ("GET", "/items"): PayPalControl.list_items,
    ("POST", "/items"): PayPalControl.change_items,
    ("POST", "/receivers"): PayPalControl.set_receiver,
    ("POST", "/balance"): PayPalControl.set_balance,
    ("POST", "/batches"): PayPalControl.set_slow,
    ("POST", "/webhooks"): PayPalControl.tell,
    ("POST", "/credentials/revoke"): PayPalControl.revoke,
    ("POST", "/credentials/restore"): PayPalControl.restore,
    ("POST", "/tokens/end"): PayPalControl.end_tokens,
}
