import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from integrations.base import Ignored, PayoutChanged
from integrations.errors import BadSignature, UnreadableEvent
from integrations.providers.tremendous.inbound import EVENTS, TremendousWebhooks
from integrations.sandbox.tremendous.control import event
from referral_rocket.kit.signing import hex_signature

SECRET, NOW = "private-key-0001", datetime(2026, 11, 24, 12, tzinfo=UTC)
DOOR = TremendousWebhooks()


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"Tremendous-Webhook-Signature": f"sha256={hex_signature(secret, body)}"}


def body_of(**fields: object) -> bytes:
    return json.dumps(event({"event": "REWARDS.DELIVERY.FAILED", "id": "NQM23TPAR6GQ"}) | fields).encode()


def test_it_works():
    body = body_of(uuid="3d7dd6bb-1", created_utc="2026-11-24T11:30:00-04:00")

    received = DOOR.verify(signed(body), body, (SECRET,), NOW)

    assert (received.event_id, received.event_type) == ("3d7dd6bb-1", "REWARDS.DELIVERY.FAILED")
    assert (received.livemode, received.occurred_at) == (None, datetime(2026, 11, 24, 15, 30, tzinfo=UTC))


def test_either_of_two_keys_while_one_is_rotated():
    body = body_of()

    assert DOOR.verify(signed(body, "the old one"), body, (SECRET, "the old one"), NOW).event_type


@pytest.mark.parametrize(
    ("headers", "secrets", "code"),
    [
        ({}, (SECRET,), "missing"),
        (signed(body_of()), (), "no_secret"),
        ({"Tremendous-Webhook-Signature": "md5=00"}, (SECRET,), "malformed"),
        ({"Tremendous-Webhook-Signature": "sha256=00"}, (SECRET,), "wrong"),
        ({"Tremendous-Webhook-Signature": "sha256="}, (SECRET,), "wrong"),
        ({"Tremendous-Webhook-Signature": "sha256=\u00e9"}, (SECRET,), "wrong"),
    ],
)
def test_what_is_not_authentic(headers, secrets, code):
    with pytest.raises(BadSignature) as caught:
        DOOR.verify(headers, body_of(), secrets, NOW)

    assert caught.value.code == code


def test_one_changed_byte():
    body = body_of()

    with pytest.raises(BadSignature):
        DOOR.verify(signed(body), body + b" ", (SECRET,), NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"event": "X"}', b'{"uuid": 5, "event": "X"}', b"null"])
def test_an_authentic_body_that_is_no_event(body):
    with pytest.raises(UnreadableEvent):
        DOOR.verify(signed(body), body, (SECRET,), NOW)


@pytest.mark.parametrize("created", [None, "yesterday", 5, "2026-11-24T11:30:00"])
def test_without_a_readable_time_it_is_when_it_came(created):
    body = body_of(created_utc=created)

    assert DOOR.verify(signed(body), body, (SECRET,), NOW).occurred_at == NOW


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_has_the_reward_looked_up(name):
    assert DOOR.read(event({"event": name, "id": "NQM23TPAR6GQ"})) == (PayoutChanged(None, "NQM23TPAR6GQ"),)


def test_a_message_that_carries_our_key():
    reward = "0192f0c1-2345-7abc-8def-0123456789ab"

    (fact,) = DOOR.read(event({"event": "ORDERS.APPROVED", "id": "C53UUGXJSVMK", "external_id": f"{reward}:2"}))

    assert fact == PayoutChanged(UUID(reward), "C53UUGXJSVMK")


def test_a_key_of_somebody_elses_makes_nothing_of_it():
    (fact,) = DOOR.read(event({"event": "ORDERS.APPROVED", "id": "C53UUGXJSVMK", "external_id": "invoice 7"}))

    assert fact == PayoutChanged(None, "C53UUGXJSVMK")


def test_other_events_are_ignored():
    (fact,) = DOOR.read(event({"event": "INVOICES.PAID", "id": "X"}))

    assert isinstance(fact, Ignored)
    assert "INVOICES.PAID" in fact.reason


@pytest.mark.parametrize("payload", [None, {}, {"resource": None}, {"resource": {}}, {"resource": {"id": 5}}, []])
def test_a_message_about_nothing(payload):
    with pytest.raises(UnreadableEvent):
        DOOR.read({"event": "ORDERS.APPROVED", "payload": payload})
