"""Lists: newest first, by key, so that page 10,000 costs what page 1 costs."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from referral_rocket.api.answers import Answer
from referral_rocket.api.problems import invalid

DEFAULT_LIMIT = 50
MAXIMUM_LIMIT = 200

_Row = TypeVar("_Row", bound=Model)


def page(
    rows: QuerySet[_Row], query: Mapping[str, Any], shown: Callable[[Sequence[_Row]], Sequence[Mapping[str, Any]]]
) -> Answer:
    """The page of `rows` that the query's limit and cursor ask for; `shown` turns its rows into JSON, all at once."""
    limit = query.get("limit", DEFAULT_LIMIT)
    cursor = query.get("cursor")
    if cursor is not None:
        rows = rows.filter(pk__lt=read_cursor(cursor))
    # One more than asked for tells whether there is a next page.
    found = list(rows.order_by("-pk")[: limit + 1])
    following = write_cursor(found[limit - 1].pk) if len(found) > limit else None
    return Answer(200, {"data": list(shown(found[:limit])), "next_cursor": following})


def write_cursor(last: UUID) -> str:
    return base64.urlsafe_b64encode(last.bytes).decode("ascii").rstrip("=")


def read_cursor(text: str) -> UUID:
    """Raises a 400 Problem for what was no `next_cursor`."""
    try:
        return UUID(bytes=base64.b64decode(f"{text}==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise invalid([("cursor", "invalid", "Use the next_cursor of the page before.")]) from error
