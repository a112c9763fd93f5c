"""What tests and the demo ask of Stripe's stand-in, under `/_control/stripe/`:

POST customers {customers: [{email, name, currency, id, metadata}], livemode}: those whose e-mail is there stay
GET  customers ?email=&livemode=
GET  credits ?reward_id=&customer=: every credit given, with its sum (in Stripe's units, positive)
POST webhooks {url, secret, …}: a sale, refund or dispute, told by signed webhooks (webhooks.py)
POST subscriptions, invoices, redeem; GET subscriptions, coupons, promotion_codes ?id=, rewards: what customers do with subscriptions (billing.py)
POST customers/discount {customer, coupon: a coupon's fields}: an account's discount as older API versions gave it
POST keys/revoke {api_key} and keys/restore {api_key}
POST keys/forget: forget idempotency keys, as Stripe does after 24 hours
"""

from collections.abc import Callable, Mapping
from typing import Any

from integrations.sandbox.server import Call, Reply
from integrations.sandbox.store import Store
from integrations.sandbox.stripe import shapes
from integrations.sandbox.stripe.billing import Billing
from integrations.sandbox.stripe.webhooks import Webhooks

Json = dict[str, Any]
PROVIDER = "stripe"


class StripeControl:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._webhooks = Webhooks(store)
        self._billing = Billing(store, self._webhooks)
        self._revoked: set[str] = set()
        self._actions: Mapping[tuple[str, str], Callable[[Json], Json | None]] = {
            ("POST", "/customers"): self._add_customers,
            ("GET", "/customers"): self._customers,
            ("POST", "/customers/discount"): self._billing.discount_customer,
            ("GET", "/credits"): self._credits,
            ("POST", "/webhooks"): self._webhooks.tell,
            ("POST", "/subscriptions"): self._billing.subscribe,
            ("GET", "/subscriptions"): self._billing.subscriptions,
            ("POST", "/invoices"): self._billing.pay_invoice,
            ("POST", "/redeem"): self._billing.redeem,
            ("GET", "/rewards"): self._billing.made_for,
            ("GET", "/coupons"): self._billing.coupons,
            ("GET", "/promotion_codes"): self._billing.promotion_code,
            ("POST", "/keys/revoke"): self._revoke,
            ("POST", "/keys/restore"): self._restore,
            ("POST", "/keys/forget"): self._forget_keys,
        }

    def is_revoked(self, api_key: str) -> bool:
        return api_key in self._revoked

    def answer(self, call: Call) -> Reply:
        action = self._actions.get((call.method, call.path))
        if action is None:
            return Reply(404, {"error": f"nothing at {call.path}"})
        return Reply(200, action(call.json() if call.method == "POST" else call.arguments) or {})

    def _forget_keys(self, _: Json) -> None:
        self._store.forget_answers(PROVIDER)

    def _revoke(self, wanted: Json) -> None:
        self._revoked.add(wanted["api_key"])

    def _restore(self, wanted: Json) -> None:
        self._revoked.discard(wanted["api_key"])

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
        rows = self._store.find(PROVIDER, "credit", parent=arguments.get("customer"), lookup=arguments.get("reward_id"))
        # Without a reward given, only what gave credit: what was taken back or used up is no credit.
        found = [row for row in rows if arguments.get("reward_id") or row["amount"] < 0]
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
