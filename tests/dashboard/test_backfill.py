"""Past payments on a connection's page: a dry run, what it shows, and the import."""

from typing import Any

import pytest

from integrations.models import Connection
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from tests import factories
from tests.dashboard.visitor import Visitor, member, text
from tests.webhooks.test_backfill import sandbox, sold
from webhooks.inbound import backfilling, dispatch
from webhooks.inbound.models import Backfill, InboundEvent

__all__ = ["sandbox"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(organization: Organization) -> Visitor:
    return member(organization, Role.ADMIN)


@pytest.fixture
def connection(organization: Organization) -> Connection:
    return factories.connection(organization)


def backfills(organization: Organization) -> list[Backfill]:
    with tenant(organization):
        return list(Backfill.objects.order_by("pk"))


def test_it_works(admin: Visitor, connection: Connection, sandbox: Any) -> None:
    code = factories.participant(factories.campaign(admin.organization)).referral_code
    sold(sandbox, referral_code=code)
    assert "No dry run yet.</span> Choose how far back to look and press Dry run." in text(
        admin.get("connection", connection.pk)
    )

    assert admin.post("backfill_dry_run", connection.pk, days="30").status_code == 302
    assert 'hx-trigger="every 2s"' in text(admin.get("backfill_runs", connection.pk))
    backfilling.run()

    shown = text(admin.get("connection", connection.pk))
    assert "Dry run · last 30 days" in shown
    assert "$120.00" in shown
    assert "$12.00" in shown
    assert "Import these payments" in shown
    (dry,) = backfills(admin.organization)

    assert admin.post("backfill_import", connection.pk, dry.pk).status_code == 302
    backfilling.run()
    assert "2 still to be worked off" in text(admin.get("backfill_runs", connection.pk))
    dispatch.run()

    shown = text(admin.get("backfill_runs", connection.pk))
    assert "2 used, 0 without effect" in shown
    assert "Import these payments" not in shown
    assert 'hx-trigger="every 2s"' not in shown


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MARKETER])
def test_who_may_not_connect_only_looks(connection: Connection, sandbox: Any, role: str) -> None:
    visitor = member(connection.organization, role)

    shown = text(visitor.get("connection", connection.pk))
    assert "Dry run</button>" not in shown
    assert "No dry run yet.</span> An admin or owner can start one." in shown
    assert visitor.post("backfill_dry_run", connection.pk, days="30").status_code == 403
    assert backfills(connection.organization) == []


@pytest.mark.parametrize("days", ["", "29", "x"])
def test_other_spans_begin_nothing(admin: Visitor, connection: Connection, sandbox: Any, days: str) -> None:
    admin.post("backfill_dry_run", connection.pk, days=days)

    assert backfills(admin.organization) == []


def test_nothing_is_imported_twice_at_once(admin: Visitor, connection: Connection, sandbox: Any) -> None:
    sold(sandbox)
    admin.post("backfill_dry_run", connection.pk, days="7")
    backfilling.run()
    (dry,) = backfills(admin.organization)

    for _ in range(2):
        admin.post("backfill_import", connection.pk, dry.pk)

    assert [each.dry_run for each in backfills(admin.organization)] == [True, False]


def test_another_connections_run_is_not_found(admin: Visitor, connection: Connection, sandbox: Any) -> None:
    admin.post("backfill_dry_run", connection.pk, days="7")
    backfilling.run()
    (dry,) = backfills(admin.organization)
    other = factories.connection(admin.organization)

    assert admin.post("backfill_import", other.pk, dry.pk).status_code == 404
    with tenant(admin.organization):
        assert InboundEvent.objects.count() == 0


def test_the_page_takes_as_many_queries_however_many_ran(admin: Visitor, connection: Connection, sandbox: Any) -> None:
    admin.post("backfill_dry_run", connection.pk, days="7")
    backfilling.run()
    before = admin.queries("connection", connection.pk)
    for _ in range(3):
        admin.post("backfill_dry_run", connection.pk, days="7")
        backfilling.run()

    assert admin.queries("connection", connection.pk) == before
