"""Items and attempts written in sets: one statement each, however many, and however different what is written.

The rows go to PostgreSQL as one JSON text, as in kit.inserting. Django's `bulk_update` says every value in a CASE of its
own, which took a third of what issuing a reward costs.
"""

import json
from collections.abc import Sequence

from django.db import connection

from referral_rocket.kit.inserting import plain
from rewards.models import BatchItem, IssueAttempt

_ITEM_COLUMNS = {
    "outcome": "text",
    "code": "text",
    "message": "text",
    "in_doubt": "boolean",
    "tries": "integer",
    "next_attempt_at": "timestamptz",
    "provider_reference": "text",
    "updated_at": "timestamptz",
    "leased_until": "timestamptz",
    "lease_token": "uuid",
}
_ATTEMPT_COLUMNS = {
    "outcome": "text",
    "code": "text",
    "message": "text",
    "finished_at": "timestamptz",
    "recipient_provider_id": "text",
    "provider_reference": "text",
    "exchanges": "jsonb",
}


def _update(table: str, columns: dict[str, str]) -> str:
    """Put together of names from this file alone."""
    values = ", ".join(f"{name} = said.{name}" for name in columns)
    said = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return (
        f"UPDATE {table} AS kept SET {values} FROM jsonb_to_recordset(%s::jsonb)"  # noqa: S608
        f" AS said(id uuid, {said}) WHERE kept.id = said.id"
    )


_ITEMS = _update("rewards_batchitem", _ITEM_COLUMNS)
_ATTEMPTS = _update("rewards_issueattempt", _ATTEMPT_COLUMNS)


def items_write(items: Sequence[BatchItem]) -> None:
    """What an answer changes of items that the caller has locked."""
    _write(_ITEMS, ("id", *_ITEM_COLUMNS), items)


def attempts_write(attempts: Sequence[IssueAttempt]) -> None:
    """What an answer changes of attempts."""
    _write(_ATTEMPTS, ("id", *_ATTEMPT_COLUMNS), attempts)


def _write(statement: str, names: Sequence[str], rows: Sequence[BatchItem] | Sequence[IssueAttempt]) -> None:
    if not rows:
        return
    said = json.dumps([{name: getattr(row, name) for name in names} for row in rows], default=plain)
    with connection.cursor() as cursor:
        cursor.execute(statement, [said])
