"""Connecting PayPal and Wise in the dashboard, with their live check at the stand-ins."""

from collections.abc import Iterator
from typing import Any

import pytest

from integrations.models import Connection, ConnectionStatus
from integrations.sandbox.wise.shapes import profile_of
from integrations.tasks import check_connections
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from tests import factories
from tests.dashboard.visitor import Visitor, member, text
from tests.integrations.stand_in import running

pytestmark = pytest.mark.django_db
TOKEN = "ab12cd34-ef56-4a78-9b01-23456789abcd"
PAYPAL = {"client_id": "AClientIdOfTheStandIn", "client_secret": "ESecretOfTheStandIn"}


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def admin(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    monkeypatch.setattr(check_connections, "apply_async", lambda *args, **options: None)
    return member(organization, Role.ADMIN)


@pytest.fixture(autouse=True)
def _stand_ins(settings: Any) -> Iterator[None]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {name: f"{sandbox.url}/{name}" for name in ("paypal", "wise")}
        yield


def only(organization: Organization) -> Connection:
    with tenant(organization):
        return Connection.objects.get()


def test_it_works(organization: Organization, admin: Visitor) -> None:
    admin.post("integration_connect", "paypal", **PAYPAL, webhook_id="")
    check_connections()

    made = only(organization)
    assert made.credentials == {**PAYPAL, "webhook_id": ""}
    assert made.webhook_secrets == {}
    assert made.status == ConnectionStatus.ACTIVE
    assert made.account.startswith("Referral Rocket stand-in (")
    page = text(admin.get("connection", made.pk))
    assert f"/webhooks/in/paypal/{made.pk}" in page
    assert "PAYMENT.PAYOUTS-ITEM.UNCLAIMED" in page
    assert "News of payouts" in page


def test_the_webhook_id_is_added_afterwards(organization: Organization, admin: Visitor) -> None:
    admin.post("integration_connect", "paypal", **PAYPAL, webhook_id="")

    admin.post(
        "connection_secret",
        only(organization).pk,
        **{"secret-webhook_secret": "5GP028458E2496506", "secret-overlap": "0"},
    )

    assert only(organization).webhook_secrets == {"current": "5GP028458E2496506"}


def test_a_webhook_id_among_the_credentials_is_kept_for_the_door(organization: Organization, admin: Visitor) -> None:
    admin.post("integration_connect", "paypal", **PAYPAL, webhook_id="5GP028458E2496506")

    assert only(organization).webhook_secrets == {"current": "5GP028458E2496506"}


@pytest.mark.parametrize("field", ["client_id", "client_secret", "webhook_id"])
def test_what_cant_be_a_credential(organization: Organization, admin: Visitor, field: str) -> None:
    answer = admin.post("integration_connect", "paypal", **{**PAYPAL, "webhook_id": "", field: "two words"})

    assert answer.status_code == 422
    with tenant(organization):
        assert not Connection.objects.exists()


def test_wise_needs_its_settings(organization: Organization, admin: Visitor) -> None:
    assert admin.post("integration_connect", "wise", api_token=TOKEN).status_code == 422
    assert (
        admin.post("integration_connect", "wise", api_token=TOKEN, profile_id="x", source_currency="eur").status_code
        == 422
    )
    with tenant(organization):
        assert not Connection.objects.exists()

    admin.post("integration_connect", "wise", api_token=TOKEN, profile_id=str(profile_of(TOKEN)), source_currency="EUR")
    check_connections()

    made = only(organization)
    assert made.settings == {"profile_id": str(profile_of(TOKEN)), "source_currency": "EUR"}
    assert (made.status, made.account_currency) == (ConnectionStatus.ACTIVE, "EUR")
    assert "The balance in EUR is €100,000.00" in made.check_message
    page = text(admin.get("connection", made.pk))
    assert "Paid from" in page
    assert "transfers#state-change" in page


def test_another_profile_is_refused_by_the_check_and_can_be_changed(organization: Organization, admin: Visitor) -> None:
    admin.post("integration_connect", "wise", api_token=TOKEN, profile_id="1", source_currency="EUR")
    check_connections()
    assert only(organization).status == ConnectionStatus.NEEDS_ATTENTION
    assert str(profile_of(TOKEN)) in only(organization).attention_reason

    changed = {"settings-profile_id": str(profile_of(TOKEN)), "settings-source_currency": "USD"}
    admin.post("connection_settings", only(organization).pk, **changed)
    check_connections()

    assert only(organization).status == ConnectionStatus.ACTIVE
    assert only(organization).settings["source_currency"] == "USD"


def test_a_viewer_changes_no_settings(organization: Organization, admin: Visitor) -> None:
    admin.post("integration_connect", "wise", api_token=TOKEN, profile_id="1", source_currency="EUR")

    viewer = member(organization, Role.VIEWER)
    answer = viewer.post("connection_settings", only(organization).pk, **{"settings-profile_id": "2"})

    assert answer.status_code == 403
    assert only(organization).settings["profile_id"] == "1"
