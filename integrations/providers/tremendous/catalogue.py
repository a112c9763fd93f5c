"""Whether what is to be sent can be had: the connection's products, by currency, amount and country, before an order.

The catalogue changes by the month and is asked for once in ten minutes for each connection, so that a batch doesn't
spend its requests on it. Tremendous itself refuses what went away meanwhile.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from integrations.base import Access, IssueOrder
from integrations.providers.tremendous.client import Conversation
from referral_rocket.kit.money import plain

KEPT_SECONDS = 600
_MOST_KEPT = 1000


@dataclass(frozen=True)
class Product:
    """What can be ordered of it: `steps` are (lowest, highest) amounts in major units, none for any amount."""

    currencies: frozenset[str]
    countries: frozenset[str]
    steps: tuple[tuple[Decimal, Decimal], ...]

    def fits(self, amount: Decimal, currency: str, country: str | None) -> bool:
        in_steps = not self.steps or any(lowest <= amount <= highest for lowest, highest in self.steps)
        return in_steps and currency in self.currencies and (country is None or country in self.countries)


_kept: dict[tuple[UUID, str | None, tuple[str, ...]], tuple[float, tuple[Product, ...]]] = {}
_lock = threading.Lock()


def is_offered(talk: Conversation, access: Access, order: IssueOrder) -> bool:
    """Whether at least one of the connection's products fits the order."""
    amount, country = Decimal(plain(order.amount, order.currency)), access.settings.get("country") or None
    return any(product.fits(amount, order.currency, country) for product in _products(talk, access))


def _products(talk: Conversation, access: Access) -> Sequence[Product]:
    campaign = access.settings.get("campaign_id") or None
    wanted = tuple(access.settings.get("product_ids") or ())
    key = (access.connection_id, campaign, wanted)
    with _lock:
        since, products = _kept.get(key, (float("-inf"), ()))
    if time.monotonic() - since < KEPT_SECONDS:
        return products
    products = tuple(_asked(talk, campaign, wanted))
    with _lock:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[key] = (time.monotonic(), products)
    return products


def _asked(talk: Conversation, campaign: str | None, wanted: tuple[str, ...]) -> list[Product]:
    ids = wanted
    if not ids:
        found = talk.get("campaigns", campaign or "")
        ids = tuple(_read(talk, lambda: [str(each) for each in found["campaign"]["products"]])) if found else ()
    if not ids:
        return []
    body = talk.get("products", id=",".join(ids))
    return _read(talk, lambda: [_product(each) for each in body["products"]]) if body else []


def _read(talk: Conversation, reading: Any) -> Any:
    try:
        return reading()
    except (KeyError, TypeError, AttributeError) as error:
        raise talk.unreadable(writes=False) from error


def _product(given: Mapping[str, Any]) -> Product:
    return Product(
        frozenset(given["currency_codes"]),
        frozenset(country["abbr"] for country in given["countries"]),
        tuple((Decimal(sku["min"]), Decimal(sku["max"])) for sku in given.get("skus") or ()),
    )
