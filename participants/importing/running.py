"""Writing what a file says: rows become participants, some hundred in a transaction, referrers before those they brought.

Killed between any two lines, either a part is written with the states of its rows or nothing of it is; the next worker
takes the rows that have no outcome yet. Two workers at once: each part begins with the import's own row under lock and
lease. A part that can't be written (somebody joins or takes a code at the same moment) is done again row by row, each in
a savepoint, so a bad row stops only itself.

People join through the same door as by the API, so codes, referrers, attribution and records are the same. Webhooks hear
nothing of it: a hundred thousand `PARTICIPANT` events would say what the tenant has just uploaded (docs/moving-here.md).
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import Count

from participants.attribution import InvalidEmail
from participants.errors import ParticipantsError
from participants.importing.filling import Filling, participant_fill
from participants.importing.models import (
    Attributed,
    Existing,
    ImportRow,
    ImportStatus,
    ParticipantImport,
    RowState,
)
from participants.importing.work import Work
from participants.joining import Joined, Joining, participants_join
from participants.models import Participant
from referral_rocket.kit import clock

CHUNK = 500
_WRITE = """
UPDATE participants_importrow r
SET state = given.state, problem = given.problem, reason = given.reason, participant_id = given.participant_id,
    customer_made = given.customer_made, filled = given.filled
FROM jsonb_to_recordset(%s::jsonb) AS given
    (id uuid, state text, problem text, reason text, participant_id uuid, customer_made boolean, filled jsonb)
WHERE r.organization_id = %s AND r.id = given.id
"""

log = structlog.get_logger(__name__)


def run(work: Work) -> bool:
    """Import on until it is done or the time is over; whether it is done."""
    return work.in_parts(_next, _write_part, _finish)


def _next(held: ParticipantImport) -> list[ImportRow]:
    """New people first, referrers before those whom they brought; then those who are there, who may be referred by them."""
    rows = ImportRow.objects.filter(participant_import=held).order_by("wave", "line").defer("cells")
    if held.existing == Existing.LEAVE:
        return list(rows.filter(state=RowState.NEW)[:CHUNK])
    return list(rows.filter(state=RowState.NEW)[:CHUNK]) or list(rows.filter(state=RowState.EXISTING)[:CHUNK])


def _finish(work: Work, held: ParticipantImport) -> None:
    rows = ImportRow.objects.filter(participant_import=held)
    rows.filter(state=RowState.EXISTING).update(state=RowState.LEFT)
    counted = dict(rows.values_list("state").annotate(Count("pk")).order_by())
    outcome = {
        "created": counted.get(RowState.CREATED, 0),
        "filled": counted.get(RowState.FILLED, 0),
        "left": counted.get(RowState.LEFT, 0),
        "wrong": counted.get(RowState.WRONG, 0),
    }
    work.end(
        ImportStatus.FINISHED,
        outcome,
        figures={**held.figures, **outcome},
        done=held.total,
        finished_at=clock.wall(),
        message="",
    )


def _write_part(held: ParticipantImport, rows: Sequence[ImportRow]) -> None:
    try:
        with transaction.atomic():
            _write_rows(held, rows)
    except OperationalError:
        # The database is stopping, or chose this part to end a deadlock: the next turn does it again.
        raise
    except Exception as error:  # noqa: BLE001 - which row it is comes out below, and is told there
        log.info("import_part_one_by_one", participant_import=str(held.pk), error=type(error).__name__)
        for row in rows:
            row.refresh_from_db()
            _write_one(held, row)


def _write_one(held: ParticipantImport, row: ImportRow) -> None:
    try:
        with transaction.atomic():
            _write_rows(held, [row])
    except OperationalError:
        raise
    except (DatabaseError, ParticipantsError) as error:
        # Only its kind: the words of a violated key have the person's address in them.
        log.warning("import_row_failed", participant_import=str(held.pk), line=row.line, error=type(error).__name__)
        _note_refusal(row, error)
    except Exception as error:
        log.exception("import_row_failed", participant_import=str(held.pk), line=row.line)
        _note_refusal(row, error)


def _note_refusal(row: ImportRow, error: Exception) -> None:
    row.refresh_from_db()
    _refuse(row, error)
    ImportRow.objects.filter(pk=row.pk).update(state=row.state, problem=row.problem, reason=row.reason)


def _write_rows(held: ParticipantImport, rows: Sequence[ImportRow]) -> None:
    new = [row for row in rows if row.state == RowState.NEW]
    there = {row.pk: row.participant_id for row in rows if row.state == RowState.EXISTING}
    if new:
        there |= _join(held, new)
    if there:
        _fill(held, rows, there)
    rows_write(held, rows)


def rows_write(held: ParticipantImport, rows: Sequence[ImportRow]) -> None:
    """Note what became of the rows, in one statement."""
    given = [
        {
            "id": str(row.pk),
            "state": row.state,
            "problem": row.problem,
            "reason": row.reason,
            "participant_id": str(row.participant_id) if row.participant_id else None,
            "customer_made": row.customer_made,
            "filled": row.filled,
        }
        for row in rows
    ]
    with connection.cursor() as cursor:
        # As one text: an array of each column would be bound value by value.
        cursor.execute(_WRITE, [json.dumps(given), held.organization_id])


def _join(held: ParticipantImport, rows: Sequence[ImportRow]) -> dict[UUID, UUID | None]:
    """Answers, by row, who had joined since the check by another way."""
    assert held.campaign is not None
    by_line = {row.line: row for row in rows}
    referrers = _referrers_of(held, rows, by_line)
    moment = clock.now(held.organization)
    wanted: list[tuple[ImportRow, Joining]] = []
    joinings: dict[int, Joining] = {}
    for row in rows:
        referrer_id = row.referrer_id
        if row.referrer_line is not None:
            earlier = joinings.get(row.referrer_line)
            referrer_id = earlier.id if earlier is not None else referrers.get(row.referrer_line)
            if referrer_id is None:
                _say(row, "referrer_wrong", f"The referrer, on line {row.referrer_line}, wasn't imported.")
                continue
        joinings[row.line] = _joining(held, row, referrer_id, moment)
        wanted.append((row, joinings[row.line]))
    outcomes = participants_join(
        organization=held.organization,
        campaign=held.campaign,
        joinings=[joining for _, joining in wanted],
        actor=held.actor,
        told=False,
    )
    there: dict[UUID, UUID | None] = {}
    for (row, _), outcome in zip(wanted, outcomes, strict=True):
        if not isinstance(outcome, Joined):
            _refuse(row, outcome)
        elif outcome.created:
            row.state, row.participant_id = RowState.CREATED, outcome.participant.pk
            row.customer_made = outcome.customer_created
        else:
            there[row.pk] = outcome.participant.pk
    return there


def _referrers_of(
    held: ParticipantImport, rows: Sequence[ImportRow], by_line: dict[int, ImportRow]
) -> dict[int, UUID | None]:
    """Participants of the lines, imported before, that these rows name as referrers."""
    lines = {row.referrer_line for row in rows if row.referrer_line is not None} - by_line.keys()
    if not lines:
        return {}
    found = ImportRow.objects.filter(participant_import=held, line__in=lines)
    return dict(found.values_list("line", "participant_id"))


def _joining(held: ParticipantImport, row: ImportRow, referrer_id: UUID | None, now: datetime) -> Joining:
    values: dict[str, Any] = row.values
    joined_at = datetime.fromisoformat(values["joined_at"]) if "joined_at" in values else None
    return Joining(
        email=values["email"],
        email_key=row.email_key,
        name=values["name"],
        external_id=values["external_id"] or None,
        provider_ids=values["provider_ids"],
        referrer_id=referrer_id,
        own_code=values.get("code") or None,
        joined_at=joined_at,
        attributed_at=now if held.attributed == Attributed.IMPORTED else None,
        ban_reason=values.get("ban_reason", ""),
    )


def _fill(held: ParticipantImport, part: Sequence[ImportRow], there: dict[UUID, UUID | None]) -> None:
    rows = [row for row in part if row.pk in there]
    if held.existing == Existing.LEAVE:
        for row in rows:
            row.state, row.participant_id = RowState.LEFT, there[row.pk]
        return
    people = Participant.objects.select_related("customer", "campaign").in_bulk([pk for pk in there.values() if pk])
    # Some may have been made just now, in this part.
    referrers = _referrers_of(held, rows, {}) | {row.line: row.participant_id for row in part if row.participant_id}
    for row in rows:
        found = people.get(there[row.pk])
        if found is None or found.customer.erased_at is not None:
            _say(row, "gone", "This participant is no longer there.")
            continue
        referrer_id = row.referrer_id
        if row.referrer_line is not None:
            referrer_id = referrers.get(row.referrer_line)
            if referrer_id is None:
                _say(row, "referrer_wrong", f"The referrer, on line {row.referrer_line}, wasn't imported.")
                continue
        try:
            with transaction.atomic():
                filled = participant_fill(
                    organization=held.organization,
                    participant=found,
                    filling=Filling(
                        name=row.values["name"],
                        external_id=row.values["external_id"],
                        provider_ids=row.values["provider_ids"],
                        referrer_id=referrer_id,
                        attributed_at=_attributed_at(held, row, found),
                    ),
                    actor=held.actor,
                )
        except ParticipantsError as error:
            _refuse(row, error)
            continue
        row.participant_id, row.filled = found.pk, filled or None
        row.state = RowState.FILLED if filled else RowState.LEFT


def _attributed_at(held: ParticipantImport, row: ImportRow, found: Participant) -> datetime:
    if held.attributed == Attributed.IMPORTED:
        return clock.now(held.organization)
    told = row.values.get("joined_at")
    return datetime.fromisoformat(told) if told else found.joined_at


def _refuse(row: ImportRow, error: Exception) -> None:
    if isinstance(error, ParticipantsError):
        _say(row, error.code, error.message)
    elif isinstance(error, InvalidEmail):
        _say(row, "invalid_email", str(error))
    else:
        _say(row, "not_written", "The row couldn't be written. Import it again; if it stays so, ask your operator.")


def _say(row: ImportRow, problem: str, reason: str) -> None:
    row.state, row.problem, row.reason = RowState.WRONG, problem, reason[:500]
