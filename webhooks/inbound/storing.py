"""One round trip to PostgreSQL for each event that comes through the door.

It goes past Django's cursor, which would ask before each statement whether the connection still stands: that costs as
much again as the statement. Here a connection that is lost is noticed by the statement itself, which may be sent a second
time, since an event that is there already is left as it is.
"""

from uuid import UUID

from django.db import OperationalError, connection
from psycopg import Cursor

from integrations.base import Received
from integrations.selectors import Door
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7

# The function (migration 0006) also sets the tenant, for itself alone.
_STORE = "SELECT inbound_store(%s, %s, %s, %s, %s, %s, %s, %s)"

_Values = tuple[UUID, UUID, UUID, str, str, bool | None, bytes, object]


def event_store(*, door: Door, received: Received, body: bytes) -> bool:
    """Whether the event is new. Commits before it returns, unless a test holds a transaction open.

    Raises DatabaseError where it isn't known to be stored.
    """
    values = (
        uuid7(),
        door.organization_id,
        door.connection_id,
        received.event_id,
        received.event_type,
        received.livemode,
        body,
        clock.wall(),
    )
    try:
        return _store(values)
    except OperationalError:
        if not _lost():
            raise
    # PostgreSQL was started anew, or something between here and there cut an idle connection off.
    connection.close()
    return _store(values)


def _store(values: _Values) -> bool:
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        row = cursor.execute(_STORE, values).fetchone()
    assert row is not None
    return bool(row[0])


def _lost() -> bool:
    return not connection.in_atomic_block and connection.connection is not None and connection.connection.closed
