"""API keys, the log of API calls, and the test clock."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages

from participants.models import Participant
from referral_rocket.accounts.models import ApiKey, Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.selectors import api_key_by_token
from referral_rocket.accounts.services import api_key_create
from referral_rocket.api.models import ApiRequest
from referral_rocket.kit import clock
from rewards.models import Reward
from tests import factories
from tests.dashboard.visitor import Visitor, member, text

pytestmark = pytest.mark.django_db

NEW_KEY = {"name": "Shop backend", "scopes": ["read", "issue"], "expires_in": "30"}


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def admin(organization: Organization) -> Visitor:
    return member(organization, Role.ADMIN)


def key_of(organization: Organization) -> ApiKey:
    with tenant(organization):
        return ApiKey.objects.get()


def test_it_works(organization: Organization, admin: Visitor) -> None:
    answer = admin.post("api_key_create", **NEW_KEY)
    assert answer.status_code == 201
    assert "no-store" in answer.headers["Cache-Control"]
    (token,) = re.findall(r"rr_live_[A-Za-z0-9]{32}", answer.content.decode())
    key = key_of(organization)
    found = api_key_by_token(token)
    assert found is not None
    assert found.pk == key.pk
    assert (key.name, key.scopes, key.created_by_id) == ("Shop backend", ["read", "issue"], admin.user.pk)
    assert key.expires_at is not None
    assert timedelta(days=29) < key.expires_at - clock.wall() <= timedelta(days=30)
    assert token not in text(admin.get("developers"))
    assert key.prefix in text(admin.get("developers"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ""}, "This field is required."),
        ({"scopes": []}, "This field is required."),
        ({"scopes": ["root"]}, "Select a valid choice."),
        ({"expires_in": "9999"}, "Select a valid choice."),
    ],
)
def test_a_key_needs_a_name_and_scopes(
    wrong: dict[str, Any], message: str, organization: Organization, admin: Visitor
) -> None:
    answer = admin.post("api_key_create", **{**NEW_KEY, **wrong})
    assert answer.status_code == 422
    assert message in text(answer)
    with tenant(organization):
        assert not ApiKey.objects.exists()


def test_a_revoked_key_stops_working(organization: Organization, admin: Visitor) -> None:
    with tenant(organization):
        token = api_key_create(organization=organization, name="Old", scopes=["read"], user=None).token
    admin.post("api_key_revoke", key_of(organization).pk)
    assert api_key_by_token(token) is None
    assert "Revoked" in text(admin.get("developers"))


def test_keys_are_not_for_marketers(organization: Organization, admin: Visitor) -> None:
    admin.post("api_key_create", **NEW_KEY)
    page = text(member(organization, Role.MARKETER).get("developers"))
    assert "Keys are for admins" in page
    assert "Shop backend" not in page


def test_test_keys_are_made_in_the_test_organization(organization: Organization, admin: Visitor) -> None:
    in_test = Visitor(organization.test_organization, admin.user)
    assert "rr_test_" in in_test.post("api_key_create", **NEW_KEY).content.decode()
    with tenant(organization):
        assert not ApiKey.objects.exists()


# The log


def call(organization: Organization, status: int, method: str = "GET") -> None:
    with tenant(organization):
        key = ApiKey.objects.first()
        key = key or api_key_create(organization=organization, name="Shop", scopes=["read"], user=None).key
        ApiRequest.objects.create(
            organization=organization,
            at=clock.wall(),
            request_id=f"req-{factories.next_number()}",
            key=key,
            method=method,
            path="/api/v1/campaigns",
            status=status,
            code="" if status < 400 else "not_found",
            duration_ms=12,
        )


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [500, 404, 201, 200]),
        ({"status": "ok"}, [201, 200]),
        ({"status": "refused"}, [404]),
        ({"status": "failed"}, [500]),
        ({"method": "POST"}, [201]),
        ({"method": "BREW"}, [500, 404, 201, 200]),
    ],
)
def test_the_log_and_its_filters(
    asked: dict[str, str], found: list[int], organization: Organization, admin: Visitor
) -> None:
    for status, method in ((200, "GET"), (201, "POST"), (404, "GET"), (500, "GET")):
        call(organization, status, method)
    assert [row.status for row in admin.get("api_log", **asked).context["page"].rows] == found


def test_queries_do_not_grow(organization: Organization, admin: Visitor) -> None:
    call(organization, 200)
    before = admin.queries("api_log"), admin.queries("developers")
    for _ in range(5):
        call(organization, 200)
        with tenant(organization):
            api_key_create(organization=organization, name="More", scopes=["read"], user=admin.user)
    assert (admin.queries("api_log"), admin.queries("developers")) == before


# The test clock


@pytest.fixture
def in_test(organization: Organization, admin: Visitor) -> Visitor:
    return Visitor(organization.test_organization, admin.user)


def held_reward(organization: Organization) -> Participant:
    campaign = factories.campaign(organization, holding_days=7)
    referrer = factories.participant(campaign)
    factories.event(factories.participant(campaign, referred_by=referrer))
    return referrer


def test_a_week_passes_and_a_reward_is_due(in_test: Visitor) -> None:
    held_reward(in_test.organization)
    answer = in_test.post("test_clock", step="168")
    (message,) = get_messages(answer.wsgi_request)
    assert "1 reward became due." in str(message)
    with tenant(in_test.organization):
        assert Reward.objects.get().status == "PENDING"
    assert "7 days ahead of the wall clock" in text(in_test.get("test_clock"))
    in_test.organization.refresh_from_db()
    assert abs(in_test.organization.clock_offset - timedelta(days=7)) < timedelta(minutes=1)


def test_to_a_moment_in_the_organizations_zone(admin: Visitor) -> None:
    organization = factories.organization(owner=admin.user, time_zone="Asia/Tokyo").test_organization
    visitor = Visitor(organization, admin.user)
    target = (clock.wall() + timedelta(days=3)).astimezone(organization.zone).replace(hour=9, minute=0)
    visitor.post("test_clock", to=target.strftime("%Y-%m-%dT%H:%M"))
    organization.refresh_from_db()
    now = clock.now(organization).astimezone(organization.zone)
    assert (now.date(), now.hour, now.minute) == (target.date(), 9, 0)


@pytest.mark.parametrize(
    ("sent", "message"),
    [({}, "Say to when."), ({"to": "2001-01-01T00:00"}, "moves forward only"), ({"step": "17"}, "Say to when.")],
)
def test_it_only_moves_forward(sent: dict[str, str], message: str, in_test: Visitor) -> None:
    answer = in_test.post("test_clock", **sent)
    assert answer.status_code == 422
    if "step" not in sent:
        assert message in text(answer)
    in_test.organization.refresh_from_db()
    assert in_test.organization.clock_offset == timedelta()


def test_a_live_organization_has_none(organization: Organization, admin: Visitor) -> None:
    assert "Live organizations have no test clock" in text(admin.get("test_clock"))
    answer = admin.post("test_clock", step="24")
    assert answer.status_code == 422
    organization.refresh_from_db()
    assert organization.clock_offset == timedelta()
