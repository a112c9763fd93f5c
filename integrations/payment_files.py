"""What payment files of all providers have in common: cells that run nothing, and reading whatever table comes back."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from integrations.errors import UnreadableFile

# A spreadsheet runs a cell that begins with one of these, the wide ones in some countries (OWASP, "CSV Injection").
DANGEROUS = (
    "=", "+", "-", "@", "\t", "\r", "\n",
    "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}", "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)  # fmt: skip
_DELIMITERS = (",", ";", "\t", "|")
# Where a spreadsheet takes one of these for the separator, by its country's settings, a cell begins after each: quotes
# around the cell don't help there.
_OTHER_SEPARATORS = str.maketrans(";|", ",,")
LONGEST_SHOWN = 200
_ZIPPED = b"PK\x03\x04"


def harmless(text: str) -> str:
    """One line of text that a spreadsheet shows and doesn't run."""
    line = " ".join(text.translate(_OTHER_SEPARATORS).split())
    return f"'{line}" if line.startswith(DANGEROUS) else line


def is_dangerous(text: str) -> bool:
    """Whether a cell would have to be changed to be harmless: what has to stay exact can't be in such a file."""
    return text.startswith(DANGEROUS) or any(letter in text for letter in "\r\n\t;|")


def written(rows: Iterable[Sequence[str]]) -> bytes:
    """The rows as a comma-separated file, UTF-8, lines ended as RFC 4180 has it."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


Rows = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class Line:
    """A line of a table: the cells as they are, and by the header's names in lower case where there is a header.

    `number` is the spreadsheet's, counted from 1 with everything above.
    """

    number: int
    cells: tuple[str, ...]
    named: dict[str, str]

    @property
    def shown(self) -> str:
        """What it says, for a person."""
        return " · ".join(filter(None, self.cells))[:LONGEST_SHOWN]

    def first(self, *names: str) -> str:
        """The first cell under one of these names that isn't empty."""
        return next((self.named[name] for name in names if self.named.get(name)), "")


def read_table(content: bytes, *, headers: frozenset[str]) -> list[Line]:
    """The lines of a table in whatever encoding and with whatever separators it came.

    The header is the first line that has two of `headers`; what is above it is no data. Without one all lines are.
    Raises UnreadableFile for what isn't a table of text.
    """
    if content.startswith(_ZIPPED):
        raise UnreadableFile("This is a spreadsheet or a zip. Save it as CSV, or unpack it, and upload that.")
    rows = _rows(_text(content))
    if not rows:
        raise UnreadableFile("This file is empty.")
    for place, (_, row) in enumerate(rows):
        names = [cell.strip().lower() for cell in row]
        if len(headers.intersection(names)) >= 2:
            return [_line(number, row, names) for number, row in rows[place + 1 :]]
    return [_line(number, row, []) for number, row in rows]


def _line(number: int, row: Sequence[str], names: Sequence[str]) -> Line:
    cells = tuple(cell.strip() for cell in row)
    return Line(number, cells, {name: cell for name, cell in zip(names, cells, strict=False) if name})


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "utf-16") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    # Any byte is a letter there, so what isn't text has to be told by its zeros.
    text = content.decode("cp1252", errors="replace")
    if "\0" in text:
        raise UnreadableFile("This isn't a file of text. Upload the report as CSV.")
    return text


def _rows(text: str) -> Rows:
    """The rows that aren't empty, with their numbers, by the separator that makes most cells."""
    read = [_split(text, delimiter) for delimiter in _DELIMITERS]
    return max(read, key=lambda rows: sum(len(row) for _, row in rows))


def _split(text: str, delimiter: str) -> Rows:
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return [(number, row) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise UnreadableFile(f"This file can't be read as a table: {error}.") from error
