"""STRIPE_CREDIT: a reward as a credit on the customer's balance, used up by the next invoices.

A credit is a customer balance transaction with a negative amount, in the customer's own currency. It carries the
reward's id in its metadata, by which an unknown outcome is looked up once Stripe has forgotten the idempotency key.
"""

from datetime import timedelta
from typing import Any

from integrations.base import Access, AccountCheck, IssueOrder, IssueOutcome, IssueResult
from integrations.errors import ConnectionNeedsAttention, OutcomeUnknown, ProviderRejected
from integrations.providers.stripe import words
from integrations.providers.stripe.amounts import InexactAmount, to_stripe
from integrations.providers.stripe.client import Conversation
from integrations.providers.stripe.keys import mode_of_key
from referral_rocket.kit.clock import wall

# Stripe keeps keys "at least 24 hours"; an hour is left for clocks that differ and requests under way.
KEY_LIFETIME = timedelta(hours=23)
# https://docs.stripe.com/api/events: kept for 30 days; a day is left for clocks.
EVENTS_KEPT = timedelta(days=29)
CLOCKS_DIFFER = timedelta(minutes=10)
# Twenty pages: a busy account changes more customers than that, and then a person looks instead.
MOST_EVENTS = 2000
# A credit can't be older than its first attempt; a day allows for clocks.
LOOK_BACK = timedelta(days=1)
Json = dict[str, Any]
REWARD_KEY = "reward_id"
PAGE = 100


class _NotIssuable(Exception):
    """A reason, found by reading alone, why this reward can't go to Stripe now. Nothing was sent."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StripeCredit:
    """The payout adapter. See `integrations.base.PayoutAdapter`."""

    def issue(self, access: Access, order: IssueOrder) -> IssueResult:
        if order.first_attempt_at is not None and wall() - order.first_attempt_at > KEY_LIFETIME:
            done = self.look_up(access, order)
            if done is not None:
                return done
        talk = Conversation(access)
        try:
            amount = to_stripe(order.amount, order.currency)
            customer = _the_customer(talk, order)
        except _NotIssuable as reason:
            return _waiting(talk, reason.code, reason.message)
        except InexactAmount as error:
            raise ProviderRejected(f"{error} Choose another method.", exchanges=talk.exchanges) from error
        return _credit(talk, order, customer, amount)

    def look_up(self, access: Access, order: IssueOrder) -> IssueResult | None:
        talk = Conversation(access)
        for customer_id in _possible_customers(talk, order):
            reference = _credit_on_record(talk, order, customer_id)
            if reference is not None:
                return _succeeded(talk, reference, customer_id)
        return None

    def check(self, access: Access) -> AccountCheck:
        talk = Conversation(access)
        with talk.reading():
            account = talk.api.accounts.retrieve_current().to_dict()
        mode = mode_of_key(access.credentials["api_key"]) or access.mode
        name = _account_name(account)
        currency = account.get("default_currency")
        return AccountCheck(
            account=f"{name} ({account['id']})" if name else account["id"],
            currency=currency.upper() if currency else None,
            mode=mode,
            message=f"Connected to {name or account['id']}.",
        )


def _account_name(account: Json) -> str | None:
    dashboard = (account.get("settings") or {}).get("dashboard") or {}
    return dashboard.get("display_name") or (account.get("business_profile") or {}).get("name") or None


# Who -------------------------------------------------------------------------------------------------------------


def _the_customer(talk: Conversation, order: IssueOrder) -> Json:
    customer = _stored_customer(talk, order) or _customer_by_email(talk, order)
    if customer.get("deleted"):
        raise _NotIssuable("customer_deleted", words.CUSTOMER_DELETED)
    currency = customer.get("currency")
    if currency and currency.upper() != order.currency:
        raise _NotIssuable("currency_mismatch", words.currency_mismatch(currency.upper(), order.currency))
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
        raise _NotIssuable("customer_not_found", words.NO_EMAIL)
    found = _customers_of_email(talk, order.recipient.email)
    if not found:
        raise _NotIssuable("customer_not_found", words.CUSTOMER_NOT_FOUND)
    if len(found) > 1:
        raise _NotIssuable("several_customers", words.SEVERAL_CUSTOMERS)
    return next(iter(found.values()))


def _customers_of_email(talk: Conversation, email: str) -> dict[str, Json]:
    """By id. Stripe's filter is case-sensitive and keeps what was typed there, so the lower-case form is asked for too."""
    found: dict[str, Json] = {}
    for spelling in dict.fromkeys((email, email.lower())):
        with talk.reading():
            page = talk.api.customers.list({"email": spelling, "limit": PAGE})
            found |= {customer.id: customer.to_dict() for customer in page.data}
    return found


def _possible_customers(talk: Conversation, order: IssueOrder) -> tuple[str, ...]:
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


# The credit ------------------------------------------------------------------------------------------------------


def _credit(talk: Conversation, order: IssueOrder, customer: Json, amount: int) -> IssueResult:
    try:
        with talk.writing():
            transaction = talk.api.customers.balance_transactions.create(
                customer["id"],
                {
                    "amount": -amount,
                    "currency": order.currency.lower(),
                    "description": order.description[:350],
                    "metadata": {**order.metadata, REWARD_KEY: str(order.reward_id)},
                },
                {"idempotency_key": order.idempotency_key},
            ).to_dict()
            reference = _confirmed(transaction, order, amount)
    except OutcomeUnknown as unknown:
        unknown.recipient_provider_id = customer["id"]
        raise
    except ProviderRejected as rejected:
        if rejected.code == "customer_not_found":
            return _waiting(talk, rejected.code, rejected.message)
        raise
    if reference is None:
        raise OutcomeUnknown(words.UNREADABLE, recipient_provider_id=customer["id"], exchanges=talk.exchanges)
    return _succeeded(talk, reference, customer["id"])


def _confirmed(transaction: Json, order: IssueOrder, amount: int) -> str | None:
    """The transaction's id, where the answer is indeed the credit that was asked for."""
    if transaction.get("object") != "customer_balance_transaction" or transaction.get("amount") != -amount:
        return None
    if (transaction.get("metadata") or {}).get(REWARD_KEY) != str(order.reward_id):
        return None
    return transaction.get("id")


def _credit_on_record(talk: Conversation, order: IssueOrder, customer_id: str) -> str | None:
    params: dict[str, Any] = {"limit": PAGE}
    if order.first_attempt_at is not None:
        params["created"] = {"gte": int((order.first_attempt_at - LOOK_BACK).timestamp())}
    try:
        with talk.reading():
            page = talk.api.customers.balance_transactions.list(customer_id, params)  # type: ignore[arg-type]
            for transaction in page.auto_paging_iter():
                if (transaction.to_dict().get("metadata") or {}).get(REWARD_KEY) == str(order.reward_id):
                    return transaction.id
    except ProviderRejected as rejected:
        # A customer that is gone can't show what it had; an id that never was here had nothing.
        if rejected.code == "customer_not_found" and customer_id != order.sent_to:
            return None
        raise OutcomeUnknown(words.AGED_OUT, recipient_provider_id=customer_id, exchanges=talk.exchanges) from rejected
    return None


def _succeeded(talk: Conversation, reference: str, customer_id: str) -> IssueResult:
    return IssueResult(
        IssueOutcome.SUCCEEDED,
        sent=True,
        provider_reference=reference,
        recipient_provider_id=customer_id,
        message="Credited to the customer's balance.",
        exchanges=tuple(talk.exchanges),
    )


def _waiting(talk: Conversation, code: str, message: str) -> IssueResult:
    return IssueResult(IssueOutcome.WAITING, sent=False, code=code, message=message, exchanges=tuple(talk.exchanges))
