"""Wise's words for where a transfer is, in ours. From Wise's page "Tracking Transfers"."""

from dataclasses import dataclass

from integrations.base import IssueOutcome
from integrations.providers.wise import words


@dataclass(frozen=True)
class Meaning:
    """`code` is the batch item's; None where it was paid."""

    outcome: IssueOutcome
    code: str | None
    message: str


# Made, and not paid for: no money has moved, and cancelling it makes sure that none will.
UNFUNDED = "incoming_payment_waiting"
CANCELLED = "cancelled"
MEANINGS = {
    UNFUNDED: Meaning(IssueOutcome.WAITING, "needs_a_person", words.FUNDING),
    "incoming_payment_initiated": Meaning(IssueOutcome.WAITING, "funding", words.FUNDING),
    "processing": Meaning(IssueOutcome.WAITING, "pending", words.PROCESSING),
    "funds_converted": Meaning(IssueOutcome.WAITING, "pending", words.PROCESSING),
    "outgoing_payment_sent": Meaning(IssueOutcome.SUCCEEDED, None, words.PAID),
    # On its way back, and may be sent anew: what it becomes in the end is another state.
    "bounced_back": Meaning(IssueOutcome.WAITING, "pending", words.BOUNCED),
    # The person may have the money all the same.
    "charged_back": Meaning(IssueOutcome.WAITING, "needs_a_person", words.CHARGED_BACK),
    CANCELLED: Meaning(IssueOutcome.RETURNED, "rejected_by_provider", words.CANCELLED),
    "funds_refunded": Meaning(IssueOutcome.RETURNED, "invalid_recipient", words.REFUNDED),
}
UNKNOWN = Meaning(IssueOutcome.WAITING, "needs_a_person", words.UNKNOWN_STATE)
