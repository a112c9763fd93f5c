"""Wise's resources as far as the product uses them. Each profile sees only its own."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from integrations.sandbox.server import Call, Reply
from integrations.sandbox.store import Store
from integrations.sandbox.wise import shapes

Json = dict[str, Any]
PROVIDER = "wise"
RATES = {
    "EUR": Decimal("1.00"),
    "USD": Decimal("1.10"),
    "GBP": Decimal("0.85"),
    "JPY": Decimal("160"),
    "INR": Decimal("92"),
}
CLOSED = frozenset({"RUB", "IRR", "KPW"})
PLENTY = Decimal("100000.00")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Refused(Exception):
    def __init__(self, status: int, body: Json, headers: dict[str, str] | None = None) -> None:
        super().__init__(str(body))
        self.reply = Reply(status, body, headers or {})


class Resources:
    def __init__(self, store: Store) -> None:
        self._store = store

    def answer(self, call: Call, profile: int) -> Reply:
        for method, pattern, action in ROUTES:
            match = re.fullmatch(pattern, call.path) if method == call.method else None
            if match:
                named = match.groupdict()
                if "profile" in named and int(named.pop("profile")) != profile:
                    raise Refused(403, shapes.error("forbidden", "You may not use this profile."))
                with self._store.transaction():
                    return action(self, call, profile, **named)
        raise Refused(404, shapes.error("not.found", "There is nothing here."))

    # Profiles, recipients, quotes -----------------------------------------------------------------------------------

    def profiles(self, call: Call, profile: int) -> Reply:
        return Reply(200, [shapes.profile(profile)])

    def balances(self, call: Call, profile: int) -> Reply:
        return Reply(
            200, [shapes.balance(currency, self.balance(profile, currency)) for currency in ("EUR", "USD", "GBP")]
        )

    def recipient_create(self, call: Call, profile: int) -> Reply:
        wanted = call.json()
        if wanted.get("profile") != profile:
            raise Refused(403, shapes.error("forbidden", "You may not use this profile."))
        email = (wanted.get("details") or {}).get("email", "")
        if wanted.get("type") != "email" or not _EMAIL.fullmatch(email) or email.endswith(".invalid"):
            raise Refused(422, shapes.error("NOT_VALID", "Please enter a valid email address.", "details.email"))
        if len(str(wanted.get("accountHolderName", "")).split()) < 2:
            raise Refused(
                422, shapes.error("NOT_VALID", "Please enter the recipient's full name.", "accountHolderName")
            )
        made = shapes.recipient(wanted, profile, shapes.new_number())
        self._put("recipient", profile, str(made["id"]), made)
        return Reply(200, made)

    def quote_create(self, call: Call, profile: int) -> Reply:
        wanted = call.json()
        source, target = wanted["sourceCurrency"], wanted["targetCurrency"]
        if target in CLOSED or source in CLOSED:
            message = f"We don't support sending money from {source} to {target} yet."
            raise Refused(422, shapes.error("error.route.not.supported", message, "targetCurrency"))
        if not isinstance(wanted.get("targetAmount"), int | float) or wanted["targetAmount"] <= 0:
            raise Refused(422, shapes.error("NOT_VALID", "Please enter an amount.", "targetAmount"))
        made = shapes.quote(wanted, profile, RATES.get(target, Decimal(1)) / RATES.get(source, Decimal(1)))
        self._put("quote", profile, made["id"], made)
        return Reply(200, made)

    # Groups ---------------------------------------------------------------------------------------------------------

    def group_create(self, call: Call, profile: int) -> Reply:
        made = shapes.group(call.json())
        self._put("group", profile, made["id"], made, lookup=made["name"])
        return Reply(201, made)

    def group_show(self, call: Call, profile: int, group: str) -> Reply:
        return Reply(200, self._get("group", profile, group))

    def group_update(self, call: Call, profile: int, group: str) -> Reply:
        kept, wanted = self._get("group", profile, group), call.json()
        if wanted["version"] != kept["version"]:
            raise Refused(409, shapes.error("batch.version.mismatch", "The batch group has another version."))
        if wanted["status"] == "COMPLETED" and kept["status"] != "NEW":
            raise Refused(409, shapes.error("batch.status", f"The batch group is {kept['status']}."))
        if wanted["status"] == "CANCELLED":
            self.cancel_group(profile, kept)
        return Reply(200, self.save_group(profile, {**kept, "status": wanted["status"]}))

    def cancel_group(self, profile: int, kept: Json) -> None:
        ones = [self._get("transfer", profile, str(number)) for number in kept["transferIds"]]
        if any(one["status"] not in ("incoming_payment_waiting", "cancelled") for one in ones):
            raise Refused(409, shapes.error("batch.funded", "A batch group that is paid can't be cancelled."))
        for one in ones:
            self.save_transfer(profile, {**one, "status": "cancelled"})

    def transfer_create(self, call: Call, profile: int, group: str) -> Reply:
        wanted = call.json()
        before = self._store.find(PROVIDER, "transfer", parent=str(profile), lookup=wanted["customerTransactionId"])
        if before:
            return Reply(200, before[0]["shown"])
        kept = self._get("group", profile, group)
        if kept["status"] != "NEW":
            raise Refused(409, shapes.error("batch.status", f"The batch group is {kept['status']}."))
        quoted = self._get("quote", profile, wanted["quoteUuid"])
        self._get("recipient", profile, str(wanted["targetAccount"]))
        if quoted["sourceCurrency"] != kept["sourceCurrency"]:
            raise Refused(422, shapes.error("batch.currency", "The quote has another source currency."))
        made = shapes.transfer(wanted, quoted, shapes.new_number())
        self.save_transfer(profile, made)
        self.save_group(profile, {**kept, "transferIds": [*kept["transferIds"], made["id"]]})
        return Reply(200, made)

    def group_pay(self, call: Call, profile: int, group: str) -> Reply:
        if self._setting(profile, "approval"):
            headers = {"x-2fa-approval": "a1b2c3d4", "x-2fa-approval-result": "REJECTED"}
            raise Refused(403, {"status": 403, "message": "You are forbidden to send this request"}, headers)
        return self.pay(profile, self._get("group", profile, group))

    def pay(self, profile: int, kept: Json) -> Reply:
        """What the API does at once, and a person by an approval."""
        if kept["status"] != "COMPLETED":
            raise Refused(422, shapes.error("batch.status", f"The batch group is {kept['status']}."))
        ones = [self._get("transfer", profile, str(number)) for number in kept["transferIds"]]
        unpaid = [one for one in ones if one["status"] == "incoming_payment_waiting"]
        left = self.balance(profile, kept["sourceCurrency"]) - sum(Decimal(str(one["sourceValue"])) for one in unpaid)
        if left < 0:
            raise Refused(422, shapes.error("transfer.insufficient_funds", "There isn't enough money on the balance."))
        self.set_balance(profile, kept["sourceCurrency"], left)
        status = "processing" if self._setting(profile, "slow") else "outgoing_payment_sent"
        for one in unpaid:
            self.save_transfer(profile, {**one, "status": status})
        return Reply(200, shapes.payment(kept, profile))

    # Transfers ------------------------------------------------------------------------------------------------------

    def transfer_list(self, call: Call, profile: int) -> Reply:
        asked = call.arguments
        if int(asked["profile"]) != profile:
            raise Refused(403, shapes.error("forbidden", "You may not use this profile."))
        start = asked.get("createdDateStart", "")
        rows = self._store.find(
            PROVIDER, "transfer", parent=str(profile), keep=lambda kept: kept["shown"]["created"] >= start
        )
        first, size = int(asked.get("offset", 0)), int(asked.get("limit", 10))
        return Reply(200, [kept["shown"] for kept in rows[first : first + size]])

    def transfer_show(self, call: Call, profile: int, number: str) -> Reply:
        return Reply(200, self._get("transfer", profile, number))

    def transfer_cancel(self, call: Call, profile: int, number: str) -> Reply:
        one = self._get("transfer", profile, number)
        if one["status"] not in ("incoming_payment_waiting", "processing"):
            raise Refused(409, shapes.error("transfer.cancellation.not.allowed", f"The transfer is {one['status']}."))
        return Reply(200, self.save_transfer(profile, {**one, "status": "cancelled"}))

    # What the routes share ------------------------------------------------------------------------------------------

    def save_group(self, profile: int, group: Json) -> Json:
        saved = {**group, "version": group["version"] + 1}
        self._put("group", profile, saved["id"], saved, lookup=saved["name"])
        return saved

    def save_transfer(self, profile: int, transfer: Json) -> Json:
        self._put("transfer", profile, str(transfer["id"]), transfer, lookup=transfer["customerTransactionId"])
        return transfer

    def balance(self, profile: int, currency: str) -> Decimal:
        kept = self._store.get(PROVIDER, False, "balance", f"wise:{profile}:balance:{currency}")
        return Decimal(kept["value"]) if kept else PLENTY

    def set_balance(self, profile: int, currency: str, value: Decimal) -> None:
        self._store.put(PROVIDER, False, "balance", {"id": f"wise:{profile}:balance:{currency}", "value": str(value)})

    def set(self, profile: int, name: str, on: bool) -> None:
        self._store.put(PROVIDER, False, "setting", {"id": f"wise:{profile}:setting:{name}", "on": on})

    def _setting(self, profile: int, name: str) -> bool:
        kept = self._store.get(PROVIDER, False, "setting", f"wise:{profile}:setting:{name}")
        return bool(kept and kept["on"])

    def _put(self, kind: str, profile: int, number: str, shown: Json, lookup: str = "") -> None:
        body = {"id": f"wise:{profile}:{kind}:{number}", "shown": shown}
        self._store.put(PROVIDER, False, kind, body, parent=str(profile), lookup=lookup)

    def _get(self, kind: str, profile: int, number: str) -> Json:
        kept = self._store.get(PROVIDER, False, kind, f"wise:{profile}:{kind}:{number}")
        if kept is None:
            raise Refused(404, shapes.error(f"{kind}.not.found", f"There is no such {kind}."))
        shown: Json = kept["shown"]
        return shown


_PROFILE = r"/v3/profiles/(?P<profile>\d+)"
_GROUP = r"/batch-groups/(?P<group>[0-9a-f-]{36})"
ROUTES: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("GET", "/v2/profiles", Resources.profiles),
    ("GET", r"/v4/profiles/(?P<profile>\d+)/balances", Resources.balances),
    ("POST", "/v1/accounts", Resources.recipient_create),
    ("POST", _PROFILE + "/quotes", Resources.quote_create),
    ("POST", _PROFILE + "/batch-groups", Resources.group_create),
    ("GET", _PROFILE + _GROUP, Resources.group_show),
    ("PATCH", _PROFILE + _GROUP, Resources.group_update),
    ("POST", _PROFILE + _GROUP + "/transfers", Resources.transfer_create),
    ("POST", _PROFILE + r"/batch-payments/(?P<group>[0-9a-f-]{36})/payments", Resources.group_pay),
    ("GET", "/v1/transfers", Resources.transfer_list),
    ("GET", r"/v1/transfers/(?P<number>\d+)", Resources.transfer_show),
    ("PUT", r"/v1/transfers/(?P<number>\d+)/cancel", Resources.transfer_cancel),
)
