"""Changes to people, organizations and access. Each is atomic by itself and says who did it in the activity log."""

import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.text import slugify

from referral_rocket.accounts.errors import AlreadyMember, ClockRefused, InvitationNotUsable, LastOwner, NotAMember
from referral_rocket.accounts.models import ApiKey, Invitation, Membership, Mode, Organization, Scope, User
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.selectors import token_hash
from referral_rocket.kit import clock

_KEY_ALPHABET = string.ascii_letters + string.digits
# 32 of 62 letters are 190 bits; the first six are shown to tell keys apart, which leaves 155 secret ones.
_KEY_LENGTH = 32
_SHOWN = len("rr_live_") + 6


@dataclass(frozen=True)
class IssuedKey:
    """A new API key and its text, which exists nowhere else and can be shown only now."""

    key: ApiKey
    token: str


@transaction.atomic
def organization_create(*, name: str, owner: User, time_zone: str = "UTC") -> Organization:
    """A live organization with its test twin, owned by `owner`."""
    slug = _free_slug(name)
    live = Organization(name=name, slug=slug, mode=Mode.LIVE, time_zone=time_zone)
    live.full_clean(exclude=["live_organization"])
    live.save()
    Organization.objects.create(
        name=name, slug=f"{slug}-test", mode=Mode.TEST, time_zone=time_zone, live_organization=live
    )
    with tenant(live):
        Membership.objects.create(organization=live, user=owner, role=Role.OWNER)
    return live


def _free_slug(name: str) -> str:
    base = slugify(name)[:60] or "organization"
    # A random tail rather than a counter: two sign-ups of one name at once don't race for the next number.
    taken = Organization.objects.filter(slug__in=[base, f"{base}-test"]).exists() or base.endswith("-test")
    return f"{base}-{secrets.token_hex(3)}" if taken else base


@transaction.atomic
def organization_update(*, organization: Organization, name: str | None = None, time_zone: str | None = None) -> None:
    """Rename, or move to another time zone; the twin follows its live organization in both."""
    pair = [organization]
    if organization.mode == Mode.LIVE:
        pair.append(organization.test_organization)
    for each in pair:
        each.name = each.name if name is None else name
        each.time_zone = each.time_zone if time_zone is None else time_zone
        each.full_clean(exclude=["live_organization"])
        each.save(update_fields=["name", "time_zone", "updated_at"])


@transaction.atomic
def test_clock_set(*, organization: Organization, now: datetime) -> timedelta:
    """Advance a test organization's clock to `now`; answers by how much. Raises ClockRefused."""
    # Not against KEY SHARE, which every row that names the organization takes, at the latest when it commits.
    held = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    if held.mode != Mode.TEST:
        raise ClockRefused("Only a test organization has a test clock. Use a test key, or switch to test mode.")
    step = now - clock.now(held)
    if step < timedelta():
        raise ClockRefused(f"A test clock moves forward only; it stands at {clock.rfc3339(clock.now(held))}.")
    held.clock_offset += step
    held.save(update_fields=["clock_offset", "updated_at"])
    organization.clock_offset = held.clock_offset
    return step


def api_key_create(
    *,
    organization: Organization,
    name: str,
    scopes: Iterable[str],
    user: User | None,
    expires_at: datetime | None = None,
) -> IssuedKey:
    """A key for the organization's REST API; its text is in the answer and nowhere else."""
    secret = "".join(secrets.choice(_KEY_ALPHABET) for _ in range(_KEY_LENGTH))
    token = f"rr_{organization.mode.lower()}_{secret}"
    with tenant(organization):
        key = ApiKey.objects.create(
            organization=organization,
            name=name,
            prefix=token[:_SHOWN],
            key_hash=token_hash(token),
            scopes=sorted(set(scopes), key=Scope.values.index),
            created_by=user,
            expires_at=expires_at,
        )
    return IssuedKey(key, token)


def api_key_revoke(*, key: ApiKey) -> None:
    """Ends a key at once and for good; revoking it again changes nothing."""
    ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=clock.wall())


def api_key_used(*, key: ApiKey) -> None:
    """Notes the use, at most once a minute, so that a busy key doesn't become a hot row."""
    now = clock.wall()
    if key.last_used_at is None or now - key.last_used_at > timedelta(minutes=1):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


@dataclass(frozen=True)
class SentInvitation:
    """A new invitation and its token, which only the mailed link carries."""

    invitation: Invitation
    token: str


@transaction.atomic
def invitation_create(*, organization: Organization, email: str, role: str, invited_by: User) -> SentInvitation:
    """Invite a person; an open invitation to the same address is replaced. Raises AlreadyMember."""
    email = email.strip().lower()
    if Membership.objects.filter(organization=organization, user__email=email).exists():
        raise AlreadyMember(f"{email} is a member already.")
    Invitation.objects.filter(email=email, accepted_at__isnull=True, revoked_at__isnull=True).update(
        revoked_at=clock.wall()
    )
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        organization=organization,
        email=email,
        role=role,
        token_hash=token_hash(token),
        invited_by=invited_by,
        expires_at=clock.wall() + settings.INVITATION_LIFETIME,
    )
    return SentInvitation(invitation, token)


def invitation_revoke(*, invitation: Invitation) -> None:
    Invitation.objects.filter(pk=invitation.pk, accepted_at__isnull=True).update(revoked_at=clock.wall())


def invitation_accept(*, invitation: Invitation, user: User) -> Membership:
    """Make `user` a member. The invitation counts once, and only for the address that it was sent to.

    Raises InvitationNotUsable.
    """
    with tenant(invitation.organization):
        held = Invitation.objects.select_for_update().get(pk=invitation.pk)
        if held.accepted_at or held.revoked_at or held.expires_at <= clock.wall():
            raise InvitationNotUsable("This invitation was used, withdrawn or has expired. Ask for a new one.")
        if user.email != held.email:
            raise InvitationNotUsable(f"This invitation is for {held.email}. Log in with that address to accept it.")
        membership, _ = Membership.objects.get_or_create(
            organization=invitation.organization, user=user, defaults={"role": held.role}
        )
        held.accepted_at = clock.wall()
        held.save(update_fields=["accepted_at"])
    return membership


@transaction.atomic
def membership_change_role(*, membership: Membership, role: str) -> None:
    """Raises LastOwner where nobody would own the organization any more."""
    _keep_an_owner(membership, leaves=role != Role.OWNER)
    membership.role = role
    membership.save(update_fields=["role"])


@transaction.atomic
def ownership_hand_over(*, owner: Membership, to: UUID) -> Membership:
    """Make the membership `to` an owner's, and that of `owner` an admin's, both or neither.

    Raises NotAMember, and LastOwner where `owner` is none any more.
    """
    held = {
        each.pk: each
        for each in Membership.objects.select_for_update()
        .filter(organization=owner.organization, pk__in=[owner.pk, to])
        .select_related("user")
        .order_by("pk")
    }
    if owner.pk not in held or held[owner.pk].role != Role.OWNER:
        raise LastOwner("Only an owner can hand the organization over.")
    heir = held.get(to)
    if heir is None or heir.role == Role.OWNER:
        raise NotAMember("Choose a member who isn't an owner yet.")
    heir.role, held[owner.pk].role = Role.OWNER, Role.ADMIN
    Membership.objects.bulk_update(held.values(), ["role"])
    return heir


@transaction.atomic
def access_end(*, organization: Organization) -> None:
    """No key opens it and no invitation into it can be accepted any more. Inside `tenant()`."""
    now = clock.wall()
    ApiKey.objects.filter(revoked_at__isnull=True).update(revoked_at=now)
    Invitation.objects.filter(accepted_at__isnull=True, revoked_at__isnull=True).update(revoked_at=now)


@transaction.atomic
def membership_end(*, membership: Membership) -> None:
    """Raises LastOwner where nobody would own the organization any more."""
    _keep_an_owner(membership, leaves=True)
    membership.delete()


def _keep_an_owner(membership: Membership, *, leaves: bool) -> None:
    # All owners are locked, in one order: two owners who remove each other at once must not both succeed.
    owners = list(
        Membership.objects.select_for_update()
        .filter(organization=membership.organization, role=Role.OWNER)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    if leaves and owners == [membership.pk]:
        raise LastOwner("Make somebody else an owner first.")


def user_update(*, user: User, name: str, locale: str) -> None:
    """Change how a person is called, and how numbers are written for them (a Babel locale such as `de_CH`)."""
    user.name, user.locale = name.strip(), locale
    user.save(update_fields=["name", "locale"])
