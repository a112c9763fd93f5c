"""Events as the door stores them, for tests of what is made of them: without a request and a signature each."""

import json
from collections.abc import Iterable
from typing import Any

from integrations.models import Connection
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from tests.factories import next_number
from webhooks.inbound import dispatch
from webhooks.inbound.models import InboundEvent


def store(connection: Connection, payload: dict[str, Any], **fields: Any) -> InboundEvent:
    """Put one payload of the connection's provider where the door puts it."""
    now = clock.wall()
    with tenant(connection.organization):
        return InboundEvent.objects.create(
            organization=connection.organization,
            connection=connection,
            body=json.dumps(payload).encode(),
            received_at=now,
            next_attempt_at=now,
            **{"provider_event_id": f"stored_{next_number()}", "event_type": "", **fields},
        )


def store_all(connection: Connection, messages: Iterable[tuple[dict[str, Any], str]]) -> None:
    """Put many payloads, each with its type, there in one statement."""
    now = clock.wall()
    with tenant(connection.organization):
        InboundEvent.objects.bulk_create(
            InboundEvent(
                organization=connection.organization,
                connection=connection,
                body=json.dumps(payload).encode(),
                received_at=now,
                next_attempt_at=now,
                provider_event_id=f"stored_{next_number()}",
                event_type=event_type,
            )
            for payload, event_type in messages
        )


def work_off(connection: Connection, *payloads: dict[str, Any]) -> None:
    """Store the payloads and work them off in one claim."""
    for payload in payloads:
        store(connection, payload)
    dispatch.run(seconds=5)
