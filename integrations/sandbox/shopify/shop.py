"""What the shop has: its settings, customers, gift cards, discounts, webhook subscriptions; and how it says no."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from graphql import GraphQLError

from integrations.sandbox.store import Store

Json = dict[str, Any]
PROVIDER = "shopify"
SCOPES = (
    "read_customers", "write_customers", "read_orders", "read_shopify_payments_disputes", "read_gift_cards",
    "write_gift_cards", "read_discounts", "write_discounts",
)  # fmt: skip
CURRENCY = "USD"
# What a shop allows for one gift card unless its settings say otherwise.
ISSUE_LIMIT = "2000.00"


class Shop:
    """One shop, live or a development one. `act` is called before anything changes, with the change still to come."""

    def __init__(self, store: Store, livemode: bool) -> None:
        self._store = store
        self._livemode = livemode

    # Settings ----------------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Json:
        mode = "live" if self._livemode else "test"
        kept = self._store.get(PROVIDER, self._livemode, "shop", f"shop:{mode}") or {}
        return {
            "id": f"shop:{mode}",
            "currency": CURRENCY,
            "scopes": list(SCOPES),
            "limit": ISSUE_LIMIT,
            # The search lags behind: it doesn't know what is younger than so many seconds.
            "search_lags": 0,
            **kept,
        }

    def change(self, **settings: Any) -> None:
        self._store.put(PROVIDER, self._livemode, "shop", {**self.settings, **settings})

    def needs(self, scope: str, field: str) -> None:
        """Refuse as Shopify does where the app hasn't got the permission."""
        if scope not in self.settings["scopes"]:
            raise GraphQLError(
                f"Access denied for {field} field. Required access: `{scope}` access scope.",
                extensions={
                    "code": "ACCESS_DENIED",
                    "documentation": "https://shopify.dev/api/usage/access-scopes",
                    "requiredAccess": f"`{scope}` access scope.",
                },
            )

    def described(self) -> Json:
        handle = "stand-in" if self._livemode else "stand-in-test"
        return {
            "id": "gid://shopify/Shop/1",
            "name": "Stand-in shop" + ("" if self._livemode else " (test)"),
            "myshopifyDomain": f"{handle}.myshopify.com",
            "currencyCode": self.settings["currency"],
            "plan": {
                "partnerDevelopment": not self._livemode,
                "publicDisplayName": "Grow" if self._livemode else "Development",
                "shopifyPlus": False,
            },
        }

    # Customers ---------------------------------------------------------------------------------------------------

    def customer(self, gid: str) -> Json | None:
        return self._store.get(PROVIDER, self._livemode, "customer", gid)

    def customer_of(self, email: str) -> Json | None:
        found = self._store.find(PROVIDER, "customer", livemode=self._livemode, lookup=email.lower())
        return found[0] if found else None

    def add_customer(self, email: str, number: str | None = None) -> Json:
        with self._store.transaction():
            there = self.customer_of(email)
            if there:
                return there
            known_as = int(number or new_number())
            customer = {
                "id": f"gid://shopify/Customer/{known_as}",
                "legacyResourceId": known_as,
                "defaultEmailAddress": {"emailAddress": email.lower()},
                "email": email.lower(),
            }
            self._store.put(PROVIDER, self._livemode, "customer", customer, lookup=email.lower())
            return customer

    # Gift cards --------------------------------------------------------------------------------------------------

    def gift_card_create(self, wanted: Json) -> tuple[Json | None, list[Json]]:
        """The card and its userErrors. One code has one card, whoever asks at the same time."""
        with self._store.transaction():
            code = (wanted.get("code") or secrets.token_hex(8)).lower()
            refusal = self._card_refusal(wanted, code)
            if refusal:
                return None, [refusal]
            money = shown(wanted["initialAmount"]["amount"], wanted["initialAmount"]["currencyCode"])
            card = {
                "id": f"gid://shopify/GiftCard/{new_number()}",
                "code": code,
                "note": wanted.get("note"),
                "enabled": True,
                "createdAt": now(),
                "made": time.time(),
                "deactivatedAt": None,
                "initialValue": money,
                "balance": money,
                "lastCharacters": code[-4:],
                "maskedCode": f"•••• •••• •••• {code[-4:]}",
                "customer": self.customer(wanted["customerId"]) if wanted.get("customerId") else None,
            }
            self._store.put(PROVIDER, self._livemode, "gift_card", card, lookup=code)
            return card, []

    def _card_refusal(self, wanted: Json, code: str) -> Json | None:
        """The first thing that is wrong with it."""
        if wanted.get("initialAmount") is None:
            return refused("MISSING_ARGUMENT", ["input", "initialAmount"], "Initial amount must be provided")
        amount, limit = Decimal(wanted["initialAmount"]["amount"]), self.settings["limit"]
        money, customer = "initialAmount", wanted.get("customerId")
        taken = self._store.find(PROVIDER, "gift_card", livemode=self._livemode, lookup=code)
        wrong = (
            (not code.isalnum(), "INVALID", "code", "Code can only contain letters(a-z) and numbers(0-9)"),
            (len(code) < 8, "TOO_SHORT", "code", "Code must be at least 8 characters long"),
            (len(code) > 20, "TOO_LONG", "code", "Code must be at most 20 characters long"),
            (bool(taken), "TAKEN", "code", "Code has already been taken"),
            (amount <= 0, "GREATER_THAN", money, "Initial value must be greater than 0"),
            (amount > Decimal(limit), "GIFT_CARD_LIMIT_EXCEEDED", money, f"can't exceed {limit}"),
            (
                customer is not None and self.customer(customer) is None,
                "CUSTOMER_NOT_FOUND",
                "customerId",
                "The customer could not be found.",
            ),
        )
        found = ((name, field, message) for is_wrong, name, field, message in wrong if is_wrong)
        return next((refused(name, ["input", field], message) for name, field, message in found), None)

    def gift_card(self, gid: str) -> Json | None:
        return self._store.get(PROVIDER, self._livemode, "gift_card", gid)

    def gift_cards(self, query: str | None, after: str | None, limit: int) -> list[Json]:
        """Newest first. A query searches codes, and the search may lag behind."""
        before = time.time() - float(self.settings["search_lags"])
        return self._store.find(
            PROVIDER,
            "gift_card",
            livemode=self._livemode,
            lookup=query.lower() if query else None,
            after=after,
            limit=limit,
            keep=lambda card: not query or card["made"] <= before,
        )

    def change_card(self, gid: str, change: Callable[[Json], Json]) -> Json | None:
        with self._store.transaction():
            card = self.gift_card(gid)
            if card is None:
                return None
            card = {**card, **change(card)}
            self._store.put(PROVIDER, self._livemode, "gift_card", card, lookup=card["code"])
            return card

    def gift_card_deactivate(self, gid: str) -> tuple[Json | None, list[Json]]:
        card = self.change_card(gid, lambda card: {"enabled": False, "deactivatedAt": card["deactivatedAt"] or now()})
        return card, [] if card else [refused("GIFT_CARD_NOT_FOUND", ["id"], "The gift card could not be found.")]

    # Discounts ---------------------------------------------------------------------------------------------------

    def discount_create(self, wanted: Json) -> tuple[Json | None, list[Json]]:
        with self._store.transaction():
            refusal = self._discount_refusal(wanted)
            if refusal:
                return None, [refusal]
            discount = {
                "id": f"gid://shopify/DiscountCodeNode/{new_number()}",
                "code": wanted["code"],
                "title": wanted["title"],
                "createdAt": now(),
                "startsAt": wanted["startsAt"],
                "endsAt": wanted.get("endsAt"),
                "usageLimit": wanted.get("usageLimit"),
                "asyncUsageCount": 0,
                "customers": wanted["context"]["customers"]["add"],
                "value": self._value(wanted["customerGets"]["value"]),
            }
            self._store.put(PROVIDER, self._livemode, "discount", discount, lookup=wanted["code"].lower())
            return discount, []

    def _discount_refusal(self, wanted: Json) -> Json | None:
        where = "basicCodeDiscount"
        for name in ("title", "code", "startsAt", "context", "customerGets"):
            if not wanted.get(name):
                return refused("BLANK", [where, name], f"{name} can't be blank")
        if len(wanted["code"]) > 255:
            return refused("TOO_LONG", [where, "code"], "Code is too long (maximum is 255 characters)")
        if self.discount(wanted["code"]):
            return refused("TAKEN", [where, "code"], "Code must be unique. Please try a different code.")
        for gid in wanted["context"]["customers"].get("add") or []:
            if self.customer(gid) is None:
                return refused("INVALID", [where, "context", "customers", "add"], f"Customer with id {gid} is invalid")
        value = wanted["customerGets"]["value"]
        if "percentage" in value and not 0 < value["percentage"] <= 1:
            return refused("VALUE_OUTSIDE_RANGE", [where, "customerGets", "value"], "Value must be between 0.0 and 1.0")
        return None

    def _value(self, wanted: Json) -> Json:
        if "percentage" in wanted:
            return {"__typename": "DiscountPercentage", "percentage": wanted["percentage"]}
        amount = wanted["discountAmount"]
        return {
            "__typename": "DiscountAmount",
            "amount": shown(amount["amount"], self.settings["currency"]),
            "appliesOnEachItem": amount.get("appliesOnEachItem", True),
        }

    def discount(self, code: str) -> Json | None:
        found = self._store.find(PROVIDER, "discount", livemode=self._livemode, lookup=code.lower())
        return found[0] if found else None

    def discounts(self, after: str | None, limit: int) -> list[Json]:
        """Newest first."""
        return self._store.find(PROVIDER, "discount", livemode=self._livemode, after=after, limit=limit)

    def change_discount(self, gid: str, **change: Any) -> Json | None:
        with self._store.transaction():
            discount = self._store.get(PROVIDER, self._livemode, "discount", gid)
            if discount is None:
                return None
            discount = {**discount, **change}
            self._store.put(PROVIDER, self._livemode, "discount", discount, lookup=discount["code"].lower())
            return discount

    def discount_deactivate(self, gid: str) -> tuple[Json | None, list[Json]]:
        discount = self.change_discount(gid, endsAt=now())
        return discount, [] if discount else [refused("INVALID", ["id"], "Code discount does not exist.")]

    # Webhook subscriptions ---------------------------------------------------------------------------------------

    def subscriptions(self, topics: list[str] | None = None, uri: str | None = None) -> list[Json]:
        return self._store.find(
            PROVIDER,
            "subscription",
            livemode=self._livemode,
            keep=lambda each: (not topics or each["topic"] in topics) and (not uri or each["uri"] == uri),
        )

    def subscribe(self, topic: str, uri: str) -> tuple[Json | None, list[Json]]:
        with self._store.transaction():
            if not uri.startswith("https://") and not uri.startswith("http://127.0.0.1"):
                return None, [
                    {"field": ["webhookSubscription", "uri"], "message": "Address protocol http:// is not supported"}
                ]
            if self.subscriptions([topic], uri):
                message = "Address for this topic has already been taken"
                return None, [{"field": ["webhookSubscription", "uri"], "message": message}]
            made = {"id": f"gid://shopify/WebhookSubscription/{new_number()}", "topic": topic, "uri": uri}
            self._store.put(PROVIDER, self._livemode, "subscription", made)
            return made, []


def new_number() -> int:
    return secrets.randbelow(9 * 10**12) + 10**12


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(amount: Any, currency: str) -> Json:
    """Money as Shopify writes it: with at least one decimal, and no more than are needed."""
    value = Decimal(str(amount)).normalize()
    text = f"{value:f}"
    return {"amount": text if "." in text else f"{text}.0", "currencyCode": currency}


def refused(code: str, field: list[str], message: str) -> Json:
    return {"code": code, "field": field, "message": message}
