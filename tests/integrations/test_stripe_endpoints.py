"""Stripe's webhooks set up by us: a person presses a button, a worker asks Stripe, the secret is kept."""

from collections.abc import Iterator
from typing import Any

import pytest

from integrations import tasks
from integrations.models import Connection, ConnectionStatus
from integrations.providers.stripe.inbound import READERS
from integrations.selectors import webhook_url
from integrations.services import connection_request_webhook
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from tests import factories
from tests.dashboard.visitor import member, text
from tests.integrations.payout_cases import Killed, killed_at
from tests.integrations.stand_in import RunningSandbox, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def sandbox(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": f"{sandbox.url}/stripe"}
        settings.BASE_URL = "https://rocket.example.com"
        yield sandbox


@pytest.fixture
def connection(organization) -> Connection:
    return factories.connection(organization, webhook_secret=None)


def endpoints(sandbox: RunningSandbox, connection: Connection) -> list[dict[str, Any]]:
    key = {"Authorization": f"Bearer {connection.credentials['api_key']}"}
    return sandbox.call("GET", "/stripe/v1/webhook_endpoints?limit=100", "", key).json()["data"]


def wanted(connection: Connection) -> None:
    with tenant(connection.organization):
        connection_request_webhook(connection=connection, actor="test")


def now(connection: Connection) -> Connection:
    with tenant(connection.organization):
        return Connection.objects.get(pk=connection.pk)


def again(connection: Connection) -> None:
    """The pause after a failed check is over."""
    with tenant(connection.organization):
        Connection.objects.update(check_due_at=clock.wall())
    tasks.check_connections()


def test_it_works(sandbox, connection):
    wanted(connection)
    tasks.check_connections()

    (made,) = endpoints(sandbox, connection)
    assert made["url"] == webhook_url(connection)
    assert made["enabled_events"] == list(READERS)
    assert made["metadata"] == {"referral_rocket_connection": str(connection.pk)}
    after = now(connection)
    assert after.webhook_secrets["current"].startswith("whsec_")
    assert (after.webhook_wanted, after.check_due_at) == (False, None)
    assert after.check_message.endswith("Stripe sends its webhooks here now.")


def test_a_check_alone_makes_none(sandbox, connection):
    with tenant(connection.organization):
        Connection.objects.update(check_due_at=clock.wall())
    tasks.check_connections()

    assert now(connection).checked_at is not None
    assert endpoints(sandbox, connection) == []


def test_made_anew_it_replaces_ours_and_no_other(sandbox, connection):
    key = {"Authorization": f"Bearer {connection.credentials['api_key']}"}
    theirs = "url=https://other.example.com/hook&enabled_events[0]=*"
    sandbox.call("POST", "/stripe/v1/webhook_endpoints", theirs, key).raise_for_status()
    wanted(connection)
    tasks.check_connections()
    first = now(connection).webhook_secrets["current"]

    wanted(connection)
    tasks.check_connections()

    assert sorted(each["url"] for each in endpoints(sandbox, connection)) == [
        "https://other.example.com/hook",
        webhook_url(connection),
    ]
    secrets = now(connection).webhook_secrets
    assert secrets["current"] != first
    assert secrets["previous"] == first, "events under way are signed with it"


@pytest.mark.parametrize("kind", ["reset", "malformed", "server_error", "rate_limited"])
def test_an_answer_that_is_lost_is_no_harm(sandbox, connection, kind):
    wanted(connection)
    sandbox.fault(
        kind, method="POST", path="/v1/webhook_endpoints", **({"acts": True} if kind == "server_error" else {})
    )
    tasks.check_connections()
    after = now(connection)
    assert (after.webhook_wanted, after.webhook_secrets, after.check_due_at is None) == (True, {}, False)

    again(connection)

    assert len(endpoints(sandbox, connection)) == 1
    assert now(connection).webhook_secrets["current"]


@pytest.mark.parametrize("step", range(5))
def test_killed_at_any_request(sandbox, connection, step):
    wanted(connection)
    with killed_at(step, "after") as kill:
        try:
            tasks.check_connections()
        except Killed:
            assert kill.struck

    again(connection)

    if now(connection).webhook_wanted:
        again(connection)
    assert len(endpoints(sandbox, connection)) == 1
    assert now(connection).webhook_secrets["current"]


def test_an_address_that_stripe_refuses_is_said(sandbox, connection, settings):
    settings.BASE_URL = "http://rocket.internal"
    wanted(connection)
    tasks.check_connections()

    after = now(connection)
    assert "Invalid URL" in after.check_message
    assert (after.webhook_wanted, after.webhook_secrets, after.status) == (False, {}, ConnectionStatus.ACTIVE)
    assert endpoints(sandbox, connection) == []


def test_the_page_has_the_button_for_those_who_may_connect(sandbox, connection):
    admin = member(connection.organization, Role.ADMIN)
    marketer = member(connection.organization, Role.MARKETER)
    assert "Set it up in Stripe" in text(admin.get("connection", connection.pk))
    assert "Set it up in Stripe" not in text(marketer.get("connection", connection.pk))
    assert marketer.post("connection_webhook", connection.pk).status_code == 403
    assert now(connection).webhook_wanted is False

    assert admin.post("connection_webhook", connection.pk).status_code == 302
    tasks.check_connections()

    assert admin.get("connection_status", connection.pk)["HX-Refresh"] == "true"
    shown = text(admin.get("connection", connection.pk))
    assert "Set it up in Stripe" not in shown
    assert "Set the webhook up anew" in shown
    assert now(connection).webhook_secrets["current"] not in shown
