"""PAYPAL_FILE: PayPal's mass-payment file, and the reports that tell what became of it.

The file has no header: recipient, amount, currency, customer id, note, wallet; one currency, at most 5,000 lines
(PayPal's page "Payouts Web"). Our key of the line is the customer id. PayPal gives results as the activity report or the
log of the mass payment, whose columns depend on the account's settings: so a line is found by our key in whichever cell
it stands, and its state by the column's name, else by the one cell that is a word of PayPal's for a state.
"""

from collections.abc import Mapping, Sequence

from integrations.base import FileRow, IssueOutcome, IssueResult, UnknownLine
from integrations.errors import ProviderError, ProviderRejected, UnreadableFile, as_sentence
from integrations.payment_files import Line, harmless, is_dangerous, read_table, written
from integrations.providers.paypal import words
from integrations.providers.paypal.amounts import CURRENCIES, NotPayable, to_paypal
from integrations.providers.paypal.states import MEANINGS, Meaning

LONGEST_RECEIVER = 127
_STATE_NAMES = ("status", "transaction status", "transaction_status", "state", "payment status")
_REFERENCE_NAMES = ("transaction id", "transaction_id", "payout item id", "payout_item_id")
_REASON_NAMES = ("error message", "error", "reason", "error code", "reason code")
HEADERS = frozenset(
    {*_STATE_NAMES, *_REFERENCE_NAMES, "currency", "gross", "amount", "customer id", "custom number", "unique id",
     "to email address", "recipient"}
)  # fmt: skip
# The API's words, and those of the reports where they differ, as they are shown there in English.
STATES: Mapping[str, Meaning] = {
    **MEANINGS,
    "COMPLETED": MEANINGS["SUCCESS"],
    "SUCCESSFUL": MEANINGS["SUCCESS"],
    "PROCESSED": MEANINGS["SUCCESS"],
    "PROCESSING": MEANINGS["PENDING"],
    "HELD": MEANINGS["ONHOLD"],
    "ON HOLD": MEANINGS["ONHOLD"],
    "DENIED": MEANINGS["FAILED"],
    "CANCELED": MEANINGS["RETURNED"],
    "CANCELLED": MEANINGS["RETURNED"],
}


class PayPalFile:
    """See `integrations.base.FileFormat`."""

    extension = "csv"
    content_type = "text/csv"
    maximum_rows = 5000
    one_currency = True

    def refusal(self, row: FileRow) -> IssueResult | ProviderError | None:
        receiver = _receiver(row)
        if not receiver or len(receiver) > LONGEST_RECEIVER or is_dangerous(receiver):
            return _waiting("invalid_recipient", words.ADDRESS_SHAPE if receiver else words.NO_ADDRESS)
        if row.currency not in CURRENCIES:
            return _waiting("currency_mismatch", words.unsupported_currency(row.currency))
        try:
            to_paypal(row.amount, row.currency)
        except NotPayable:
            return ProviderRejected(words.whole_units(row.currency))
        return None

    def write(self, rows: Sequence[FileRow]) -> bytes:
        return written(
            (
                _receiver(row),
                to_paypal(row.amount, row.currency),
                row.currency,
                row.key,
                harmless(row.note),
                "PAYPAL",
            )
            for row in rows
        )

    def read_results(self, content: bytes, rows: Sequence[FileRow]) -> Mapping[str, IssueResult | ProviderError]:
        keys = {row.key for row in rows}
        found: dict[str, IssueResult | ProviderError] = {}
        for line in read_table(content, headers=HEADERS):
            key = next((cell.lower() for cell in line.cells if cell.lower() in keys), None)
            meaning = _meaning(line) if key else None
            if key is None or meaning is None:
                continue
            # A report that tells of a payment and of its return has the newest line first or last: a return counts.
            before = found.get(key)
            if isinstance(before, IssueResult) and before.outcome == IssueOutcome.RETURNED:
                continue
            found[key] = _result(line, meaning)
        if not found:
            raise UnreadableFile(
                "No line of this file is of this batch. Upload PayPal's activity report or the log of the mass payment,"
                " with the columns for the customer ID and the status."
            )
        return found

    def unknown_lines(self, content: bytes, rows: Sequence[FileRow]) -> Sequence[UnknownLine]:
        keys = {row.key for row in rows}
        return [
            UnknownLine(line.number, line.shown)
            for line in read_table(content, headers=HEADERS)
            if not any(cell.lower() in keys for cell in line.cells) or _meaning(line) is None
        ]


def _receiver(row: FileRow) -> str:
    return (row.recipient.provider_id or row.recipient.email or "").strip()


def _meaning(line: Line) -> Meaning | None:
    named = STATES.get(line.first(*_STATE_NAMES).upper())
    return named or next((STATES[cell.upper()] for cell in line.cells if cell.upper() in STATES), None)


def _result(line: Line, meaning: Meaning) -> IssueResult:
    reason = line.first(*_REASON_NAMES)
    said = f" PayPal says: {as_sentence(reason)}" if reason and meaning.outcome == IssueOutcome.RETURNED else ""
    return IssueResult(
        meaning.outcome,
        sent=True,
        provider_reference=line.first(*_REFERENCE_NAMES) or None,
        code=meaning.code,
        message=meaning.message + said,
    )


def _waiting(code: str, message: str) -> IssueResult:
    return IssueResult(IssueOutcome.WAITING, sent=False, code=code, message=message)
