"""The operations of the stand-in's schema, each over the shop."""

import time
from datetime import datetime
from typing import Any

from integrations.sandbox.shopify.orders import Orders, page
from integrations.sandbox.shopify.shop import Json, Shop

MOST = 250


class Root:
    """The root of one request: graphql-core calls the method of a field's name. `writes` says what was changed."""

    def __init__(self, shop: Shop, orders: Orders) -> None:
        self._shop = shop
        self._orders = orders

    # Queries

    def shop(self, _: Any) -> Json:
        return self._shop.described()

    def currentAppInstallation(self, _: Any) -> Json:  # noqa: N802 - Shopify's name, as below
        return {
            "id": "gid://shopify/AppInstallation/1",
            "accessScopes": [{"handle": handle} for handle in self._shop.settings["scopes"]],
        }

    def customer(self, _: Any, id: str) -> Json | None:
        self._shop.needs("read_customers", "customer")
        return self._shop.customer(id)

    def customerByIdentifier(self, _: Any, identifier: Json) -> Json | None:  # noqa: N802
        self._shop.needs("read_customers", "customerByIdentifier")
        if "id" in identifier:
            return self._shop.customer(identifier["id"])
        return self._shop.customer_of(identifier["emailAddress"]) if "emailAddress" in identifier else None

    def giftCard(self, _: Any, id: str) -> Json | None:  # noqa: N802
        self._shop.needs("read_gift_cards", "giftCard")
        return self._shop.gift_card(id)

    def giftCards(self, _: Any, first: int = 50, after: str | None = None, query: str | None = None, **__: Any) -> Json:  # noqa: N802
        self._shop.needs("read_gift_cards", "giftCards")
        return _page(self._shop.gift_cards(query, after, min(first, MOST) + 1), min(first, MOST))

    def codeDiscountNodeByCode(self, _: Any, code: str) -> Json | None:  # noqa: N802
        self._shop.needs("read_discounts", "codeDiscountNodeByCode")
        return _node(self._shop.discount(code))

    def discountNodes(self, _: Any, first: int = 50, after: str | None = None, **__: Any) -> Json:  # noqa: N802
        self._shop.needs("read_discounts", "discountNodes")
        limit = min(first, MOST)
        found = self._shop.discounts(after, limit + 1)
        return _page([{"id": each["id"], "discount": _basic(each)} for each in found], limit)

    def orders(self, _: Any, first: int = 50, after: str | None = None, query: str | None = None, **__: Any) -> Json:
        self._shop.needs("read_orders", "orders")
        return page(self._orders.orders(query), first, after)

    def order(self, _: Any, id: str) -> Json | None:
        self._shop.needs("read_orders", "order")
        return self._orders.order(id)

    def disputes(self, _: Any, first: int = 50, after: str | None = None, query: str | None = None) -> Json:
        self._shop.needs("read_shopify_payments_disputes", "disputes")
        return page(self._orders.disputes(query), first, after)

    def webhookSubscriptions(  # noqa: N802
        self, _: Any, first: int = 50, topics: list[str] | None = None, uri: str | None = None, **__: Any
    ) -> Json:
        return _page(self._shop.subscriptions(topics, uri), first)

    # Mutations

    def giftCardCreate(self, _: Any, input: Json) -> Json:  # noqa: A002, N802
        self._shop.needs("write_gift_cards", "giftCardCreate")
        card, errors = self._shop.gift_card_create(input)
        return {"giftCard": card, "giftCardCode": card and card["code"], "userErrors": errors}

    def giftCardDeactivate(self, _: Any, id: str) -> Json:  # noqa: N802
        self._shop.needs("write_gift_cards", "giftCardDeactivate")
        card, errors = self._shop.gift_card_deactivate(id)
        return {"giftCard": card, "userErrors": errors}

    def discountCodeBasicCreate(self, _: Any, basicCodeDiscount: Json) -> Json:  # noqa: N802, N803
        self._shop.needs("write_discounts", "discountCodeBasicCreate")
        discount, errors = self._shop.discount_create(basicCodeDiscount)
        return {"codeDiscountNode": _node(discount), "userErrors": errors}

    def discountCodeDeactivate(self, _: Any, id: str) -> Json:  # noqa: N802
        self._shop.needs("write_discounts", "discountCodeDeactivate")
        discount, errors = self._shop.discount_deactivate(id)
        return {"codeDiscountNode": _node(discount), "userErrors": errors}

    def webhookSubscriptionCreate(self, _: Any, topic: str, webhookSubscription: Json) -> Json:  # noqa: N802, N803
        if topic.startswith("DISPUTES_"):
            self._shop.needs("read_shopify_payments_disputes", "webhookSubscriptionCreate")
        made, errors = self._shop.subscribe(topic, webhookSubscription.get("uri") or "")
        return {"webhookSubscription": made, "userErrors": errors}


def _page(found: list[Json], limit: int) -> Json:
    nodes = found[:limit]
    more = len(found) > limit
    return {"nodes": nodes, "pageInfo": {"hasNextPage": more, "endCursor": nodes[-1]["id"] if nodes else None}}


def _node(discount: Json | None) -> Json | None:
    return None if discount is None else {"id": discount["id"], "codeDiscount": _basic(discount)}


def _basic(discount: Json) -> Json:
    ends, starts = _seconds(discount["endsAt"]), _seconds(discount["startsAt"])
    status = "EXPIRED" if ends is not None and ends <= time.time() else "ACTIVE"
    if starts is not None and starts > time.time() + 60:
        status = "SCHEDULED"
    return {
        "__typename": "DiscountCodeBasic",
        **{
            name: discount[name]
            for name in ("title", "createdAt", "startsAt", "endsAt", "usageLimit", "asyncUsageCount")
        },
        "status": status,
        "context": {
            "__typename": "DiscountCustomers",
            "customers": [{"id": gid} for gid in discount["customers"]],
        },
        "customerGets": {"value": discount["value"]},
    }


def _seconds(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()
