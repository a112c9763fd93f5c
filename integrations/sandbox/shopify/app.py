"""Installing an app in the stand-in's shop: its owner always allows it, and each code is good for one token."""

import secrets
import time
from urllib.parse import parse_qsl, urlencode

from integrations.sandbox.server import Call, Reply
from referral_rocket.kit.signing import hex_signature

CLIENT_ID = "stand-in-app"
# Made up; whoever knows it can do nothing but install an app in a shop that isn't one.
CLIENT_KEY = "shpss_stand_in_app"
SHOP = "stand-in.myshopify.com"


class App:
    def __init__(self) -> None:
        self._codes: set[str] = set()

    def answer(self, call: Call) -> Reply:
        if (call.method, call.path) == ("GET", "/admin/oauth/authorize"):
            return self._authorize(dict(parse_qsl(call.query)))
        if (call.method, call.path) == ("POST", "/admin/oauth/access_token"):
            return self._token(call.json())
        return Reply(404, {"errors": "Not Found"})

    def _authorize(self, asked: dict[str, str]) -> Reply:
        """Where Shopify would show a page, the owner is taken to have agreed."""
        if asked.get("client_id") != CLIENT_ID or not asked.get("redirect_uri"):
            return Reply(400, {"error": "invalid_request"})
        code = secrets.token_hex(16)
        self._codes.add(code)
        shop = asked.get("shop", SHOP)
        answered = {"code": code, "shop": shop, "state": asked.get("state", ""), "timestamp": str(int(time.time()))}
        message = "&".join(f"{name}={value}" for name, value in sorted(answered.items()))
        answered["hmac"] = hex_signature(CLIENT_KEY, message.encode())
        return Reply(302, {}, {"Location": f"{asked['redirect_uri']}?{urlencode(answered)}"})

    def _token(self, asked: dict[str, str]) -> Reply:
        if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT_ID, CLIENT_KEY):
            return Reply(400, {"error": "application_cannot_be_found"})
        if asked.get("code") not in self._codes:
            return Reply(400, {"error": "invalid_request", "error_description": "The code was already used"})
        self._codes.discard(asked["code"])
        return Reply(200, {"access_token": f"shpat_{secrets.token_hex(16)}", "scope": "read_customers"})
