"""What Tremendous lists of rewards: orders by our `external_id`, the newest first.

https://developers.tremendous.com/reference/list-orders: at most 500 a page, counted from the newest, so one that is
made meanwhile shows another twice and hides none.
"""

from datetime import UTC, datetime
from typing import Any

from integrations.base import Access
from integrations.listing import Listed, ListedPage, reward_of_key
from integrations.providers.tremendous.adapter import ENDED, EXECUTED
from integrations.providers.tremendous.client import Conversation
from referral_rocket.kit.money import InvalidAmount, parse_money

Json = dict[str, Any]
PAGE = 100


def orders(access: Access, since: datetime, cursor: str, person: str) -> ListedPage:
    talk = Conversation(access)
    offset = int(cursor or 0)
    window = {"created_at[gte]": since.astimezone(UTC).isoformat(), "limit": str(PAGE), "offset": str(offset)}
    body = talk.get("orders", **window) or {}
    try:
        found = body["orders"]
        listed = [_order(each) for each in found]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise talk.unreadable(writes=False) from error
    return ListedPage(tuple(each for each in listed if each), str(offset + PAGE) if len(found) == PAGE else "")


def _order(order: Json) -> Listed | None:
    reward_id = reward_of_key(order.get("external_id"))
    if reward_id is None:
        return None
    reward = order["rewards"][0]
    value, currency = reward["value"]["denomination"], reward["value"]["currency_code"]
    try:
        amount = parse_money(str(value), currency)
    except InvalidAmount:
        amount = None
    return Listed(
        # An order is known by its reward's id once it is executed, before that by its own (adapter.py).
        reference=reward["id"] if order["status"] == EXECUTED else order["id"],
        made_at=datetime.fromisoformat(order["created_at"]),
        reward_id=reward_id,
        amount=amount,
        currency=currency if amount is not None else None,
        stands=order["status"] not in ENDED,
    )
