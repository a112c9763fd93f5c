"""WISE: rewards as transfers of batch groups, paid for from the account's balance.

For each reward a recipient, a quote and a transfer are made; then the group is completed and paid for in one call. Up
to that call nothing is paid. If anything goes wrong before it, the group is cancelled, and what can't be shown to be
cancelled is left in doubt; the look-up then cancels what is unpaid and finds what was paid (transfers.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from integrations.base import Access, AccountCheck, IssueOrder, IssueOutcome, IssueResult
from integrations.errors import (
    ConnectionNeedsAttention,
    OutcomeUnknown,
    ProviderError,
    ProviderRejected,
    ProviderRetryable,
)
from integrations.providers.wise import states, transfers, words
from integrations.providers.wise.client import ApprovalNeeded, Wise, is_insufficient
from referral_rocket.kit.clock import wall
from referral_rocket.kit.money import digits, format_money

Json = Mapping[str, Any]
Answers = dict[UUID, IssueResult | ProviderError]
_GROUPS = UUID("3f6a3f63-1c1e-4a0b-8a52-1b9f0c8f2d77")
# Where nobody says when it was first tried, it can't have been longer ago than a batch waits.
_LONG_AGO = timedelta(days=60)


@dataclass(frozen=True)
class _Made:
    """A transfer that is in a group and not paid for."""

    order: IssueOrder
    number: int
    recipient: int


class _Interrupted(Exception):
    """Making a group stopped at `error`; `doubtful` are the rewards that may have a transfer in it."""

    def __init__(self, error: ProviderError, doubtful: Sequence[IssueOrder]) -> None:
        super().__init__(str(error))
        self.error = error
        self.doubtful = doubtful


class WiseTransfers:
    """See `integrations.base.SendsGroups`."""

    # Each takes three calls before any is paid for, so a group is kept to what is done within a minute.
    group_size = 25

    def issue(self, access: Access, order: IssueOrder) -> IssueResult:
        answer = self.issue_group(access, _group_key(order), [order])[order.reward_id]
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    def issue_group(
        self, access: Access, group_key: str, orders: Sequence[IssueOrder]
    ) -> Mapping[UUID, IssueResult | ProviderError]:
        talk = Wise(access)
        answers: Answers = {}
        sendable = []
        for order in orders:
            refusal = _refusal(talk, order)
            if refusal is None:
                sendable.append(order)
            else:
                answers[order.reward_id] = refusal
        if not sendable:
            return answers
        try:
            profile, source = _settings(access)
            group = _new_group(talk, profile, source, group_key)
        except ProviderError as error:
            return answers | _all(sendable, error)
        return answers | _Group(talk, profile, source, group, group_key).send(sendable)

    def look_up(self, access: Access, order: IssueOrder) -> IssueResult | None:
        """What became of the reward's transfer. Nothing is ever paid for from here.

        By its number where that is on record: an unpaid one then waits for a person who was asked to approve it. Else
        it is looked for by our id; one that is unpaid was interrupted, and is cancelled, so that the reward can be sent
        anew under another key.
        """
        talk = Wise(access)
        if order.provider_reference:
            return _result(talk, transfers.transfer(talk, order.provider_reference))
        profile, _ = _settings(access)
        own = transfers.transaction_id(order, _group_key(order))
        since = order.first_attempt_at or wall() - _LONG_AGO
        transfer = transfers.found(talk, profile, [own], since).get(own)
        if transfer is None:
            return None
        if transfer.get("status") != states.UNFUNDED:
            return _result(talk, transfer)
        after = transfers.cancel(talk, str(transfer.get("id")))
        if after.get("status") == states.UNFUNDED:
            raise OutcomeUnknown(words.CANT_CANCEL, exchanges=talk.exchanges)
        return _result(talk, after, stopped=after.get("status") == states.CANCELLED)

    def check(self, access: Access) -> AccountCheck:
        talk = Wise(access)
        profiles = talk.read("/v2/profiles").body
        if not isinstance(profiles, list):
            raise talk.unreadable(writes=False)
        names = {str(one.get("id")): _profile_name(one) for one in profiles if isinstance(one, Mapping)}
        wanted = str(access.settings.get("profile_id") or "")
        if wanted not in names:
            listed = ", ".join(f"{number} ({name})" for number, name in names.items())
            raise ConnectionNeedsAttention(
                words.unknown_profile(listed), code="connection_required", exchanges=talk.exchanges
            )
        source = str(access.settings.get("source_currency") or "")
        return AccountCheck(
            account=f"{names[wanted]} ({wanted})",
            currency=source or None,
            mode=access.mode,
            message=f"Connected to {names[wanted]}. {_balance(talk, wanted, source)}",
        )


def _profile_name(profile: Json) -> str:
    return str(profile.get("businessName") or profile.get("fullName") or profile.get("type") or "profile")


def _balance(talk: Wise, profile: str, source: str) -> str:
    balances = talk.read(f"/v4/profiles/{profile}/balances?types=STANDARD").body
    for balance in balances if isinstance(balances, list) else ():
        amount = balance.get("amount") if isinstance(balance, Mapping) else None
        if isinstance(amount, Mapping) and amount.get("currency") == source:
            return f"The balance in {source} is {format_money(_minor(amount.get('value'), source), source)}."
    return f"There is no balance in {source} yet: open one in Wise." if source else "Say which currency pays."


def _minor(value: Any, currency: str) -> int:
    """The minor units of an amount that is only shown; what is less than one is left away."""
    return int(Decimal(str(value or 0)).scaleb(digits(currency)))


# Sending ---------------------------------------------------------------------------------------------------------


class _Group:
    """One batch group, from its making to its payment."""

    def __init__(self, talk: Wise, profile: int, source: str, group: str, group_key: str) -> None:
        self._talk = talk
        self._profile = profile
        self._source = source
        self._group = group
        self._group_key = group_key
        self._path = f"/v3/profiles/{profile}/batch-groups/{group}"
        self._answers: Answers = {}

    def send(self, orders: Sequence[IssueOrder]) -> Answers:
        try:
            made = self._fill(orders)
            if made:
                self._complete(made)
        except _Interrupted as interrupted:
            return self._answers | self._undone(orders, interrupted)
        return self._answers | (self._pay(made) if made else {})

    def _fill(self, orders: Sequence[IssueOrder]) -> list[_Made]:
        """A transfer for each reward that Wise can pay; the others are answered."""
        made: list[_Made] = []
        for order in orders:
            try:
                one = self._one(order)
            except ProviderError as error:
                # A refusal is this reward's alone. After a lost answer this one's transfer may be there as well.
                lost = [order] if isinstance(error, OutcomeUnknown) else []
                raise _Interrupted(error, [*(each.order for each in made), *lost]) from error
            if one is not None:
                made.append(one)
        return made

    def _one(self, order: IssueOrder) -> _Made | None:
        """The reward's transfer; None where Wise refused and the reward was answered."""
        talk = self._talk
        own = transfers.transaction_id(order, self._group_key)
        try:
            recipient = transfers.recipient_of(talk, self._profile, order)
        except ProviderRejected as rejected:
            self._answers[order.reward_id] = _refused(talk, "invalid_recipient", words.NO_RECIPIENT, rejected)
            return None
        try:
            quote = transfers.quote_of(talk, self._profile, self._source, recipient, order)
        except ProviderRejected as rejected:
            self._answers[order.reward_id] = _refused(talk, "currency_mismatch", words.NO_ROUTE, rejected)
            return None
        try:
            transfer = self._transfer(order, recipient, quote, own)
        except ProviderRejected as rejected:
            self._answers[order.reward_id] = rejected
            return None
        if transfer.get("status") == states.UNFUNDED:
            return _Made(order, transfer["id"], recipient)
        # Made and paid for by an earlier sending of the same group.
        self._answers[order.reward_id] = _still_sent(_result(talk, transfer, recipient))
        return None

    def _transfer(self, order: IssueOrder, recipient: int, quote: str, own: str) -> Json:
        try:
            return transfers.transfer_in(self._talk, self._profile, self._group, order, recipient, quote, own)
        except OutcomeUnknown as unknown:
            # The same id again is the same transfer, so asking once more is safe. A refusal of the second says nothing
            # about the first.
            try:
                return transfers.transfer_in(self._talk, self._profile, self._group, order, recipient, quote, own)
            except ProviderError as error:
                raise OutcomeUnknown(unknown.message, exchanges=self._talk.exchanges) from error

    def _complete(self, made: Sequence[_Made]) -> None:
        """Close the group to changes. It has to hold exactly what was put in, or nothing is paid for."""
        try:
            group = self._talk.read(self._path).fields
            if set(group.get("transferIds") or ()) != {each.number for each in made}:
                raise OutcomeUnknown(words.NOT_OURS, exchanges=self._talk.exchanges)
            body = {"status": "COMPLETED", "version": group.get("version")}
            completed = self._talk.write("PATCH", self._path, body).fields
            if completed.get("status") != "COMPLETED":
                raise self._talk.unreadable(writes=True)
        except ProviderError as error:
            raise _Interrupted(error, [each.order for each in made]) from error

    def _pay(self, made: Sequence[_Made]) -> Answers:
        """The one call that moves money. It isn't repeated: what it did is seen by the transfers."""
        orders = [each.order for each in made]
        path = f"/v3/profiles/{self._profile}/batch-payments/{self._group}/payments"
        try:
            said = self._talk.write("POST", path, {"type": "BALANCE"})
        except ApprovalNeeded:
            message = words.approval(self._group_key)
            return {each.order.reward_id: self._wait(each, "needs_a_person", message) for each in made}
        except OutcomeUnknown as error:
            return _all(orders, error)
        except ProviderError as error:
            return self._undone(orders, _Interrupted(error, orders))
        if is_insufficient(said):
            poor = ProviderRejected(words.INSUFFICIENT_FUNDS, code="insufficient_funds", exchanges=self._talk.exchanges)
            return self._undone(orders, _Interrupted(poor, orders))
        return self._first_states(made)

    def _undone(self, orders: Sequence[IssueOrder], interrupted: _Interrupted) -> Answers:
        """Answers for a group that isn't paid for: nothing was done, once Wise has confirmed that it is cancelled."""
        left = [order for order in orders if order.reward_id not in self._answers]
        error = interrupted.error
        if not interrupted.doubtful:
            return _all(left, error)
        if transfers.undo_group(self._talk, self._profile, self._group):
            if isinstance(error, OutcomeUnknown):
                error = ProviderRetryable(words.UNDONE, sent=True, exchanges=self._talk.exchanges)
            return _all(left, error)
        doubtful = {order.reward_id for order in interrupted.doubtful}
        unknown = OutcomeUnknown(words.HALF_DONE, exchanges=self._talk.exchanges)
        if isinstance(error, OutcomeUnknown):
            error = ProviderRetryable(words.UNDONE, sent=True, exchanges=self._talk.exchanges)
        return {order.reward_id: unknown if order.reward_id in doubtful else error for order in left}

    def _first_states(self, made: Sequence[_Made]) -> Answers:
        """Where the transfers are right after they were paid for; they are on their way whatever this question meets."""
        own = {transfers.transaction_id(each.order, self._group_key): each for each in made}
        try:
            seen = transfers.found(self._talk, self._profile, list(own), wall() - timedelta(hours=1))
        except ProviderError:
            seen = {}
        answers: Answers = {}
        for own_id, each in own.items():
            result = _result(self._talk, seen[own_id], each.recipient) if own_id in seen else None
            answers[each.order.reward_id] = (
                _still_sent(result) if result is not None else self._wait(each, "pending", words.PROCESSING)
            )
        return answers

    def _wait(self, made: _Made, code: str, message: str) -> IssueResult:
        return IssueResult(
            IssueOutcome.WAITING,
            sent=True,
            provider_reference=str(made.number),
            recipient_provider_id=str(made.recipient),
            code=code,
            message=message,
            exchanges=tuple(self._talk.exchanges),
        )


def _new_group(talk: Wise, profile: int, source: str, group_key: str) -> str:
    """A group whose name is our key, for a person who looks for it. An empty one that is left behind moves nothing."""
    body = {"sourceCurrency": source, "name": group_key}
    group = talk.prepare("POST", f"/v3/profiles/{profile}/batch-groups", body).fields.get("id")
    if not isinstance(group, str):
        raise talk.unreadable(writes=False)
    return group


def _settings(access: Access) -> tuple[int, str]:
    profile, source = access.settings.get("profile_id"), access.settings.get("source_currency")
    if not profile or not source:
        raise ProviderRejected(words.NO_SETTINGS, code="connection_required")
    return int(profile), str(source)


def _group_key(order: IssueOrder) -> str:
    """The committed key of the order's group, or of a group of its own."""
    return order.group_key or str(uuid5(_GROUPS, order.idempotency_key))


def _refusal(talk: Wise, order: IssueOrder) -> IssueResult | None:
    """Why an order can't be sent, found without asking Wise."""
    person = order.recipient
    if person.provider_id and person.provider_id.isdigit():
        return None
    if not person.email:
        return _waiting(talk, "invalid_recipient", words.NO_ADDRESS)
    if len((person.name or "").split()) < 2:
        return _waiting(talk, "invalid_recipient", words.NO_NAME)
    return None


def _refused(talk: Wise, code: str, sentence: str, rejected: ProviderRejected) -> IssueResult:
    return _waiting(talk, code, f"{sentence} {rejected.message}")


def _all(orders: Sequence[IssueOrder], error: ProviderError) -> Answers:
    return {order.reward_id: error for order in orders}


# Reading ---------------------------------------------------------------------------------------------------------


def _result(talk: Wise, transfer: Json, recipient: int | None = None, *, stopped: bool = False) -> IssueResult:
    meaning = states.MEANINGS.get(str(transfer.get("status")), states.UNKNOWN)
    account = recipient or transfer.get("targetAccount")
    return IssueResult(
        meaning.outcome,
        sent=True,
        provider_reference=str(transfer.get("id")),
        recipient_provider_id=str(account) if account else None,
        code=meaning.code,
        message=words.STOPPED if stopped else meaning.message,
        exchanges=tuple(talk.exchanges),
    )


def _still_sent(result: IssueResult) -> IssueResult:
    """By contract a look-up alone answers that money came back; here it only waits for that."""
    if result.outcome != IssueOutcome.RETURNED:
        return result
    return replace(result, outcome=IssueOutcome.WAITING)


def _waiting(talk: Wise, code: str, message: str) -> IssueResult:
    return IssueResult(IssueOutcome.WAITING, sent=False, code=code, message=message, exchanges=tuple(talk.exchanges))
