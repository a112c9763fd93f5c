"""Who a reward is for at Stripe: the stored customer, else the one of that exact e-mail address.

`possible_customers` is everybody whom an earlier try may have reached, for looking up an unknown outcome.
"""

from datetime import timedelta
from typing import Any

from integrations.base import IssueOrder, IssueOutcome, IssueResult
from integrations.errors import ConnectionNeedsAttention, OutcomeUnknown, ProviderRejected
from integrations.providers.stripe import words
from integrations.providers.stripe.client import Conversation
from referral_rocket.kit.clock import wall

# https://docs.stripe.com/api/events: kept for 30 days; a day is left for clocks.
EVENTS_KEPT = timedelta(days=29)
CLOCKS_DIFFER = timedelta(minutes=10)
# Twenty pages: a busy account changes more customers than that, and then a person looks instead.
MOST_EVENTS = 2000
PAGE = 100
Json = dict[str, Any]


class NotIssuable(Exception):
    """A reason, found by reading alone, why this reward can't go to Stripe now. Nothing was sent."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def result(self, talk: Conversation) -> IssueResult:
        return waiting(talk, self.code, self.message)


def waiting(talk: Conversation, code: str, message: str) -> IssueResult:
    return IssueResult(IssueOutcome.WAITING, sent=False, code=code, message=message, exchanges=tuple(talk.exchanges))


def the_customer(talk: Conversation, order: IssueOrder, *, any_currency: bool = False) -> Json:
    """Raises NotIssuable where there is none or not just one, or it is billed in another currency than the reward's."""
    customer = _stored_customer(talk, order) or _customer_by_email(talk, order)
    if customer.get("deleted"):
        raise NotIssuable("customer_deleted", words.CUSTOMER_DELETED)
    currency = customer.get("currency")
    if currency and currency.upper() != order.currency and not any_currency:
        raise NotIssuable("currency_mismatch", words.currency_mismatch(currency.upper(), order.currency))
    return customer


def _stored_customer(talk: Conversation, order: IssueOrder) -> Json | None:
    if not order.recipient.provider_id:
        return None
    try:
        with talk.reading():
            return talk.api.customers.retrieve(order.recipient.provider_id).to_dict()
    except ProviderRejected as rejected:
        # An id of another account or mode: the e-mail may still find the person here.
        if rejected.code == "customer_not_found":
            return None
        raise


def _customer_by_email(talk: Conversation, order: IssueOrder) -> Json:
    if not order.recipient.email:
        raise NotIssuable("customer_not_found", words.NO_EMAIL)
    found = _customers_of_email(talk, order.recipient.email)
    if not found:
        raise NotIssuable("customer_not_found", words.CUSTOMER_NOT_FOUND)
    if len(found) > 1:
        raise NotIssuable("several_customers", words.SEVERAL_CUSTOMERS)
    return next(iter(found.values()))


def _customers_of_email(talk: Conversation, email: str) -> dict[str, Json]:
    """By id. Stripe's filter is case-sensitive and keeps what was typed there, so the lower-case form is asked for too."""
    found: dict[str, Json] = {}
    for spelling in dict.fromkeys((email, email.lower())):
        with talk.reading():
            page = talk.api.customers.list({"email": spelling, "limit": PAGE})
            found |= {customer.id: customer.to_dict() for customer in page.data}
    return found


def possible_customers(talk: Conversation, order: IssueOrder) -> tuple[str, ...]:
    """Everybody whom an earlier try may have credited."""
    known = [order.sent_to, order.recipient.provider_id]
    if order.recipient.email:
        known += _customers_of_email(talk, order.recipient.email)
    customers = tuple(dict.fromkeys(customer_id for customer_id in known if customer_id))
    return customers or _customers_that_left(talk, order)


def _customers_that_left(talk: Conversation, order: IssueOrder) -> tuple[str, ...]:
    """Who had the e-mail address when the reward was first tried, and has it no more.

    With nobody to look at, "not found" proves nothing: a customer may have been credited and then renamed. Stripe's
    events tell. Raises OutcomeUnknown where they don't reach back, may not be read, or tell of a deleted customer.
    """
    if order.first_attempt_at is None or wall() - order.first_attempt_at > EVENTS_KEPT:
        raise OutcomeUnknown(words.AGED_OUT, exchanges=talk.exchanges)
    since = int((order.first_attempt_at - CLOCKS_DIFFER).timestamp())
    changes = {"types": ["customer.updated", "customer.deleted"], "created": {"gte": since}, "limit": PAGE}
    email = (order.recipient.email or "").lower()
    left = []
    try:
        with talk.reading():
            for count, event in enumerate(talk.api.events.list(changes).auto_paging_iter()):  # type: ignore[arg-type]
                if count == MOST_EVENTS:
                    raise OutcomeUnknown(words.AGED_OUT, exchanges=talk.exchanges)
                change = event.to_dict()
                customer = change["data"]["object"]
                before = change["data"].get("previous_attributes") or {}
                if change["type"] == "customer.deleted" and (customer.get("email") or "").lower() == email:
                    raise OutcomeUnknown(words.AGED_OUT, exchanges=talk.exchanges)
                if (before.get("email") or "").lower() == email:
                    left.append(customer["id"])
    except ConnectionNeedsAttention as forbidden:
        raise OutcomeUnknown(words.AGED_OUT, exchanges=talk.exchanges) from forbidden
    return tuple(dict.fromkeys(left))
