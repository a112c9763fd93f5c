"""What a shop lists of rewards: gift cards by our note, discount codes by our title; the newest first."""

import re
from datetime import datetime
from typing import Any

from integrations.base import Access
from integrations.listing import Listed, ListedPage, reward_of_key
from integrations.providers.shopify import queries
from integrations.providers.shopify.client import Conversation
from integrations.providers.shopify.codes import DISCOUNT_LENGTH, discount_code
from integrations.providers.shopify.gift_card import NOTE
from referral_rocket.kit.money import InvalidAmount, parse_money

Json = dict[str, Any]
PAGE = 50
# The title ends with the code (discount.py), which is how ours are told apart from the shop's own.
_TITLE = re.compile(rf".*\(([A-Z2-7]{{{DISCOUNT_LENGTH}}})\)")


def gift_cards(access: Access, since: datetime, cursor: str, person: str) -> ListedPage:
    talk = Conversation(access)
    data = talk.read(queries.GIFT_CARDS, {"query": None, "first": PAGE, "after": cursor or None})
    try:
        page = data["giftCards"]
        listed = [_card(card) for card in page["nodes"]]
        return _page(page, listed, page["nodes"], since)
    except (KeyError, TypeError, ValueError) as error:
        raise talk.unreadable(writes=False) from error


def _card(card: Json) -> Listed | None:
    note = card["note"] or ""
    reward_id = reward_of_key(note.removeprefix(NOTE)) if note.startswith(NOTE) else None
    if reward_id is None:
        return None
    return Listed(
        reference=card["id"],
        made_at=datetime.fromisoformat(card["createdAt"]),
        reward_id=reward_id,
        stands=card["enabled"],
        **_money(card["initialValue"]),
    )


def discounts(access: Access, since: datetime, cursor: str, person: str) -> ListedPage:
    talk = Conversation(access)
    data = talk.read(queries.DISCOUNTS, {"first": PAGE, "after": cursor or None})
    try:
        page = data["discountNodes"]
        # Other kinds of discount than ours show nothing of themselves here.
        inside = [node["discount"] for node in page["nodes"] if "title" in node["discount"]]
        return _page(page, [_discount(each) for each in inside], inside, since)
    except (KeyError, TypeError, ValueError) as error:
        raise talk.unreadable(writes=False) from error


def _discount(found: Json) -> Listed | None:
    match = _TITLE.fullmatch(found["title"])
    if match is None:
        return None
    return Listed(
        reference=match[1],
        made_at=datetime.fromisoformat(found["createdAt"]),
        own_id=match[1],
        stands=found["status"] != "EXPIRED" or found["asyncUsageCount"] > 0,
        **_money(found["customerGets"]["value"].get("amount")),
    )


def own_code(idempotency_key: str, group_key: str) -> str:
    return discount_code(idempotency_key)


def _page(page: Json, listed: list[Listed | None], dated: list[Json], since: datetime) -> ListedPage:
    more = page["pageInfo"]["hasNextPage"]
    old = bool(dated) and datetime.fromisoformat(dated[-1]["createdAt"]) < since
    rows = tuple(each for each in listed if each is not None and each.made_at >= since)
    return ListedPage(rows, page["pageInfo"]["endCursor"] if more and not old else "")


def _money(money: Json | None) -> Json:
    """A percentage has none; nor has an amount that our currency can't hold exactly, which no reward of ours has."""
    if money is None:
        return {}
    try:
        return {"amount": parse_money(money["amount"], money["currencyCode"]), "currency": money["currencyCode"]}
    except InvalidAmount:
        return {}
