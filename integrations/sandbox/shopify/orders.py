"""The stand-in shop's orders, refunds and disputes: made by the control calls, listed as the Admin API lists them."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from integrations.sandbox.shopify.shop import PROVIDER, Json, Shop, new_number, now, shown
from integrations.sandbox.store import Store

MOST = 250
_SINCE = re.compile(r"(?:processed_at|initiated_at):>='([^']+)'")


class Orders:
    def __init__(self, store: Store, shop: Shop, livemode: bool) -> None:
        self._store = store
        self._shop = shop
        self._livemode = livemode

    # Making them -------------------------------------------------------------------------------------------------

    def add(self, wanted: Json) -> Json:
        """An order as control.py describes it; amounts as texts in major units of the shop's currency."""
        number = int(wanted.get("number") or new_number())
        order = {"test": not self._livemode, "status": "PAID", "processed_at": now(), **wanted}
        order |= {"id": f"gid://shopify/Order/{number}", "number": number}
        order["refunds"] = [
            {"number": new_number(), "status": "SUCCESS", "at": order["processed_at"], **each}
            for each in wanted.get("refunds", ())
        ]
        self._store.put(PROVIDER, self._livemode, "order", order)
        for each in wanted.get("disputes", ()):
            dispute = {"number": new_number(), "type": "CHARGEBACK", "status": "NEEDS_RESPONSE", **each}
            dispute |= {"id": f"gid://shopify/ShopifyPaymentsDispute/{dispute['number']}", "order": order["id"]}
            self._store.put(PROVIDER, self._livemode, "dispute", {"at": order["processed_at"], **dispute})
        return order

    # Listing them ------------------------------------------------------------------------------------------------

    def orders(self, query: str | None) -> list[Json]:
        """Oldest first."""
        found = self._store.find(PROVIDER, "order", livemode=self._livemode, keep=_since(query, "processed_at"))
        return [self._told(order) for order in sorted(found, key=lambda each: (each["processed_at"], each["number"]))]

    def order(self, gid: str) -> Json | None:
        found = self._store.get(PROVIDER, self._livemode, "order", gid)
        return found and self._told(found)

    def disputes(self, query: str | None) -> list[Json]:
        found = self._store.find(PROVIDER, "dispute", livemode=self._livemode, keep=_since(query, "at"))
        return [
            {
                "id": each["id"],
                "legacyResourceId": each["number"],
                "type": each["type"],
                "status": each["status"],
                "initiatedAt": each["at"],
                "finalizedOn": None,
                "amount": self._money(each["amount"]),
                "order": self.order(each["order"]),
            }
            for each in sorted(found, key=lambda each: each["number"])
        ]

    def _told(self, order: Json) -> Json:
        bag = self._bag
        address = order.get("country") and {"countryCodeV2": order["country"]}
        return {
            "id": order["id"],
            "legacyResourceId": order["number"],
            "test": order["test"],
            "processedAt": order["processed_at"],
            "currencyCode": self._shop.settings["currency"],
            "displayFinancialStatus": order["status"],
            "taxesIncluded": order.get("taxes_included", False),
            "email": order.get("email"),
            "customer": order.get("customer")
            and {
                "id": f"gid://shopify/Customer/{order['customer']}",
                "legacyResourceId": int(order["customer"]),
                "defaultEmailAddress": order.get("email") and {"emailAddress": order["email"]},
            },
            "customAttributes": [{"key": key, "value": value} for key, value in order.get("attributes", {}).items()],
            "discountCodes": order.get("codes", []),
            "shippingAddress": address,
            "billingAddress": address,
            "totalPriceSet": bag(order["total"]),
            "totalTaxSet": bag(order.get("tax", 0)),
            "totalDiscountsSet": bag(order.get("discount", 0)),
            "totalShippingPriceSet": bag(order.get("shipping", 0)),
            "shippingLines": lambda *_, **__: {
                "nodes": [{"taxLines": [{"priceSet": bag(order.get("shipping_tax", 0))}]}]
            },
            "lineItems": lambda _, first, after=None: page(
                [self._line(place, line) for place, line in enumerate(order.get("lines", ()))], first, after
            ),
            "refunds": lambda _, first: [self._refund(each) for each in order["refunds"]][:first],
        }

    def _line(self, place: int, line: Json) -> Json:
        return {
            "id": f"gid://shopify/LineItem/{place + 1}",
            "sku": line.get("sku"),
            "quantity": line.get("quantity", 1),
            "product": line.get("product") and {"legacyResourceId": line["product"]},
            "originalUnitPriceSet": self._bag(line["price"]),
            "totalDiscountSet": self._bag(line.get("discount", 0)),
        }

    def _refund(self, refund: Json) -> Json:
        transaction = {"kind": "REFUND", "status": refund["status"], "amountSet": self._bag(refund["amount"])}
        return {
            "legacyResourceId": refund["number"],
            "processedAt": refund["at"],
            "transactions": lambda *_, **__: {"nodes": [transaction]},
        }

    def _money(self, amount: Any) -> Json:
        return shown(Decimal(str(amount)), self._shop.settings["currency"])

    def _bag(self, amount: Any) -> Json:
        return {"shopMoney": self._money(amount)}


def page(found: Sequence[Json], first: int, after: str | None) -> Json:
    """A connection's page after the row with that id."""
    begin = next((place + 1 for place, each in enumerate(found) if each["id"] == after), 0)
    nodes = list(found[begin : begin + min(first, MOST)])
    more = begin + len(nodes) < len(found)
    return {"nodes": nodes, "pageInfo": {"hasNextPage": more, "endCursor": nodes[-1]["id"] if nodes else None}}


def _since(query: str | None, field: str) -> Callable[[Json], bool]:
    found = _SINCE.fullmatch(query or "")
    if found is None:
        return lambda _: True
    since = _moment(found[1])
    return lambda each: _moment(each[field]) >= since


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
