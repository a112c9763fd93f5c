"""The door as the production server calls it, past Django's handling of requests."""

import io
import json
import logging
import time

import pytest
from django.db import OperationalError, connections
from django.test import RequestFactory

from integrations.sandbox.stripe.webhooks import signature
from referral_rocket.accounts.scoping import tenant
from referral_rocket.wsgi import application
from tests.factories import WEBHOOK_SECRET
from tests.webhooks.stripe_sales import SESSION, sale
from webhooks.inbound import door
from webhooks.inbound.models import InboundEvent

# The end of a request closes a database connection that a test's transaction was begun on.
pytestmark = pytest.mark.django_db(transaction=True)


def called(path, *, method="POST", body=b"", **headers):
    """Status, headers and body of the answer."""
    environ = RequestFactory().generic(method, path, body, "application/json", headers=headers).environ
    said = []
    content = b"".join(
        application(
            environ | {"wsgi.input": io.BytesIO(body)}, lambda status, names: said.extend([status, dict(names)])
        )
    )
    return (*said, content)


def address(connection):
    return f"/webhooks/in/stripe/{connection.pk}"


def test_it_works(organization, connection):
    body = json.dumps(sale()[SESSION]).encode()

    status, headers, content = called(
        address(connection), body=body, **{"Stripe-Signature": signature(body, WEBHOOK_SECRET, int(time.time()))}
    )

    assert (status, content) == ("200 OK", b'{"received": true}')
    assert headers == {"Content-Type": "application/json", "Content-Length": "18"}
    with tenant(organization):
        assert bytes(InboundEvent.objects.get().body) == body


def test_a_refusal_is_problem_details(organization, connection):
    status, headers, content = called(address(connection), body=b"{}")

    assert (status, json.loads(content)["code"]) == ("400 Bad Request", "bad_signature")
    assert headers["Content-Type"] == "application/problem+json"
    with tenant(organization):
        assert not InboundEvent.objects.exists()


def test_other_methods(connection):
    assert called(address(connection), method="GET")[0] == "405 Method Not Allowed"


def test_an_error_of_ours_is_a_500_that_tells_nothing(connection, monkeypatch, caplog):
    def broken(request):
        raise RuntimeError("a secret")

    monkeypatch.setattr(door, "answer", broken)

    with caplog.at_level(logging.ERROR):
        assert called(address(connection))[::2] == ("500 Internal Server Error", b"")

    assert "inbound_failed" in caplog.text


def test_a_connection_of_the_database_that_is_too_old_is_closed(connection):
    used = connections["default"]
    used.ensure_connection()
    used.close_at = time.monotonic() - 1

    called(address(connection), body=b"{}")

    assert used.connection is None


@pytest.mark.parametrize("name", ["Stripe-Signature", "stripe-signature", "STRIPE-SIGNATURE"])
def test_headers_in_any_case(name):
    headers = door.Headers({"REQUEST_METHOD": "POST", "HTTP_STRIPE_SIGNATURE": "t=1", "HTTP_HOST": "here"})

    assert (headers[name], headers.get("X-Other"), len(headers)) == ("t=1", None, 2)
    assert name.upper() in [each.upper() for each in headers]


def in_chunks(connection, body):
    """The status, of a body as granian hands it on that comes without its length: it ends where the body ends."""
    environ = RequestFactory().post(address(connection), b"", "application/json").environ
    environ.pop("CONTENT_LENGTH", None)
    environ["HTTP_STRIPE_SIGNATURE"] = signature(body, WEBHOOK_SECRET, int(time.time()))
    said = []
    application(
        environ | {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True}, lambda *told: said.extend(told)
    )
    return said[0]


def test_a_body_in_chunks(organization, connection):
    body = json.dumps(sale()[SESSION]).encode()

    assert in_chunks(connection, body) == "200 OK"
    assert in_chunks(connection, b"x" * (5 * 1024 * 1024 + 1)) == "413 Request Entity Too Large"
    with tenant(organization):
        assert bytes(InboundEvent.objects.get().body) == body


class Broken(io.BytesIO):
    def read(self, *size):
        raise ConnectionResetError


@pytest.mark.parametrize("stream", [io.BytesIO(b"{"), Broken(b"{}")])
def test_a_body_that_breaks_off(organization, connection, stream):
    environ = RequestFactory().post(address(connection), b'{"id": "evt_1"}', "application/json").environ
    said = []

    content = b"".join(application(environ | {"wsgi.input": stream}, lambda *told: said.extend(told)))

    assert (said[0], json.loads(content)["code"]) == ("400 Bad Request", "unreadable")
    with tenant(organization):
        assert not InboundEvent.objects.exists()


def test_what_cannot_be_looked_up_is_read_to_its_end_all_the_same(connection, monkeypatch):
    """From a connection on which something is left unread the server hangs up, on whatever the sender sends next."""

    def gone(**_):
        raise OperationalError("the server is gone")

    monkeypatch.setattr(door, "door_of", gone)
    body = json.dumps(sale()[SESSION]).encode()
    environ = RequestFactory().post(address(connection), body, "application/json").environ
    stream, said = io.BytesIO(body), []

    content = b"".join(application(environ | {"wsgi.input": stream}, lambda *told: said.extend(told)))

    assert (said[0], json.loads(content)["code"]) == ("503 Service Unavailable", "unavailable")
    assert stream.read() == b""


def test_every_other_address_is_django_s(client):
    assert called("/livez", method="GET")[0] == "200 OK"
