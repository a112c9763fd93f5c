"""Who isn't in an organization doesn't find it; who may only look can't change anything by asking for it by hand."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern
from pytest_django import DjangoDbBlocker

from campaigns.models import CampaignStatus
from referral_rocket.accounts.models import Membership, Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.services import api_key_create, invitation_create
from referral_rocket.dashboard.urls import urlpatterns
from referral_rocket.kit.clock import wall
from rewards.models import BatchItem, Finding
from rewards.services.reconciling.findings import findings_store
from tests import factories
from tests.dashboard.visitor import Visitor, member, stranger
from tests.participants.importing.files import as_csv, upload
from webhooks.inbound.backfilling import backfill_dry_run
from webhooks.inbound.models import InboundEvent
from webhooks.outbound.endpoints import endpoint_create, endpoint_test

pytestmark = pytest.mark.django_db

# What is everybody's own to change, whatever their role.
OWN = {"profile"}
# Pages that a viewer is not shown at all: forms that end in a change, and nothing to read.
FORMS = {
    "campaign_new",
    "campaign_edit",
    "participant_add",
    "participant_import_new",
    "participant_import_columns",
    "integration_connect",
    "integration_installed",
    "issue",
    "endpoint_new",
    "unknown",
}


def patterns() -> list[URLPattern]:
    found = [each for each in urlpatterns if isinstance(each, URLPattern)]
    assert len(found) == len(urlpatterns) > 40
    return found


NAMES = [str(pattern.name) for pattern in patterns()]
PARAMETERS = {str(pattern.name): tuple(pattern.pattern.converters) for pattern in patterns()}


@pytest.fixture(scope="module")
def organization(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Organization]:
    """Made once, with its things: each test is a savepoint in the transaction that they are made in."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield factories.organization()
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def things(organization: Organization) -> dict[str, object]:
    """Something of the organization for each parameter that an address has."""
    campaign = factories.campaign(organization)
    rewards = factories.due_rewards(campaign, 1)
    owner = factories.user()
    connection = factories.connection(organization)
    with tenant(organization):
        membership = Membership.objects.create(organization=organization, user=owner, role=Role.MARKETER)
        key = api_key_create(organization=organization, name="Shop", scopes=["read"], user=owner).key
        sent = invitation_create(organization=organization, email="new@example.com", role=Role.VIEWER, invited_by=owner)
        listed = backfill_dry_run(connection=connection, days=30, actor="test")
        inbound = InboundEvent.objects.create(
            organization=organization,
            connection=connection,
            provider_event_id="evt_1",
            event_type="invoice.paid",
            body=b"{}",
            received_at=wall(),
            next_attempt_at=wall(),
        )
        endpoint = endpoint_create(organization=organization, url="https://example.com/hook", actor="system:test")
        delivery = endpoint_test(endpoint=endpoint.endpoint, actor="system:test")
    imported = upload(organization, as_csv(["email"], [["new@example.com"]]))
    batch = factories.batch(organization, rewards)
    with tenant(organization):
        item = BatchItem.objects.get(batch=batch)
        found = Finding(key="ORPHAN:1", kind="ORPHAN", message="The provider has more.")
        findings_store(organization=organization, found=[found])
        finding = Finding.objects.get()
    return {
        "campaign_id": campaign.pk,
        "participant_id": rewards[0].participant_id,
        "event_id": rewards[0].event_id,
        "reward_id": rewards[0].pk,
        "batch_id": batch.pk,
        "item_id": item.pk,
        "backfill_id": listed.pk,
        "import_id": imported.pk,
        "connection_id": connection.pk,
        "endpoint_id": endpoint.endpoint.pk,
        "delivery_id": delivery.pk,
        "finding_id": finding.pk,
        "inbound_id": inbound.pk,
        "membership_id": membership.pk,
        "invitation_id": sent.invitation.pk,
        "key_id": key.pk,
        "currency": "USD",
        "status": CampaignStatus.PAUSED,
        "provider": "stripe",
    }


def arguments(name: str, things: dict[str, object]) -> list[object]:
    wanted = [parameter for parameter in PARAMETERS[name] if parameter != "slug"]
    if name in ("inbound_event", "inbound_replay"):
        wanted = ["inbound_id"]
    return [things[parameter] for parameter in wanted]


def asked(visitor: Visitor, name: str, given: list[object]) -> Iterator[tuple[str, int]]:
    """(method, status) for a look and for a press without any field."""
    yield "GET", visitor.get(name, *given).status_code
    yield "POST", visitor.post(name, *given).status_code


@pytest.mark.parametrize("name", NAMES)
def test_a_stranger_finds_nothing(name: str, organization: Organization, things: dict[str, object]) -> None:
    visitor = stranger(organization)
    assert [status for _, status in asked(visitor, name, arguments(name, things))] == [404, 404]


@pytest.mark.parametrize("name", NAMES)
def test_who_is_not_signed_in_is_sent_to_the_log_in(
    name: str, organization: Organization, things: dict[str, object]
) -> None:
    visitor = Visitor(organization, factories.user(), Client())
    visitor.client.logout()
    for answer in (visitor.get(name, *arguments(name, things)), visitor.post(name, *arguments(name, things))):
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/accounts/login/?next=/o/")


@pytest.mark.parametrize("name", [name for name in NAMES if any(part.endswith("_id") for part in PARAMETERS[name])])
def test_another_organizations_things_are_not_there(name: str, things: dict[str, object]) -> None:
    visitor = member(factories.organization(), Role.OWNER)
    statuses = dict(asked(visitor, name, arguments(name, things)))
    assert set(statuses.values()) <= {404, 405}
    assert 404 in statuses.values()


@pytest.mark.parametrize("name", NAMES)
def test_a_viewer_looks_and_changes_nothing(name: str, organization: Organization, things: dict[str, object]) -> None:
    visitor = member(organization, Role.VIEWER)
    statuses = dict(asked(visitor, name, arguments(name, things)))
    if name in OWN:
        assert statuses == {"GET": 200, "POST": 422}
        return
    assert statuses["POST"] in (403, 405)
    assert statuses["GET"] == 403 if name in FORMS else statuses["GET"] in (200, 405)


def test_ids_are_those_of_the_addresses(things: dict[str, object]) -> None:
    wanted = {part for parts in PARAMETERS.values() for part in parts} - {"slug"}
    assert wanted <= things.keys()
    assert all(isinstance(value, UUID) for name, value in things.items() if name.endswith("_id"))
