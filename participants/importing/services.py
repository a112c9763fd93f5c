"""What a person asks for of an import. Each service is atomic by itself; the work is a worker's (working.py).

The row of the import is locked by each, so of two people who press at once one is refused.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO

from django.conf import settings
from django.db import connection, transaction

from campaigns.models import Campaign, CampaignStatus
from participants.importing import fields
from participants.importing.cells import REFERRER_BY
from participants.importing.dates import FORMATS
from participants.importing.errors import ImportRefused
from participants.importing.models import Attributed, Existing, ImportRow, ImportStatus, ParticipantImport
from participants.importing.reading import Unreadable, read_table
from participants.importing.states import IMPORT_TRANSITIONS
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7

# So many rows go into one INSERT.
_CHUNK = 2000
_INSERT = """
INSERT INTO participants_importrow (id, organization_id, participant_import_id, line, cells, state, problem, reason,
    "values", email_key, external_id, code, key, referrer_email, referrer_code, referrer_key, customer_made)
SELECT given.id, %s, %s, given.line, given.cells, 'UNREAD', '', '', '{}', '', '', '', '', '', '', '', false
FROM jsonb_to_recordset(%s::jsonb) AS given (id uuid, line integer, cells jsonb)
"""


@transaction.atomic
def import_upload(
    *,
    organization: Organization,
    file: BinaryIO,
    file_name: str,
    size: int,
    actor: str,
    delimiter: str | None = None,
) -> ParticipantImport:
    """Store a file, row by row. All of it or nothing: a row that can't be read refuses the file.

    Raises ImportRefused: too big, too many rows (settings IMPORT_MAX_BYTES, IMPORT_MAX_ROWS), unreadable, empty.
    """
    if size > settings.IMPORT_MAX_BYTES:
        raise ImportRefused(
            f"The file has {size / 1_000_000:.1f} MB; {settings.IMPORT_MAX_BYTES / 1_000_000:.0f} MB are the most."
            " Split it, and keep the header in each part."
        )
    try:
        table = read_table(file, delimiter)
        made = ParticipantImport.objects.create(
            organization=organization,
            file_name=file_name[-200:],
            size=size,
            encoding=table.encoding_name,
            delimiter=table.delimiter,
            columns=list(table.columns),
            actor=actor,
            created_at=clock.wall(),
        )
        made.row_count = _rows_store(made, table.rows)
    except Unreadable as error:
        raise ImportRefused(str(error)) from error
    if not made.row_count:
        raise ImportRefused("The file has a header and no rows.")
    made.save(update_fields=["row_count"])
    _record(made, actor, "import.uploaded", {"rows": made.row_count})
    return made


def _rows_store(made: ParticipantImport, rows: Iterable[tuple[int, list[str]]]) -> int:
    # By hand: COPY isn't for tables with row-level security, and bulk_create takes ten times as long.
    number, rows = 0, iter(rows)
    with connection.cursor() as cursor:
        while chunk := list(islice(rows, _CHUNK)):
            number += len(chunk)
            if number > settings.IMPORT_MAX_ROWS:
                raise ImportRefused(
                    f"The file has more than {settings.IMPORT_MAX_ROWS:,} rows. Split it, and keep the header in each part."
                )
            given = [{"id": str(uuid7()), "line": line, "cells": cells} for line, cells in chunk]
            cursor.execute(_INSERT, [made.organization_id, made.pk, json.dumps(given)])
    return number


@transaction.atomic
def import_map(
    *,
    participant_import: ParticipantImport,
    campaign: Campaign,
    mapping: Mapping[str, int],
    date_format: str,
    referrer_by: str,
    existing: str,
    attributed: str,
    actor: str,
) -> ParticipantImport:
    """Say what the columns are, and queue the check. May be said again until the import has begun. Raises ImportRefused."""
    held = _hold(participant_import, ImportStatus.CHECKING)
    if held.started_at is not None:
        raise ImportRefused("This import has begun: its columns can't be changed any more.")
    if campaign.status == CampaignStatus.ENDED:
        raise ImportRefused("This campaign has ended: nobody joins it any more.")
    _check_mapping(mapping, held.columns)
    for given, known in (
        (date_format, FORMATS), (referrer_by, REFERRER_BY), (existing, Existing.values), (attributed, Attributed.values)
    ):  # fmt: skip
        if given not in known:
            raise ImportRefused(f"{given} isn't one of the choices.")
    held.campaign, held.mapping = campaign, dict(mapping)
    held.date_format, held.referrer_by, held.existing, held.attributed = date_format, referrer_by, existing, attributed
    held.position, held.figures = 0, {}
    _queue(held, ImportStatus.CHECKING, held.row_count)
    return held


def _check_mapping(mapping: Mapping[str, int], columns: Sequence[str]) -> None:
    if not set(mapping) <= {each.name for each in fields.FIELDS} or any(
        not 0 <= place < len(columns) for place in mapping.values()
    ):
        raise ImportRefused("The file has no such column.")
    for each in fields.FIELDS:
        if each.required and each.name not in mapping:
            raise ImportRefused(f"Say which column is the {each.label}.")


@transaction.atomic
def import_start(*, participant_import: ParticipantImport, actor: str) -> ParticipantImport:
    """Queue the import of what the check has shown; or go on with one that broke off. Raises ImportRefused."""
    held = _hold(participant_import, ImportStatus.RUNNING)
    if held.status == ImportStatus.FAILED and held.started_at is None:
        raise ImportRefused("The check broke off: check the file again first.")
    if held.campaign is not None and held.campaign.status == CampaignStatus.ENDED:
        raise ImportRefused("This campaign has ended meanwhile: nobody joins it any more.")
    wanted = held.figures.get("new", 0) + held.figures.get("existing", 0)
    if not wanted:
        raise ImportRefused("There is nobody in the file who could be imported.")
    if held.started_at is None:
        held.started_at, held.done = clock.wall(), 0
        # Who began it is who made the participants.
        held.actor = actor
    _queue(held, ImportStatus.RUNNING, wanted, restart=False)
    _record(held, actor, "import.started", {"rows": wanted})
    return held


@transaction.atomic
def import_undo(*, participant_import: ParticipantImport, actor: str) -> ParticipantImport:
    """Queue the taking back of what an import made and nobody has touched since. Raises ImportRefused."""
    held = _hold(participant_import, ImportStatus.UNDOING)
    if held.started_at is None:
        raise ImportRefused("Nothing has been imported from this file.")
    if held.forgotten_at is not None:
        raise ImportRefused(
            f"This import's rows were deleted {settings.IMPORT_KEEP_DAYS} days after the upload, and with them what an"
            " undo would need to know."
        )
    made = ImportRow.objects.filter(participant_import=held, state__in=["CREATED", "FILLED"]).count()
    _queue(held, ImportStatus.UNDOING, made)
    _record(held, actor, "import.undo_started", {"rows": made})
    return held


@transaction.atomic
def import_discard(*, participant_import: ParticipantImport, actor: str) -> ParticipantImport:
    """Throw a file away of which nothing was imported; its rows are deleted at once. Raises ImportRefused."""
    held = _hold(participant_import, ImportStatus.DISCARDED)
    if held.started_at is not None:
        raise ImportRefused("Rows of this file were imported: undo the import instead.")
    ImportRow.objects.filter(participant_import=held).delete()
    held.status, held.forgotten_at = ImportStatus.DISCARDED, clock.wall()
    held.save(update_fields=["status", "forgotten_at"])
    _record(held, actor, "import.discarded", {})
    return held


def _hold(participant_import: ParticipantImport, wanted: str) -> ParticipantImport:
    held = (
        ParticipantImport.objects.select_for_update(no_key=True, of=("self",))
        .select_related("organization", "campaign")
        .get(pk=participant_import.pk)
    )
    if not IMPORT_TRANSITIONS.allows(held.status, wanted):
        raise ImportRefused(f"This can't be done now: the import is “{held.get_status_display().lower()}”.")
    if held.forgotten_at is not None and wanted != ImportStatus.UNDOING:
        raise ImportRefused("The rows of this file were deleted. Upload it again.")
    return held


def _queue(held: ParticipantImport, status: str, total: int, *, restart: bool = True) -> None:
    held.status, held.total, held.message, held.attempts = status, total, "", 0
    held.done = 0 if restart else held.done
    held.next_attempt_at, held.leased_until, held.lease_token = clock.wall(), None, None
    held.save()


def _record(held: ParticipantImport, actor: str, kind: str, data: Mapping[str, Any]) -> None:
    happening = Happening(kind, "import", held.pk, held.campaign_id, data)
    record(organization=held.organization, actor=actor, happenings=[happening])
