"""Rows that were there when they were looked up and are gone before the transaction ends: somebody else deleted them."""

from django.db import IntegrityError
from psycopg.errors import ForeignKeyViolation


def points_nowhere(error: BaseException) -> bool:
    """Whether a statement or commit failed since what it points to is gone. Nothing of its transaction was done."""
    return isinstance(error, IntegrityError) and isinstance(error.__cause__, ForeignKeyViolation)
