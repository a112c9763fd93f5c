"""Many rows from one, made inside the database."""

from collections.abc import Mapping
from uuid import UUID

from django.db import connection, models

# A row like the one that is there, but for these columns; `n` runs from 1.
_CLONE = """
INSERT INTO {table}
SELECT made.* FROM {table} AS one, generate_series(1, %s) AS n,
    LATERAL jsonb_populate_record(one, jsonb_build_object({changes})) AS made
WHERE one.id = %s
"""


def clone(model: type[models.Model], one: UUID, rows: int, changes: Mapping[str, str]) -> None:
    """So many copies of the row `one`. `changes` are the columns that differ, as SQL over `n`. Inside `tenant()`."""
    pairs = ", ".join(f"'{name}', {value}" for name, value in changes.items())
    with connection.cursor() as cursor:
        cursor.execute(_CLONE.format(table=model._meta.db_table, changes=pairs), [rows, one])
