"""How single values are written."""

from decimal import Decimal
from uuid import UUID


def text_id(found: UUID | None) -> str | None:
    return None if found is None else str(found)


def decimal(found: Decimal | None) -> str | None:
    """`0.05000000` is "0.05", and 1 is "1", never "1E+0"."""
    return None if found is None else f"{found.normalize():f}"
