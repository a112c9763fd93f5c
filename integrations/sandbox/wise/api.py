"""Wise's manner of answering: tokens, its error bodies, the public key of its webhooks."""

import re
from contextlib import suppress

from integrations.sandbox.faults import Fault, FaultKind
from integrations.sandbox.server import Call, Reply
from integrations.sandbox.store import Store
from integrations.sandbox.wise import shapes
from integrations.sandbox.wise.control import WiseControl
from integrations.sandbox.wise.resources import Refused, Resources
from integrations.sandbox.wise.signing import KEY_PATH, Signer

_BEARER = re.compile(r"Bearer ([A-Za-z0-9-]{20,200})")
_REFUSALS = {
    FaultKind.RATE_LIMITED: (429, "rate.limit", "Rate limit exceeded."),
    FaultKind.REVOKED: (401, "unauthorized", "Invalid or revoked token."),
    FaultKind.UNAVAILABLE: (503, "unavailable", "Service unavailable."),
    FaultKind.SERVER_ERROR: (500, "internal", "Internal server error."),
}


class WiseStandIn:
    """See `integrations.sandbox.server.StandIn`."""

    def __init__(self, store: Store) -> None:
        self._resources = Resources(store)
        self._signer = Signer(store)
        self._control = WiseControl(store, self._resources, self._signer)

    def control(self, call: Call) -> Reply:
        return self._control.answer(call)

    def refusal(self, fault: Fault) -> Reply:
        status, code, message = _REFUSALS[fault.kind]
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        return Reply(status, shapes.error(code, message), headers)

    def answer(self, call: Call) -> Reply:
        if call.path == KEY_PATH:
            return Reply(200, self._signer.public_key())
        match = _BEARER.fullmatch(call.headers.get("Authorization", ""))
        if match is None or self._control.is_revoked(match[1]):
            return Reply(401, shapes.error("unauthorized", "Invalid or revoked token."))
        call.pause()
        profile = shapes.profile_of(match[1])
        try:
            if call.fault is None:
                return self._resources.answer(call, profile)
            if call.fault.acts:
                with suppress(Refused):
                    self._resources.answer(call, profile)
            return self.refusal(call.fault)
        except Refused as refused:
            return refused.reply
