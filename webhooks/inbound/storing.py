"""One round trip to PostgreSQL for each event that comes through the door.

It goes past Django's cursor, which would ask before each statement whether the connection still stands, and past
psycopg's, which would find out anew how to write each value: together that costs more than the statement. Here a connection
that is lost is noticed by the statement itself, which may be sent a second time, since an event that is there already is
left as it is.
"""

from django.db import DatabaseError, connection
from psycopg import pq
from psycopg.errors import error_from_result
from psycopg.postgres import types

from integrations.base import Received
from integrations.errors import UnreadableEvent
from integrations.selectors import Door
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7

# The function (migration 0006) also sets the tenant, for itself alone.
_STORE = b"SELECT inbound_store($1, $2, $3, $4, $5, $6, $7, $8)"
_TYPES = [types[name].oid for name in ("uuid", "uuid", "uuid", "text", "text", "bool", "bytea", "timestamptz")]
# Texts too: the other format would end at a NUL, which PostgreSQL has to see to refuse it.
_FORMATS = [pq.Format.BINARY] * 7 + [pq.Format.TEXT]
_BOOLEAN = {None: None, False: b"\0", True: b"\1"}


def event_store(*, door: Door, received: Received, body: bytes) -> bool:
    """Whether the event is new. Commits before it returns, unless a test holds a transaction open.

    Raises DatabaseError where it isn't known to be stored, UnreadableEvent where its id or type is no text.
    """
    try:
        told = [received.event_id.encode(), received.event_type.encode()]
    except UnicodeEncodeError as error:
        raise UnreadableEvent("the event's id or type has half a character") from error
    values = [
        uuid7().bytes,
        door.organization_id.bytes,
        door.connection_id.bytes,
        *told,
        _BOOLEAN[received.livemode],
        body,
        clock.wall().isoformat().encode(),
    ]
    try:
        return _store(values)
    except DatabaseError:
        if not _lost():
            raise
    # PostgreSQL was started anew, or something between here and there cut an idle connection off.
    connection.close()
    return _store(values)


def _store(values: list[bytes | None]) -> bool:
    connection.ensure_connection()
    with connection.wrap_database_errors:
        result = connection.connection.pgconn.exec_params(_STORE, values, _TYPES, _FORMATS)
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise error_from_result(result)
    return bool(result.get_value(0, 0) == b"t")


def _lost() -> bool:
    return not connection.in_atomic_block and connection.connection is not None and connection.connection.closed
