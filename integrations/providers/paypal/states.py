"""PayPal's words for what became of a payout item, in ours. From `transaction_enum` of the Payouts API."""

from dataclasses import dataclass

from integrations.base import IssueOutcome
from integrations.providers.paypal import words


@dataclass(frozen=True)
class Meaning:
    """`code` is the batch item's; None where it was paid."""

    outcome: IssueOutcome
    code: str | None
    message: str


MEANINGS = {
    "SUCCESS": Meaning(IssueOutcome.SUCCEEDED, None, words.PAID),
    "PENDING": Meaning(IssueOutcome.WAITING, "pending", words.PENDING),
    "UNCLAIMED": Meaning(IssueOutcome.WAITING, "unclaimed", words.UNCLAIMED),
    "ONHOLD": Meaning(IssueOutcome.WAITING, "on_hold", words.ON_HOLD),
    "FAILED": Meaning(IssueOutcome.RETURNED, "rejected_by_provider", words.FAILED),
    "BLOCKED": Meaning(IssueOutcome.RETURNED, "rejected_by_provider", words.BLOCKED),
    "RETURNED": Meaning(IssueOutcome.RETURNED, "invalid_recipient", words.RETURNED),
    "REFUNDED": Meaning(IssueOutcome.RETURNED, "rejected_by_provider", words.REFUNDED),
    "REVERSED": Meaning(IssueOutcome.RETURNED, "rejected_by_provider", words.REVERSED),
}
# A word that isn't in the table may mean that money is out: a person looks, and nothing is sent again.
UNKNOWN = Meaning(IssueOutcome.WAITING, "needs_a_person", words.UNKNOWN_STATE)
# What a failed or blocked item says of why (`errors.name`), where that is one of our codes. Its sentence is shown too.
REASONS = {
    "INSUFFICIENT_FUNDS": "insufficient_funds",
    "CURRENCY_NOT_SUPPORTED_FOR_RECEIVER": "currency_mismatch",
    "NON_HOLDING_CURRENCY": "currency_mismatch",
}
RECEIVERS = ("RECEIVER_", "RECEIVING_", "RCVR_")


def code_of(meaning: Meaning, reason: str) -> str | None:
    if meaning.outcome != IssueOutcome.RETURNED:
        return meaning.code
    if reason.startswith(RECEIVERS):
        return "invalid_recipient"
    return REASONS.get(reason, meaning.code)
