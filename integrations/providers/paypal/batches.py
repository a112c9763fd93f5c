"""PayPal's batches: made once under a sender_batch_id, read back by their number, and the proof that one wasn't made.

PayPal refuses a second batch under a sender_batch_id of the last 30 days and links to the first; it has no way to ask
for a batch by that id. So a repeat of the very same batch is safe, and is how a lost answer is mended while the batch
is still at hand. Later only single rewards are looked up, which must send no money. Then the id is asked about by a
batch that can't move any: its one item goes from the account to the account itself, which PayPal doesn't carry out
(SELF_PAY_NOT_ALLOWED), and it is made under the same sender_batch_id. If that is refused as a repeat, the link shows
the batch that was made, whatever became of its request. If it is taken, the id is used up: no batch with rewards was
made under it, and a request that is still on its way is refused when it arrives. Any other answer proves nothing.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.base import IssueOrder
from integrations.errors import (
    ConnectionNeedsAttention,
    OutcomeUnknown,
    ProviderError,
    ProviderRejected,
    ProviderRetryable,
)
from integrations.providers.paypal import words
from integrations.providers.paypal.amounts import smallest, to_paypal
from integrations.providers.paypal.client import AlreadySent, PayPal

Json = Mapping[str, Any]
PATH = "/v1/payments/payouts"
ITEM_PATH = "/v1/payments/payouts-item"
USER_PATH = "/v1/identity/oauth2/userinfo?schema=paypalv1.1"
PAGE = 1000
FINAL = frozenset({"DENIED", "SUCCESS", "CANCELED"})
_PROBE = "probe"
# PayPal's limits (contract, payout_item and sender_batch_header).
_SUBJECT, _NOTE = 255, 1000


def create(talk: PayPal, group_key: str, items: Sequence[Json], subject: str) -> str:
    """The number of the batch that was made under the key, now or before.

    The same batch is sent a second time where the first answer is lost: PayPal takes it once. Raises BadItems and other
    refusals of the first, by which nothing was paid. What the second meets (no money left, too many requests) says
    nothing of the first, so only its success and its refusal as a repeat count; all else is OutcomeUnknown.
    """
    body = _body(group_key, items, subject)
    try:
        return _post(talk, body)
    except AlreadySent as sent:
        return sent.batch_id
    except OutcomeUnknown as unknown:
        try:
            return _post(talk, body)
        except AlreadySent as sent:
            return sent.batch_id
        except ProviderError as error:
            raise OutcomeUnknown(unknown.message, exchanges=talk.exchanges) from error


def item_of(order: IssueOrder, receiver: str) -> Json:
    """Raises NotPayable for an amount that PayPal can't carry."""
    return _item(
        order.idempotency_key, receiver, to_paypal(order.amount, order.currency), order.currency, order.description
    )


def item_in(talk: PayPal, batch_id: str, item_key: str) -> Json | None:
    """The item of a batch that carries our key; None where the batch shows that it has none.

    Raises ProviderRetryable while the batch is being taken in and may still get it.
    """
    shown = 0
    status = ""
    for page in _pages(talk, batch_id):
        status = str(_mapping(page.get("batch_header")).get("batch_status") or "")
        for item in _list(page.get("items")):
            shown += 1
            if _mapping(item.get("payout_item")).get("sender_item_id") == item_key:
                return item
            if str(_mapping(item.get("payout_item")).get("sender_item_id") or "").startswith(_PROBE):
                return None
    if status in FINAL:
        return None
    raise ProviderRetryable(words.BEING_TAKEN_IN, code="pending", sent=True, exchanges=talk.exchanges)


def items_in(talk: PayPal, batch_id: str) -> dict[str, Json]:
    """The items of a batch so far, by our keys."""
    return {
        str(_mapping(item.get("payout_item")).get("sender_item_id")): item
        for page in _pages(talk, batch_id)
        for item in _list(page.get("items"))
    }


def batch_of(talk: PayPal, group_key: str, currency: str) -> str | None:
    """The number of the batch made under a key of the last 30 days; None once it is proven that there is none.

    Raises OutcomeUnknown where neither can be shown.
    """
    account = _own_account(talk)
    if account is None:
        raise OutcomeUnknown(words.CANT_BE_SHOWN, exchanges=talk.exchanges)
    probe = _item(f"{_PROBE}:{group_key}", account, smallest(currency), currency, "Is this batch known?")
    try:
        _post(talk, _body(group_key, [probe], "Is this batch known?"))
    except AlreadySent as sent:
        return sent.batch_id
    except ProviderRejected as refused:
        raise OutcomeUnknown(words.CANT_BE_SHOWN, exchanges=talk.exchanges) from refused
    return None


def _own_account(talk: PayPal) -> str | None:
    """The account's own number, which PayPal tells an app that has the feature for it."""
    try:
        return talk.read(USER_PATH).fields.get("payer_id") or None
    except (ConnectionNeedsAttention, ProviderRejected) as error:
        if _is_about_the_token(error):
            raise
        return None


def _is_about_the_token(error: ProviderError) -> bool:
    """A 401 means that the credentials don't work; a 403 only that the app lacks the feature."""
    return bool(error.exchanges) and error.exchanges[-1].status_code == 401


def _post(talk: PayPal, body: Json) -> str:
    said = talk.write("POST", PATH, body, {"PayPal-Request-Id": _request_id(body)})
    batch_id = _mapping(said.fields.get("batch_header")).get("payout_batch_id")
    if not isinstance(batch_id, str) or not batch_id:
        raise talk.unreadable(writes=True)
    return batch_id


def _body(group_key: str, items: Sequence[Json], subject: str) -> Json:
    return {
        "sender_batch_header": {"sender_batch_id": group_key, "email_subject": subject[:_SUBJECT]},
        "items": list(items),
    }


def _item(key: str, receiver: str, value: str, currency: str, note: str) -> Json:
    return {
        "recipient_type": "EMAIL" if "@" in receiver else "PAYPAL_ID",
        "receiver": receiver,
        "amount": {"value": value, "currency": currency},
        "sender_item_id": key,
        "note": note[:_NOTE],
    }


def _request_id(body: Json) -> str:
    """The same for the same batch, so that PayPal can also know a repeat by it; another for what is left of a refused one."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _pages(talk: PayPal, batch_id: str) -> Iterator[Json]:
    number, pages = 1, 1
    while number <= pages:
        try:
            said = talk.read(f"{PATH}/{batch_id}?page={number}&page_size={PAGE}&total_required=true")
        except ProviderRejected as rejected:
            raise OutcomeUnknown(words.GONE, exchanges=talk.exchanges) from rejected
        if not isinstance(said.body, Mapping):
            raise talk.unreadable(writes=False)
        pages = said.fields.get("total_pages") or 1
        yield said.fields
        number += 1


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
