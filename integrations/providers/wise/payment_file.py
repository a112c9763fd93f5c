"""WISE_FILE: Wise's batch payment file, and the statement that tells what became of it.

Two templates (providers.md, not confirmed in a document of Wise's): by e-mail, and for saved recipients. Which columns
there are is what `WISE_FILE_COLUMNS` says, so that a changed template needs no new version. At most 1,000 lines.

Only a template with a reference carries our key of the line. Wise's statement then has it under Reference; else a line is
known by the person's name, the amount and the currency, where no other line of the batch has all three.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from django.conf import settings

from integrations.base import FileRow, IssueOutcome, IssueResult, UnknownLine
from integrations.errors import ProviderError, UnreadableFile
from integrations.payment_files import Line, harmless, is_dangerous, read_table, written
from integrations.providers.wise import words
from integrations.providers.wise.states import MEANINGS, Meaning
from referral_rocket.kit.money import plain

BY_EMAIL = ("name", "recipientEmail", "amount", "sourceCurrency", "targetCurrency", "amountCurrency", "type")
# Column by column what stands in a line; every column that a template can have is here.
COLUMNS: Mapping[str, Callable[[FileRow], str]] = {
    "recipientId": lambda row: row.recipient.provider_id or "",
    "name": lambda row: harmless(row.recipient.name or ""),
    "recipientEmail": lambda row: row.recipient.email or "",
    "recipientDetail": lambda row: "",
    # Wise asks which balance pays when the file is uploaded; the amount is the recipient's either way.
    "sourceCurrency": lambda row: row.currency,
    "targetCurrency": lambda row: row.currency,
    "amountCurrency": lambda row: row.currency,
    "amount": lambda row: plain(row.amount, row.currency),
    "paymentReference": lambda row: row.key,
    "referenceNumber": lambda row: row.key,
    "receiverType": lambda row: "PERSON",
    "type": lambda row: "EMAIL",
}
_STATE_NAMES = ("status", "state", "transfer status")
_REFERENCE_NAMES = ("reference", "payment reference", "paymentreference", "referencenumber")
_ID_NAMES = ("id", "transfer id", "transferid", "transferwise id")
_NAME_NAMES = ("target name", "recipient name", "name")
_AMOUNT_NAMES = ("target amount (after fees)", "target amount", "amount")
_CURRENCY_NAMES = ("target currency", "targetcurrency", "currency")
HEADERS = frozenset({*_STATE_NAMES, *_REFERENCE_NAMES, *_ID_NAMES, *_NAME_NAMES, *_AMOUNT_NAMES, *_CURRENCY_NAMES})
# The API's words, and those of Wise's statement.
STATES: Mapping[str, Meaning] = {
    **MEANINGS,
    "completed": MEANINGS["outgoing_payment_sent"],
    "sent": MEANINGS["outgoing_payment_sent"],
    "in_progress": MEANINGS["processing"],
    "pending": MEANINGS["processing"],
    "canceled": MEANINGS["cancelled"],
    "refunded": MEANINGS["funds_refunded"],
}


class WiseFile:
    """See `integrations.base.FileFormat`."""

    extension = "csv"
    content_type = "text/csv"
    maximum_rows = 1000
    one_currency = False

    def refusal(self, row: FileRow) -> IssueResult | ProviderError | None:
        person = row.recipient
        if "recipientId" in _columns():
            return None if (person.provider_id or "").isdigit() else _waiting(words.NO_SAVED_RECIPIENT)
        if not person.email or is_dangerous(person.email):
            return _waiting(words.NO_ADDRESS)
        return None if len((person.name or "").split()) > 1 else _waiting(words.NO_NAME)

    def write(self, rows: Sequence[FileRow]) -> bytes:
        columns = _columns()
        return written([columns, *([COLUMNS[name](row) for name in columns] for row in rows)])

    def read_results(self, content: bytes, rows: Sequence[FileRow]) -> Mapping[str, IssueResult | ProviderError]:
        lines = read_table(content, headers=HEADERS)
        key_of = _keys(rows)
        found: dict[str, IssueResult | ProviderError] = {}
        doubled: set[str] = set()
        for line in lines:
            key, sure = key_of(line)
            meaning = _meaning(line)
            if meaning is None or key is None:
                continue
            if key in found and not sure:
                # Two payments look like this one reward: neither is taken for it.
                doubled.add(key)
            found[key] = _result(line, meaning)
        kept = {key: result for key, result in found.items() if key not in doubled}
        if not kept:
            raise UnreadableFile(
                "No line of this file is surely of this batch. Upload Wise's statement as CSV, with the columns Status,"
                " Reference, Target name, Target amount and Target currency."
            )
        return kept

    def unknown_lines(self, content: bytes, rows: Sequence[FileRow]) -> Sequence[UnknownLine]:
        key_of = _keys(rows)
        return [
            UnknownLine(line.number, line.shown)
            for line in read_table(content, headers=HEADERS)
            if _meaning(line) is None or key_of(line)[0] is None
        ]


def _meaning(line: Line) -> Meaning | None:
    return STATES.get(line.first(*_STATE_NAMES).lower().replace(" ", "_"))


def _keys(rows: Sequence[FileRow]) -> Callable[[Line], tuple[str | None, bool]]:
    """What finds a line's row: its key, and whether it stands in the line, or was told by the person and the amount."""
    keys = {row.key for row in rows}
    by_look = _only_ones(rows)

    def key_of(line: Line) -> tuple[str | None, bool]:
        sure = next((cell.lower() for cell in line.cells if cell.lower() in keys), None)
        return sure or by_look.get(_look_of_line(line)), sure is not None

    return key_of


def _columns() -> Sequence[str]:
    return settings.WISE_FILE_COLUMNS or BY_EMAIL


def _only_ones(rows: Sequence[FileRow]) -> dict[tuple[str, str, str], str]:
    """The rows by person, amount and currency, where that is one row's alone."""
    looks = {row.key: _look(row.recipient.name or "", plain(row.amount, row.currency), row.currency) for row in rows}
    counts = Counter(looks.values())
    return {look: key for key, look in looks.items() if counts[look] == 1}


def _look(name: str, amount: str, currency: str) -> tuple[str, str, str]:
    try:
        value = str(Decimal(amount).normalize())
    except InvalidOperation:
        value = amount
    return " ".join(name.lower().split()), value, currency.upper()


def _look_of_line(line: Line) -> tuple[str, str, str]:
    return _look(line.first(*_NAME_NAMES), line.first(*_AMOUNT_NAMES), line.first(*_CURRENCY_NAMES))


def _result(line: Line, meaning: Meaning) -> IssueResult:
    number = line.first(*_ID_NAMES).rpartition("-")[2]
    return IssueResult(
        meaning.outcome, sent=True, provider_reference=number or None, code=meaning.code, message=meaning.message
    )


def _waiting(message: str) -> IssueResult:
    return IssueResult(IssueOutcome.WAITING, sent=False, code="invalid_recipient", message=message)
