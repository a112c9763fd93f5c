"""What passes between the product and a provider's adapter. An adapter knows these and no domain model.

Amounts are integers in ISO 4217 minor units beside an upper-case currency code; an adapter whose provider counts
otherwise converts in one place. Times are aware. Payout adapters are called from several threads at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from referral_rocket.kit.http import Exchange

__all__ = [
    "Access",
    "AccountCheck",
    "CustomerSeen",
    "Exchange",
    "Fact",
    "Ignored",
    "IssueOrder",
    "IssueOutcome",
    "IssueResult",
    "Item",
    "PaymentAdapter",
    "PaymentJoined",
    "PaymentSeen",
    "PayoutAdapter",
    "Received",
    "Recipient",
    "Reference",
    "ReversalKind",
    "ReversalSeen",
    "ReversalStatus",
    "TransactionRank",
]


@dataclass(frozen=True)
class Access:
    """How to reach one connected account. `mode` is `LIVE` or `TEST`; `api_base` None means the provider's own address."""

    connection_id: UUID
    provider: str
    mode: str
    credentials: Mapping[str, str] = field(repr=False)
    settings: Mapping[str, Any]
    api_base: str | None


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
class IssueOrder:
    """One reward to be issued. `idempotency_key` is the same in every try of the same reward.

    `first_attempt_at` (wall time) is when the key was first used, None before the first try: an adapter whose provider
    forgets keys looks up before it sends again. `sent_to` is the provider's id of the person an earlier try went to,
    where one is on record.
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


class IssueOutcome(StrEnum):
    SUCCEEDED = "SUCCEEDED"
    WAITING = "WAITING"


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


Fact = PaymentSeen | PaymentJoined | ReversalSeen | CustomerSeen | Ignored


class PaymentAdapter(Protocol):
    """Reads a provider's webhooks. Neither method calls out or touches the database."""

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...], now: datetime) -> Received:
        """Check the signature over the raw body against any of the secrets. `now` is wall time.

        Raises BadSignature, or UnreadableEvent where an authentic body isn't what the provider sends.
        """

    def read(self, payload: Mapping[str, Any]) -> tuple[Fact, ...]:
        """What a stored event means. Raises UnreadableEvent where a field that the meaning hangs on is missing."""
