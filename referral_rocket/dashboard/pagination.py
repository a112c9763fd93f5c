"""Pages of a list by position: a page deep down costs what the first one costs, and new rows don't shift it."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.core.exceptions import BadRequest
from django.db.models import Model, QuerySet
from django.http import HttpRequest

PAGE = 50

Row = TypeVar("Row")
SomeModel = TypeVar("SomeModel", bound=Model)
Position = Sequence[Any]


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows in the order of the list, and the cursors of the pages around them ("" where there is none)."""

    rows: Sequence[Row]
    next: str
    previous: str


def encode(position: Position) -> str:
    """A position (texts, numbers, times, ids) as text for an address."""
    plain = [{"time": each.isoformat()} if isinstance(each, datetime) else each for each in position]
    text = json.dumps(plain, default=str, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, length: int) -> list[Any]:
    """Raises BadRequest for a cursor that this product didn't write."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = [
            datetime.fromisoformat(each["time"]) if isinstance(each, dict) else each for each in json.loads(text)
        ]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise BadRequest("This address names no page of the list.") from error
    if len(position) != length:
        raise BadRequest("This address names no page of the list.")
    return position


def page(
    request: HttpRequest,
    fetch: Callable[[Position | None, Position | None, int], Sequence[Row]],
    position_of: Callable[[Row], Position],
    *,
    length: int,
    names: tuple[str, str] = ("after", "before"),
    size: int = PAGE,
) -> Page[Row]:
    """The page that the address asks for. `fetch(after, before, limit)` answers rows in the order of the list."""
    after_text, before_text = (request.GET.get(name, "") for name in names)
    after = decode(after_text, length) if after_text else None
    before = decode(before_text, length) if before_text and after is None else None
    rows = list(fetch(after, before, size + 1))
    more = len(rows) > size
    if before is not None:
        rows = rows[-size:]
        has_previous, has_next = more, bool(rows)
    else:
        rows = rows[:size]
        has_previous, has_next = after is not None and bool(rows), more
    return Page(
        rows,
        next=encode(position_of(rows[-1])) if has_next else "",
        previous=encode(position_of(rows[0])) if has_previous else "",
    )


def page_by_id(
    request: HttpRequest,
    found: QuerySet[SomeModel],
    *,
    newest_first: bool = True,
    names: tuple[str, str] = ("after", "before"),
    size: int = PAGE,
) -> Page[SomeModel]:
    """A page of rows in order of their id, which is the order of their making."""

    def fetch(after: Position | None, before: Position | None, limit: int) -> list[SomeModel]:
        backwards = before is not None
        position = before if backwards else after
        falling = newest_first != backwards
        rows = found
        if position is not None:
            rows = rows.filter(**{f"pk__{'lt' if falling else 'gt'}": _uuid(position[0])})
        listed = list(rows.order_by("-pk" if falling else "pk")[:limit])
        return listed[::-1] if backwards else listed

    return page(request, fetch, lambda row: [row.pk], length=1, names=names, size=size)


def _uuid(text: Any) -> UUID:
    try:
        return UUID(text)
    except (ValueError, AttributeError, TypeError) as error:
        raise BadRequest("This address names no page of the list.") from error
