"""PayPal's payouts as far as the product uses them."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from integrations.sandbox.paypal import shapes
from integrations.sandbox.server import Call, Reply
from integrations.sandbox.store import Store

Json = dict[str, Any]
PROVIDER = "paypal"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ACCOUNT = re.compile(r"[A-Z0-9]{13}")
# Paid into nobody's account until somebody claims it, unless the control says otherwise of an address.
UNREGISTERED = "unregistered"
# What a receiver's own state makes of a payout to it.
_STATES = {UNREGISTERED: "UNCLAIMED", "locked": "BLOCKED", "refused": "FAILED", "reviewed": "ONHOLD", "slow": "PENDING"}


class Refused(Exception):
    def __init__(self, status: int, name: str, message: str, details: list[Json] | None = None) -> None:
        super().__init__(message)
        self.reply = Reply(status, shapes.error(name, message, details))


class Payouts:
    def __init__(self, store: Store) -> None:
        self._store = store

    def answer(self, call: Call, account: str, base: str) -> Reply:
        for method, pattern, action in ROUTES:
            match = re.fullmatch(pattern, call.path) if method == call.method else None
            if match:
                return action(self, call, account, base, *match.groups())
        raise Refused(404, "RESOURCE_NOT_FOUND", "The specified resource does not exist.")

    def user(self, call: Call, account: str, base: str) -> Reply:
        return Reply(200, shapes.user(account))

    def create(self, call: Call, account: str, base: str) -> Reply:
        wanted = _checked(call)
        header = wanted["sender_batch_header"]
        with self._store.transaction():
            self._refuse_a_repeat(account, header["sender_batch_id"], base)
            self._pay(account, wanted["items"])
            batch = shapes.batch(wanted, account)
            setting = self._store.get(PROVIDER, False, "setting", f"paypal-slow:{account}")
            if setting and setting["slow"]:
                batch["status"] = "PENDING"
            self._store.put(
                PROVIDER, False, "batch", batch, parent=account, lookup=f"{account}:{header['sender_batch_id']}"
            )
            for item in wanted["items"]:
                state, reason = self._state_of(item, account)
                kept = shapes.item(item, batch["id"], header["sender_batch_id"], state, reason)
                self._store.put(
                    PROVIDER, False, "item", kept, parent=batch["id"], lookup=item.get("sender_item_id", "")
                )
        return Reply(201, shapes.created(batch, base))

    def _refuse_a_repeat(self, account: str, sender_batch_id: str, base: str) -> None:
        before = self._store.find(PROVIDER, "batch", lookup=f"{account}:{sender_batch_id}")
        if not before:
            return
        detail = {
            "field": "SENDER_BATCH_ID",
            "location": "body",
            "issue": "Batch with given sender_batch_id already exists",
            "link": [shapes.link(base, f"/v1/payments/payouts/{before[0]['id']}")],
        }
        raise Refused(400, "USER_BUSINESS_ERROR", "User business error.", [detail])

    def _pay(self, account: str, items: list[Json]) -> None:
        """Take the items' sum from the balance, where the control has set one."""
        for currency in {item["amount"]["currency"] for item in items}:
            key = f"paypal-balance:{account}:{currency}"
            balance = self._store.get(PROVIDER, False, "balance", key)
            if balance is None:
                continue
            left = Decimal(balance["value"]) - sum(
                Decimal(item["amount"]["value"]) for item in items if item["amount"]["currency"] == currency
            )
            if left < 0:
                raise Refused(422, "INSUFFICIENT_FUNDS", "Sender does not have sufficient funds. Add funds and retry.")
            self._store.put(PROVIDER, False, "balance", {**balance, "value": str(left)})

    def _state_of(self, item: Json, account: str) -> tuple[str, tuple[str, str] | None]:
        if item["receiver"] == account:
            return "FAILED", shapes.SELF_PAY
        known = self._store.get(PROVIDER, False, "receiver", f"paypal-receiver:{item['receiver'].lower()}")
        return _STATES.get(known["state"] if known else "", "SUCCESS"), None

    def show(self, call: Call, account: str, base: str, batch_id: str) -> Reply:
        batch = self._store.get(PROVIDER, False, "batch", batch_id)
        if batch is None or batch["account"] != account:
            raise Refused(404, "RESOURCE_NOT_FOUND", "The specified resource does not exist.")
        size, page = int(call.arguments.get("page_size", "1000")), int(call.arguments.get("page", "1"))
        items = self._store.find(PROVIDER, "item", parent=batch_id)[::-1] if batch["status"] != "PENDING" else []
        pages = max(1, -(-len(items) // size))
        return Reply(200, shapes.shown_batch(batch, items[(page - 1) * size : page * size], len(items), pages, base))

    def item(self, call: Call, account: str, base: str, item_id: str) -> Reply:
        return Reply(200, self._shown(self._item(account, item_id), base))

    def cancel(self, call: Call, account: str, base: str, item_id: str) -> Reply:
        with self._store.transaction():
            item = self._item(account, item_id)
            if item["transaction_status"] == "RETURNED":
                raise Refused(400, "ITEM_ALREADY_CANCELLED", "Requested item is already cancelled.")
            if item["transaction_status"] != "UNCLAIMED":
                raise Refused(400, "ITEM_INCORRECT_STATUS", "You can only cancel items that are in UNCLAIMED state.")
            item = self.change(item, "RETURNED")
        return Reply(200, self._shown(item, base))

    def change(self, item: Json, state: str, reason: tuple[str, str] | None = None) -> Json:
        changed = shapes.with_state(item, state, reason)
        self._store.put(
            PROVIDER,
            False,
            "item",
            changed,
            parent=item["payout_batch_id"],
            lookup=item["payout_item"].get("sender_item_id", ""),
        )
        return changed

    def _item(self, account: str, item_id: str) -> Json:
        item = self._store.get(PROVIDER, False, "item", item_id)
        batch = self._store.get(PROVIDER, False, "batch", item["payout_batch_id"]) if item else None
        if item is None or batch is None or batch["account"] != account:
            raise Refused(404, "RESOURCE_NOT_FOUND", "The specified resource does not exist.")
        return item

    def _shown(self, item: Json, base: str) -> Json:
        return {**shapes.shown_item(item, base), "sender_batch_id": item["sender_batch_id"]}


def _checked(call: Call) -> Json:
    """What PayPal checks before it takes a batch: the form of it, and of each receiver and amount."""
    try:
        wanted = call.json()
    except ValueError as error:
        raise Refused(400, "MALFORMED_REQUEST_JSON", "The request JSON is not well formed.") from error
    items, header = wanted.get("items"), wanted.get("sender_batch_header")
    if not isinstance(header, dict) or not isinstance(items, list) or not 1 <= len(items) <= 15000:
        detail = {"field": "items", "location": "body", "issue": "Required field is missing or has too many items"}
        raise Refused(400, "VALIDATION_ERROR", "Invalid request - see details", [detail])
    problems = [
        {"field": f"items[{place}].{field}", "location": "body", "issue": issue}
        for place, item in enumerate(items)
        for field, issue in _problems(item)
    ]
    if problems:
        raise Refused(400, "VALIDATION_ERROR", "Invalid request - see details", problems)
    return wanted


def _problems(item: Json) -> list[tuple[str, str]]:
    found = []
    shape = {"EMAIL": _EMAIL, "PAYPAL_ID": _ACCOUNT}.get(item.get("recipient_type", ""))
    if shape is None or not shape.fullmatch(str(item.get("receiver", ""))):
        found.append(("receiver", "Receiver is invalid or does not match with type"))
    try:
        value = Decimal(item["amount"]["value"])
    except (KeyError, TypeError, InvalidOperation):
        return [*found, ("amount.value", "Amount is invalid")]
    if not value.is_finite() or value <= 0:
        found.append(("amount.value", "Amount must be greater than zero"))
    if len(item.get("sender_item_id", "")) > 63:
        found.append(("sender_item_id", "Must be at most 63 characters"))
    return found


ROUTES: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("GET", "/v1/identity/oauth2/userinfo", Payouts.user),
    ("POST", "/v1/payments/payouts", Payouts.create),
    ("GET", r"/v1/payments/payouts/([A-Z0-9]+)", Payouts.show),
    ("GET", r"/v1/payments/payouts-item/([A-Z0-9]+)", Payouts.item),
    ("POST", r"/v1/payments/payouts-item/([A-Z0-9]+)/cancel", Payouts.cancel),
)
