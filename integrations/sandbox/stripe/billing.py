"""What customers of Stripe's stand-in do with subscriptions: begin one, pay its next invoice, use a promotion code.

`POST /_control/stripe/subscriptions` {email | customer, amount, currency, interval, status, cancel_at_period_end,
    coupons: [a coupon's fields], livemode}: a running subscription, with those coupons on it. GET ?customer=
`POST /_control/stripe/invoices` {subscription, url, secret}: pays its next invoice. `once` discounts are used up and gone
    afterwards, repeating ones until they end, the customer's credit is used, and signed webhooks tell of it: at `url`,
    else at the endpoints that were made by the API. The answer shows what was taken off.
`POST /_control/stripe/redeem` {promotion_code}: somebody buys with it. `GET /_control/stripe/rewards?reward_id=`: what
    was made for a reward, with how often it was used.
Amounts are in Stripe's units.
"""

import time

from integrations.sandbox.store import Store
from integrations.sandbox.stripe import billing_shapes, shapes
from integrations.sandbox.stripe.discounts import Discounts
from integrations.sandbox.stripe.shelf import PROVIDER, Json
from integrations.sandbox.stripe.webhooks import API_VERSION, Webhooks


class Billing(Discounts):
    def __init__(self, store: Store, webhooks: Webhooks) -> None:
        super().__init__(store)
        self._webhooks = webhooks

    def subscribe(self, wanted: Json) -> Json:
        livemode = bool(wanted.get("livemode", False))
        with self._store.transaction():
            customer = self._whose(livemode, wanted)
            customer["currency"] = customer["currency"] or wanted.get("currency", "usd")
            self._save_customer(customer)
            terms = {"amount": 2000, "currency": customer["currency"], **wanted}
            priced = billing_shapes.price(terms, livemode)
            self._store.put(PROVIDER, livemode, "price", priced)
            subscription = billing_shapes.subscription(customer, priced, wanted)
            self._save_subscription(subscription)
            for fields in wanted.get("coupons", []):
                coupon = billing_shapes.coupon({"currency": terms["currency"], **fields}, livemode)
                self._save_coupon(livemode, coupon)
                listed = [{"discount": each} for each in subscription["discounts"]] + [{"coupon": coupon["id"]}]
                subscription["discounts"] = self._discounts(livemode, subscription, listed)
            self._save_subscription(subscription)
        return subscription

    def subscriptions(self, arguments: dict[str, str]) -> Json:
        found = self._store.find(PROVIDER, "subscription", parent=arguments.get("customer"))
        wishes = ["discounts.source.coupon"]
        return {"subscriptions": [self._expanded(each["livemode"], each, wishes) for each in found]}

    def pay_invoice(self, wanted: Json) -> Json:
        with self._store.transaction():
            invoice, told = self._invoice(wanted["subscription"])
        happened = [
            shapes.event(event_type, thing, invoice["livemode"], API_VERSION, invoice["created"])
            for event_type, thing in told
        ]
        return {
            "invoice": invoice,
            "events": [sent for event in happened for sent in self._webhooks.deliver(event, wanted)],
        }

    def redeem(self, wanted: Json) -> Json:
        """A checkout with a promotion code, without more of the sale than that."""
        for livemode in (False, True):
            code = self._store.get(PROVIDER, livemode, "promotion_code", wanted["promotion_code"])
            if code is None:
                continue
            with self._store.transaction():
                coupon = self._coupon(livemode, code["promotion"]["coupon"])
                if not code["active"] or (code["expires_at"] or 1 << 40) <= time.time():
                    raise ValueError("this promotion code can't be used any more")
                self._redeem(livemode, coupon, "promotion_code")
                self._save_promotion(livemode, code | {"times_redeemed": code["times_redeemed"] + 1})
            return self._store.get(PROVIDER, livemode, "promotion_code", code["id"]) or {}
        raise ValueError(f"no promotion code {wanted['promotion_code']}")

    def coupons(self, arguments: dict[str, str]) -> Json:
        return {"coupons": self._store.find(PROVIDER, "coupon")}

    def promotion_code(self, arguments: dict[str, str]) -> Json:
        for livemode in (False, True):
            code = self._store.get(PROVIDER, livemode, "promotion_code", arguments["id"])
            if code is not None:
                return code
        raise ValueError(f"no promotion code {arguments['id']}")

    def made_for(self, arguments: dict[str, str]) -> Json:
        reward = arguments["reward_id"]
        coupons = self._store.find(PROVIDER, "coupon", lookup=reward)
        codes = [
            code for code in self._store.find(PROVIDER, "promotion_code") if code["metadata"].get("reward_id") == reward
        ]
        ids = {coupon["id"] for coupon in coupons}
        discounts = [
            discount for discount in self._store.find(PROVIDER, "discount") if discount["source"]["coupon"] in ids
        ]
        for discount in discounts:
            owner = self._store.get(PROVIDER, False, "subscription", discount["subscription"]) or self._store.get(
                PROVIDER, True, "subscription", discount["subscription"]
            )
            discount["standin_on_subscription"] = owner is not None and discount["id"] in owner["discounts"]
        return {"coupons": coupons, "promotion_codes": codes, "discounts": discounts}

    def discount_customer(self, wanted: Json) -> Json:
        for livemode in (False, True):
            customer = self._store.get(PROVIDER, livemode, "customer", wanted["customer"])
            if customer is None:
                continue
            with self._store.transaction():
                coupon = billing_shapes.coupon(wanted["coupon"], livemode)
                self._save_coupon(livemode, coupon | {"times_redeemed": 1})
                owner = {"id": None, "customer": customer["id"]}
                discount = billing_shapes.discount(owner, coupon)
                self._store.put(PROVIDER, livemode, "discount", discount, parent=customer["id"])
                self._save_customer(customer | {"discount": discount})
            return discount
        raise ValueError(f"no customer {wanted['customer']}")

    def _whose(self, livemode: bool, wanted: Json) -> Json:
        if "customer" in wanted:
            return self._live_customer(livemode, wanted["customer"])
        there = self._store.find(PROVIDER, "customer", livemode=livemode, lookup=wanted["email"])
        return there[0] if there else shapes.customer({"email": wanted["email"], "name": wanted.get("name")}, livemode)

    def _invoice(self, subscription_id: str) -> tuple[Json, list[tuple[str, Json]]]:
        subscription = self._store.get(PROVIDER, False, "subscription", subscription_id) or self._store.get(
            PROVIDER, True, "subscription", subscription_id
        )
        if subscription is None:
            raise ValueError(f"no subscription {subscription_id}")
        livemode = subscription["livemode"]
        customer = self._live_customer(livemode, subscription["customer"])
        [item] = subscription["items"]["data"]
        due = item["current_period_end"]
        discounts = self._expanded(livemode, subscription, ["discounts.source.coupon"])["discounts"]
        discounts = [each for each in discounts if each["end"] is None or each["end"] >= due]
        subtotal = item["price"]["unit_amount"] * item["quantity"]
        total, taken = billing_shapes.invoice_totals(subtotal, [each["source"]["coupon"] for each in discounts])
        # Credit is a negative balance; what is used of it comes back as a positive transaction.
        used = min(total, max(-customer["balance"], 0))
        sale = {
            "amount": total - used, "currency": subscription["currency"], "customer": customer["id"],
            "email": customer["email"], "name": customer["name"], "country": None, "tax": 0, "shipping": 0,
            "discount": sum(taken), "created": int(time.time()), "subscription": subscription_id,
            "metadata": subscription["metadata"],
        }  # fmt: skip
        invoice = shapes.invoice(sale, livemode) | {
            "billing_reason": "subscription_cycle",
            "subtotal": subtotal,
            "total": total,
            "starting_balance": customer["balance"],
            "ending_balance": customer["balance"] + used,
            "total_discount_amounts": [
                {"amount": amount, "discount": discount["id"]}
                for amount, discount in zip(taken, discounts, strict=True)
            ],
        }
        self._store.put(PROVIDER, livemode, "invoice", invoice)
        told = [("invoice.paid", invoice)]
        if sale["amount"]:
            intent = shapes.payment_intent(sale, livemode)
            told += self._webhooks.paid(intent, invoice)
        if used:
            customer["balance"] += used
            transaction = shapes.balance_transaction(
                customer, {"amount": used, "currency": sale["currency"]}, customer["balance"]
            )
            transaction |= {"type": "applied_to_invoice", "invoice": invoice["id"]}
            self._store.put(PROVIDER, livemode, "credit", transaction, parent=customer["id"])
            self._save_customer(customer)
        self._go_on(subscription, item, discounts)
        return invoice, told

    def _go_on(self, subscription: Json, item: Json, discounts: list[Json]) -> None:
        """The next period: `once` discounts were used up, and repeating ones that have ended are gone."""
        ends = billing_shapes.a_period_after(item["current_period_end"], item["price"])
        item |= {"current_period_start": item["current_period_end"], "current_period_end": ends}
        subscription["discounts"] = [
            each["id"]
            for each in discounts
            if each["source"]["coupon"]["duration"] != "once"
            and (each["end"] is None or each["end"] >= item["current_period_start"])
        ]
        self._save_subscription(subscription)
