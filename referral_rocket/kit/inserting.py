"""Inserting many rows by one statement with one parameter.

The rows go to PostgreSQL as one JSON text, which it takes apart itself. `bulk_create` binds each value by itself: for
thousands of rows that takes several times as long as everything else about them.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, models


def rows_insert(rows: Sequence[models.Model], *, skip_conflicts: bool = False) -> set[Any]:
    """Insert rows of one model, whose keys are made in Python; answers the keys of those that were inserted.

    With `skip_conflicts` a row that meets a unique key is left out. For columns of ids, texts, numbers, times, truth
    values and JSON.
    """
    if not rows:
        return set()
    names, statement = _statement(type(rows[0]), skip_conflicts)
    given = json.dumps([[getattr(row, name) for name in names] for row in rows], default=plain)
    with connection.cursor() as cursor:
        cursor.execute(statement, [given])
        inserted = {key for (key,) in cursor.fetchall()}
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias  # noqa: SLF001 - as bulk_create leaves them
    return inserted


@cache
def _statement(model: type[models.Model], skip_conflicts: bool) -> tuple[list[str], str]:
    """The attributes in the order of the columns, and the statement. All names are the model's own."""
    fields = model._meta.local_concrete_fields
    columns = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(_value(field, place) for place, field in enumerate(fields))
    conflicts = "ON CONFLICT DO NOTHING" if skip_conflicts else ""
    return [field.attname for field in fields], (
        f'INSERT INTO "{model._meta.db_table}" ({columns})'  # noqa: S608 - names of the model
        f" SELECT {values} FROM jsonb_array_elements(%s::jsonb) AS given {conflicts}"
        f' RETURNING "{model._meta.pk.column}"'
    )


def _value(field: "models.Field[Any, Any]", place: int) -> str:
    if not isinstance(field, models.JSONField):
        # Without its length: a cast to one would cut off what is longer, where storing it is refused.
        return f"(given ->> {place})::{str(field.db_type(connection)).partition('(')[0]}"
    # None is no value at all, as Django stores it, and not JSON's null.
    return f"nullif(given -> {place}, 'null')" if field.null else f"given -> {place}"


def plain(value: object) -> str:
    """A row's value that JSON has no form for, as PostgreSQL reads it. Raises TypeError for what a row doesn't hold."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no value of a row")
