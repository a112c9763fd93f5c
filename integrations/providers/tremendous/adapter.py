"""TREMENDOUS: a reward as an order from the tenant's funding source, for what its campaign or products offer.

The order's `external_id` is the reward's key: a repeat answers the first order and makes none, whenever it comes. What
became of an order is looked up by it. Tremendous calls an order and the one reward in it by different ids, and its
messages name one or the other: while an order waits it is known by its own id, from then on by its reward's.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from integrations.base import Access, AccountCheck, IssueOrder, IssueOutcome, IssueResult
from integrations.errors import OutcomeUnknown
from integrations.providers.tremendous import words
from integrations.providers.tremendous.account import check
from integrations.providers.tremendous.catalogue import is_offered
from integrations.providers.tremendous.client import AMOUNT, Conversation
from referral_rocket.kit.money import format_money, plain

Json = dict[str, Any]
# What each state of an order means until it is EXECUTED: our code, and what to say. It waits at Tremendous.
WAITS: Mapping[str, tuple[str, str]] = {
    "PENDING APPROVAL": ("needs_a_person", words.APPROVAL),
    "PENDING INTERNAL PAYMENT APPROVAL": ("provider_busy", words.REVIEW),
    "PENDING SETTLEMENT": ("insufficient_funds", words.SETTLEMENT),
    "OPEN": ("provider_busy", words.OPEN),
}
# Over, and nobody has got anything: the key is used up, since it would answer this order for good.
ENDED: Mapping[str, tuple[str, str]] = {
    "CANCELED": ("returned_by_provider", words.CANCELED),
    "FAILED": ("insufficient_funds", words.FAILED),
}
EXECUTED = "EXECUTED"


class TremendousReward:
    """The payout adapter. See `integrations.base.PayoutAdapter`."""

    def issue(self, access: Access, order: IssueOrder) -> IssueResult:
        talk = Conversation(access)
        refusal = _why_not(talk, access, order)
        if refusal is not None:
            code, message = refusal
            return IssueResult(
                IssueOutcome.WAITING, sent=False, code=code, message=message, exchanges=tuple(talk.exchanges)
            )
        made = talk.post("orders", body=_wanted(access, order), amount=plain(order.amount, order.currency))
        found = _readable(talk, made, order, writes=True)
        if found["status"] in ENDED:
            # Only a look-up can say so: an earlier try may have made it.
            raise OutcomeUnknown(words.ENDED, exchanges=talk.exchanges)
        return _result(talk, found)

    def look_up(self, access: Access, order: IssueOrder) -> IssueResult | None:
        talk = Conversation(access)
        body = talk.get("orders", order.idempotency_key)
        return None if body is None else _result(talk, _readable(talk, body, order, writes=False))

    def check(self, access: Access) -> AccountCheck:
        return check(access)


def _why_not(talk: Conversation, access: Access, order: IssueOrder) -> tuple[str, str] | None:
    """Code and sentence for what asking alone shows; None where the order can go out."""
    if not access.settings.get("funding_source_id"):
        return "needs_a_person", words.NO_FUNDING_SOURCE
    if not access.settings.get("campaign_id") and not access.settings.get("product_ids"):
        return "needs_a_person", words.NO_PRODUCTS
    if not order.recipient.email:
        return "invalid_recipient", words.NO_EMAIL
    if not is_offered(talk, access, order):
        country = access.settings.get("country")
        amount = format_money(order.amount, order.currency)
        where = f" in {country}" if country else ""
        return "product_unavailable", words.UNAVAILABLE_HERE.format(amount=f"{amount} ({order.currency})", where=where)
    return None


def _wanted(access: Access, order: IssueOrder) -> Json:
    reward: Json = {
        "value": {"denomination": AMOUNT, "currency_code": order.currency},
        "recipient": {"name": order.recipient.name or order.recipient.email, "email": order.recipient.email},
        "delivery": {"method": access.settings.get("delivery") or "EMAIL"},
    }
    if access.settings.get("campaign_id"):
        reward["campaign_id"] = access.settings["campaign_id"]
    if access.settings.get("product_ids"):
        reward["products"] = list(access.settings["product_ids"])
    return {
        "external_id": order.idempotency_key,
        "payment": {"funding_source_id": access.settings["funding_source_id"]},
        "reward": reward,
    }


def _readable(talk: Conversation, body: Json, order: IssueOrder, *, writes: bool) -> Json:
    """The order in an answer, where it is the one that was asked for."""
    try:
        found: Json = body["order"]
        reward = found["rewards"][0]
        value = reward["value"]
        is_ours = found["external_id"] == order.idempotency_key and bool(found["id"]) and bool(reward["id"])
        denomination, currency = Decimal(value["denomination"]), value["currency_code"]
    except (KeyError, TypeError, IndexError, ArithmeticError) as error:
        raise talk.unreadable(writes=writes) from error
    if not is_ours:
        raise talk.unreadable(writes=writes)
    if (denomination, currency) != (Decimal(plain(order.amount, order.currency)), order.currency):
        theirs = f"{denomination.normalize():f} {currency}"
        raise OutcomeUnknown(words.OTHER_AMOUNT.format(theirs=theirs), exchanges=talk.exchanges)
    return found


def _result(talk: Conversation, found: Json) -> IssueResult:
    reward, status, exchanges = found["rewards"][0], found["status"], tuple(talk.exchanges)
    if status == EXECUTED:
        failed, message = _delivery(reward)
        return IssueResult(
            IssueOutcome.SUCCEEDED,
            sent=True,
            provider_reference=reward["id"],
            code="needs_a_person" if failed else None,
            message=message,
            exchanges=exchanges,
        )
    if status in ENDED:
        code, message = ENDED[status]
        return IssueResult(IssueOutcome.RETURNED, True, found["id"], None, code, message, exchanges)
    if status in WAITS:
        code, message = WAITS[status]
        return IssueResult(IssueOutcome.WAITING, True, found["id"], None, code, message, exchanges)
    raise talk.unreadable(writes=True)


def _delivery(reward: Json) -> tuple[bool, str]:
    """Whether the delivery failed, and what to say of it."""
    delivery = reward.get("delivery") or {}
    if delivery.get("status") == "FAILED":
        return True, words.DELIVERY_FAILED
    if delivery.get("method") == "LINK":
        return False, words.ISSUED_BY_LINK
    return False, words.DELIVERED if delivery.get("status") == "SUCCEEDED" else words.ISSUED
