"""SHOPIFY_GIFT_CARD: a reward as a gift card of the customer's, in the shop's currency. Shopify mails it to them.

Shopify has no idempotency keys for gift cards. The card's code is ours and derived from the reward's key, so a second
card of one reward is refused as TAKEN, whoever tries it and whenever; and the card's note, which customers don't see,
holds the key, by which the card is found again.
"""

from datetime import datetime, timedelta
from typing import Any

from integrations.base import Access, AccountCheck, IssueOrder, IssueOutcome, IssueResult, TakeBack
from integrations.errors import OutcomeUnknown, ProviderRejected
from integrations.providers.shopify import queries, words
from integrations.providers.shopify.account import check
from integrations.providers.shopify.client import Conversation
from integrations.providers.shopify.codes import gift_card_code
from integrations.providers.shopify.keys import customer_number
from integrations.providers.shopify.recipients import NotIssuable, is_amount, the_customer, waiting
from integrations.providers.shopify.refusals import WAITS, is_taken, user_error
from referral_rocket.kit.clock import wall
from referral_rocket.kit.money import format_money, plain

Json = dict[str, Any]
PAGE = 50
NOTE = "Referral Rocket reward "
# Two thousand cards: more are made only by shops whose search has long taken up the older of them.
MOST_PAGES = 40
# Shopify's search takes up new objects within seconds; it is trusted for what is older than this.
SEARCH_LAGS = timedelta(minutes=10)
CLOCKS_DIFFER = timedelta(minutes=10)


class ShopifyGiftCard:
    """The payout adapter. See `integrations.base.PayoutAdapter` and `ReturnsMoney`."""

    def issue(self, access: Access, order: IssueOrder) -> IssueResult:
        code = gift_card_code(order.idempotency_key)
        talk = Conversation(access, hide=(code,))
        try:
            customer = the_customer(talk, order)
        except NotIssuable as reason:
            return waiting(talk, reason.code, reason.message)
        return _create(talk, order, customer, code)

    def look_up(self, access: Access, order: IssueOrder) -> IssueResult | None:
        code = gift_card_code(order.idempotency_key)
        talk = Conversation(access, hide=(code,))
        card = _card_on_record(talk, order, code)
        return None if card is None else _issued(talk, card)

    def check(self, access: Access) -> AccountCheck:
        return check(access)

    def take_back(self, access: Access, order: TakeBack) -> IssueResult:
        """Disable the card, while nothing of it is spent. A card that is disabled already was taken back."""
        talk = Conversation(access)
        card = _card(talk, order)
        refusal = _why_not(card, order)
        if card is None or refusal:
            return waiting(talk, "needs_a_person", refusal)
        if card["enabled"]:
            card = _deactivated(talk, order)
        return _taken_back(talk, card, order)

    def look_up_taken_back(self, access: Access, order: TakeBack) -> IssueResult | None:
        talk = Conversation(access)
        card = _card(talk, order)
        return None if card is None or card["enabled"] else _taken_back(talk, card, order)


# Issuing ---------------------------------------------------------------------------------------------------------


def _create(talk: Conversation, order: IssueOrder, customer: str, code: str) -> IssueResult:
    wanted = {
        "code": code,
        "customerId": customer,
        "initialAmount": {"amount": plain(order.amount, order.currency), "currencyCode": order.currency},
        "note": _note(order.idempotency_key),
    }
    try:
        payload = talk.write(queries.GIFT_CARD_CREATE, {"input": wanted}, "giftCardCreate")
    except OutcomeUnknown as unknown:
        unknown.recipient_provider_id = customer_number(customer)
        raise
    errors = payload["userErrors"]
    if is_taken(errors):
        return _made_before(talk, order, code)
    if errors:
        return _refused(talk, errors)
    card = _readable(talk, payload.get("giftCard"), writes=True)
    if not _is_of(card, order.idempotency_key) or not is_amount(card["initialValue"], order.amount, order.currency):
        raise talk.unreadable(writes=True)
    return _issued(talk, card)


def _refused(talk: Conversation, errors: list[Json]) -> IssueResult:
    error = user_error(errors, talk.exchanges)
    if error.code in WAITS:
        return waiting(talk, error.code, error.message)
    raise error


def _made_before(talk: Conversation, order: IssueOrder, code: str) -> IssueResult:
    """The code is taken: by an earlier try of this reward, unless the world's oddest chance would have it otherwise."""
    card = _card_on_record(talk, order, code)
    if card is not None:
        return _issued(talk, card)
    if _search(talk, code):
        raise ProviderRejected(words.CODE_OF_ANOTHER.format(thing="gift card"), exchanges=talk.exchanges)
    raise OutcomeUnknown(words.TAKEN_NOT_FOUND, exchanges=talk.exchanges)


def _issued(talk: Conversation, card: Json) -> IssueResult:
    customer = (card.get("customer") or {}).get("id")
    return IssueResult(
        IssueOutcome.SUCCEEDED,
        sent=True,
        provider_reference=card["id"],
        recipient_provider_id=customer_number(customer) if customer else None,
        message=words.GIFT_CARD_ISSUED,
        exchanges=tuple(talk.exchanges),
    )


def _note(idempotency_key: str) -> str:
    return f"{NOTE}{idempotency_key}"


def _is_of(card: Json, idempotency_key: str) -> bool:
    return card["note"] == _note(idempotency_key)


# Finding what was made -------------------------------------------------------------------------------------------


def _card_on_record(talk: Conversation, order: IssueOrder, code: str) -> Json | None:
    """The reward's card, or None where Shopify shows that there is none.

    The search knows every card by its code, but may lag behind; the list of the newest doesn't, but is long. Together
    they show it. Raises OutcomeUnknown where the newest are too many to be read.
    """
    found = next((card for card in _search(talk, code) if _is_of(card, order.idempotency_key)), None)
    return found or _among_the_newest(talk, order)


def _search(talk: Conversation, code: str) -> list[Json]:
    return _page(talk, query=code)[0]


def _among_the_newest(talk: Conversation, order: IssueOrder) -> Json | None:
    since = (order.first_attempt_at or wall()) - CLOCKS_DIFFER
    after: str | None = None
    for _ in range(MOST_PAGES):
        cards, after = _page(talk, after=after)
        for card in cards:
            if _is_of(card, order.idempotency_key):
                return card
        if after is None or _made_at(talk, cards[-1]) < since:
            return None
    if _made_at(talk, cards[-1]) < wall() - SEARCH_LAGS:
        return None
    raise OutcomeUnknown(words.TOO_MANY_CARDS, exchanges=talk.exchanges)


def _page(talk: Conversation, *, query: str | None = None, after: str | None = None) -> tuple[list[Json], str | None]:
    """A page of cards, newest first, and the cursor of the next one."""
    data = talk.read(queries.GIFT_CARDS, {"query": query, "first": PAGE, "after": after})
    try:
        page = data["giftCards"]
        cards = [_readable(talk, card, writes=False) for card in page["nodes"]]
        return cards, page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] and cards else None
    except (KeyError, TypeError) as error:
        raise talk.unreadable(writes=False) from error


def _made_at(talk: Conversation, card: Json) -> datetime:
    try:
        return datetime.fromisoformat(card["createdAt"])
    except ValueError as error:
        raise talk.unreadable(writes=False) from error


_FIELDS = frozenset({"id", "note", "enabled", "createdAt", "initialValue", "balance", "customer"})


def _readable(talk: Conversation, card: Any, *, writes: bool) -> Json:
    if not isinstance(card, dict) or not card.keys() >= _FIELDS:
        raise talk.unreadable(writes=writes)
    return card


# Taking back -----------------------------------------------------------------------------------------------------


def _card(talk: Conversation, order: TakeBack) -> Json | None:
    card = talk.read(queries.GIFT_CARD, {"id": order.issued_reference}).get("giftCard")
    return None if card is None else _readable(talk, card, writes=False)


def _why_not(card: Json | None, order: TakeBack) -> str:
    """Why it can't be taken back any more; empty where it can."""
    if card is None:
        return words.GONE
    if order.amount != order.issued_amount:
        return words.ONLY_WHOLE
    if not is_amount(card["balance"], order.issued_amount, order.currency):
        return words.GIFT_CARD_SPENT
    return ""


def _deactivated(talk: Conversation, order: TakeBack) -> Json:
    payload = talk.write(queries.GIFT_CARD_DEACTIVATE, {"id": order.issued_reference}, "giftCardDeactivate")
    if payload["userErrors"]:
        raise user_error(payload["userErrors"], talk.exchanges)
    return _readable(talk, payload.get("giftCard"), writes=True)


def _taken_back(talk: Conversation, card: Json, order: TakeBack) -> IssueResult:
    """What disabling it got back. Between the look and the disabling the customer may have been at the checkout: what
    was left then is gone from them, so it is no deduction that could be netted whole, and a person settles it."""
    whole = is_amount(card["balance"], order.issued_amount, order.currency)
    message = words.GIFT_CARD_TAKEN_BACK
    if not whole:
        message = words.SPENT_MEANWHILE.format(
            rest=f"{card['balance']['amount']} {card['balance']['currencyCode']}",
            whole=format_money(order.issued_amount, order.currency),
        )
    return IssueResult(
        IssueOutcome.SUCCEEDED if whole else IssueOutcome.WAITING,
        sent=True,
        provider_reference=card["id"],
        code=None if whole else "needs_a_person",
        message=message,
        exchanges=tuple(talk.exchanges),
    )
