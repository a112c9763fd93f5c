"""The rows that weren't imported, and those that an undo left, as files; streamed, however many there are.

Each row as it was, behind its line number and the reason. The files can be mended and imported: the columns keep their
names, and the two in front are nobody's.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from participants.importing import selectors
from participants.importing.models import ParticipantImport, RowState
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.dashboard.csv_lines import csv_line

CHUNK = 500


@require_safe
def import_errors(request: Any, import_id: UUID) -> StreamingHttpResponse:
    return _file(request, import_id, RowState.WRONG, "errors")


@require_safe
def import_kept(request: Any, import_id: UUID) -> StreamingHttpResponse:
    return _file(request, import_id, RowState.KEPT, "kept")


def _file(request: Any, import_id: UUID, state: str, name: str) -> StreamingHttpResponse:
    shown = get_object_or_404(selectors.imports(), pk=import_id)
    return StreamingHttpResponse(
        _lines(request.organization, shown, state),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="import-{shown.pk}-{name}.csv"',
            "Cache-Control": "no-store",
        },
    )


def _lines(organization: Organization, shown: ParticipantImport, state: str) -> Iterator[str]:
    # It runs after the request's transaction has ended, so each step opens the organization anew.
    yield csv_line(["line", "reason", *shown.columns])
    last = 0
    while True:
        with tenant(organization):
            rows = selectors.rows_in(shown.pk, state, last, CHUNK)
        for row in rows:
            yield csv_line([row.line, row.reason, *row.cells])
        if len(rows) < CHUNK:
            return
        last = rows[-1].line
