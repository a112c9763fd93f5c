"""Who gets it, and whether the shop's currency is the reward's. One call, before anything is made."""

from decimal import Decimal
from typing import Any

from integrations.base import IssueOrder, IssueOutcome, IssueResult, Recipient
from integrations.providers.shopify import queries, words
from integrations.providers.shopify.client import Conversation
from integrations.providers.shopify.keys import customer_gid
from referral_rocket.kit.money import plain

Json = dict[str, Any]


class NotIssuable(Exception):
    """A reason, found by reading alone, why this reward can't go to Shopify now. Nothing was sent."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def the_customer(talk: Conversation, order: IssueOrder) -> str:
    """The customer's global id. Raises NotIssuable."""
    customer, currency = _by_id(talk, order.recipient)
    if customer is None:
        customer, currency = _by_email(talk, order.recipient)
    if currency != order.currency:
        raise NotIssuable("currency_mismatch", words.currency_mismatch(str(currency), order.currency))
    if customer is None:
        raise NotIssuable("customer_not_found", words.CUSTOMER_NOT_FOUND)
    return customer


def _by_id(talk: Conversation, recipient: Recipient) -> tuple[str | None, str | None]:
    """Customer and shop's currency. A stored id of another shop finds nobody; the e-mail may still."""
    if not recipient.provider_id:
        return None, None
    return _read(talk, queries.RECIPIENT_BY_ID, {"id": customer_gid(recipient.provider_id)}, "customer")


def _by_email(talk: Conversation, recipient: Recipient) -> tuple[str | None, str | None]:
    """Exact, and never several: an e-mail address belongs to one customer of a shop."""
    if not recipient.email:
        raise NotIssuable("customer_not_found", words.NO_EMAIL)
    variables = {"email": recipient.email.lower()}
    return _read(talk, queries.RECIPIENT_BY_EMAIL, variables, "customerByIdentifier")


def _read(talk: Conversation, document: str, variables: Json, field: str) -> tuple[str | None, str | None]:
    data = talk.read(document, variables)
    try:
        return data[field] and str(data[field]["id"]), str(data["shop"]["currencyCode"])
    except (KeyError, TypeError) as error:
        raise talk.unreadable(writes=False) from error


def waiting(talk: Conversation, code: str, message: str) -> IssueResult:
    """Nothing was sent, and the reward is free for another method."""
    return IssueResult(IssueOutcome.WAITING, sent=False, code=code, message=message, exchanges=tuple(talk.exchanges))


def is_amount(money: Json, amount: int, currency: str) -> bool:
    """Whether Shopify's money (`12.0`, `USD`) is that many minor units. Shopify writes as few decimals as it needs."""
    return money["currencyCode"] == currency and Decimal(money["amount"]) == Decimal(plain(amount, currency))
