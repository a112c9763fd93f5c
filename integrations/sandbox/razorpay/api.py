"""Razorpay as far as a connection's check goes: whose key it is, and the newest payments.

https://razorpay.com/docs/api/payments/fetch-all-payments/. Every key in Razorpay's form is taken until it is revoked.

Control: POST /payments {id, amount, currency, livemode} adds a payment; POST /revoked {key_id} stops taking a key.
"""

import base64
import binascii
import re
import time

from integrations.sandbox.faults import Fault, FaultKind
from integrations.sandbox.server import Call, Reply
from integrations.sandbox.store import Store

PROVIDER = "razorpay"
_KEY = re.compile(r"rzp_(live|test)_[A-Za-z0-9]{4,60}")
_REFUSALS = {
    FaultKind.RATE_LIMITED: (429, "BAD_REQUEST_ERROR", "Too many requests"),
    FaultKind.REVOKED: (401, "BAD_REQUEST_ERROR", "Authentication failed"),
    FaultKind.UNAVAILABLE: (503, "SERVER_ERROR", "We are facing some trouble completing your request at the moment."),
    FaultKind.SERVER_ERROR: (500, "SERVER_ERROR", "We are facing some trouble completing your request at the moment."),
}


class RazorpayStandIn:
    """See `integrations.sandbox.server.StandIn`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def answer(self, call: Call) -> Reply:
        key = _key(call)
        match = _KEY.fullmatch(key)
        if match is None or self._store.get(PROVIDER, False, "revoked", f"{PROVIDER}:{key}"):
            return _error(401, "BAD_REQUEST_ERROR", "Authentication failed")
        if call.fault is not None:
            return self.refusal(call.fault)
        if (call.method, call.path) != ("GET", "/v1/payments"):
            return _error(404, "BAD_REQUEST_ERROR", "The requested URL was not found on the server.")
        count = min(int(call.arguments.get("count", 10)), 100)
        found = self._store.find(PROVIDER, "payment", livemode=match[1] == "live", limit=count)
        return Reply(200, {"entity": "collection", "count": len(found), "items": found})

    def refusal(self, fault: Fault) -> Reply:
        status, code, description = _REFUSALS[fault.kind]
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        reply = _error(status, code, description)
        return Reply(reply.status, reply.body, headers)

    def control(self, call: Call) -> Reply:
        if (call.method, call.path) == ("POST", "/payments"):
            wanted = call.json()
            payment = {"entity": "payment", "status": "captured", "created": int(time.time()), **wanted}
            self._store.put(PROVIDER, bool(wanted.pop("livemode", True)), "payment", payment)
            return Reply(200, payment)
        if (call.method, call.path) == ("POST", "/revoked"):
            self._store.put(PROVIDER, False, "revoked", {"id": f"{PROVIDER}:{call.json()['key_id']}"})
            return Reply(200, {})
        return Reply(404, {"error": f"nothing at {call.path}"})


def _key(call: Call) -> str:
    """The user of Basic authentication: a key without its secret is refused, as Razorpay does."""
    kind, _, value = call.headers.get("Authorization", "").partition(" ")
    try:
        key, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return key if kind == "Basic" and secret else ""


def _error(status: int, code: str, description: str) -> Reply:
    return Reply(status, {"error": {"code": code, "description": description, "source": "NA", "step": "NA"}})
