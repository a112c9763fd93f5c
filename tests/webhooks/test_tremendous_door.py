"""Tremendous's webhooks at the door: only its own, each once."""

import json

import pytest
from django.test import Client

from integrations.models import Connection
from integrations.sandbox.tremendous.control import event
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.signing import hex_signature
from tests import factories
from webhooks.inbound.models import InboundEvent

pytestmark = pytest.mark.django_db

SECRET = "tremendous-private-key"
BODY = json.dumps(event({"event": "REWARDS.DELIVERY.FAILED", "id": "NQM23TPAR6GQ"})).encode()


@pytest.fixture
def connection() -> Connection:
    return factories.connection(
        factories.organization(),
        provider="tremendous",
        webhook_secret=SECRET,
        credentials={"api_key": "PROD_factory_0123456789"},
    )


def knock(connection: Connection, body: bytes = BODY, secret: str = SECRET) -> int:
    answer = Client().post(
        f"/webhooks/in/tremendous/{connection.pk}",
        data=body,
        content_type="application/json",
        headers={"Tremendous-Webhook-Signature": f"sha256={hex_signature(secret, body)}"},
    )
    return answer.status_code


def stored(connection: Connection) -> list[tuple[str, str, bytes]]:
    with tenant(connection.organization):
        rows = InboundEvent.objects.filter(connection=connection)
        return [(row.provider_event_id, row.event_type, bytes(row.body)) for row in rows]


def test_it_works(connection: Connection) -> None:
    assert knock(connection) == 200

    assert stored(connection) == [(json.loads(BODY)["uuid"], "REWARDS.DELIVERY.FAILED", BODY)]


def test_the_same_uuid_is_stored_once(connection: Connection) -> None:
    assert [knock(connection) for _ in range(3)] == [200, 200, 200]

    assert len(stored(connection)) == 1


def test_what_is_not_tremendouss_is_not_stored(connection: Connection) -> None:
    assert knock(connection, secret="somebody else's") == 400

    assert stored(connection) == []


def test_without_a_private_key_nothing_is_taken() -> None:
    connection = factories.connection(
        factories.organization(),
        provider="tremendous",
        webhook_secret=None,
        credentials={"api_key": "PROD_factory_0123456789"},
    )

    assert knock(connection) == 400
    assert stored(connection) == []


def test_another_tenants_key_opens_nothing(connection: Connection) -> None:
    other = factories.connection(
        factories.organization(),
        provider="tremendous",
        webhook_secret="another-private-key",
        credentials={"api_key": "PROD_factory_9876543210"},
    )

    assert knock(other) == 400
    assert stored(other) == []
