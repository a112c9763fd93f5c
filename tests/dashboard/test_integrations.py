"""Connections: made, checked, mended and cut from their page; and what the provider told, once more."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.contrib.messages import get_messages

from integrations.models import Connection, ConnectionStatus
from integrations.services import connection_disconnect
from participants.models import Payment
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from referral_rocket.kit import clock
from tests import factories
from tests.dashboard.visitor import Visitor, member, text
from webhooks.inbound import dispatch, replaying
from webhooks.inbound.models import InboundEvent, InboundStatus, Replay
from webhooks.inbound.services import NotReplayable, inbound_replay

pytestmark = pytest.mark.django_db

KEY = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
SECRET = "whsec_dashboard0001"


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def admin(organization: Organization) -> Visitor:
    return member(organization, Role.ADMIN)


@pytest.fixture
def connection(organization: Organization) -> Connection:
    return factories.connection(organization)


def read(connection: Connection) -> Connection:
    with tenant(connection.organization):
        return Connection.objects.get(pk=connection.pk)


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def inbound(connection: Connection, status: str, number: int = 1, **fields: Any) -> InboundEvent:
    body = {
        "id": f"evt_{number}",
        "type": "payment_intent.succeeded",
        "created": int(clock.wall().timestamp()),
        "data": {"object": {"id": f"pi_{number}", "currency": "usd", "amount_received": 5000, "created": 1}},
    }
    with tenant(connection.organization):
        return InboundEvent.objects.create(
            organization=connection.organization,
            connection=connection,
            provider_event_id=f"evt_{number}",
            event_type="payment_intent.succeeded",
            livemode=True,
            received_at=clock.wall(),
            next_attempt_at=clock.wall(),
            **{
                "status": status,
                "attempts": 7,
                "reason": "OperationalError: too slow",
                "body": json.dumps(body).encode(),
                **fields,
            },
        )


def test_it_works(organization: Organization, admin: Visitor) -> None:
    answer = admin.post("integration_connect", "stripe", api_key=f"  {KEY} ", webhook_secret=SECRET)
    with tenant(organization):
        made = Connection.objects.get()
    assert answer.headers["Location"] == admin.url("connection", made.pk)
    assert made.credentials == {"api_key": KEY}
    assert made.webhook_secrets == {"current": SECRET}
    assert made.check_due_at is not None
    page = admin.get("connection", made.pk)
    assert f"/webhooks/in/stripe/{made.pk}" in text(page)
    assert "invoice_payment.paid" in text(page)
    assert "Asking Stripe" in text(page)
    for secret in (KEY, SECRET):
        assert secret not in text(page)
    assert "Connected" in text(admin.get("integrations"))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "This field is required."),
        ("pk_live_123", "publishable key"),
        ("hunter2", "begins with sk_live_"),
        ("sk_test_4eC39HqLyjWDarjtT1zdp7dc", "test organization"),
    ],
)
def test_a_wrong_key_is_refused_and_not_shown_again(
    key: str, message: str, organization: Organization, admin: Visitor
) -> None:
    answer = admin.post("integration_connect", "stripe", api_key=key)
    assert answer.status_code == 422
    assert message in text(answer)
    assert f'value="{key}"' not in text(answer) or not key
    with tenant(organization):
        assert not Connection.objects.exists()


def test_an_unknown_provider_is_not_there(admin: Visitor) -> None:
    assert admin.get("integration_connect", "paypall").status_code == 404


def test_a_check_is_queued_not_made(admin: Visitor, connection: Connection) -> None:
    admin.post("connection_check", connection.pk)
    assert read(connection).check_due_at is not None
    fragment = admin.client.post(admin.url("connection_check", connection.pk), headers={"HX-Request": "true"})
    assert fragment.status_code == 200
    assert "hx-get" in text(fragment)
    assert "<html" not in text(fragment)
    assert "Asking Stripe" in text(admin.get("connection_status", connection.pk))


def test_rotating_the_secret_keeps_the_old_one_for_a_while(admin: Visitor, connection: Connection) -> None:
    admin.post("connection_secret", connection.pk, **{"secret-webhook_secret": SECRET, "secret-overlap": "24"})
    stored = read(connection).webhook_secrets
    assert (stored["current"], stored["previous"]) == (SECRET, factories.WEBHOOK_SECRET)
    assert "the old one is taken until" in text(admin.get("connection", connection.pk))
    admin.post("connection_secret", connection.pk, **{"secret-webhook_secret": f"{SECRET}x", "secret-overlap": "0"})
    assert "the old one is taken until" not in text(admin.get("connection", connection.pk))


def test_a_secret_that_cannot_be_one_opens_the_dialog_again(admin: Visitor, connection: Connection) -> None:
    answer = admin.post("connection_secret", connection.pk, **{"secret-webhook_secret": "a b", "secret-overlap": "24"})
    assert answer.status_code == 422
    assert 'aria-labelledby="rotate-secret-title" data-dialog-now' in text(answer)
    assert read(connection).webhook_secrets["current"] == factories.WEBHOOK_SECRET


def test_new_credentials_mend_a_connection(admin: Visitor, connection: Connection) -> None:
    with tenant(connection.organization):
        Connection.objects.filter(pk=connection.pk).update(
            status=ConnectionStatus.NEEDS_ATTENTION, attention_reason="Revoked."
        )
    assert "Revoked." in text(admin.get("connection", connection.pk))
    admin.post("connection_credentials", connection.pk, api_key=KEY)
    mended = read(connection)
    assert (mended.status, mended.credentials["api_key"]) == (ConnectionStatus.ACTIVE, KEY)
    assert mended.check_due_at is not None


def test_disconnecting_asks_for_the_word(admin: Visitor, connection: Connection) -> None:
    assert said(admin.post("connection_disconnect", connection.pk, confirmation="yes")) == [
        "Nothing was disconnected: type disconnect to confirm."
    ]
    assert read(connection).status == ConnectionStatus.ACTIVE
    admin.post("connection_disconnect", connection.pk, confirmation="disconnect")
    cut = read(connection)
    assert (cut.status, cut.credentials) == (ConnectionStatus.DISCONNECTED, {})
    assert "Disconnected" in text(admin.get("integrations"))
    assert "Connect again" in text(admin.get("connection", connection.pk))


def test_marketers_see_and_do_not_connect(organization: Organization, connection: Connection) -> None:
    marketer = member(organization, Role.MARKETER)
    page = text(marketer.get("connection", connection.pk))
    assert "payment_intent.succeeded" in page
    assert "Check now" not in page
    assert marketer.post("connection_disconnect", connection.pk, confirmation="disconnect").status_code == 403
    assert read(connection).status == ConnectionStatus.ACTIVE


def test_a_stand_in_is_marked(admin: Visitor, connection: Connection, settings: Any) -> None:
    settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": None}
    assert "Sandbox" not in text(admin.get("connection", connection.pk))
    settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": "http://127.0.0.1:1/stripe"}
    for name, *arguments in (("integrations",), ("connection", connection.pk), ("integration_connect", "stripe")):
        assert "Sandbox" in text(admin.get(name, *arguments))


# Inbound events


def test_events_with_their_outcome_and_reason(admin: Visitor, connection: Connection) -> None:
    inbound(connection, InboundStatus.FAILED)
    inbound(connection, InboundStatus.PROCESSED, 2, reason="Friends: earned 1 reward.")
    page = admin.get("connection", connection.pk)
    assert [event.provider_event_id for event in page.context["page"].rows] == ["evt_2", "evt_1"]
    assert "Friends: earned 1 reward." in text(page)
    failed = admin.get("connection", connection.pk, status="FAILED").context["page"].rows
    assert [event.provider_event_id for event in failed] == ["evt_1"]


def test_the_body_is_shown_escaped(admin: Visitor, connection: Connection) -> None:
    event = inbound(connection, InboundStatus.IGNORED)
    with tenant(connection.organization):
        InboundEvent.objects.filter(pk=event.pk).update(body=b'{"name": "<script>alert(1)</script>"}')
    page = admin.get("inbound_event", event.pk).content.decode()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_an_error_of_ours_is_called_one(admin: Visitor, connection: Connection) -> None:
    inbound(connection, InboundStatus.FAILED, 1, reason="ZeroDivisionError: a bug")
    inbound(connection, InboundStatus.FAILED, 2, attempts=0, reason="The refund is in another currency.")
    page = text(admin.get("connection", connection.pk))
    assert "by an error here and not at Stripe. ZeroDivisionError: a bug" in page
    assert page.count("by an error here") == 1


def test_a_failed_event_is_worked_on_once_more(admin: Visitor, connection: Connection) -> None:
    event = inbound(connection, InboundStatus.FAILED)
    assert said(admin.post("inbound_replay", event.pk)) == ["The event is worked on once more."]
    dispatch.run(seconds=5)
    with tenant(connection.organization):
        done = InboundEvent.objects.get(pk=event.pk)
        assert (done.status, done.attempts) == (InboundStatus.PROCESSED, 0)
        assert Payment.objects.get().amount == 5000
        activity = Activity.objects.get(kind="inbound.replayed")
    assert (activity.actor, activity.subject_id) == (f"user:{admin.user.pk}", connection.pk)


@pytest.mark.parametrize("status", [InboundStatus.PROCESSED, InboundStatus.RECEIVED])
def test_what_counted_or_waits_is_not_replayed(status: str, admin: Visitor, connection: Connection) -> None:
    event = inbound(connection, status)
    with tenant(connection.organization), pytest.raises(NotReplayable):
        inbound_replay(organization=connection.organization, event=event, actor="system:test")
    assert said(admin.post("inbound_replay", event.pk)) == ["Only events that failed or were ignored can be replayed."]
    with tenant(connection.organization):
        kept = InboundEvent.objects.get(pk=event.pk)
    assert (kept.status, kept.attempts) == (status, 7)


def test_a_disconnected_connections_events_can_be_replayed(admin: Visitor, connection: Connection) -> None:
    event = inbound(connection, InboundStatus.IGNORED)
    with tenant(connection.organization):
        connection_disconnect(connection=connection, actor="system:test")
    assert said(admin.post("inbound_replay", event.pk)) == ["The event is worked on once more."]


def test_all_that_failed_are_worked_on_once_more(admin: Visitor, connection: Connection) -> None:
    for number in range(1, 4):
        inbound(connection, InboundStatus.FAILED, number)
    inbound(connection, InboundStatus.IGNORED, 4)
    assert "Replay 3 failed events" in text(admin.get("connection", connection.pk))

    answer = admin.post("replay_many", connection.pk, status="FAILED", type="")
    assert said(answer) == ["The events are being worked on once more."]
    assert 'hx-trigger="every 2s"' in text(admin.get("replay_runs", connection.pk))
    replaying.run()
    dispatch.run(seconds=5)

    shown = text(admin.get("connection", connection.pk))
    assert "3 used, 0 without effect." in shown
    assert 'data-dialog-open="replay-many"' not in shown
    assert 'hx-trigger="every 2s"' not in text(admin.get("replay_runs", connection.pk))
    with tenant(connection.organization):
        assert Payment.objects.count() == 3
        assert InboundEvent.objects.filter(status=InboundStatus.IGNORED).count() == 1


def test_what_the_filter_shows_is_what_is_offered(admin: Visitor, connection: Connection) -> None:
    inbound(connection, InboundStatus.FAILED, 1)
    inbound(connection, InboundStatus.IGNORED, 2)

    filtered = text(admin.get("connection", connection.pk, status="IGNORED", type="payment_intent.succeeded"))
    assert "Replay all ignored payment_intent.succeeded" in filtered
    assert "replay-many" not in text(admin.get("connection", connection.pk, status="PROCESSED"))


def test_marketers_are_not_offered_a_replay(organization: Organization, connection: Connection) -> None:
    inbound(connection, InboundStatus.FAILED)
    marketer = member(organization, Role.MARKETER)
    assert "replay-many" not in text(marketer.get("connection", connection.pk))

    assert marketer.post("replay_many", connection.pk, status="FAILED").status_code == 403

    with tenant(organization):
        assert not Replay.objects.exists()
        assert InboundEvent.objects.get().status == InboundStatus.FAILED


def test_an_emptied_event_shows_its_hash(admin: Visitor, connection: Connection) -> None:
    event = inbound(connection, InboundStatus.IGNORED, body=b"", body_hash="a" * 64)

    assert "a" * 64 in text(admin.get("inbound_event", event.pk))
    assert "inbound_replay" not in text(admin.get("connection", connection.pk))


def test_queries_do_not_grow(admin: Visitor, connection: Connection) -> None:
    inbound(connection, InboundStatus.FAILED)
    before = admin.queries("connection", connection.pk), admin.queries("integrations")
    for number in range(2, 8):
        inbound(connection, InboundStatus.IGNORED, number)
    factories.connection(connection.organization)
    assert (admin.queries("connection", connection.pk), admin.queries("integrations")) == before


def test_an_id_of_nobody_is_not_there(admin: Visitor) -> None:
    nobody = UUID(int=0)
    assert admin.get("connection", nobody).status_code == 404
    assert admin.post("inbound_replay", nobody).status_code == 404
