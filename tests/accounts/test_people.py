"""Organizations with their twins, members, invitations, keys and the test clock."""

import dataclasses
import itertools
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from referral_rocket.accounts import services
from referral_rocket.accounts.errors import AlreadyMember, ClockRefused, InvitationNotUsable, LastOwner
from referral_rocket.accounts.models import ApiKey, Invitation, Membership, Organization, Scope, User
from referral_rocket.accounts.roles import ABILITIES, Ability, Role, may
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.selectors import api_key_by_token, invitation_by_token, organizations_of
from referral_rocket.kit import clock
from tests import factories
from tests.concurrency import at_once

pytestmark = pytest.mark.django_db


def test_it_works():
    owner = factories.user()

    live = services.organization_create(name="Acme", owner=owner, time_zone="Europe/Berlin")

    twin = live.test_organization
    assert (live.mode, live.slug, twin.mode, twin.slug) == ("LIVE", "acme", "TEST", "acme-test")
    assert (twin.name, twin.time_zone, twin.live_organization) == ("Acme", "Europe/Berlin", live)
    assert [(access.organization, access.role) for access in organizations_of(owner)] == [
        (live, "OWNER"),
        (twin, "OWNER"),
    ]
    assert organizations_of(factories.user()) == []


def test_names_that_are_taken_get_addresses_of_their_own():
    slugs = [factories.organization(name).slug for name in ("Acme", "Acme", "Acme-test", "漢字", "漢字")]

    assert len(set(slugs)) == 5
    assert slugs[0] == "acme"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd"])
def test_a_time_zone_that_is_none(zone):
    owner = factories.user()

    with pytest.raises(ValidationError):
        services.organization_create(name="Acme", owner=owner, time_zone=zone)

    assert not Organization.objects.exists()


def test_the_twin_follows_its_live_organization(organization):
    services.organization_update(organization=organization, name="New", time_zone="Asia/Tokyo")

    twin = Organization.objects.get(pk=organization.test_organization.pk)
    assert (twin.name, twin.time_zone) == ("New", "Asia/Tokyo")


# The test clock ----------------------------------------------------------------------------------------------------


def test_the_test_clock_goes_forward_only(organization):
    twin = organization.test_organization
    later = clock.now(twin) + timedelta(days=3)

    step = services.test_clock_set(organization=twin, now=later)

    assert abs(step - timedelta(days=3)) < timedelta(seconds=5)
    assert abs(clock.now(twin) - later) < timedelta(seconds=5)
    with pytest.raises(ClockRefused):
        services.test_clock_set(organization=twin, now=later - timedelta(days=1))
    assert Organization.objects.get(pk=twin.pk).clock_offset == step


def test_a_live_organization_has_no_test_clock(organization):
    with pytest.raises(ClockRefused):
        services.test_clock_set(organization=organization, now=clock.wall() + timedelta(days=1))

    with pytest.raises(IntegrityError), transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(clock_offset=timedelta(days=1))


# Keys --------------------------------------------------------------------------------------------------------------


def key(organization, **fields):
    return services.api_key_create(
        organization=organization, name="shop", **{"scopes": [Scope.READ], "user": None, **fields}
    )


@pytest.mark.parametrize("twin", [False, True])
def test_a_key_opens_its_own_organization(organization, twin):
    own = organization.test_organization if twin else organization

    issued = key(own, scopes=[Scope.ISSUE, Scope.READ, Scope.READ])

    assert issued.token.startswith("rr_test_" if twin else "rr_live_")
    assert len(issued.token) == len("rr_live_") + 32
    assert issued.token.startswith(issued.key.prefix)
    assert issued.key.scopes == ["read", "issue"]
    found = api_key_by_token(issued.token)
    assert found is not None
    assert (found.pk, found.organization) == (issued.key.pk, own)


def test_only_a_hash_of_a_key_is_kept(organization):
    issued = key(organization)

    with tenant(organization):
        stored = ApiKey.objects.values().get()
    assert issued.token not in str(stored)
    assert issued.token[len(issued.key.prefix) :] not in str(stored)
    assert issued.token not in repr(dataclasses.replace(issued).key)


@pytest.mark.parametrize("token", ["", "rr_live_", "rr_live_" + "x" * 32, "nul\u0000", "ä" * 50])
def test_a_token_that_is_no_key(organization, token):
    key(organization)

    assert api_key_by_token(token) is None


def test_a_key_that_is_revoked_or_has_expired(organization):
    revoked, expired = key(organization), key(organization, expires_at=clock.wall() - timedelta(seconds=1))
    good = key(organization, expires_at=clock.wall() + timedelta(hours=1))

    with tenant(organization):
        services.api_key_revoke(key=revoked.key)

    assert api_key_by_token(revoked.token) is None
    assert api_key_by_token(expired.token) is None
    assert api_key_by_token(good.token) is not None


# Members -----------------------------------------------------------------------------------------------------------


def invite(organization, email="new@example.com", role=Role.MARKETER):
    with tenant(organization):
        return services.invitation_create(
            organization=organization, email=email, role=role, invited_by=User.objects.order_by("id")[0]
        )


def test_an_invitation_makes_a_member_once(organization):
    sent = invite(organization, " New@Example.com ")
    user = factories.user("new@example.com")
    found = invitation_by_token(sent.token)
    assert found is not None

    membership = services.invitation_accept(invitation=found, user=user)

    assert (membership.role, membership.organization) == ("MARKETER", organization)
    with pytest.raises(InvitationNotUsable):
        services.invitation_accept(invitation=found, user=user)
    assert len(organizations_of(user)) == 2


def test_an_invitation_is_for_its_address_only(organization):
    found = invitation_by_token(invite(organization).token)
    thief = factories.user("thief@example.com")

    with pytest.raises(InvitationNotUsable):
        services.invitation_accept(invitation=found, user=thief)

    assert organizations_of(thief) == []


@pytest.mark.parametrize("spoil", ["revoked", "expired", "replaced"])
def test_an_invitation_that_is_over(organization, spoil):
    sent = invite(organization)
    user = factories.user("new@example.com")
    with tenant(organization):
        if spoil == "revoked":
            services.invitation_revoke(invitation=sent.invitation)
        if spoil == "expired":
            Invitation.objects.update(expires_at=clock.wall())
    if spoil == "replaced":
        invite(organization)

    with pytest.raises(InvitationNotUsable):
        services.invitation_accept(invitation=invitation_by_token(sent.token), user=user)

    assert organizations_of(user) == []


def test_a_member_is_not_invited(organization):
    with tenant(organization):
        member = Membership.objects.get().user.email

    with pytest.raises(AlreadyMember):
        invite(organization, member.upper())


def test_the_last_owner_stays(organization):
    with tenant(organization):
        membership = Membership.objects.get()
        with pytest.raises(LastOwner):
            services.membership_end(membership=membership)
        with pytest.raises(LastOwner):
            services.membership_change_role(membership=membership, role=Role.ADMIN)
        assert Membership.objects.get().role == "OWNER"


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_leave_at_once_are_not_both_gone(organization):
    with tenant(organization):
        Membership.objects.create(organization=organization, user=factories.user(), role=Role.OWNER)
        memberships = list(Membership.objects.order_by("id"))

    def leave(number):
        with tenant(organization):
            services.membership_end(membership=memberships[number])

    answers = at_once(2, leave, expected=(LastOwner,))

    assert sum(isinstance(answer, LastOwner) for answer in answers) == 1
    with tenant(organization):
        assert Membership.objects.count() == 1


def test_roles_hold_what_the_ones_below_hold():
    order = [Role.VIEWER, Role.MARKETER, Role.ADMIN, Role.OWNER]

    for below, above in itertools.pairwise(order):
        assert ABILITIES[below] < ABILITIES[above]
    assert ABILITIES[Role.OWNER] == set(Ability)
    assert not may(Role.VIEWER, Ability.ISSUE)
    assert may(Role.MARKETER, Ability.ISSUE)
    assert not may(Role.MARKETER, Ability.CONNECT)
