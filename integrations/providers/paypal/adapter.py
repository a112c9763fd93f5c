"""PAYPAL: rewards as items of payout batches.

A group of rewards is one batch under the group's committed key (batches.py says why that pays nothing twice). What an
item carries of ours is the reward's key with its try (`sender_item_id`), by which it is found again. A payout goes on
changing for a month: what isn't paid yet waits at PayPal, and is looked at again.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from integrations.base import Access, AccountCheck, IssueOrder, IssueOutcome, IssueResult, TakeBack
from integrations.errors import OutcomeUnknown, ProviderError, ProviderRejected, ProviderRetryable, as_sentence
from integrations.providers.paypal import batches, words
from integrations.providers.paypal.amounts import CURRENCIES, NotPayable
from integrations.providers.paypal.client import BadItems, PayPal
from integrations.providers.paypal.states import MEANINGS, UNKNOWN, code_of
from referral_rocket.kit.clock import wall

Json = Mapping[str, Any]
Answers = dict[UUID, IssueResult | ProviderError]
# sender_batch_ids are unique for 30 days; a day is left for clocks.
KEYS_KEPT = timedelta(days=29)
LONGEST_RECEIVER = 127
# A reference that names the batch until the item's own number is known.
_BATCH = "batch:"
_GROUPS = UUID("7d0b7a3e-58a5-4f2f-9d0a-0b8c3f6f1f0a")


class PayPalPayouts:
    """See `integrations.base.SendsGroups` and `ReturnsMoney`."""

    # PayPal takes 15,000 items; a group is as much as one answer lost leaves in doubt.
    group_size = 500

    def issue(self, access: Access, order: IssueOrder) -> IssueResult:
        answer = self.issue_group(access, _group_key(order), [order])[order.reward_id]
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    def issue_group(
        self, access: Access, group_key: str, orders: Sequence[IssueOrder]
    ) -> Mapping[UUID, IssueResult | ProviderError]:
        talk = PayPal(access)
        answers: Answers = {}
        sendable = []
        for order in orders:
            refusal = _refusal(talk, order)
            if refusal is None:
                sendable.append(order)
            else:
                answers[order.reward_id] = refusal
        if sendable:
            answers |= _send(talk, group_key, sendable)
        return answers

    def look_up(self, access: Access, order: IssueOrder) -> IssueResult | None:
        """What became of the reward, by its item's number, its batch's, or its group's key, whichever is on record.

        By the group's key alone (the answer was lost, or the worker killed) PayPal is asked by a batch that can't move
        money (batches.py). None then is a proof that holds for good. OutcomeUnknown where that isn't possible.
        """
        talk = PayPal(access)
        reference = order.provider_reference or ""
        if reference and not reference.startswith(_BATCH):
            return _result(talk, _item(talk, reference))
        if reference:
            item = batches.item_in(talk, reference.removeprefix(_BATCH), order.idempotency_key)
            if item is not None:
                return _result(talk, item)
        # The batch on record may be an earlier one than the group that the reward was last sent in.
        if order.first_attempt_at is not None and wall() - order.first_attempt_at > KEYS_KEPT:
            raise OutcomeUnknown(words.TOO_OLD, exchanges=talk.exchanges)
        batch_id = batches.batch_of(talk, _group_key(order), order.currency)
        item = None if batch_id is None else batches.item_in(talk, batch_id, order.idempotency_key)
        return None if item is None else _result(talk, item)

    def take_back(self, access: Access, order: TakeBack) -> IssueResult:
        """Cancel the payout, as long as nobody claimed it. It is cancelled whole, so only a whole one can be taken back."""
        talk = PayPal(access)
        if order.amount != order.issued_amount:
            return _left_to_a_person(talk, words.NOT_WHOLE)
        if order.issued_reference.startswith(_BATCH):
            return _left_to_a_person(talk, words.GONE)
        if _status(_item(talk, order.issued_reference)) != "UNCLAIMED":
            return _left_to_a_person(talk, words.CLAIMED)
        try:
            said = talk.write("POST", f"{batches.ITEM_PATH}/{order.issued_reference}/cancel", None)
        except ProviderRejected:
            # Claimed between the two calls, or cancelled by a repeat of this one: the item says which.
            done = self.look_up_taken_back(access, order)
            return done or _left_to_a_person(talk, words.CLAIMED)
        if _status(said.fields) != "RETURNED":
            raise talk.unreadable(writes=True)
        return _taken_back(talk, order)

    def look_up_taken_back(self, access: Access, order: TakeBack) -> IssueResult | None:
        talk = PayPal(access)
        return _taken_back(talk, order) if _status(_item(talk, order.issued_reference)) == "RETURNED" else None

    def check(self, access: Access) -> AccountCheck:
        talk = PayPal(access)
        talk.authorization()
        account = _account(talk)
        return AccountCheck(
            account=account,
            currency=None,
            mode=access.mode,
            message=f"Connected to {account}." if account else "PayPal accepts the credentials.",
        )


def _account(talk: PayPal) -> str:
    """What PayPal calls the account, where the app may know it."""
    try:
        user = talk.read(batches.USER_PATH).fields
    except ProviderRejected:
        return ""
    except ProviderError as error:
        if error.exchanges and error.exchanges[-1].status_code == 403:
            return ""
        raise
    name, number = user.get("business_name") or user.get("name"), user.get("payer_id")
    return f"{name} ({number})" if name and number else str(name or number or "")


# Sending ---------------------------------------------------------------------------------------------------------


def _group_key(order: IssueOrder) -> str:
    """The committed key of the order's group, or of a group of its own."""
    return order.group_key or str(uuid5(_GROUPS, order.idempotency_key))


def _receiver(order: IssueOrder) -> str:
    return (order.recipient.provider_id or order.recipient.email or "").strip()


def _refusal(talk: PayPal, order: IssueOrder) -> IssueResult | ProviderError | None:
    """Why an order can't be put in a batch, found without asking PayPal."""
    receiver = _receiver(order)
    if not receiver or len(receiver) > LONGEST_RECEIVER:
        return _waiting(talk, "invalid_recipient", words.ADDRESS_SHAPE if receiver else words.NO_ADDRESS)
    if order.currency not in CURRENCIES:
        return _waiting(talk, "currency_mismatch", words.unsupported_currency(order.currency))
    try:
        batches.item_of(order, receiver)
    except NotPayable:
        return ProviderRejected(words.whole_units(order.currency))
    return None


def _send(talk: PayPal, group_key: str, orders: Sequence[IssueOrder]) -> Answers:
    """Send what PayPal takes. It refuses a batch whole for one bad item, and has then paid nothing of it."""
    answers: Answers = {}
    left = list(orders)
    while left:
        try:
            items = [batches.item_of(order, _receiver(order)) for order in left]
            batch_id = batches.create(talk, group_key, items, left[0].description)
        except BadItems as bad:
            refused = {place: field for place, field in bad.places.items() if place < len(left)}
            answers |= {left[place].reward_id: _bad_item(talk, bad, field) for place, field in refused.items()}
            if not refused:
                return answers | dict.fromkeys((order.reward_id for order in left), bad)
            left = [order for place, order in enumerate(left) if place not in refused]
        except ProviderError as error:
            return answers | dict.fromkeys((order.reward_id for order in left), error)
        else:
            return answers | _first_states(talk, batch_id, left)
    return answers


def _bad_item(talk: PayPal, bad: BadItems, field: str) -> IssueResult | ProviderError:
    if "receiver" in field or "recipient" in field:
        return _waiting(talk, "invalid_recipient", words.ADDRESS_SHAPE)
    return ProviderRejected(bad.message, exchanges=talk.exchanges)


def _first_states(talk: PayPal, batch_id: str, orders: Sequence[IssueOrder]) -> Answers:
    """How the items stand right after the batch was taken. The batch is paid whatever becomes of this question."""
    try:
        items = batches.items_in(talk, batch_id)
    except ProviderError:
        items = {}
    answers: Answers = {}
    for order in orders:
        item = items.get(order.idempotency_key)
        if item is None or not item.get("payout_item_id"):
            answers[order.reward_id] = IssueResult(
                IssueOutcome.WAITING,
                sent=True,
                provider_reference=f"{_BATCH}{batch_id}",
                code="pending",
                message=words.PENDING,
                exchanges=tuple(talk.exchanges),
            )
            continue
        answers[order.reward_id] = _still_sent(_result(talk, item))
    return answers


def _still_sent(result: IssueResult) -> IssueResult:
    """An item that failed at once is only waited for here: by contract a look-up alone answers that money came back."""
    if result.outcome != IssueOutcome.RETURNED:
        return result
    return IssueResult(
        IssueOutcome.WAITING,
        sent=True,
        provider_reference=result.provider_reference,
        code=result.code,
        message=result.message,
        exchanges=result.exchanges,
    )


# Reading ---------------------------------------------------------------------------------------------------------


def _item(talk: PayPal, item_id: str) -> Json:
    try:
        return talk.read(f"{batches.ITEM_PATH}/{item_id}").fields
    except ProviderRejected as rejected:
        raise OutcomeUnknown(words.GONE, exchanges=talk.exchanges) from rejected


def _status(item: Json) -> str:
    return str(item.get("transaction_status") or "")


def _result(talk: PayPal, item: Json) -> IssueResult:
    item_id = item.get("payout_item_id")
    if not isinstance(item_id, str) or not item_id:
        raise ProviderRetryable(words.BEING_TAKEN_IN, code="pending", sent=True, exchanges=talk.exchanges)
    meaning = MEANINGS.get(_status(item), UNKNOWN)
    errors = item.get("errors")
    error: Json = errors if isinstance(errors, Mapping) else {}
    said = str(error.get("message") or "") if meaning.outcome == IssueOutcome.RETURNED else ""
    return IssueResult(
        meaning.outcome,
        sent=True,
        provider_reference=item_id,
        code=code_of(meaning, str(error.get("name") or "")),
        message=f"{meaning.message} PayPal says: {as_sentence(said)}" if said else meaning.message,
        exchanges=tuple(talk.exchanges),
    )


def _waiting(talk: PayPal, code: str, message: str) -> IssueResult:
    return IssueResult(IssueOutcome.WAITING, sent=False, code=code, message=message, exchanges=tuple(talk.exchanges))


def _left_to_a_person(talk: PayPal, message: str) -> IssueResult:
    return _waiting(talk, "needs_a_person", message)


def _taken_back(talk: PayPal, order: TakeBack) -> IssueResult:
    return IssueResult(
        IssueOutcome.SUCCEEDED,
        sent=True,
        provider_reference=order.issued_reference,
        message=words.TAKEN_BACK,
        exchanges=tuple(talk.exchanges),
    )
