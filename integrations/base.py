"""What passes between the product and a provider's adapter. An adapter knows these and no domain model.

Amounts are integers in ISO 4217 minor units beside an upper-case currency code; an adapter whose provider counts
otherwise converts in one place. Times are aware. Payout adapters are called from several threads at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from integrations.errors import ProviderError, storable
from referral_rocket.kit.http import Exchange

__all__ = [
    "Access",
    "AccountCheck",
    "CouponTerms",
    "CustomerSeen",
    "Exchange",
    "Fact",
    "FileFormat",
    "FileRow",
    "Ignored",
    "InboundAdapter",
    "IssueOrder",
    "IssueOutcome",
    "IssueResult",
    "Item",
    "PastMessage",
    "PaymentJoined",
    "PaymentSeen",
    "PayoutAdapter",
    "PayoutChanged",
    "ReadsByType",
    "Received",
    "Recipient",
    "Reference",
    "ReturnsMoney",
    "ReversalKind",
    "ReversalSeen",
    "ReversalStatus",
    "SendsGroups",
    "TakeBack",
    "TransactionRank",
    "UnknownLine",
]


@dataclass(frozen=True)
class Access:
    """How to reach one connected account. `mode` is `LIVE` or `TEST`; `api_base` None means the provider's own address.

    An adapter calls `pace` before each request: it waits until the connection's rate limit allows one.
    """

    connection_id: UUID
    provider: str
    mode: str
    credentials: Mapping[str, str] = field(repr=False)
    settings: Mapping[str, Any]
    api_base: str | None
    pace: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)


@dataclass(frozen=True)
class AccountCheck:
    """What a provider says about the account behind a connection. `message` is a sentence for a person."""

    account: str
    currency: str | None
    mode: str
    message: str


# Sending money ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipient:
    """Who gets the reward. `provider_id` is the provider's id for this person where it is known."""

    email: str | None
    name: str | None = None
    provider_id: str | None = None


@dataclass(frozen=True)
class CouponTerms:
    """What a campaign says about coupons made for its rewards (api.md, Campaign: `coupon`).

    An `AMOUNT` coupon takes off the reward's amount, a `PERCENT` one `percent_off`; `duration` is `once` or `repeating`
    over `duration_months`; it can be redeemed for `expires_days`, None without end.
    """

    kind: str = "AMOUNT"
    percent_off: Decimal | None = None
    duration: str = "once"
    duration_months: int | None = None
    expires_days: int | None = None


@dataclass(frozen=True)
class IssueOrder:
    """One reward to be issued. `idempotency_key` is the same in every try of the same reward.

    `first_attempt_at` (wall time) is when the key was first used, None before the first try: an adapter whose provider
    forgets keys looks up before it sends again. Where they are on record of the last try with this key, `sent_to` is
    the provider's id of the person it went to, `group_key` the group it was sent in and `provider_reference` what the
    provider calls it.
    """

    reward_id: UUID
    idempotency_key: str
    amount: int
    currency: str
    recipient: Recipient
    description: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    first_attempt_at: datetime | None = None
    sent_to: str | None = None
    group_key: str | None = None
    provider_reference: str | None = None
    coupon: CouponTerms = CouponTerms()


class IssueOutcome(StrEnum):
    """`RETURNED` is answered by a look-up alone: the money came back, or the provider gave it up for good.

    The reward's key is used up then, and the next issuing has another one.
    """

    SUCCEEDED = "SUCCEEDED"
    WAITING = "WAITING"
    RETURNED = "RETURNED"


@dataclass(frozen=True)
class IssueResult:
    """How an order ended. A `WAITING` one has a `code` and a `message` that says what to do.

    `sent` tells the two kinds of waiting apart: False where nothing was sent (the reward is free for another method),
    True where it waits at the provider.
    """

    outcome: IssueOutcome
    sent: bool
    provider_reference: str | None = None
    recipient_provider_id: str | None = None
    code: str | None = None
    message: str = ""
    exchanges: tuple[Exchange, ...] = ()

    def __post_init__(self) -> None:
        for name in ("provider_reference", "recipient_provider_id", "message"):
            object.__setattr__(self, name, storable(getattr(self, name)))


class PayoutAdapter(Protocol):
    """Issues rewards by one method. Every call may raise the errors of `integrations.errors`, and no others."""

    def issue(self, access: Access, order: IssueOrder) -> IssueResult:
        """Send the reward, at most once for an idempotency key."""

    def look_up(self, access: Access, order: IssueOrder) -> IssueResult | None:
        """After an unknown outcome: the result if it was done, None if the provider shows that it wasn't.

        Raises OutcomeUnknown where the provider can't show either.
        """

    def check(self, access: Access) -> AccountCheck:
        """Ask the provider whose account this is."""


class SendsGroups(PayoutAdapter, Protocol):
    """A payout adapter whose provider takes many rewards in one call. The runner calls this instead of `issue`."""

    group_size: int

    def issue_group(
        self, access: Access, group_key: str, orders: Sequence[IssueOrder]
    ) -> Mapping[UUID, IssueResult | ProviderError]:
        """Send the orders, an answer for each by `reward_id`. Orders of one currency, at most `group_size`.

        `group_key` (36 characters) is committed with the attempts before the call; an order in doubt comes back to
        `look_up` with it, and never in another group before that has answered.
        """


@dataclass(frozen=True)
class TakeBack:
    """A deduction to be taken back where its reward was issued, whole or not at all.

    `idempotency_key` is the deduction's; `issued_reference` is what the provider called the issued reward of
    `issued_amount`, `issued_to` its id of the person.
    """

    reward_id: UUID
    idempotency_key: str
    amount: int
    currency: str
    issued_reference: str
    issued_amount: int
    recipient: Recipient
    issued_to: str | None = None
    first_attempt_at: datetime | None = None


class ReturnsMoney(PayoutAdapter, Protocol):
    """A payout adapter that can take back what it issued, as long as it isn't spent."""

    def take_back(self, access: Access, order: TakeBack) -> IssueResult:
        """Take it back, at most once for an idempotency key.

        WAITING with `sent` False and code `needs_a_person` where it can't be taken back any more: it is netted from the
        next rewards then, or left to a person.
        """

    def look_up_taken_back(self, access: Access, order: TakeBack) -> IssueResult | None:
        """After an unknown outcome, like `look_up`."""


@dataclass(frozen=True)
class FileRow:
    """A reward as a line of a payment file. `key` names the line in every file and result of its batch, and nowhere
    else: 26 letters and digits.
    """

    key: str
    reward_id: UUID
    amount: int
    currency: str
    recipient: Recipient
    note: str


class FileFormat(Protocol):
    """A payment file that a person uploads at the provider, and the result file that comes back.

    `maximum_rows` and `one_currency` say where the rows of a batch are split into several files. Neither method calls
    out or touches the database.
    """

    extension: str
    content_type: str
    maximum_rows: int
    one_currency: bool

    def refusal(self, row: FileRow) -> IssueResult | ProviderError | None:
        """Why a row can't be in such a file (no address, currency), None where it can. Asked before it is frozen."""

    def write(self, rows: Sequence[FileRow]) -> bytes:
        """One file. The same rows give the same bytes."""

    def read_results(self, content: bytes, rows: Sequence[FileRow]) -> Mapping[str, IssueResult | ProviderError]:
        """What became of the batch's rows, by key; a row that the result file doesn't tell of is left out.

        `rows` are all that the batch's files had, to recognise a line by what it carries. Raises UnreadableFile.
        """

    def unknown_lines(self, content: bytes, rows: Sequence[FileRow]) -> Sequence["UnknownLine"]:
        """The lines of a result file that say nothing of the batch's rows, in order. Raises UnreadableFile."""


@dataclass(frozen=True)
class UnknownLine:
    """A line of a result file that is of no row of its batch. `shown` is text of the file: to be escaped."""

    number: int
    shown: str


# Receiving payments ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Received:
    """An authentic webhook, before anybody thinks about it. `livemode` is None where the provider doesn't say."""

    event_id: str
    event_type: str
    livemode: bool | None
    occurred_at: datetime


@dataclass(frozen=True)
class Reference:
    """One id that a provider uses for a payment. `kind` names what it is an id of, in the provider's own word."""

    kind: str
    value: str


class TransactionRank:
    """How good a payment's transaction id is: where two messages of one payment differ, the higher rank names it."""

    SESSION = 0
    INVOICE = 1
    PAYMENT = 2
    METADATA = 3


@dataclass(frozen=True)
class Item:
    """A line of a payment: `amount` is the line's, not each piece's."""

    product: str
    quantity: int
    amount: int


@dataclass(frozen=True)
class PaymentSeen:
    """A payment was made. Several messages of one payment share at least one reference or are joined by PaymentJoined.

    `amount` is what was paid, after discount, with tax and shipping; 0 for a trial's first invoice.
    """

    references: tuple[Reference, ...]
    transaction_id: str
    transaction_rank: int
    amount: int
    currency: str
    occurred_at: datetime
    email: str | None = None
    provider_customer_id: str | None = None
    referral_code: str | None = None
    country: str | None = None
    tax: int = 0
    shipping: int = 0
    discount: int = 0
    items: tuple[Item, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PaymentJoined:
    """These ids are of one payment."""

    references: tuple[Reference, ...]
    occurred_at: datetime


class ReversalKind(StrEnum):
    REFUND = "REFUND"
    DISPUTE = "DISPUTE"


class ReversalStatus(StrEnum):
    DONE = "DONE"
    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"
    FAILED = "FAILED"


@dataclass(frozen=True)
class ReversalSeen:
    """A refund or dispute. `cumulative` means that `amount` is all refunded so far, and `refund_id` then names the payment."""

    references: tuple[Reference, ...]
    refund_id: str
    amount: int
    currency: str
    kind: ReversalKind
    status: ReversalStatus
    cumulative: bool
    occurred_at: datetime


@dataclass(frozen=True)
class CustomerSeen:
    """A provider's id and an e-mail address belong to one person."""

    provider_customer_id: str
    email: str | None


@dataclass(frozen=True)
class Ignored:
    """A message that changes nothing, and why, in words for the connection's page."""

    reason: str


@dataclass(frozen=True)
class PayoutChanged:
    """Something happened to a reward that was sent: it is looked up, whatever the message says became of it.

    It is found by our reward's id where the message carries that, else by what the provider calls it.
    """

    reward_id: UUID | None = None
    provider_reference: str | None = None


Fact = PaymentSeen | PaymentJoined | ReversalSeen | CustomerSeen | PayoutChanged | Ignored


@dataclass(frozen=True)
class PastMessage:
    """What a provider lists of its past, as if it had told us then. `key` is the same however often it is listed."""

    key: str
    occurred_at: datetime
    facts: tuple[Fact, ...]


class InboundAdapter(Protocol):
    """Reads a provider's webhooks. Neither method calls out or touches the database."""

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...], now: datetime) -> Received:
        """Check the signature over the raw body against any of the secrets. `now` is wall time.

        `headers` finds a name in upper or lower case. Raises BadSignature, UnreadableEvent where an authentic body isn't
        what the provider sends, or SigningKeyUnknown where the key has to be fetched first.
        """

    def read(self, payload: Mapping[str, Any]) -> tuple[Fact, ...]:
        """What a stored event means. Raises UnreadableEvent where a field that the meaning hangs on is missing."""


@runtime_checkable
class ReadsByType(Protocol):
    """An inbound adapter of a provider whose bodies don't say what happened: the type, from a header, does."""

    def read_type(self, event_type: str, payload: Mapping[str, Any]) -> tuple[Fact, ...]:
        """Like `read`, which such an adapter refuses."""
