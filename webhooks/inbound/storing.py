"""One round trip to PostgreSQL, and one commit, for the events that come through the door at the same time.

It goes past Django's cursor, which would ask before each statement whether the connection still stands, and past
psycopg's, which would find out anew how to write each value: together that costs more than the statement. Here a connection
that is lost is noticed by the statement itself, which may be sent a second time, since an event that is there already is
left as it is.
"""

from collections.abc import Sequence
from functools import cache

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import pq
from psycopg.errors import error_from_result
from psycopg.postgres import types

from integrations.base import Received
from integrations.errors import UnreadableEvent
from integrations.selectors import Door
from referral_rocket.kit import clock
from referral_rocket.kit.grouping import Grouped
from referral_rocket.kit.ids import uuid7
from webhooks.inbound.models import LONGEST_ID, LONGEST_TYPE

Values = list[bytes | None]

# What the function (migration 0006) takes. It also sets the tenant, for itself alone.
_TYPES = [types[name].oid for name in ("uuid", "uuid", "uuid", "text", "text", "bool", "bytea", "timestamptz")]
# Texts too: the other format would end at a NUL.
_FORMATS = [pq.Format.BINARY] * 7 + [pq.Format.TEXT]
_BOOLEAN = {None: None, False: b"\0", True: b"\1"}


def event_store(*, door: Door, received: Received, body: bytes) -> bool:
    """Whether the event is new. Commits before it returns, unless a test holds a transaction open.

    Raises DatabaseError where it isn't known to be stored, UnreadableEvent where its id or type is no text to be kept.
    """
    values = values_of(door=door, received=received, body=body)
    if connections[DEFAULT_DB_ALIAS].in_atomic_block:
        return store([values])[0]
    return _store_together(values)


def values_of(*, door: Door, received: Received, body: bytes) -> Values:
    return [
        uuid7().bytes,
        door.organization_id.bytes,
        door.connection_id.bytes,
        _text(received.event_id, "id", LONGEST_ID),
        _text(received.event_type, "type", LONGEST_TYPE),
        _BOOLEAN[received.livemode],
        body,
        clock.wall().isoformat().encode(),
    ]


def _text(value: str, what: str, longest: int) -> bytes:
    """What PostgreSQL would refuse is refused here: sent again, it would be refused again."""
    if len(value) > longest:
        raise UnreadableEvent(f"the event's {what} is longer than {longest} characters")
    if "\0" in value:
        raise UnreadableEvent(f"the event's {what} has a NUL in it")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise UnreadableEvent(f"the event's {what} has half a character") from error


def store(rows: Sequence[Values]) -> Sequence[bool]:
    """Of each row whether it is new; a second time where PostgreSQL or something on the way there cut the connection off."""
    # This thread's, found once: `django.db.connection` looks for it at each use.
    database = connections[DEFAULT_DB_ALIAS]
    try:
        return _said(database, rows)
    except DatabaseError:
        lost = not database.in_atomic_block and database.connection is not None and database.connection.closed
        if not lost:
            raise
    database.close()
    return _said(database, rows)


_store_together = Grouped(store)


def _said(database: BaseDatabaseWrapper, rows: Sequence[Values]) -> Sequence[bool]:
    # In one order everywhere: two processes that were sent the same two events must not wait for each other.
    order = sorted(range(len(rows)), key=lambda number: rows[number][2:4])
    statement, value_types, formats = _statement(len(rows))
    database.ensure_connection()
    with database.wrap_database_errors:
        result = database.connection.pgconn.exec_params(
            statement, [value for number in order for value in rows[number]], value_types, formats
        )
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise error_from_result(result)
    new = {number: result.get_value(0, column) == b"t" for column, number in enumerate(order)}
    return [new[number] for number in range(len(rows))]


@cache
def _statement(rows: int) -> tuple[bytes, list[int], list[pq.Format]]:
    """As many calls as there are rows, with the types and formats of all their values."""
    columns = len(_TYPES)
    calls = [
        f"inbound_store({', '.join(f'${row * columns + column}' for column in range(1, columns + 1))})"
        for row in range(rows)
    ]
    return f"SELECT {', '.join(calls)}".encode(), _TYPES * rows, _FORMATS * rows
