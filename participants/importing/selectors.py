"""Reading imports and their rows. All inside `tenant()`."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.db.models import QuerySet

from participants.importing.cells import plain
from participants.importing.models import ImportRow, ParticipantImport

# So many rows are looked at for a column's samples.
_LOOKED_AT = 50


def imports() -> QuerySet[ParticipantImport]:
    return ParticipantImport.objects.select_related("campaign")


def first_rows(participant_import: ParticipantImport, state: str, limit: int) -> Sequence[ImportRow]:
    """Rows in a state, in the order in which they are dealt with (wrong ones: by line)."""
    found = ImportRow.objects.filter(participant_import=participant_import, state=state)
    return list(found.order_by("line")[:limit])


def samples(participant_import: ParticipantImport, number: int = 3) -> list[list[str]]:
    """For each column some of its first values that aren't empty. One query."""
    rows = ImportRow.objects.filter(participant_import=participant_import).order_by("line")
    found: list[list[str]] = [[] for _ in participant_import.columns]
    for cells in rows.values_list("cells", flat=True)[:_LOOKED_AT]:
        for place, cell in enumerate(cells[: len(found)]):
            text = plain(cell)
            if text and len(found[place]) < number and text not in found[place]:
                found[place].append(text)
    return found


def rows_in(participant_import_id: UUID, state: str, after: int, limit: int) -> list[ImportRow]:
    """The rows in a state from one line on, by line: for writing a file part by part."""
    found = ImportRow.objects.filter(participant_import=participant_import_id, state=state, line__gt=after)
    return list(found.order_by("line")[:limit])


def problems(participant_import: ParticipantImport) -> Iterator[tuple[str, int]]:
    """What is wrong, as the check has counted it: (code, number)."""
    for each in participant_import.figures.get("problems", []):
        yield each["code"], each["number"]
