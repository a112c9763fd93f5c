"""Cashfree as far as a connection's check goes: orders, by API version 2025-01-01.

Every pair of id and secret is taken until it is revoked; ids that begin with TEST are the sandbox's.

Control: POST /orders {id, order_amount, …, livemode} adds an order; POST /revoked {client_id} stops taking an id.
"""

import time

from integrations.sandbox.faults import Fault, FaultKind
from integrations.sandbox.server import Call, Reply
from integrations.sandbox.store import Store

PROVIDER = "cashfree"
_REFUSALS = {
    FaultKind.RATE_LIMITED: (429, "Too many requests", "request_limit_exceeded", "rate_limit_error"),
    FaultKind.REVOKED: (401, "authentication Failed", "request_failed", "authentication_error"),
    FaultKind.UNAVAILABLE: (503, "something is not found", "api_error", "api_error"),
    FaultKind.SERVER_ERROR: (500, "internal Server Error", "internal_error", "api_error"),
}


class CashfreeStandIn:
    """See `integrations.sandbox.server.StandIn`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def answer(self, call: Call) -> Reply:
        client = call.headers.get("x-client-id", "")
        if not client or not call.headers.get("x-client-secret") or self._is_revoked(client):
            return _error(401, "authentication Failed", "request_failed", "authentication_error")
        if not call.headers.get("x-api-version"):
            return _error(400, "version is missing", "version_missing", "invalid_request_error")
        if call.fault is not None:
            return self.refusal(call.fault)
        first, _, order_id = call.path.lstrip("/").partition("/")
        if call.method != "GET" or first != "orders" or not order_id or "/" in order_id:
            return _error(404, "route not found", "route_not_found", "invalid_request_error")
        order = self._store.get(PROVIDER, not client.startswith("TEST"), "order", order_id)
        if order is None:
            return _error(404, "Order Reference Id does not exist", "order_not_found", "invalid_request_error")
        return Reply(200, order)

    def _is_revoked(self, client: str) -> bool:
        return self._store.get(PROVIDER, False, "revoked", f"{PROVIDER}:{client}") is not None

    def refusal(self, fault: Fault) -> Reply:
        reply = _error(*_REFUSALS[fault.kind])
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        return Reply(reply.status, reply.body, headers)

    def control(self, call: Call) -> Reply:
        if (call.method, call.path) == ("POST", "/orders"):
            wanted = call.json()
            livemode = bool(wanted.pop("livemode", True))
            order = {"entity": "order", "order_status": "PAID", "order_id": wanted["id"], "created": int(time.time())}
            self._store.put(PROVIDER, livemode, "order", {**order, **wanted})
            return Reply(200, {**order, **wanted})
        if (call.method, call.path) == ("POST", "/revoked"):
            self._store.put(PROVIDER, False, "revoked", {"id": f"{PROVIDER}:{call.json()['client_id']}"})
            return Reply(200, {})
        return Reply(404, {"error": f"nothing at {call.path}"})


def _error(status: int, message: str, code: str, kind: str) -> Reply:
    return Reply(status, {"message": message, "code": code, "type": kind})
