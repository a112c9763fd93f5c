"""Webhooks are subscribed to by us, when a connection is checked."""

from dataclasses import replace
from typing import Any

import pytest

from integrations.errors import ProviderRejected
from integrations.models import Connection, ConnectionStatus
from integrations.providers.shopify.subscriptions import subscribe
from integrations.registry import PROVIDERS
from integrations.services import connection_request_check
from integrations.tasks import check_connections
from referral_rocket.accounts.scoping import tenant
from tests import factories
from tests.integrations.shopify import access_to

ADDRESS = "https://rocket.example.com/webhooks/in/shopify/0192f0c1-2345-7abc-8def-0123456789ab"
TOPICS = ("orders/paid", "refunds/create", "customers/redact")


@pytest.fixture
def access(sandbox):
    return access_to(sandbox)


def subscribed(sandbox, **asked: Any) -> list[tuple[str, str]]:
    return sorted(
        (each["topic"], each["uri"]) for each in sandbox.get("shopify/subscriptions", **asked)["subscriptions"]
    )


def test_it_works(sandbox, access):
    """What the app itself says is left out: Shopify knows no subscription to it."""
    subscribe(access, ADDRESS, TOPICS)

    assert subscribed(sandbox) == [("ORDERS_PAID", ADDRESS), ("REFUNDS_CREATE", ADDRESS)]


def test_again_only_what_is_missing(sandbox, access):
    subscribe(access, ADDRESS, TOPICS[:1])
    subscribe(access, ADDRESS, TOPICS)
    subscribe(access, ADDRESS, TOPICS)

    assert len(subscribed(sandbox)) == 2


def test_another_address_is_another_subscription(sandbox, access):
    subscribe(access, ADDRESS, TOPICS[:1])
    subscribe(access, f"{ADDRESS}0", TOPICS[:1])

    assert len(subscribed(sandbox)) == 2


def test_an_address_that_shopify_does_not_take(sandbox, access):
    with pytest.raises(ProviderRejected) as caught:
        subscribe(access, "http://localhost:8000/webhooks", TOPICS)

    assert "not supported" in caught.value.message
    assert subscribed(sandbox) == []


def test_one_that_needs_a_permission_keeps_no_other_back(sandbox, access):
    sandbox.post("shopify/shop", scopes=["read_orders"])

    with pytest.raises(ProviderRejected) as caught:
        subscribe(access, ADDRESS, ("disputes/create", *TOPICS))

    assert "about disputes/create." in caught.value.message
    assert "read_shopify_payments_disputes" in caught.value.message
    assert subscribed(sandbox) == [("ORDERS_PAID", ADDRESS), ("REFUNDS_CREATE", ADDRESS)]


@pytest.fixture
def connection(sandbox, settings, monkeypatch) -> Connection:
    settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "shopify": f"{sandbox.url}/shopify"}
    described = replace(PROVIDERS["shopify"], webhook_events=TOPICS)
    monkeypatch.setattr("integrations.registry.PROVIDERS", {**PROVIDERS, "shopify": described})
    shop = {"shop": "acme.myshopify.com", "access_token": "shpat_live_factory1", "client_secret": "shpss_factory1"}
    connection = factories.connection(
        factories.organization(), provider="shopify", webhook_secret=None, credentials=shop
    )
    with tenant(connection.organization):
        connection_request_check(connection=connection)
    return connection


def checked(connection: Connection) -> Connection:
    check_connections()
    with tenant(connection.organization):
        return Connection.objects.get(pk=connection.pk)


@pytest.mark.django_db
def test_a_check_subscribes(sandbox, connection, settings):
    settings.BASE_URL = "https://rocket.example.com"

    assert checked(connection).check_message == "Connected to Stand-in shop."

    address = f"https://rocket.example.com/webhooks/in/shopify/{connection.pk}"
    assert subscribed(sandbox, livemode="true") == [("ORDERS_PAID", address), ("REFUNDS_CREATE", address)]


@pytest.mark.django_db
def test_what_stands_in_the_way_is_told_and_stops_nothing(sandbox, connection, settings):
    settings.BASE_URL = "http://localhost:8000"

    done = checked(connection)

    assert done.status == ConnectionStatus.ACTIVE
    assert "Shopify doesn't send webhooks here" in done.check_message
    assert subscribed(sandbox, livemode="true") == []
