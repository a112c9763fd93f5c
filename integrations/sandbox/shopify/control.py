"""What tests and the demo ask of Shopify's stand-in, under `/_control/shopify/`:

POST customers {customers: [{email, number}], livemode}: those whose e-mail is there stay
POST orders {orders: [{email, customer, total, status, processed_at, test, attributes, codes, country, tax, shipping,
    shipping_tax, taxes_included, discount, lines: [{product, sku, quantity, price, discount}],
    refunds: [{amount, status, at}], disputes: [{amount, type, status}]}], livemode}: orders that nobody is told of
GET  gift_cards ?note=&livemode=, GET discounts ?code=&livemode=, GET subscriptions ?livemode=
POST gift_cards/spend {id, amount, livemode}, POST discounts/use {code, livemode}: as a customer would at the checkout
POST gift_cards/annotate {id, note, livemode}: as a person would in Shopify
POST shop {livemode, currency, scopes, limit, search_lags}: the shop's settings
POST points {livemode, maximum, restore, left}: how full the bucket of points is
POST tokens/revoke {access_token} and tokens/restore {access_token}
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol

from integrations.sandbox.server import Call, Reply
from integrations.sandbox.shopify.orders import Orders
from integrations.sandbox.shopify.shop import PROVIDER, Json, Shop, shown
from integrations.sandbox.store import Store


class Points(Protocol):
    def set(self, maximum: float, restore: float, left: float) -> None: ...


class ShopifyControl:
    def __init__(
        self,
        store: Store,
        shops: Mapping[bool, Shop],
        orders: Mapping[bool, Orders],
        points: Mapping[bool, Points],
    ) -> None:
        self._store = store
        self._shops = shops
        self._orders = orders
        self._points = points
        self._revoked: set[str] = set()

    def is_revoked(self, token: str) -> bool:
        return token in self._revoked

    def answer(self, call: Call) -> Reply:
        if call.method == "GET":
            return self._shown(call.path, call.arguments)
        wanted = call.json()
        livemode = bool(wanted.pop("livemode", False))
        shop = self._shops[livemode]
        made = self._made(call.path, shop, self._orders[livemode], wanted)
        if made is not None:
            return Reply(200, made)
        match call.path:
            case "/gift_cards/annotate":
                shop.change_card(wanted["id"], lambda _: {"note": wanted["note"]})
            case "/shop":
                shop.change(**wanted)
            case "/points":
                self._points[livemode].set(wanted["maximum"], wanted["restore"], wanted["left"])
            case "/tokens/revoke":
                self._revoked.add(wanted["access_token"])
            case "/tokens/restore":
                self._revoked.discard(wanted["access_token"])
            case _:
                return Reply(404, {"error": f"nothing at {call.path}"})
        return Reply(200, {})

    def _made(self, path: str, shop: Shop, orders: Orders, wanted: Json) -> Json | None:
        """What the calls that make or use something answer with."""
        match path:
            case "/customers":
                added = [shop.add_customer(each["email"], each.get("number")) for each in wanted["customers"]]
                return {"customers": added}
            case "/orders":
                return {"orders": [orders.add(each) for each in wanted["orders"]]}
            case "/gift_cards/spend":
                return {"gift_card": _without_code(shop.change_card(wanted["id"], _spent(wanted["amount"])))}
            case "/discounts/use":
                return {"discount": _use(shop, wanted["code"])}
        return None

    def _shown(self, path: str, asked: Mapping[str, str]) -> Reply:
        livemode = asked.get("livemode", "false") == "true"
        match path:
            case "/gift_cards":
                cards = self._store.find(PROVIDER, "gift_card", livemode=livemode, keep=_has("note", asked))
                return Reply(200, {"gift_cards": [_without_code(card) for card in cards]})
            case "/discounts":
                found = self._store.find(PROVIDER, "discount", livemode=livemode, keep=_has("code", asked))
                return Reply(200, {"discounts": found})
            case "/subscriptions":
                return Reply(200, {"subscriptions": self._shops[livemode].subscriptions()})
        return Reply(404, {"error": f"nothing at {path}"})


def _has(name: str, asked: Mapping[str, str]) -> Any:
    return lambda thing: name not in asked or asked[name] in (thing[name] or "")


def _without_code(card: Json | None) -> Json:
    if card is None:
        raise KeyError("no such gift card")
    return {name: value for name, value in card.items() if name != "code"}


def _spent(amount: str) -> Any:
    def change(card: Json) -> Json:
        left = Decimal(card["balance"]["amount"]) - Decimal(amount)
        if left < 0 or not card["enabled"]:
            raise ValueError("the card can't pay that")
        return {"balance": shown(left, card["balance"]["currencyCode"])}

    return change


def _use(shop: Shop, code: str) -> Json:
    discount = shop.discount(code)
    if discount is None:
        raise KeyError("no such discount")
    used = shop.change_discount(discount["id"], asyncUsageCount=discount["asyncUsageCount"] + 1)
    assert used is not None
    return used
