"""PayPal's manner of answering: tokens for client credentials, its error bodies, the certificate of its webhooks."""

import hashlib
import re
import time
from base64 import b64decode
from binascii import Error as NotBase64
from contextlib import suppress

from integrations.sandbox.faults import Fault, FaultKind
from integrations.sandbox.paypal import shapes
from integrations.sandbox.paypal.control import PayPalControl
from integrations.sandbox.paypal.payouts import PROVIDER, Payouts, Refused
from integrations.sandbox.paypal.signing import CERTIFICATE_PATH, Signer
from integrations.sandbox.server import Call, Reply
from integrations.sandbox.store import Store

TOKEN_SECONDS = 32400
_BEARER = re.compile(r"Bearer (A21AA[A-Za-z0-9]+)")
_REFUSALS = {
    FaultKind.RATE_LIMITED: (429, "RATE_LIMIT_REACHED", "Too many requests. Blocked due to rate limiting."),
    FaultKind.REVOKED: (401, "AUTHENTICATION_FAILURE", "Authentication failed due to invalid credentials."),
    FaultKind.UNAVAILABLE: (503, "SERVICE_UNAVAILABLE", "Service Unavailable."),
    FaultKind.SERVER_ERROR: (500, "INTERNAL_SERVER_ERROR", "An internal server error occurred."),
}


class PayPalStandIn:
    """See `integrations.sandbox.server.StandIn`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._payouts = Payouts(store)
        self._signer = Signer(store)
        self._control = PayPalControl(store, self._payouts, self._signer)

    def control(self, call: Call) -> Reply:
        return self._control.answer(call)

    def refusal(self, fault: Fault) -> Reply:
        status, name, message = _REFUSALS[fault.kind]
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        return Reply(status, shapes.error(name, message), headers)

    def answer(self, call: Call) -> Reply:
        base = base_of(call)
        try:
            if call.path == CERTIFICATE_PATH:
                return Reply(200, self._signer.certificate())
            if call.path.startswith("/v1/notifications/certs/"):
                raise Refused(404, "RESOURCE_NOT_FOUND", "The specified resource does not exist.")
            if (call.method, call.path) == ("POST", "/v1/oauth2/token"):
                return self._token(call)
            account = self._account(call)
            call.pause()
            if call.fault is None:
                return self._payouts.answer(call, account, base)
            if call.fault.acts:
                with suppress(Refused):
                    self._payouts.answer(call, account, base)
            return self.refusal(call.fault)
        except Refused as refused:
            return refused.reply

    def _token(self, call: Call) -> Reply:
        try:
            pair = b64decode(call.headers.get("Authorization", "").removeprefix("Basic "), validate=True).decode()
        except (NotBase64, UnicodeDecodeError):
            pair = ""
        client_id, _, secret = pair.partition(":")
        if not client_id or not secret or self._control.is_revoked(client_id):
            said = {"error": "invalid_client", "error_description": "Client Authentication failed"}
            return Reply(401, said)
        token = "A21AA" + hashlib.sha256(f"{pair}{time.time_ns()}".encode()).hexdigest()
        kept = {"id": token, "client_id": client_id, "created": int(time.time())}
        self._store.put(PROVIDER, False, "token", kept)
        return Reply(
            200,
            {
                "scope": "https://uri.paypal.com/payments/payouts https://uri.paypal.com/services/paypalattributes",
                "access_token": token,
                "token_type": "Bearer",
                "app_id": "APP-80W284485P519543T",
                "expires_in": TOKEN_SECONDS,
                "nonce": shapes.now(),
            },
        )

    def _account(self, call: Call) -> str:
        """The number of the account that a token is for: one for each client ID."""
        match = _BEARER.fullmatch(call.headers.get("Authorization", ""))
        token = self._store.get(PROVIDER, False, "token", match[1]) if match else None
        if (
            token is None
            or self._control.is_revoked(token["client_id"])
            or token["created"] + TOKEN_SECONDS < time.time()
            or token.get("ended")
        ):
            raise Refused(401, "AUTHENTICATION_FAILURE", "Authentication failed due to invalid credentials.")
        return shapes.account_of(token["client_id"])


def base_of(call: Call) -> str:
    return f"http://{call.headers.get('Host', 'localhost')}/{PROVIDER}"
