"""Stripe's manner of answering: API keys, idempotency keys, refusals. What it answers about is in resources.py."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from integrations.sandbox.faults import Fault, FaultKind
from integrations.sandbox.server import Call, Reply
from integrations.sandbox.store import Store, StoredAnswer
from integrations.sandbox.stripe import shapes
from integrations.sandbox.stripe.control import StripeControl
from integrations.sandbox.stripe.errors import Refused, error_body
from integrations.sandbox.stripe.resources import PROVIDER, Resources

KEY_SECONDS = 24 * 60 * 60
_KEY = re.compile(r"Bearer ((?:sk|rk)_(live|test)_\w+)")
_REFUSALS = {
    FaultKind.RATE_LIMITED: (429, "invalid_request_error", "rate_limit", "Request rate limit exceeded."),
    FaultKind.REVOKED: (401, "invalid_request_error", "api_key_expired", "Expired API Key provided: sk_****"),
    FaultKind.UNAVAILABLE: (503, "api_error", None, "Stripe is temporarily unavailable."),
    FaultKind.SERVER_ERROR: (500, "api_error", None, "Sorry! There was an error while talking to one of our backends."),
}


class StripeStandIn:
    """See `integrations.sandbox.server.StandIn`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._control = StripeControl(store)
        self._resources = Resources(store)
        self._running: set[tuple[bool, str]] = set()
        self._lock = threading.Lock()

    def control(self, call: Call) -> Reply:
        return self._control.answer(call)

    def refusal(self, fault: Fault) -> Reply:
        status, kind, code, message = _REFUSALS[fault.kind]
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        return Reply(status, error_body(kind, code, message), headers)

    def answer(self, call: Call) -> Reply:
        headers = {"Request-Id": shapes.new_id("req"), "Stripe-Version": call.headers.get("Stripe-Version", "")}
        try:
            livemode = self._livemode(call)
            key = call.headers.get("Idempotency-Key") if call.method == "POST" else None
            reply = self._idempotent(call, livemode, key) if key else self._act_now(call, livemode)
        except Refused as refused:
            reply = Reply(refused.status, refused.body)
        return Reply(reply.status, reply.body, {**headers, **reply.headers})

    def _livemode(self, call: Call) -> bool:
        match = _KEY.fullmatch(call.headers.get("Authorization", ""))
        if match is None:
            raise Refused(401, "invalid_request_error", None, "Invalid API Key provided.")
        if self._control.is_revoked(match[1]):
            raise Refused(401, "invalid_request_error", "api_key_expired", "Expired API Key provided.")
        return match[2] == "live"

    # Idempotency -------------------------------------------------------------------------------------------------

    def _idempotent(self, call: Call, livemode: bool, key: str) -> Reply:
        if len(key) > 255:
            raise Refused(400, "idempotency_error", None, "Idempotency keys are at most 255 characters long.")
        fingerprint = hashlib.sha256(f"{call.method} {call.path}\n".encode() + call.body).hexdigest()
        with self._alone(livemode, key):
            call.pause()
            kept = self._store.answer(PROVIDER, livemode, key, KEY_SECONDS)
            if kept is None:
                return self._first(call, livemode, key, fingerprint)
            if kept.fingerprint != fingerprint:
                raise Refused(
                    400, "idempotency_error", None,
                    "Keys for idempotent requests can only be used with the same parameters they were first used with.",
                )  # fmt: skip
            return Reply(kept.status, kept.body, {"Idempotent-Replayed": "true"})

    @contextmanager
    def _alone(self, livemode: bool, key: str) -> Iterator[None]:
        with self._lock:
            if (livemode, key) in self._running:
                raise Refused(
                    409, "idempotency_error", "idempotency_key_in_use",
                    "There is currently another in-progress request using this Idempotency Key.",
                )  # fmt: skip
            self._running.add((livemode, key))
        try:
            yield
        finally:
            with self._lock:
                self._running.discard((livemode, key))

    def _first(self, call: Call, livemode: bool, key: str, fingerprint: str) -> Reply:
        # What was done and the answer kept for it are one transaction, so a kill between them can't part them.
        with self._store.transaction():
            try:
                reply = self._act(call, livemode)
            except Refused as refused:
                if not refused.kept:
                    raise
                reply = Reply(refused.status, refused.body)
            self._store.keep_answer(PROVIDER, livemode, key, StoredAnswer(fingerprint, reply.status, reply.body))
        return reply

    def _act_now(self, call: Call, livemode: bool) -> Reply:
        call.pause()
        return self._act(call, livemode)

    def _act(self, call: Call, livemode: bool) -> Reply:
        if call.fault is None:
            return Reply(200, self._resources.answer(call, livemode))
        if call.fault.acts:
            self._resources.answer(call, livemode)
        return self.refusal(call.fault)
