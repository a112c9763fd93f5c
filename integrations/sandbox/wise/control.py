"""What tests and the demo ask of Wise's stand-in, under `/_control/wise/`:

GET  transfers ?customerTransactionId=: every transfer, or those of our ids (with commas between them)
POST transfers {customerTransactionId, status}: send, bounce, refund, cancel … a transfer
GET  groups ?name=; POST groups {name, status}: PAID as a person does by approving, CANCELLED as a person does
POST balance {token, currency, value}; POST settings {token, approval, slow}: whether payments need a person, and
whether transfers stay `processing` once they are paid
POST webhooks {url, customerTransactionId, previous | body}: tell of a transfer's state, signed
POST tokens/revoke {token} and tokens/restore
"""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from integrations.sandbox.server import Call, Reply
from integrations.sandbox.store import Store
from integrations.sandbox.wise import shapes
from integrations.sandbox.wise.resources import PROVIDER, Resources
from integrations.sandbox.wise.signing import Signer

Json = dict[str, Any]


class WiseControl:
    def __init__(self, store: Store, resources: Resources, signer: Signer) -> None:
        self._store = store
        self._resources = resources
        self._signer = signer
        self._revoked: set[str] = set()

    def is_revoked(self, token: str) -> bool:
        return token in self._revoked

    def answer(self, call: Call) -> Reply:
        action = _ACTIONS.get((call.method, call.path))
        if action is None:
            return Reply(404, {"error": f"nothing at {call.path}"})
        return Reply(200, action(self, call) or {})

    def list_transfers(self, call: Call) -> Json:
        wanted = [own for own in call.arguments.get("customerTransactionId", "").split(",") if own]
        return {"transfers": [shown for _, shown in self._transfers(wanted)]}

    def change_transfers(self, call: Call) -> None:
        wanted = call.json()
        for profile, shown in self._transfers([wanted["customerTransactionId"]]):
            self._resources.save_transfer(profile, {**shown, "status": wanted["status"]})

    def list_groups(self, call: Call) -> Json:
        return {"groups": [shown for _, shown in self._groups(call.arguments.get("name"))]}

    def change_groups(self, call: Call) -> None:
        wanted = call.json()
        for profile, shown in self._groups(wanted["name"]):
            if wanted["status"] == "PAID":
                self._resources.pay(profile, shown)
            else:
                self._resources.cancel_group(profile, shown)
                self._resources.save_group(profile, {**shown, "status": wanted["status"]})

    def set_balance(self, call: Call) -> None:
        wanted = call.json()
        self._resources.set_balance(shapes.profile_of(wanted["token"]), wanted["currency"], Decimal(wanted["value"]))

    def set_settings(self, call: Call) -> None:
        wanted = call.json()
        for name in ("approval", "slow"):
            if name in wanted:
                self._resources.set(shapes.profile_of(wanted["token"]), name, bool(wanted[name]))

    def tell(self, call: Call) -> Json:
        wanted = call.json()
        if "body" in wanted:
            body = wanted["body"].encode()
        else:
            ((profile, shown),) = self._transfers([wanted["customerTransactionId"]])
            before = wanted.get("previous", "processing")
            body = json.dumps(shapes.state_change(shown, profile, before)).encode()
        return {**self._signer.tell(wanted["url"], body), "body": body.decode()}

    def revoke(self, call: Call) -> None:
        self._revoked.add(call.json()["token"])

    def restore(self, call: Call) -> None:
        self._revoked.discard(call.json()["token"])

    def _transfers(self, own_ids: list[str]) -> list[tuple[int, Json]]:
        found = self._store.find(
            PROVIDER, "transfer", keep=lambda kept: not own_ids or kept["shown"]["customerTransactionId"] in own_ids
        )
        return [(int(kept["id"].split(":")[1]), kept["shown"]) for kept in found]

    def _groups(self, name: str | None) -> list[tuple[int, Json]]:
        found = self._store.find(PROVIDER, "group", lookup=name)
        return [(int(kept["id"].split(":")[1]), kept["shown"]) for kept in found]


_ACTIONS: Mapping[tuple[str, str], Callable[[WiseControl, Call], Json | None]] = {
    ("GET", "/transfers"): WiseControl.list_transfers,
    ("POST", "/transfers"): WiseControl.change_transfers,
    ("GET", "/groups"): WiseControl.list_groups,
    ("POST", "/groups"): WiseControl.change_groups,
    ("POST", "/balance"): WiseControl.set_balance,
    ("POST", "/settings"): WiseControl.set_settings,
    ("POST", "/webhooks"): WiseControl.tell,
    ("POST", "/tokens/revoke"): WiseControl.revoke,
    ("POST", "/tokens/restore"): WiseControl.restore,
}
