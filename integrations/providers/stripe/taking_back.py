"""Taking back a discount that the customer hasn't used: whole, or not at all.

The deduction's id is written on the promotion code or the coupon first (metadata `taken_back_by`), so that a later look
tells what we did from what a person did in Stripe:

    a promotion code    marked and switched off in one call. Unused then: taken back. Used: the customer was quicker.
    on a subscription   marked with the discount's id; then the discount is taken off the subscription, the others kept;
                        then the invoices since are read: none used it: taken back. One did: the invoice was quicker.

Killed after the mark, the look-up finds it unfinished (None), and the next call goes on. Taking the discount off twice
changes nothing. A repeating discount that lowered an invoice is partly spent and left to a person.
"""

from typing import Any

from integrations.base import Access, IssueOutcome, IssueResult, TakeBack
from integrations.errors import OutcomeUnknown
from integrations.providers.stripe import words
from integrations.providers.stripe.client import Conversation, Missing
from integrations.providers.stripe.coupons import CUSTOMER_KEY
from integrations.providers.stripe.customers import PAGE, Json, waiting
from integrations.providers.stripe.subscriptions import alone_with, discounts_set, subscriptions_of

BY_KEY = "taken_back_by"
DISCOUNT_KEY = "taken_back_discount"
_PROMOTION = "promo_"
_ENDED = frozenset({"canceled", "incomplete_expired"})


def take_back(access: Access, order: TakeBack) -> IssueResult:
    talk = Conversation(access)
    if order.amount != order.issued_amount:
        return waiting(talk, "needs_a_person", words.PART_OF_DISCOUNT)
    try:
        if order.issued_reference.startswith(_PROMOTION):
            return _switch_off(talk, order)
        return _take_off(access, talk, order)
    except Missing:
        return waiting(talk, "needs_a_person", words.DISCOUNT_GONE)


def look_up(access: Access, order: TakeBack) -> IssueResult | None:
    """None as long as it isn't finished: taking back goes on where it stopped."""
    talk = Conversation(access)
    try:
        if order.issued_reference.startswith(_PROMOTION):
            with talk.reading():
                code = talk.api.promotion_codes.retrieve(order.issued_reference).to_dict()
            return _of_code(talk, order, code) if _is_marked(code, order) else None
        coupon = _coupon(talk, order)
        if not _is_marked(coupon, order):
            return None
        return None if _where(talk, coupon) else _of_coupon(talk, order, coupon)
    except Missing as gone:
        raise OutcomeUnknown(words.DISCOUNT_GONE, exchanges=talk.exchanges) from gone


# A promotion code ------------------------------------------------------------------------------------------------


def _switch_off(talk: Conversation, order: TakeBack) -> IssueResult:
    with talk.reading():
        code = talk.api.promotion_codes.retrieve(order.issued_reference).to_dict()
        used = int(code["times_redeemed"]) > 0
    if not used and not _is_marked(code, order):
        with talk.writing():
            params: Any = {"active": False, "metadata": {BY_KEY: str(order.reward_id)}}
            code = talk.api.promotion_codes.update(order.issued_reference, params).to_dict()
            if code["active"] or not _is_marked(code, order):
                raise OutcomeUnknown(words.UNREADABLE, exchanges=talk.exchanges)
    return _of_code(talk, order, code)


def _of_code(talk: Conversation, order: TakeBack, code: Json) -> IssueResult:
    if code["times_redeemed"]:
        return waiting(talk, "needs_a_person", words.DISCOUNT_USED)
    return _taken_back(talk, order, code.get("customer"))


# On a subscription -----------------------------------------------------------------------------------------------


def _take_off(access: Access, talk: Conversation, order: TakeBack) -> IssueResult:
    coupon = _coupon(talk, order)
    customer = _customer_of(coupon) or ""
    with alone_with(talk, access.connection_id, customer, order.reward_id):
        place = _where(talk, coupon)
        if not _is_marked(coupon, order):
            if place is None:
                return waiting(talk, "needs_a_person", words.DISCOUNT_USED)
            subscription, discount = place
            if _invoice_with(talk, customer, discount["id"]):
                return waiting(talk, "needs_a_person", words.DISCOUNT_USED)
            coupon = _mark(talk, order, discount["id"])
        if place is not None:
            subscription, discount = place
            kept = [{"discount": each["id"]} for each in subscription["discounts"] if each["id"] != discount["id"]]
            discounts_set(talk, subscription["id"], kept)
        return _of_coupon(talk, order, coupon)


def _coupon(talk: Conversation, order: TakeBack) -> Json:
    with talk.reading():
        coupon = talk.api.coupons.retrieve(order.issued_reference).to_dict()
        coupon["metadata"][CUSTOMER_KEY]
    return coupon


def _customer_of(coupon: Json) -> str | None:
    return (coupon.get("metadata") or {}).get(CUSTOMER_KEY)


def _where(talk: Conversation, coupon: Json) -> tuple[Json, Json] | None:
    """The subscription and the discount that the coupon lies on, if it still does."""
    for subscription in subscriptions_of(talk, _customer_of(coupon) or "", gone_too=True):
        for discount in subscription["discounts"]:
            if discount["source"]["coupon"]["id"] == coupon["id"] and subscription["status"] not in _ENDED:
                return subscription, discount
    return None


def _mark(talk: Conversation, order: TakeBack, discount_id: str) -> Json:
    with talk.writing():
        params: Any = {"metadata": {BY_KEY: str(order.reward_id), DISCOUNT_KEY: discount_id}}
        marked = talk.api.coupons.update(order.issued_reference, params).to_dict()
        if not _is_marked(marked, order):
            raise OutcomeUnknown(words.UNREADABLE, exchanges=talk.exchanges)
    return marked


def _of_coupon(talk: Conversation, order: TakeBack, coupon: Json) -> IssueResult:
    customer, discount_id = _customer_of(coupon) or "", coupon["metadata"][DISCOUNT_KEY]
    if _invoice_with(talk, customer, discount_id):
        return waiting(talk, "needs_a_person", words.DISCOUNT_USED)
    return _taken_back(talk, order, customer)


def _invoice_with(talk: Conversation, customer_id: str, discount_id: str) -> bool:
    """Whether some invoice that counts was lowered by the discount. A draft has used a `once` discount up already."""
    with talk.reading():
        page = talk.api.invoices.list({"customer": customer_id, "limit": PAGE})
        for each in page.auto_paging_iter():
            invoice = each.to_dict()
            if invoice.get("status") == "void":
                continue
            for line in invoice["total_discount_amounts"] or ():
                found = line["discount"]
                if (found["id"] if isinstance(found, dict) else found) == discount_id and line["amount"]:
                    return True
    return False


def _is_marked(thing: Json, order: TakeBack) -> bool:
    return (thing.get("metadata") or {}).get(BY_KEY) == str(order.reward_id)


def _taken_back(talk: Conversation, order: TakeBack, customer: str | None) -> IssueResult:
    return IssueResult(
        IssueOutcome.SUCCEEDED,
        sent=True,
        provider_reference=order.issued_reference,
        recipient_provider_id=customer,
        message=words.TAKEN_BACK_DISCOUNT,
        exchanges=tuple(talk.exchanges),
    )
