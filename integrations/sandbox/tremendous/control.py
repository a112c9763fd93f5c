"""What tests and the demo ask of Tremendous's stand-in, under `/_control/tremendous/`:

GET  orders ?external_id=&livemode=
POST account {livemode, balance, next_status}: what is left, and what orders become
POST orders/become {id, status, livemode}, POST orders/deliver {id, status, livemode}: as people and mail servers do
POST webhooks {url, secret, event, id, type, external_id, repeat}: tell of it by a signed webhook
POST keys/revoke {api_key} and keys/restore {api_key}
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from integrations.sandbox.server import Call, Reply
from integrations.sandbox.telling import tell
from integrations.sandbox.tremendous.account import Account
from referral_rocket.kit.signing import hex_signature

Json = dict[str, Any]


class TremendousControl:
    def __init__(self, accounts: Mapping[bool, Account]) -> None:
        self._accounts = accounts
        self._revoked: set[str] = set()

    def is_revoked(self, key: str) -> bool:
        return key in self._revoked

    def answer(self, call: Call) -> Reply:
        if (call.method, call.path) == ("GET", "/orders"):
            asked = call.arguments
            account = self._accounts[asked.get("livemode", "false") == "true"]
            return Reply(200, {"orders": account.orders(asked.get("external_id"))})
        wanted = call.json()
        account = self._accounts[bool(wanted.pop("livemode", False))]
        match call.method, call.path:
            case "POST", "/account":
                account.change(**wanted)
            case "POST", "/orders/become":
                return Reply(200, {"order": account.become(wanted["id"], wanted["status"])})
            case "POST", "/orders/deliver":
                return Reply(200, {"order": account.deliver(wanted["id"], wanted["status"])})
            case "POST", "/webhooks":
                return Reply(200, {"events": _tell(wanted)})
            case "POST", "/keys/revoke":
                self._revoked.add(wanted["api_key"])
            case "POST", "/keys/restore":
                self._revoked.discard(wanted["api_key"])
            case _:
                return Reply(404, {"error": f"nothing at {call.path}"})
        return Reply(200, {})


def event(wanted: Json) -> Json:
    """A webhook's body."""
    meta = {"external_id": wanted["external_id"]} if wanted.get("external_id") else {}
    return {
        "uuid": str(uuid4()),
        "event": wanted["event"],
        "created_utc": datetime.now(UTC).isoformat(),
        "payload": {
            "resource": {"id": wanted["id"], "type": wanted.get("type", "rewards")},
            "meta": meta,
        },
    }


def _tell(wanted: Json) -> list[Json]:
    body = json.dumps(event(wanted)).encode()
    headers = {"Tremendous-Webhook-Signature": f"sha256={hex_signature(wanted['secret'], body)}"}
    return [tell(wanted["url"], body, headers) for _ in range(wanted.get("repeat", 1))]
