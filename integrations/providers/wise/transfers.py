"""Wise's transfers: made in a batch group, found again by the id that we gave them, cancelled while unpaid.

A transfer moves no money until its group is completed and paid for, and that is one call for the whole group, made
once. So of a group that was interrupted only what it was before that call is in doubt, and a transfer that is still
unpaid is cancelled: then it can't be paid any more, whatever request is still on its way. Wise has no list of groups to
look for ours in (its document has none), and none is needed: a group that nobody pays is empty paper.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from integrations.base import IssueOrder
from integrations.conversation import Number
from integrations.errors import OutcomeUnknown, ProviderError, ProviderRejected
from integrations.providers.wise import states, words
from integrations.providers.wise.client import Wise
from referral_rocket.kit.money import plain

Json = Mapping[str, Any]
_IDS = UUID("0d2b8b0e-7c0a-4c53-9a6b-6f6d1c5c7a11")
PAGE = 100
# Ten thousand transfers of one profile since the first try; then a person looks instead.
MOST_PAGES = 100
CLOCKS_DIFFER = timedelta(minutes=10)
# The shortest that every route takes (bank statements in some countries show no more).
_REFERENCE = 10


def transaction_id(order: IssueOrder, group_key: str) -> str:
    """The transfer's id of ours: the same in every repeat of one sending, another one in another group.

    Wise never makes a second transfer of the same id, not even where the first was cancelled; so what was cancelled and
    is sent again in another group needs an id of its own.
    """
    return own_transfer_id(order.idempotency_key, group_key)


def own_transfer_id(idempotency_key: str, group_key: str) -> str:
    return str(uuid5(_IDS, f"{idempotency_key}/{group_key}"))


# Making ----------------------------------------------------------------------------------------------------------


def recipient_of(talk: Wise, profile: int, order: IssueOrder) -> int:
    """The saved recipient, or a new one by e-mail. Raises ProviderRejected where Wise can't make one."""
    if order.recipient.provider_id and order.recipient.provider_id.isdigit():
        return int(order.recipient.provider_id)
    said = talk.prepare(
        "POST",
        "/v1/accounts",
        {
            "currency": order.currency,
            "type": "email",
            "profile": profile,
            "accountHolderName": order.recipient.name,
            "ownedByCustomer": False,
            "details": {"email": order.recipient.email},
        },
    )
    return _number(talk, said.fields.get("id"))


def quote_of(talk: Wise, profile: int, source: str, recipient: int, order: IssueOrder) -> str:
    """A quote for exactly the reward's amount at the recipient's end, the fees on top. Raises ProviderRejected."""
    said = talk.prepare(
        "POST",
        f"/v3/profiles/{profile}/quotes",
        {
            "sourceCurrency": source,
            "targetCurrency": order.currency,
            "targetAmount": Number(plain(order.amount, order.currency)),
            "targetAccount": recipient,
            "preferredPayIn": "BALANCE",
        },
    )
    quote = said.fields.get("id")
    if not isinstance(quote, str):
        raise talk.unreadable(writes=False)
    return quote


def transfer_in(talk: Wise, profile: int, group: str, order: IssueOrder, recipient: int, quote: str, own: str) -> Json:
    """The transfer, made now or by an earlier request of the same id. Its `id` is a number."""
    said = talk.write(
        "POST",
        f"/v3/profiles/{profile}/batch-groups/{group}/transfers",
        {
            "targetAccount": recipient,
            "quoteUuid": quote,
            "customerTransactionId": own,
            "details": {"reference": reference_of(order.description)},
        },
    )
    _check(talk, said.fields, own, order)
    _number(talk, said.fields.get("id"))
    return said.fields


def _check(talk: Wise, transfer: Json, own: str, order: IssueOrder) -> None:
    """The answer has to be the transfer that was asked for, of the reward's amount: nothing else is ever paid for."""
    amount = transfer.get("targetValue")
    if transfer.get("customerTransactionId") != own or transfer.get("targetCurrency") != order.currency:
        raise OutcomeUnknown(words.NOT_OURS, exchanges=talk.exchanges)
    if amount is None or plain_of(amount) != plain_of(plain(order.amount, order.currency)):
        raise OutcomeUnknown(words.NOT_OURS, exchanges=talk.exchanges)


def plain_of(amount: Any) -> str:
    """An amount's digits without needless zeros, so that 12, 12.0 and 12.00 are equal."""
    text = str(amount)
    return text.rstrip("0").rstrip(".") if "." in text else text


def reference_of(description: str) -> str:
    """What stands with a transfer: ten letters that every route takes."""
    letters = "".join(letter if letter.isalnum() or letter == " " else " " for letter in description)
    return " ".join(letters.split())[:_REFERENCE].strip() or "Reward"


def _number(talk: Wise, value: Any) -> int:
    if not isinstance(value, int):
        raise talk.unreadable(writes=True)
    return value


# Finding ---------------------------------------------------------------------------------------------------------


def transfer(talk: Wise, number: str) -> Json:
    try:
        return talk.read(f"/v1/transfers/{number}").fields
    except ProviderRejected as rejected:
        raise OutcomeUnknown(words.GONE, exchanges=talk.exchanges) from rejected


def found(talk: Wise, profile: int, own_ids: Sequence[str], since: datetime) -> dict[str, Json]:
    """The transfers with these ids of ours, among all that the profile made since."""
    wanted = set(own_ids)
    kept: dict[str, Json] = {}
    for one in _since(talk, profile, since - CLOCKS_DIFFER):
        own = one.get("customerTransactionId")
        if isinstance(own, str) and own in wanted:
            kept[own] = one
            if len(kept) == len(wanted):
                break
    return kept


def _since(talk: Wise, profile: int, since: datetime) -> Iterator[Json]:
    start = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    for page in range(MOST_PAGES):
        path = f"/v1/transfers?profile={profile}&createdDateStart={start}&limit={PAGE}&offset={page * PAGE}"
        said = talk.read(path)
        if not isinstance(said.body, list):
            raise talk.unreadable(writes=False)
        yield from (one for one in said.body if isinstance(one, Mapping))
        if len(said.body) < PAGE:
            return
    raise OutcomeUnknown(words.TOO_MANY, exchanges=talk.exchanges)


# Undoing ---------------------------------------------------------------------------------------------------------


def cancel(talk: Wise, number: str) -> Json:
    """Cancel an unpaid transfer, and how it stands then. It may have been paid for or cancelled meanwhile."""
    try:
        said = talk.write("PUT", f"/v1/transfers/{number}/cancel", None)
    except ProviderRejected:
        return transfer(talk, number)
    if said.fields.get("status") != states.CANCELLED:
        return transfer(talk, number)
    return said.fields


def undo_group(talk: Wise, profile: int, group: str) -> bool:
    """Cancel a group that isn't paid for, with all of its transfers; whether Wise has confirmed it."""
    path = f"/v3/profiles/{profile}/batch-groups/{group}"
    try:
        version = talk.read(path).fields.get("version")
        status = talk.write("PATCH", path, {"status": "CANCELLED", "version": version}).fields.get("status")
    except ProviderError:
        return False
    return status in ("CANCELLED", "MARKED_FOR_CANCELLATION", "PROCESSING_CANCEL")
