"""A customer's subscriptions and the discounts on them, and whose turn it is to change them.

A populated list of discounts replaces what was there, and Stripe has no version to hold it against: who changes one reads
it first, sends everything back, and must be alone with that customer. One runner at a time works on a connection, so it
is enough to be alone among this process's threads (`alone_with`).
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from integrations.errors import OutcomeUnknown, ProviderRetryable
from integrations.providers.stripe import words
from integrations.providers.stripe.client import Conversation, Missing
from integrations.providers.stripe.customers import PAGE, Json

# Those that will be invoiced again. `incomplete`, `unpaid` and `paused` ones get no invoice that a discount could lower.
_LIVE = frozenset({"active", "trialing", "past_due"})
_EXPAND = ["data.discounts.source.coupon"]
# A change whose answer was lost may still be carried out; Stripe gives up on a request well before this many seconds.
DOUBT_SECONDS = 120.0
_SLOTS = tuple(threading.Lock() for _ in range(64))
_doubts: dict[tuple[UUID, str], tuple[UUID, float]] = {}
_doubts_lock = threading.Lock()


@contextmanager
def alone_with(talk: Conversation, connection_id: UUID, customer_id: str, reward_id: UUID) -> Iterator[None]:
    """Nobody else in this process changes this customer's discounts meanwhile.

    Where another reward's change is in doubt, it may arrive after we have read what is there, and the later of the two
    lists would wipe out the other: raises ProviderRetryable until that can't happen any more.
    """
    key = (connection_id, customer_id)
    # A few customers share a lock, which costs them a moment and nothing else.
    with _SLOTS[hash(key) % len(_SLOTS)]:
        _wait_out(talk, key, reward_id)
        try:
            yield
        except OutcomeUnknown:
            with _doubts_lock:
                _doubts[key] = (reward_id, time.monotonic())
            raise
        with _doubts_lock:
            _doubts.pop(key, None)


def _wait_out(talk: Conversation, key: tuple[UUID, str], reward_id: UUID) -> None:
    now = time.monotonic()
    with _doubts_lock:
        for old in [each for each, (_, since) in _doubts.items() if now - since > DOUBT_SECONDS]:
            del _doubts[old]
        whose, since = _doubts.get(key, (reward_id, now))
    if whose != reward_id:
        wait = DOUBT_SECONDS - (now - since)
        raise ProviderRetryable(
            words.CUSTOMER_BUSY, code="provider_busy", retry_after=wait, sent=False, exchanges=talk.exchanges
        )


def subscriptions_of(talk: Conversation, customer_id: str, *, gone_too: bool = False) -> list[Json]:
    """With their discounts and what those are made of; canceled ones only where `gone_too`."""
    params: Any = {"customer": customer_id, "limit": PAGE, "expand": _EXPAND}
    if gone_too:
        params["status"] = "all"
    with talk.reading():
        found = [each.to_dict() for each in talk.api.subscriptions.list(params).auto_paging_iter()]
        for subscription in found:
            # What the decision hangs on is read here, so that an answer without it is an unreadable one.
            for discount in subscription["discounts"]:
                discount["source"]["coupon"]["duration"], discount["id"]
            _next_invoice(subscription)
    return found


def will_be_invoiced(subscriptions: list[Json]) -> list[Json]:
    """Those that have a next invoice, the soonest first."""
    live = [each for each in subscriptions if each["status"] in _LIVE and not each.get("cancel_at_period_end")]
    return sorted(live, key=lambda each: (_next_invoice(each), each["id"]))


def _next_invoice(subscription: Json) -> int:
    return min(int(item["current_period_end"]) for item in subscription["items"]["data"])


def coupons_on(subscription: Json) -> list[Json]:
    return [discount["source"]["coupon"] for discount in subscription["discounts"]]


def inherited_discount(talk: Conversation, customer: Json, subscription: Json) -> Json | None:
    """The account's discount (older API versions gave such) that works on a subscription as long as it has none itself."""
    discount = customer.get("discount")
    if not discount or subscription["discounts"]:
        return None
    coupon = discount["source"]["coupon"]
    if not isinstance(coupon, dict):
        try:
            with talk.reading():
                coupon = talk.api.coupons.retrieve(coupon).to_dict()
        except Missing:
            # Deleted since: the discount goes on, and what it was made of isn't told. Taken for one that can be lost.
            coupon = {"id": coupon, "duration": "once", "metadata": {}}
    return {**discount, "source": {**discount["source"], "coupon": coupon}}


def discounts_set(talk: Conversation, subscription_id: str, discounts: list[dict[str, str]]) -> Json:
    """Replace the list; the subscription as it then is. An empty one clears it."""
    params: Any = {"discounts": discounts or "", "expand": ["discounts.source.coupon"]}
    with talk.writing():
        changed = talk.api.subscriptions.update(subscription_id, params).to_dict()
        coupons_on(changed)
    return changed
