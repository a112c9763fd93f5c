"""Lines of CSV files that people open in a spreadsheet."""

import csv
from collections.abc import Sequence

# A spreadsheet takes a cell that begins with one of these for a formula, and runs it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """What csv.writer writes to: hands each line back."""

    def write(self, line: str) -> str:
        return line


_writer = csv.writer(_Echo())


def csv_line(cells: Sequence[object]) -> str:
    """One line, its end with it. A text that a spreadsheet would run is marked as a text by `'`, as importing reads it."""
    line: str = _writer.writerow([guarded(cell) for cell in cells])
    return line


def guarded(cell: object) -> object:
    # After marks of its own too, or reading it back would take one of those for ours.
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip("'").startswith(_FORMULA) else cell
