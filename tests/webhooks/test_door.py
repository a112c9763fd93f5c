"""The door: verify, store, answer."""

import json
import time
from datetime import timedelta

import psycopg
import pytest
from django.db import OperationalError, connections
from django.test import Client

from integrations.base import Received
from integrations.sandbox.stripe.webhooks import signature
from integrations.selectors import door_of
from integrations.services import connection_disconnect, connection_update
from participants.models import Payment, QualifyingEvent
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from tests import factories
from tests.concurrency import at_once
from tests.factories import WEBHOOK_SECRET
from tests.webhooks.stripe_sales import SESSION, post, sale
from webhooks.inbound import dispatch, door, storing
from webhooks.inbound.models import InboundEvent

pytestmark = pytest.mark.django_db


def stored(organization):
    with tenant(organization):
        return list(InboundEvent.objects.values_list("provider_event_id", "status"))


def code_of(answer):
    assert answer["Content-Type"] == "application/problem+json"
    return answer.json()["code"]


def test_it_works(organization, connection):
    event = sale()[SESSION]

    answer = post(connection, event)

    assert (answer.status_code, answer.json()) == (200, {"received": True})
    with tenant(organization):
        kept = InboundEvent.objects.get()
        assert (kept.provider_event_id, kept.event_type, kept.status) == (event["id"], SESSION, "RECEIVED")
        assert json.loads(bytes(kept.body)) == event
        assert (kept.livemode, kept.attempts, kept.connection_id) == (True, 0, connection.pk)
        assert not Payment.objects.exists()


def test_the_raw_body_is_kept_to_the_byte(organization, connection):
    body = b'{ "id":"evt_1",\r\n "type":"x", "created": 1, "livemode":true, "note": "\xc3\xa4" }'

    assert post(connection, body).status_code == 200

    with tenant(organization):
        assert bytes(InboundEvent.objects.get().body) == body


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        "t=1,v1=",
        "v1=abc",
        "t=abc,v1=abc",
        "t=1,t=2,v1=abc",
        "t=99999999999999999999,v1=abc",
        "t=\u0661,v1=abc",
    ],
)
def test_a_signature_that_is_none(organization, connection, header):
    answer = post(connection, sale()[SESSION], **{"Stripe-Signature": header})

    assert (answer.status_code, code_of(answer)) == (400, "bad_signature")
    assert stored(organization) == []


def test_a_request_without_the_header(organization, connection):
    answer = Client().post(
        f"/webhooks/in/stripe/{connection.pk}", data=json.dumps(sale()[SESSION]), content_type="application/json"
    )

    assert (answer.status_code, code_of(answer)) == (400, "bad_signature")
    assert stored(organization) == []


@pytest.mark.parametrize(("age", "status"), [(295, 200), (305, 400), (-295, 200), (-305, 400)])
def test_how_old_a_signature_may_be(organization, connection, age, status):
    assert post(connection, sale()[SESSION], age=age).status_code == status
    assert len(stored(organization)) == (status == 200)


def test_the_signature_of_another_secret_or_body(organization, connection):
    event = sale()[SESSION]
    other = signature(b"{}", WEBHOOK_SECRET, int(time.time()))

    assert post(connection, event, secret="whsec_other0001").status_code == 400
    assert post(connection, event, **{"Stripe-Signature": other}).status_code == 400
    assert stored(organization) == []


def test_a_connection_without_a_webhook_secret(organization):
    without = factories.connection(organization, webhook_secret=None)

    assert post(without, sale()[SESSION], secret="").status_code == 400
    assert stored(organization) == []


def test_both_secrets_serve_while_one_is_rotated(organization, connection):
    with tenant(organization):
        connection_update(
            connection=connection, webhook_secret="whsec_second002", overlap=timedelta(hours=1), actor="user:1"
        )
    door._doors.clear()

    assert post(connection, sale()[SESSION]).status_code == 200
    assert post(connection, sale()[SESSION], secret="whsec_second002").status_code == 200
    assert len(stored(organization)) == 2


def test_a_secret_that_was_rotated_out_serves_no_longer(organization, connection):
    with tenant(organization):
        connection_update(
            connection=connection, webhook_secret="whsec_second002", overlap=timedelta(seconds=-1), actor="user:1"
        )
    door._doors.clear()

    assert post(connection, sale()[SESSION]).status_code == 400
    assert stored(organization) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"type": "x", "created": 1}',
        b'{"id": "evt_1", "created": 1}',
        b'{"id": "evt_1", "type": "x"}',
        b'{"id": "", "type": "x", "created": 1}',
        b'{"id": 1, "type": "x", "created": 1}',
        b'{"id": "evt_1", "type": "x", "created": "now"}',
        b'{"id": "evt_1", "type": "x", "created": 1e99}',
        b"[" * 100_000,
    ],
    ids=range(14),
)
def test_an_authentic_body_that_is_no_event(organization, connection, body):
    answer = post(connection, body)

    assert (answer.status_code, code_of(answer)) == (400, "malformed")
    assert stored(organization) == []


@pytest.mark.parametrize(
    ("size", "status"), [(5 * 1024 * 1024, 200), (5 * 1024 * 1024 + 1, 413), (10 * 1024 * 1024, 413)]
)
def test_how_large_a_body_may_be(organization, connection, size, status):
    event = {**sale()[SESSION], "padding": ""}
    event["padding"] = "x" * (size - len(json.dumps(event)))

    assert post(connection, event).status_code == status
    assert len(stored(organization)) == (status == 200)


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/in/stripe/01900000-0000-7000-8000-000000000000",
        "/webhooks/in/stripe/nonsense",
        "/webhooks/in/stripe/------------------------------------",
        "/webhooks/in/stripe/",
        "/webhooks/in/paypal/{id}",
        "/webhooks/in/STRIPE/{id}",
        "/webhooks/in/stripe/{id}/",
        "/webhooks/in/",
    ],
)
def test_a_connection_that_is_none(organization, connection, path):
    body = json.dumps(sale()[SESSION])
    answer = Client().post(
        path.format(id=connection.pk),
        data=body,
        content_type="application/json",
        headers={"Stripe-Signature": signature(body.encode(), WEBHOOK_SECRET, int(time.time()))},
    )

    assert (answer.status_code, code_of(answer)) == (404, "not_found")
    assert stored(organization) == []


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "options", "head"])
def test_other_methods(organization, connection, method):
    assert getattr(Client(), method)(f"/webhooks/in/stripe/{connection.pk}").status_code == 405
    assert stored(organization) == []


def test_a_disconnected_connection_still_stores(organization, connection):
    with tenant(organization):
        connection_disconnect(connection=connection, actor="user:1")

    assert post(connection, sale()[SESSION]).status_code == 200
    assert len(stored(organization)) == 1


def test_the_same_event_again_is_answered_and_stored_once(organization, connection):
    event = sale()[SESSION]

    assert [post(connection, event).status_code for _ in range(3)] == [200, 200, 200]
    assert stored(organization) == [(event["id"], "RECEIVED")]


def test_the_same_event_id_at_another_connection_is_another_event(organization, connection, other_organization):
    event = sale()[SESSION]
    theirs = factories.connection(other_organization)

    post(connection, event)
    post(theirs, event)

    assert len(stored(organization)) == len(stored(other_organization)) == 1


def cut_off(database):
    """Ends the server's side of a connection, as a restart does; this side isn't told."""
    with psycopg.connect(**connection_parameters(database), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [database.connection.info.backend_pid])


def connection_parameters(database):
    wanted = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    return {name: database.settings_dict[key] for key, name in wanted.items()}


class Broken:
    """A database that has gone away."""

    def __enter__(self):
        raise OperationalError("the connection was lost")

    def __exit__(self, *error):
        raise AssertionError


def test_an_id_with_half_a_character(organization, connection):
    answer = post(connection, sale()[SESSION] | {"id": "evt_\ud800"})

    assert (answer.status_code, code_of(answer)) == (400, "malformed")
    assert stored(organization) == []


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"id": "evt_1\0other"}, 400),
        ({"type": "payment_intent\0.succeeded"}, 400),
        ({"id": "e" * 255, "type": "t" * 120}, 200),
        ({"id": "e" * 256}, 400),
        ({"type": "t" * 121}, 400),
    ],
)
def test_an_id_or_a_type_that_cannot_be_kept_is_not_asked_for_again(organization, connection, told, status):
    answer = post(connection, sale()[SESSION] | told)

    assert answer.status_code == status
    assert len(stored(organization)) == (status == 200)
    if status == 400:
        assert code_of(answer) == "malformed"


def test_an_event_without_a_mode_and_with_every_kind_of_letter(organization, connection):
    event = sale()[SESSION] | {"id": "evt_ü€😀"}
    del event["livemode"]

    assert post(connection, event).status_code == 200
    with tenant(organization):
        kept = InboundEvent.objects.get()
    assert (kept.provider_event_id, kept.livemode) == ("evt_ü€😀", None)
    assert abs((kept.received_at - clock.wall()).total_seconds()) < 60


@pytest.mark.django_db(transaction=True)
def test_postgresql_that_refuses_the_row_is_a_503(organization, connection):
    with tenant(organization), connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE inbound_inboundevent ADD CONSTRAINT nothing_fits CHECK (livemode IS NULL)")
    try:
        answer = post(connection, sale()[SESSION])
    finally:
        with connections["default"].cursor() as cursor:
            cursor.execute("ALTER TABLE inbound_inboundevent DROP CONSTRAINT nothing_fits")

    assert (answer.status_code, code_of(answer)) == (503, "unavailable")
    assert stored(organization) == []


@pytest.mark.django_db(transaction=True)
def test_a_database_connection_that_was_cut_while_idle_loses_no_event(organization, connection):
    first, second = sale()[SESSION], sale()[SESSION] | {"id": "evt_second"}
    post(connection, first)
    cut_off(connections["default"])

    answer = post(connection, second)

    assert answer.status_code == 200
    assert sorted(stored(organization)) == sorted([(first["id"], "RECEIVED"), ("evt_second", "RECEIVED")])


@pytest.mark.django_db(transaction=True)
def test_postgresql_that_is_away_is_a_503(organization, connection, monkeypatch):
    post(connection, sale()[SESSION])
    before = stored(organization)
    cut_off(connections["default"])
    monkeypatch.setattr(connections["default"], "connect", Broken().__enter__)

    answer = post(connection, sale()[SESSION] | {"id": "evt_second"})

    monkeypatch.undo()
    assert (answer.status_code, code_of(answer)) == (503, "unavailable")
    assert stored(organization) == before


def test_postgresql_that_is_away_when_the_connection_is_looked_up_is_a_503(organization, connection, monkeypatch):
    event = sale()[SESSION]
    monkeypatch.setattr(connections["default"], "cursor", Broken)

    answer = post(connection, event)

    monkeypatch.undo()
    assert (answer.status_code, code_of(answer)) == (503, "unavailable")
    assert stored(organization) == []


def test_an_event_of_the_other_mode_is_stored_and_ignored(organization, connection, participant):
    event = sale(livemode=False, referral_code=participant.referral_code)[SESSION]

    assert post(connection, event).status_code == 200
    dispatch.run()

    assert stored(organization) == [(event["id"], "IGNORED")]
    with tenant(organization):
        assert "test event" in InboundEvent.objects.get().reason
        assert not Payment.objects.exists()
        assert not QualifyingEvent.objects.exists()


def test_the_twin_takes_test_events_and_ignores_live_ones(organization):
    twin = organization.test_organization
    connection = factories.connection(twin)
    sharer = factories.participant(factories.campaign(twin))
    code = sharer.referral_code

    post(connection, sale(livemode=False, referral_code=code)[SESSION])
    post(connection, sale(livemode=True, referral_code=code, email="other@example.com")[SESSION])
    dispatch.run()

    assert sorted(status for _, status in stored(twin)) == ["IGNORED", "PROCESSED"]
    with tenant(twin):
        assert QualifyingEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_of_the_same_at_once_are_one(organization, connection, participant):
    event = sale(referral_code=participant.referral_code)[SESSION]

    answers = at_once(20, lambda _: post(connection, event).status_code)

    assert answers == [200] * 20
    assert stored(organization) == [(event["id"], "RECEIVED")]
    at_once(4, lambda _: dispatch.run())
    with tenant(organization):
        assert QualifyingEvent.objects.count() == 1
        assert stored(organization) == [(event["id"], "PROCESSED")]


# Many at once ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_events_that_come_at_once_are_all_kept_each_with_its_tenant(organization, connection, other_organization):
    theirs = factories.connection(other_organization)

    def send(number):
        # Every third is the same event again.
        event = sale()[SESSION] | {"id": f"evt_{number - number % 3 // 2}"}
        return post(theirs if number // 3 % 2 else connection, event).status_code

    assert at_once(60, send) == [200] * 60
    kept = [{f"evt_{number}" for number in range(first, 60, 6)} for first in (0, 1)]
    assert {name for name, _ in stored(organization)} == kept[0] | kept[1]
    assert len(stored(organization)) == len(stored(other_organization)) == 20
    assert not {name for name, _ in stored(organization)} & {name for name, _ in stored(other_organization)}


@pytest.mark.django_db(transaction=True)
def test_one_that_postgresql_refuses_takes_no_other_with_it(organization, connection):
    with tenant(organization), connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE inbound_inboundevent ADD CONSTRAINT live_ones CHECK (livemode)")
    try:
        answers = at_once(
            24, lambda n: post(connection, sale()[SESSION] | {"id": f"evt_{n}", "livemode": n % 4 > 0}).status_code
        )
    finally:
        with connections["default"].cursor() as cursor:
            cursor.execute("ALTER TABLE inbound_inboundevent DROP CONSTRAINT live_ones")

    assert answers == [200 if number % 4 else 503 for number in range(24)]
    assert len(stored(organization)) == 18


@pytest.mark.django_db(transaction=True)
def test_the_same_events_in_other_orders_do_not_block_one_another(organization, connection):
    """As two processes would store them: each a group, and neither knows of the other's."""
    found = door_of(provider="stripe", connection_id=connection.pk)
    moment = clock.wall()

    def store(number):
        names = [f"evt_{each}" for each in range(8)]
        rows = [
            storing.values_of(door=found, received=Received(name, "x", True, moment), body=b"{}")
            for name in (names if number % 2 else reversed(names))
        ]
        return sum(storing.store(rows))

    for _ in range(10):
        assert sum(at_once(6, store)) == 8
        with tenant(organization):
            InboundEvent.objects.all().delete()


# Killed on the line before the commit, and on the line after ------------------------------------------------------


def killed(*arguments, **given):
    raise SystemExit


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("place", "name", "kept"), [(storing, "_said", 0), (door, "nudge", 1)], ids=["before", "after"]
)
def test_a_process_that_ends_beside_the_commit(organization, connection, monkeypatch, place, name, kept):
    """Nothing was answered, so it is sent again: it is there once, and the next one isn't held up."""
    event = sale()[SESSION]
    with monkeypatch.context() as patched:
        patched.setattr(place, name, killed)
        with pytest.raises(SystemExit):
            post(connection, event)
    assert len(stored(organization)) == kept

    assert [post(connection, each).status_code for each in (event, event | {"id": "evt_next"})] == [200, 200]
    assert sorted(stored(organization)) == sorted([(event["id"], "RECEIVED"), ("evt_next", "RECEIVED")])
