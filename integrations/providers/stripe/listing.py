"""What Stripe lists of rewards: coupons of the whole account, credits customer by customer.

There is no list of balance transactions over all customers: https://docs.stripe.com/api/customer_balance_transactions/list
"""

from datetime import UTC, datetime
from typing import Any

from integrations.base import Access
from integrations.listing import Listed, ListedPage, reward_of_id
from integrations.providers.stripe.amounts import from_stripe
from integrations.providers.stripe.client import Conversation, Missing
from integrations.providers.stripe.coupons import REWARD_KEY
from integrations.providers.stripe.credit import UNDOES_KEY
from integrations.providers.stripe.customers import PAGE, Json

# Each coupon of ours takes a request more, for its promotion code.
_COUPONS = 25


def customer_credits(access: Access, since: datetime, cursor: str, person: str) -> ListedPage:
    """A customer's credits, and what was taken back of them. A customer who is gone has none to show."""
    talk = Conversation(access)
    try:
        with talk.reading():
            page = talk.api.customers.balance_transactions.list(person, _window(since, cursor, PAGE))  # type: ignore[arg-type]
            rows = [row.to_dict() for row in page.data]
            undone = {(row["metadata"] or {}).get(UNDOES_KEY) for row in rows}
            listed = [_credit(row, undone) for row in rows]
    except Missing:
        return ListedPage(())
    return ListedPage(tuple(each for each in listed if each), rows[-1]["id"] if page.has_more and rows else "")


def _credit(row: Json, undone: set[Any]) -> Listed | None:
    metadata = row["metadata"] or {}
    reward_id = reward_of_id(metadata.get(REWARD_KEY))
    # What undoes another one carries the same reward's id, and is no payment of its own.
    if reward_id is None or UNDOES_KEY in metadata:
        return None
    currency = row["currency"].upper()
    return Listed(
        reference=row["id"],
        made_at=datetime.fromtimestamp(row["created"], UTC),
        reward_id=reward_id,
        amount=from_stripe(abs(row["amount"]), currency),
        currency=currency,
        stands=row["id"] not in undone,
        takes_back=row["amount"] > 0,
    )


def coupons(access: Access, since: datetime, cursor: str, person: str) -> ListedPage:
    """The account's coupons for rewards: by their promotion code, where one leads to them, as they are known here."""
    talk = Conversation(access)
    with talk.reading():
        page = talk.api.coupons.list(_window(since, cursor, _COUPONS))  # type: ignore[arg-type]
        rows = [row.to_dict() for row in page.data]
        listed = [_coupon(talk, row) for row in rows]
    return ListedPage(tuple(each for each in listed if each), rows[-1]["id"] if page.has_more and rows else "")


def _coupon(talk: Conversation, coupon: Json) -> Listed | None:
    reward_id = reward_of_id((coupon.get("metadata") or {}).get(REWARD_KEY))
    if reward_id is None:
        return None
    codes = talk.api.promotion_codes.list({"coupon": coupon["id"], "limit": 1}).data
    currency = coupon["currency"].upper() if coupon.get("amount_off") else None
    return Listed(
        reference=codes[0].id if codes else coupon["id"],
        made_at=datetime.fromtimestamp(coupon["created"], UTC),
        reward_id=reward_id,
        amount=from_stripe(coupon["amount_off"], currency) if currency else None,
        currency=currency,
        # One that is on nothing and that no code leads to was left by a try that came to nothing: nobody has it.
        stands=bool(codes) or coupon["times_redeemed"] > 0,
    )


def _window(since: datetime, cursor: str, limit: int) -> dict[str, Any]:
    window: dict[str, Any] = {"limit": limit, "created": {"gte": int(since.timestamp())}}
    return {**window, "starting_after": cursor} if cursor else window
