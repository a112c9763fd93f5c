"""What tests and the demo ask of Stripe's stand-in, under `/_control/stripe/`:

POST customers {customers: [{email, name, currency, id, metadata}], livemode}: those whose e-mail is there stay
GET  customers ?email=&livemode=
GET  credits ?reward_id=&customer=: every credit given, with its sum (in Stripe's units, positive)
POST webhooks {url, secret, …}: a sale, refund or dispute, told by signed webhooks (webhooks.py)
POST keys/revoke {api_key} and keys/restore {api_key}
POST keys/forget: forget idempotency keys, as Stripe does after 24 hours
"""

from typing import Any

from integrations.sandbox.server import Call, Reply
from integrations.sandbox.store import Store
from integrations.sandbox.stripe import shapes
from integrations.sandbox.stripe.webhooks import Webhooks

Json = dict[str, Any]
PROVIDER = "stripe"


class StripeControl:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._webhooks = Webhooks(store)
        self._revoked: set[str] = set()

    def is_revoked(self, api_key: str) -> bool:
        return api_key in self._revoked

    def answer(self, call: Call) -> Reply:
        match call.method, call.path:
            case "POST", "/customers":
                return Reply(200, self._add_customers(call.json()))
            case "GET", "/customers":
                return Reply(200, self._customers(call.arguments))
            case "GET", "/credits":
                return Reply(200, self._credits(call.arguments))
            case "POST", "/webhooks":
                return Reply(200, self._webhooks.tell(call.json()))
            case "POST", "/keys/revoke":
                self._revoked.add(call.json()["api_key"])
            case "POST", "/keys/restore":
                self._revoked.discard(call.json()["api_key"])
            case "POST", "/keys/forget":
                self._store.forget_answers(PROVIDER)
            case _:
                return Reply(404, {"error": f"nothing at {call.path}"})
        return Reply(200, {})

    def _add_customers(self, wanted: Json) -> Json:
        livemode = bool(wanted.get("livemode", False))
        with self._store.transaction():
            return {"customers": [self._add_customer(fields, livemode) for fields in wanted["customers"]]}

    def _add_customer(self, fields: Json, livemode: bool) -> Json:
        there = self._store.find(PROVIDER, "customer", livemode=livemode, lookup=fields["email"])
        if there and not fields.get("another"):
            return {"id": there[0]["id"], "email": fields["email"], "created": False}
        customer = shapes.customer(fields, livemode, fields.get("id"))
        customer["currency"] = fields.get("currency")
        self._store.put(PROVIDER, livemode, "customer", customer, lookup=fields["email"])
        return {"id": customer["id"], "email": fields["email"], "created": True}

    def _customers(self, arguments: dict[str, str]) -> Json:
        livemode = arguments.get("livemode", "false") == "true"
        return {"customers": self._store.find(PROVIDER, "customer", livemode=livemode, lookup=arguments.get("email"))}

    def _credits(self, arguments: dict[str, str]) -> Json:
        found = self._store.find(
            PROVIDER, "credit", parent=arguments.get("customer"), lookup=arguments.get("reward_id")
        )
        given = [
            {
                "id": transaction["id"],
                "customer": transaction["customer"],
                "amount": -transaction["amount"],
                "currency": transaction["currency"],
                "reward_id": transaction["metadata"].get("reward_id"),
                "description": transaction["description"],
            }
            for transaction in found
        ]
        return {"count": len(given), "total": sum(credit["amount"] for credit in given), "credits": given}
