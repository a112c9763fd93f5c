"""Connecting a shop by installing the operator's app: there and back, and the code exchanged by a worker."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from integrations.models import Connection, ConnectionStatus
from integrations.sandbox.shopify.app import CLIENT_ID, CLIENT_KEY
from integrations.tasks import check_connections
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from tests import factories
from tests.dashboard.visitor import Visitor, member, text
from tests.integrations.stand_in import RunningSandbox, running

pytestmark = pytest.mark.django_db

SHOP = "acme-coffee.myshopify.com"


@pytest.fixture
def sandbox(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "shopify": f"{sandbox.url}/shopify"}
        settings.SHOPIFY_CLIENT_ID, settings.SHOPIFY_CLIENT_SECRET = CLIENT_ID, CLIENT_KEY
        yield sandbox


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def admin(organization: Organization) -> Visitor:
    return member(organization, Role.ADMIN)


def ask(visitor: Visitor, shop: str = SHOP) -> Any:
    return visitor.post("integration_install", "shopify", shop=shop)


def go_to_the_shop(asked: Any) -> dict[str, str]:
    """What the shop's owner comes back with."""
    answer = requests.get(asked.context["url"], allow_redirects=False, timeout=10)
    assert answer.status_code == 302
    parts = urlsplit(answer.headers["Location"])
    assert parts.path == "/integrations/shopify/callback"
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


def come_back(visitor: Visitor, answered: dict[str, str]) -> Any:
    return visitor.client.get("/integrations/shopify/callback", answered, follow=True)


def connections(organization: Organization) -> list[Connection]:
    with tenant(organization):
        return list(Connection.objects.order_by("pk"))


def test_it_works(sandbox: RunningSandbox, admin: Visitor, organization: Organization) -> None:
    asked = ask(admin)
    assert "read_customers" in asked.context["url"]
    page = come_back(admin, go_to_the_shop(asked))
    assert "Being connected" in text(page)
    (connection,) = connections(organization)
    assert "HX-Refresh" not in admin.get("connection_status", connection.pk)
    assert connection.status == ConnectionStatus.NEEDS_ATTENTION
    assert connection.credentials["access_token"] == ""

    assert check_connections() == 1

    (connection,) = connections(organization)
    assert connection.status == ConnectionStatus.ACTIVE
    assert connection.account.startswith("Stand-in shop")
    assert connection.credentials["access_token"].startswith("shpat_")
    assert set(connection.credentials) == {"shop", "access_token", "client_secret"}
    assert connection.credentials["shop"] == SHOP
    assert connection.webhook_secrets["current"] == CLIENT_KEY
    assert admin.get("connection_status", connection.pk)["HX-Refresh"] == "true"


def test_the_same_shop_again_is_the_same_connection(
    sandbox: RunningSandbox, admin: Visitor, organization: Organization
) -> None:
    for _ in range(2):
        come_back(admin, go_to_the_shop(ask(admin)))
        check_connections()

    (connection,) = connections(organization)
    assert connection.status == ConnectionStatus.ACTIVE


def test_a_code_is_exchanged_once(sandbox: RunningSandbox, admin: Visitor, organization: Organization) -> None:
    """Killed after the exchange, before the token was written: the next try is refused, and says what to do."""
    come_back(admin, go_to_the_shop(ask(admin)))
    (connection,) = connections(organization)
    code = connection.credentials["authorization_code"]
    used = requests.post(
        f"{sandbox.url}/shopify/admin/oauth/access_token",
        json={"client_id": CLIENT_ID, "client_secret": CLIENT_KEY, "code": code},
        timeout=10,
    )
    assert used.status_code == 200

    check_connections()

    (connection,) = connections(organization)
    assert connection.status == ConnectionStatus.NEEDS_ATTENTION
    assert "once more" in connection.attention_reason


def test_shopify_out_of_reach_is_asked_again(
    sandbox: RunningSandbox, admin: Visitor, organization: Organization
) -> None:
    come_back(admin, go_to_the_shop(ask(admin)))
    sandbox.fault("unavailable", provider="shopify", path="access_token")
    check_connections()
    (connection,) = connections(organization)
    assert connection.check_due_at is not None
    assert "authorization_code" in connection.credentials

    with tenant(organization):
        Connection.objects.update(check_due_at=clock.wall())
    check_connections()

    assert connections(organization)[0].status == ConnectionStatus.ACTIVE


@pytest.mark.parametrize(
    "change",
    [
        {"state": "another"},
        {"hmac": "0" * 64},
        {"shop": "evil.myshopify.com"},
        {"code": "another"},
        {"timestamp": "1"},
        {"timestamp": "soon"},
    ],
)
def test_an_answer_that_is_not_genuine_connects_nothing(
    sandbox: RunningSandbox, admin: Visitor, organization: Organization, change: dict[str, str]
) -> None:
    answered = go_to_the_shop(ask(admin))

    page = come_back(admin, {**answered, **change})

    assert "Start" in text(page)
    assert connections(organization) == []


def test_an_answer_counts_once(sandbox: RunningSandbox, admin: Visitor, organization: Organization) -> None:
    answered = go_to_the_shop(ask(admin))
    come_back(admin, answered)

    assert come_back(admin, answered).status_code == 404
    assert len(connections(organization)) == 1


def test_somebody_elses_answer_is_of_no_use(
    sandbox: RunningSandbox, admin: Visitor, organization: Organization
) -> None:
    answered = go_to_the_shop(ask(admin))
    victim = member(organization, Role.ADMIN)

    assert come_back(victim, answered).status_code == 404
    ask(victim)
    come_back(victim, answered)

    assert connections(organization) == []


@pytest.mark.parametrize(
    "shop", ["", "acme", "evil.example", "evil.example/x.myshopify.com", "a.myshopify.com.evil.example"]
)
def test_what_is_no_shop(sandbox: RunningSandbox, admin: Visitor, shop: str) -> None:
    answer = ask(admin, shop)

    assert answer.status_code == 302
    assert answer.url.endswith("/integrations/connect/shopify/")


def test_marketers_do_not_install(sandbox: RunningSandbox, organization: Organization) -> None:
    assert ask(member(organization, Role.MARKETER)).status_code == 403
    assert connections(organization) == []


def test_without_an_app_it_is_not_offered(admin: Visitor, settings: Any) -> None:
    settings.SHOPIFY_CLIENT_ID = settings.SHOPIFY_CLIENT_SECRET = ""

    assert "Install our app" not in text(admin.get("integration_connect", "shopify"))
    assert ask(admin).status_code == 404
    assert ask_for(admin, "stripe").status_code == 404


def ask_for(visitor: Visitor, provider: str) -> Any:
    return visitor.post("integration_install", provider, shop=SHOP)


def test_with_an_app_it_is_offered(sandbox: RunningSandbox, admin: Visitor) -> None:
    assert "Install our app" in text(admin.get("integration_connect", "shopify"))
