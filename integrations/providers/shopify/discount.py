"""SHOPIFY_DISCOUNT: a reward as a discount code that only the customer can use, once.

The code is derived from the reward's key: a second one is refused as TAKEN, and one call finds it again. Shopify mails
nobody; the code is the reward's `provider_reference`, for whoever tells the customer.
"""

from datetime import timedelta
from typing import Any

from integrations.base import Access, AccountCheck, IssueOrder, IssueOutcome, IssueResult, TakeBack
from integrations.errors import OutcomeUnknown, ProviderRejected
from integrations.providers.shopify import queries, words
from integrations.providers.shopify.account import check
from integrations.providers.shopify.client import Conversation
from integrations.providers.shopify.codes import discount_code
from integrations.providers.shopify.keys import customer_number
from integrations.providers.shopify.recipients import NotIssuable, is_amount, the_customer, waiting
from integrations.providers.shopify.refusals import WAITS, is_taken, user_error
from referral_rocket.kit.clock import rfc3339, wall
from referral_rocket.kit.money import plain

Json = dict[str, Any]


class ShopifyDiscount:
    """The payout adapter. See `integrations.base.PayoutAdapter` and `ReturnsMoney`."""

    def issue(self, access: Access, order: IssueOrder) -> IssueResult:
        talk = Conversation(access)
        try:
            customer = the_customer(talk, order)
        except NotIssuable as reason:
            return waiting(talk, reason.code, reason.message)
        return _create(talk, order, customer, discount_code(order.idempotency_key))

    def look_up(self, access: Access, order: IssueOrder) -> IssueResult | None:
        talk = Conversation(access)
        code = discount_code(order.idempotency_key)
        found = _by_code(talk, code)
        return None if found is None else _issued(talk, found, code)

    def check(self, access: Access) -> AccountCheck:
        return check(access)

    def take_back(self, access: Access, order: TakeBack) -> IssueResult:
        """End the code, while it isn't used. Shopify counts uses some seconds late, so it is looked at once more after."""
        talk = Conversation(access)
        found = _by_code(talk, order.issued_reference)
        refusal = _why_not(found, order)
        if found is None or refusal:
            return waiting(talk, "needs_a_person", refusal)
        if found["codeDiscount"]["status"] != "EXPIRED":
            payload = talk.write(queries.DISCOUNT_DEACTIVATE, {"id": found["id"]}, "discountCodeDeactivate")
            if payload["userErrors"]:
                raise user_error(payload["userErrors"], talk.exchanges)
        return self.look_up_taken_back(access, order) or waiting(talk, "needs_a_person", words.GONE)

    def look_up_taken_back(self, access: Access, order: TakeBack) -> IssueResult | None:
        talk = Conversation(access)
        found = _by_code(talk, order.issued_reference)
        if found is None or found["codeDiscount"]["status"] != "EXPIRED":
            return None
        if found["codeDiscount"]["asyncUsageCount"]:
            return waiting(talk, "needs_a_person", words.DISCOUNT_USED)
        return IssueResult(
            IssueOutcome.SUCCEEDED,
            sent=True,
            provider_reference=order.issued_reference,
            message=words.DISCOUNT_TAKEN_BACK,
            exchanges=tuple(talk.exchanges),
        )


# Issuing ---------------------------------------------------------------------------------------------------------


def _create(talk: Conversation, order: IssueOrder, customer: str, code: str) -> IssueResult:
    try:
        payload = talk.write(
            queries.DISCOUNT_CREATE, {"discount": _wanted(order, customer, code)}, "discountCodeBasicCreate"
        )
    except OutcomeUnknown as unknown:
        unknown.recipient_provider_id = customer_number(customer)
        raise
    errors = payload["userErrors"]
    if is_taken(errors):
        return _made_before(talk, order, code)
    if errors:
        error = user_error(errors, talk.exchanges)
        if error.code in WAITS:
            return waiting(talk, error.code, error.message)
        raise error
    return _issued(talk, _readable(talk, payload.get("codeDiscountNode"), writes=True), code)


def _wanted(order: IssueOrder, customer: str, code: str) -> Json:
    """The discount's terms: the campaign's coupon settings, for this customer alone, on one order."""
    now = wall()
    expires = order.coupon.expires_days
    return {
        "title": f"{order.description[:200]} ({code})",
        "code": code,
        "startsAt": rfc3339(now),
        "endsAt": rfc3339(now + timedelta(days=expires)) if expires else None,
        "usageLimit": 1,
        "appliesOncePerCustomer": True,
        "context": {"customers": {"add": [customer]}},
        "customerGets": {"items": {"all": True}, "value": _value(order)},
        # A reward stays of use beside a sale or free shipping, and not beside another code off the whole order.
        "combinesWith": {"orderDiscounts": False, "productDiscounts": True, "shippingDiscounts": True},
    }


def _value(order: IssueOrder) -> Json:
    if order.coupon.kind == "PERCENT" and order.coupon.percent_off is not None:
        return {"percentage": float(order.coupon.percent_off / 100)}
    return {"discountAmount": {"amount": plain(order.amount, order.currency), "appliesOnEachItem": False}}


def _made_before(talk: Conversation, order: IssueOrder, code: str) -> IssueResult:
    """The code is taken: by an earlier try of this reward, or else by a code that somebody made by hand."""
    found = _by_code(talk, code)
    if found is None:
        raise OutcomeUnknown(words.TAKEN_NOT_FOUND, exchanges=talk.exchanges)
    if not _is_of(found, order):
        raise ProviderRejected(words.CODE_OF_ANOTHER.format(thing="discount"), exchanges=talk.exchanges)
    return _issued(talk, found, code)


def _is_of(found: Json, order: IssueOrder) -> bool:
    """Whether the discount is worth what the reward's would be."""
    value = found["codeDiscount"]["customerGets"]["value"]
    if "percentage" in value:
        return order.coupon.kind == "PERCENT" and abs(value["percentage"] - _value(order)["percentage"]) < 0.00005
    return "amount" in value and is_amount(value["amount"], order.amount, order.currency)


def _issued(talk: Conversation, found: Json, code: str) -> IssueResult:
    customers = (found["codeDiscount"].get("context") or {}).get("customers") or []
    return IssueResult(
        IssueOutcome.SUCCEEDED,
        sent=True,
        provider_reference=code,
        recipient_provider_id=customer_number(customers[0]["id"]) if len(customers) == 1 else None,
        message=words.DISCOUNT_ISSUED.format(code=code),
        exchanges=tuple(talk.exchanges),
    )


# Finding what was made, and taking it back -----------------------------------------------------------------------


def _by_code(talk: Conversation, code: str) -> Json | None:
    found = talk.read(queries.DISCOUNT_BY_CODE, {"code": code}).get("codeDiscountNodeByCode")
    return None if found is None else _readable(talk, found, writes=False)


def _readable(talk: Conversation, node: Any, *, writes: bool) -> Json:
    inside = node.get("codeDiscount") if isinstance(node, dict) else None
    if not isinstance(inside, dict) or not {"status", "asyncUsageCount", "customerGets"} <= inside.keys():
        raise talk.unreadable(writes=writes)
    return node


def _why_not(found: Json | None, order: TakeBack) -> str:
    """Why it can't be taken back any more; empty where it can."""
    if found is None:
        return words.GONE
    if order.amount != order.issued_amount:
        return words.ONLY_WHOLE
    return words.DISCOUNT_USED if found["codeDiscount"]["asyncUsageCount"] else ""
