"""Shopify's compliance topics: https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance

An app has one address for them, in its own settings at Shopify, whatever number of shops it is installed in. So a message
says which shop it is about, and it may have come to the connection of another one.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from integrations.base import Reference
from integrations.errors import UnreadableEvent
from integrations.privacy import PrivacyAsked, PrivacyKind
from integrations.providers.shopify import words
from integrations.reading import Json, mapping, readable, text

FORGET_PERSON = "customers/redact"
TELL_PERSON = "customers/data_request"
FORGET_SHOP = "shop/redact"
TOPICS = (FORGET_PERSON, TELL_PERSON, FORGET_SHOP)
# As `account.check` words it: the shop's name, then its address at Shopify in brackets.
_LABEL = re.compile(r"\(([a-z0-9-]+\.myshopify\.com)\)$")


class ShopifyPrivacy:
    """See `integrations.privacy.ReadsPrivacy`."""

    types = frozenset(TOPICS)

    def read(self, event_type: str, payload: Mapping[str, Any]) -> PrivacyAsked:
        with readable(words.NAME, event_type):
            shop = text(payload["shop_domain"])
            if shop is None:
                raise UnreadableEvent("the message doesn't say which shop it is about")
            return _READERS[event_type](payload, shop.lower())

    def account(self, credentials: Mapping[str, str], label: str) -> str | None:
        found = _LABEL.search(label)
        return credentials.get("shop") or (found[1] if found else None)


def _person(kind: PrivacyKind, orders: str) -> Callable[[Json, str], PrivacyAsked]:
    def read(payload: Json, shop: str) -> PrivacyAsked:
        customer = mapping(payload["customer"])
        known_as, email = text(customer.get("id")), text(customer.get("email"))
        if known_as is None and email is None:
            raise UnreadableEvent("the message doesn't say whom it is about")
        numbers = [found for each in payload.get(orders) or () if (found := text(each))]
        return PrivacyAsked(kind, shop, known_as, email, tuple(Reference("order", number) for number in numbers))

    return read


_READERS: Mapping[str, Callable[[Json, str], PrivacyAsked]] = {
    FORGET_PERSON: _person(PrivacyKind.FORGET_PERSON, "orders_to_redact"),
    TELL_PERSON: _person(PrivacyKind.TELL_PERSON, "orders_requested"),
    FORGET_SHOP: lambda payload, shop: PrivacyAsked(PrivacyKind.FORGET_ACCOUNT, shop),
}
