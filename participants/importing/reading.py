"""Reading a CSV file: its encoding, its delimiter, its header and its rows, or why it can't be read. Pure.

Nothing is guessed silently that could garble data: a file that is neither UTF-8, UTF-16 with its mark nor Windows-1252,
that has a NUL, or whose quotation marks don't match is refused, with the line.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

DELIMITERS = {",": "Comma", ";": "Semicolon", "\t": "Tab"}
MOST_COLUMNS = 200
_CHUNK = 1 << 16
_NAMES = {"utf-8-sig": "UTF-8", "utf-8": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252"}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# Excel's way of saying which delimiter it wrote.
_SEP = re.compile(r"sep=(.)[\r\n]+", re.IGNORECASE)


class Unreadable(ValueError):
    """The file can't be read; the message says why and where, for the person who chose it."""


@dataclass(frozen=True)
class Table:
    """A file that is being read. `columns` are the header's names, each once; `rows` gives (line, cells), blank lines
    left out, and raises Unreadable on the way."""

    encoding: str
    delimiter: str
    columns: Sequence[str]
    rows: Iterator[tuple[int, list[str]]]

    @property
    def encoding_name(self) -> str:
        return _NAMES[self.encoding]


def read_table(file: BinaryIO, delimiter: str | None = None) -> Table:
    """Begin to read. `file` can be rewound; `delimiter` is worked out from the header where none is given.

    A cell is text whatever it looks like: a formula stays the characters that it is written in. Raises Unreadable.
    """
    encoding = _encoding_of(file)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    skipped, told = _first_line(text)
    delimiter = delimiter or told or _delimiter_of(text)
    text.seek(0)
    records = _records(text, delimiter, skipped)
    header = next(records, None)
    if header is None:
        raise Unreadable("The file is empty.")
    return Table(encoding, delimiter, _columns(header[1]), records)


def _encoding_of(file: BinaryIO) -> str:
    file.seek(0)
    beginning = file.read(4)
    if beginning.startswith(codecs.BOM_UTF8):
        return _decodable(file, "utf-8-sig") or _not_text("It says that it is UTF-8, and isn't.")
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decodable(file, "utf-16") or _not_text("It says that it is UTF-16, and isn't.")
    return (
        _decodable(file, "utf-8")
        or _decodable(file, "cp1252")
        or _not_text("It is neither UTF-8 nor UTF-16 nor Windows-1252.")
    )


def _decodable(file: BinaryIO, encoding: str) -> str | None:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return encoding


def _not_text(why: str) -> str:
    raise Unreadable(f"The file's encoding isn't known. {why} Save it as “CSV UTF-8” and try again.")


def _first_line(text: io.TextIOWrapper) -> tuple[int, str | None]:
    """How many lines stand before the header, and the delimiter that such a line names."""
    text.seek(0)
    named = _SEP.match(text.read(10))
    return (1, named[1]) if named else (0, None)


def _delimiter_of(text: io.TextIOWrapper) -> str:
    """The one that stands most often in the header, outside of quotation marks; a comma where there is none."""
    text.seek(0)
    counts = dict.fromkeys(DELIMITERS, 0)
    quoted = False
    for character in text.read(_CHUNK).lstrip("\r\n"):
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "\r\n":
            break
        elif not quoted and character in counts:
            counts[character] += 1
    return max(counts, key=lambda each: counts[each])


def _records(text: io.TextIOWrapper, delimiter: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    last = 0
    try:
        for cells in reader:
            line, last = last + 1, reader.line_num
            if line > skipped and any(cell.strip() for cell in cells):
                yield line, cells
    except csv.Error as error:
        raise Unreadable(_explained(error, last + 1)) from error


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    for number, line in enumerate(text, 1):
        if "\0" in line:
            raise Unreadable(f"Line {number} has a NUL character: this is no text file. Save it as “CSV UTF-8”.")
        yield line


def _explained(error: csv.Error, line: int) -> str:
    words = str(error)
    if "unexpected end" in words or "field larger" in words:
        return f"A quotation mark on line {line} or after it is never closed."
    return f"On line {line} a quotation mark stands inside of a value, where it has to be doubled."


def _columns(cells: Sequence[str]) -> list[str]:
    if len(cells) > MOST_COLUMNS:
        raise Unreadable(f"The file has {len(cells)} columns; {MOST_COLUMNS} are the most.")
    if any(_EMAIL.fullmatch(cell.strip()) for cell in cells):
        raise Unreadable("The first line has to name the columns, and this one has an e-mail address in it.")
    columns: list[str] = []
    for place, cell in enumerate(cells, 1):
        name = " ".join(cell.split())[:100] or f"Column {place}"
        number, unique = 1, name
        while unique in columns:
            number += 1
            unique = f"{name} ({number})"
        columns.append(unique)
    return columns
