"""Reading the rows of an import by its mapping, some hundred in a transaction, before they are settled together.

Nothing but the import's own rows is written. Killed anywhere, the next worker goes on after the last part that was
written: `position` is written with it.
"""

import json
from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import connection

from participants.importing.cells import Reading, Settings, read_cells
from participants.importing.models import ImportRow, ImportStatus, ParticipantImport, RowState
from participants.importing.resolving import rows_resolve
from participants.importing.work import Work
from participants.models import Participant
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock

CHUNK = 1000
_WRITE = """
UPDATE participants_importrow r
SET state = given.state, problem = given.problem, reason = given.reason, "values" = given.written,
    email_key = given.email_key, external_id = given.external_id, code = given.code, key = given.key,
    referrer_email = given.referrer_email, referrer_code = given.referrer_code, referrer_key = given.referrer_key,
    code_owner = given.code_owner, participant_id = NULL
FROM jsonb_to_recordset(%s::jsonb) AS given (id uuid, state text, problem text, reason text, written jsonb, email_key text,
    external_id text, code text, key text, referrer_email text, referrer_code text, referrer_key text, code_owner uuid)
WHERE r.organization_id = %s AND r.id = given.id
"""


def check(work: Work) -> bool:
    """Check on until it is done or the time is over; whether it is done."""
    settings = _settings(work.current())
    while not work.is_over():
        with tenant(work.organization):
            held = work.hold()
            rows = list(
                ImportRow.objects.filter(participant_import=held, line__gt=held.position)
                .order_by("line")
                .values_list("pk", "line", "cells")[:CHUNK]
            )
        if not rows:
            with tenant(work.organization):
                held = work.hold()
                work.end(ImportStatus.CHECKED, figures=rows_resolve(held))
            return True
        read = [(pk, read_cells(cells, settings)) for pk, _, cells in rows]
        owners = code_owners({reading.code for _, reading in read if reading.code})
        with tenant(work.organization):
            held = work.hold()
            _write(held, read, owners)
            work.write(position=rows[-1][1], done=min(held.done + len(rows), held.total))
    return False


def code_owners(codes: Collection[str]) -> dict[str, UUID]:
    """Who has these referral codes: they are unique across the installation, so whoever it is."""
    if not codes:
        return {}
    with every_organization("referral-code look-up"):
        found = Participant.objects.filter(referral_code__in=codes)
        return dict(found.values_list("referral_code", "pk"))


def _settings(current: ParticipantImport) -> Settings:
    organization = current.organization
    return Settings(
        mapping=current.mapping,
        width=len(current.columns),
        date_format=current.date_format,
        referrer_by=current.referrer_by,
        zone=organization.zone,
        now=clock.now(organization),
    )


def _write(held: ParticipantImport, read: Sequence[tuple[UUID, Reading]], owners: dict[str, UUID]) -> None:
    given = [
        {
            "id": str(pk),
            "state": RowState.WRONG if reading.problem else RowState.NEW,
            "problem": reading.problem,
            "reason": reading.reason,
            "written": reading.values,
            "email_key": reading.email_key,
            "external_id": reading.external_id,
            "code": reading.code,
            "key": reading.key,
            "referrer_email": reading.referrer_email,
            "referrer_code": reading.referrer_code,
            "referrer_key": reading.referrer_key,
            "code_owner": str(owners[reading.code]) if reading.code in owners else None,
        }
        for pk, reading in read
    ]
    with connection.cursor() as cursor:
        # As one text: an array of each column would be bound value by value.
        cursor.execute(_WRITE, [json.dumps(given), held.organization_id])
