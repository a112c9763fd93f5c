"""Handing an organization over, and deleting it."""

import pytest
from django.test import Client

from campaigns.models import Campaign
from integrations.models import Connection, Endpoint
from participants.models import QualifyingEvent
from referral_rocket.accounts.models import ApiKey, Membership, Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.services import api_key_create, invitation_create
from referral_rocket.activity.models import Activity
from referral_rocket.dashboard.settings import ownership
from rewards.models import Reward
from tests import factories
from tests.api.conftest import caller_of
from tests.concurrency import at_once
from tests.webhooks.stripe_sales import SESSION, post, sale
from webhooks.inbound import door
from webhooks.outbound.endpoints import endpoint_create

pytestmark = pytest.mark.django_db


def member(organization, role):
    user = factories.user()
    with tenant(organization):
        return Membership.objects.create(organization=organization, user=user, role=role)


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner(organization):
    with tenant(organization):
        return Membership.objects.select_related("user").get(role=Role.OWNER).user


def roles(organization):
    with tenant(organization):
        return dict(Membership.objects.values_list("user", "role"))


# Handing over ----------------------------------------------------------------------------------------------------


def hand_over(organization, user, membership):
    return client_of(user).post(f"/o/{organization.slug}/settings/hand-over/", {"membership": str(membership)})


def test_it_works(organization, owner):
    heir = member(organization, Role.MARKETER)
    page = client_of(owner).get(f"/o/{organization.slug}/settings/").content.decode()
    assert str(heir.user) in page

    assert hand_over(organization, owner, heir.pk).status_code == 302

    assert roles(organization) == {owner.pk: Role.ADMIN, heir.user.pk: Role.OWNER}
    with tenant(organization):
        assert Activity.objects.filter(kind="organization.handed_over", subject_id=heir.pk).count() == 1


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MARKETER, Role.VIEWER])
def test_only_owners_hand_over_and_delete(organization, owner, role):
    other = member(organization, role)
    client = client_of(other.user)
    page = client.get(f"/o/{organization.slug}/settings/").content.decode()

    assert hand_over(organization, other.user, other.pk).status_code == 403
    assert delete(organization, other.user).status_code == 403

    assert "Hand over" not in page
    assert "Delete" not in page
    assert roles(organization) == {owner.pk: Role.OWNER, other.user.pk: role}
    assert not Organization.objects.filter(deleted_at__isnull=False).exists()


def test_to_nobody_who_is_there(organization, other_organization, owner):
    with tenant(other_organization):
        stranger = Membership.objects.get().pk
    with tenant(organization):
        own = Membership.objects.get().pk

    for wrong in (stranger, own, "", "nonsense"):
        assert hand_over(organization, owner, wrong).status_code == 302

    assert roles(organization) == {owner.pk: Role.OWNER}


@pytest.mark.django_db(transaction=True)
def test_one_owner_hands_over_to_two_at_once(organization, owner):
    heirs = [member(organization, Role.ADMIN).pk for _ in range(4)]

    at_once(4, lambda number: hand_over(organization, owner, heirs[number]).status_code)

    assert sorted(roles(organization).values()) == [Role.ADMIN] * 4 + [Role.OWNER]


# Deleting --------------------------------------------------------------------------------------------------------


def delete(organization, user, name=None):
    confirmation = organization.name if name is None else name
    return client_of(user).post(f"/organizations/{organization.slug}/delete/", {"confirmation": confirmation})


@pytest.fixture
def in_use(organization):
    """Both twins with everything that reaches from outside."""
    for each in (organization, organization.test_organization):
        sharer = factories.participant(factories.campaign(each), "sharer@example.com")
        factories.event(factories.participant(sharer.campaign, "friend@example.com", referred_by=sharer))
        factories.connection(each)
        with tenant(each):
            endpoint_create(organization=each, url="https://shop.example.com/hook", actor=factories.ACTOR)
    return organization


def counts(organization):
    with tenant(organization):
        return [model.objects.count() for model in (Campaign, QualifyingEvent, Reward, Connection, Endpoint, ApiKey)]


def test_nothing_reaches_what_was_deleted_and_its_records_stay(in_use, owner):
    door._doors.clear()
    twin = in_use.test_organization
    callers = [caller_of(in_use), caller_of(twin)]
    with tenant(in_use):
        token = invitation_create(
            organization=in_use, email="new@example.com", role=Role.VIEWER, invited_by=owner
        ).token
        code = Reward.objects.get().participant.referral_code
        connection = Connection.objects.get()
    before = counts(in_use), counts(twin)
    client = client_of(owner)
    page = client.get(f"/o/{in_use.slug}/settings/").content.decode()
    assert "1 due reward ($12.00)" in page

    answer = delete(in_use, owner)

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/")["Location"] == "/organizations/new/"
    assert [client.get(f"/o/{each.slug}/").status_code for each in (in_use, twin)] == [404, 404]
    assert [caller.call("GET", "/organization").status_code for caller in callers] == [401, 401]
    assert client.get(f"/invitations/{token}").status_code == 410
    assert Client().get(f"/r/{code}").status_code == 404
    assert post(connection, sale()[SESSION]).status_code == 404
    assert (counts(in_use), counts(twin)) == before
    for each in (in_use, twin):
        with tenant(each):
            assert set(Campaign.objects.values_list("status", flat=True)) == {"ENDED"}
            assert set(Connection.objects.values_list("status", flat=True)) == {"DISCONNECTED"}
            assert set(Endpoint.objects.values_list("status", flat=True)) == {"DISABLED"}
            assert not ApiKey.objects.filter(revoked_at__isnull=True).exists()
            assert Activity.objects.filter(kind="organization.deleted").count() == 1
    assert delete(in_use, owner).status_code == 404


def test_another_organization_of_the_same_owner_stays(in_use, owner):
    other = factories.organization("Other", owner=owner)
    key = api_key_create(organization=other, name="shop", scopes=["read"], user=owner)

    delete(in_use, owner)

    client = client_of(owner)
    assert client.get("/")["Location"] == f"/o/{other.slug}/"
    assert client.get("/api/v1/organization", headers={"Authorization": f"Bearer {key.token}"}).status_code == 200


def test_without_its_name_nothing_is_deleted(in_use, owner):
    for name in ("", "acme", in_use.name + "x"):
        assert delete(in_use, owner, name).status_code == 302

    assert not Organization.objects.filter(deleted_at__isnull=False).exists()


def test_the_test_twin_alone_and_a_stranger_s(in_use, other_organization, owner):
    assert delete(in_use.test_organization, owner).status_code == 403
    assert delete(other_organization, owner).status_code == 404
    assert Client().post(f"/organizations/{in_use.slug}/delete/")["Location"].startswith("/accounts/login/")
    assert not Organization.objects.filter(deleted_at__isnull=False).exists()


def test_not_while_rewards_are_being_issued(in_use, owner):
    with tenant(in_use):
        factories.batch(in_use, list(Reward.objects.all()))

    assert delete(in_use, owner).status_code == 302

    page = client_of(owner).get(f"/o/{in_use.slug}/settings/")
    assert page.status_code == 200
    with tenant(in_use):
        assert set(Campaign.objects.values_list("status", flat=True)) == {"ACTIVE"}


@pytest.mark.django_db(transaction=True)
def test_half_of_it_is_none_of_it(in_use, owner, monkeypatch):
    def broken(**given):
        raise RuntimeError("killed here")

    monkeypatch.setattr(ownership, "access_end", broken)
    with pytest.raises(RuntimeError):
        delete(in_use, owner)

    assert not Organization.objects.filter(deleted_at__isnull=False).exists()
    with tenant(in_use):
        assert set(Campaign.objects.values_list("status", flat=True)) == {"ACTIVE"}


@pytest.mark.django_db(transaction=True)
def test_four_times_at_once_it_is_deleted_once(in_use, owner):
    answers = at_once(4, lambda _: delete(in_use, owner).status_code)

    assert set(answers) <= {302, 404}
    with tenant(in_use):
        assert Activity.objects.filter(kind="organization.deleted").count() == 1
