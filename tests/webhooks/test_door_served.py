"""The door as the production server calls it, past Django's handling of requests."""

import io
import json
import logging
import time

import pytest
from django.db import connections
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


def test_every_other_address_is_django_s(client):
    assert called("/livez", method="GET")[0] == "200 OK"
