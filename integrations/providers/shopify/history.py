"""The past of a shop: its orders with their refunds, and its disputes, as GraphQL lists them.

Each is put into the words of the webhook that would have told of it and read as that is, so that one order counts once
whichever way it comes. Orders are listed by `processed_at`, which is also when they count; Shopify shows those older than 60
days to apps that may `read_all_orders` only. https://shopify.dev/docs/api/admin-graphql/2026-10/queries/orders
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from integrations.base import Access, PastMessage
from integrations.errors import ProviderRetryable
from integrations.providers.shopify import queries
from integrations.providers.shopify.client import Conversation
from integrations.providers.shopify.inbound import READERS
from integrations.reading import MALFORMED, Json, moment

# A query may cost 1,000 points at most, and each line, refund and transaction in it is counted: some 50 an order.
ORDERS, LINES, REFUNDS, DISPUTES = 10, 10, 5, 50
# Of one order, where there is more of it.
MORE_LINES, MORE_REFUNDS = 100, 50
# The bucket of points waits before a call (points.py); where another app has emptied it meanwhile, Shopify says for how
# long, and the page is asked for again. What takes longer is for the backfill's own retries.
PATIENCE, TRIES = 20.0, 5
# What has been paid in full, as `orders/paid` tells, whatever became of it afterwards.
PAID = frozenset({"PAID", "PARTIALLY_REFUNDED", "REFUNDED"})


def payments_since(access: Access, since: datetime) -> Iterator[PastMessage]:
    """See `integrations.description.Provider`. Orders of the other mode (`test`) are left out, as their webhooks are."""
    history = _History(access)
    text = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    yield from history.listed(queries.ORDERS, "orders", f"processed_at:>='{text}'", ORDERS, history.order)
    yield from history.listed(queries.DISPUTES, "disputes", f"initiated_at:>='{text}'", DISPUTES, history.dispute)


class _History:
    def __init__(self, access: Access) -> None:
        self._talk = Conversation(access)
        self._of_a_test = access.mode == "TEST"

    def listed(
        self, document: str, field: str, query: str, first: int, told: Callable[[Json], Iterator[PastMessage]]
    ) -> Iterator[PastMessage]:
        after = None
        while True:
            variables = {"query": query, "first": first, "after": after}
            page, found = self._page(document, variables, field, told)
            # Outside of all that looks at Shopify's answer: what the caller does between two pages is none of its faults.
            yield from found
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def _page(
        self, document: str, variables: Json, field: str, told: Callable[[Json], Iterator[PastMessage]]
    ) -> tuple[Json, list[PastMessage]]:
        page = self._ask(document, variables)[field]
        try:
            return page, [message for node in page["nodes"] for message in told(node)]
        except MALFORMED as error:
            raise self._talk.unreadable(writes=False) from error

    def _ask(self, document: str, variables: Json) -> dict[str, Any]:
        for tries_left in reversed(range(TRIES)):
            try:
                return self._talk.read(document, variables)
            except ProviderRetryable as busy:
                wait = busy.retry_after
                if not tries_left or busy.code != "rate_limited" or wait is None or wait > PATIENCE:
                    raise
                time.sleep(wait)
            finally:
                # Exchanges are for the record of a reward; a long list's would only fill memory.
                self._talk.exchanges.clear()
        raise AssertionError("the last try returns or raises")

    def order(self, order: Json) -> Iterator[PastMessage]:
        if order["test"] != self._of_a_test:
            return
        number = str(order["legacyResourceId"])
        if order["displayFinancialStatus"] in PAID:
            paid = _as_webhook(order, [*self._lines(order)])
            yield PastMessage(f"order:{number}", moment(order["processedAt"]), READERS["orders/paid"](paid))
        for refund in self._refunds(order):
            told = READERS["refunds/create"](_refund_as_webhook(refund, number))
            facts = tuple(fact for fact in told if hasattr(fact, "references"))
            if facts:
                at = moment(refund["processedAt"])
                yield PastMessage(f"refund:{refund['legacyResourceId']}", at, facts)

    def _lines(self, order: Json) -> Iterator[Json]:
        lines = order["lineItems"]
        yield from lines["nodes"]
        while lines["pageInfo"]["hasNextPage"]:
            after = lines["pageInfo"]["endCursor"]
            variables = {"id": order["id"], "first": MORE_LINES, "after": after}
            lines = self._ask(queries.ORDER_LINES, variables)["order"]["lineItems"]
            yield from lines["nodes"]

    def _refunds(self, order: Json) -> list[Json]:
        refunds: list[Json] = order["refunds"]
        if len(refunds) < REFUNDS:
            return refunds
        variables = {"id": order["id"], "first": MORE_REFUNDS}
        more: list[Json] = self._ask(queries.ORDER_REFUNDS, variables)["order"]["refunds"]
        return more

    def dispute(self, dispute: Json) -> Iterator[PastMessage]:
        order = dispute["order"]
        if order is None or order["test"] != self._of_a_test:
            return
        told = {
            "id": dispute["legacyResourceId"],
            "order_id": order["legacyResourceId"],
            "type": dispute["type"].lower(),
            "amount": dispute["amount"]["amount"],
            "currency": dispute["amount"]["currencyCode"],
            "status": dispute["status"].lower(),
            "initiated_at": dispute["initiatedAt"],
            "finalized_on": dispute["finalizedOn"],
        }
        facts = tuple(fact for fact in READERS["disputes/update"](told) if hasattr(fact, "references"))
        if facts:
            # Another status is news of its own, told as another message.
            key = f"dispute:{told['id']}:{told['status']}"
            yield PastMessage(key, moment(dispute["initiatedAt"]), facts)


def _as_webhook(order: Json, lines: list[Json]) -> dict[str, Any]:
    """A paid order in the words of `orders/paid`."""
    customer = order["customer"]
    address = order["shippingAddress"] or order["billingAddress"]
    return {
        "id": order["legacyResourceId"],
        "currency": order["currencyCode"],
        "total_price": _shop(order["totalPriceSet"]),
        "processed_at": order["processedAt"],
        "email": order["email"],
        "customer": customer
        and {
            "id": customer["legacyResourceId"],
            "email": customer["defaultEmailAddress"] and customer["defaultEmailAddress"]["emailAddress"],
        },
        "note_attributes": [{"name": each["key"], "value": each["value"]} for each in order["customAttributes"]],
        "discount_codes": [{"code": code} for code in order["discountCodes"]],
        "shipping_address": address and {"country_code": address["countryCodeV2"]},
        "total_tax": _shop(order["totalTaxSet"]),
        "total_discounts": _shop(order["totalDiscountsSet"]),
        "total_shipping_price_set": {"shop_money": {"amount": _shop(order["totalShippingPriceSet"])}},
        "taxes_included": order["taxesIncluded"],
        "shipping_lines": [
            {"tax_lines": [{"price": _shop(tax["priceSet"])} for tax in line["taxLines"]]}
            for line in order["shippingLines"]["nodes"]
        ],
        "line_items": [
            {
                "product_id": line["product"] and line["product"]["legacyResourceId"],
                "sku": line["sku"],
                "quantity": line["quantity"],
                "price": _shop(line["originalUnitPriceSet"]),
                "total_discount": _shop(line["totalDiscountSet"]),
            }
            for line in lines
        ],
    }


def _refund_as_webhook(refund: Json, order_number: str) -> dict[str, Any]:
    return {
        "id": refund["legacyResourceId"],
        "order_id": order_number,
        "processed_at": refund["processedAt"],
        "transactions": [
            {
                "kind": each["kind"].lower(),
                "status": each["status"].lower(),
                "amount": _shop(each["amountSet"]),
                "currency": each["amountSet"]["shopMoney"]["currencyCode"],
            }
            for each in refund["transactions"]["nodes"]
        ],
    }


def _shop(price: Mapping[str, Any] | None) -> str | None:
    """In the shop's currency, in which orders are told by webhook."""
    return None if price is None else str(price["shopMoney"]["amount"])
