"""Look-ups of people and access. Those that come before a tenant is known are the only ones across organizations."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from django.db.models import Q, QuerySet

from referral_rocket.accounts.models import ApiKey, Invitation, Membership, Organization, User
from referral_rocket.accounts.scoping import every_organization
from referral_rocket.kit.clock import wall


@dataclass(frozen=True)
class Access:
    """An organization that a user may open, and as what. For a test twin the role is that of its live one."""

    organization: Organization
    role: str


def organizations_of(user: User) -> list[Access]:
    """Every organization that the user may open, live ones by name, each followed by its test twin."""
    with every_organization("membership look-up"):
        memberships = list(
            Membership.objects.filter(user=user, organization__deleted_at__isnull=True)
            .select_related("organization", "organization__test_organization")
            .order_by("organization__name", "organization_id")
        )
    found = []
    for membership in memberships:
        live = membership.organization
        found.append(Access(live, membership.role))
        found.append(Access(live.test_organization, membership.role))
    return found


def api_key_by_token(token: str) -> ApiKey | None:
    """The key that `token` is, with its organization; None if there is none, or it is revoked or expired."""
    with every_organization("key look-up"):
        return (
            ApiKey.objects.select_related("organization")
            .filter(key_hash=token_hash(token), revoked_at__isnull=True, organization__deleted_at__isnull=True)
            .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=wall()))
            .first()
        )


def invitation_by_token(token: str) -> Invitation | None:
    with every_organization("invitation look-up"):
        return (
            Invitation.objects.select_related("organization", "invited_by").filter(token_hash=token_hash(token)).first()
        )


def token_hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def members(organization: Organization) -> QuerySet[Membership]:
    """Members of the live organization that is open, or of the one whose test twin is."""
    return Membership.objects.filter(organization=organization).select_related("user").order_by("created_at")


def open_invitations() -> QuerySet[Invitation]:
    return Invitation.objects.filter(accepted_at__isnull=True, revoked_at__isnull=True).order_by("-created_at")


def api_keys() -> QuerySet[ApiKey]:
    return ApiKey.objects.select_related("created_by").order_by("-id")


def actor_names(actors: Iterable[str]) -> dict[str, str]:
    """Names to show for actors as they are recorded (`user:<id>`, `api_key:<id>`, `system:<what>`), in two queries."""
    actors = set(actors)
    ids: dict[str, set[UUID]] = {"user": set(), "api_key": set()}
    names = {}
    for actor in actors:
        kind, _, rest = actor.partition(":")
        if kind in ids:
            ids[kind].add(UUID(rest))
        names[actor] = f"Referral Rocket ({rest.replace('_', ' ').replace('-', ' ')})" if kind == "system" else actor
    for user in User.objects.filter(pk__in=ids["user"]):
        names[f"user:{user.pk}"] = str(user)
    for key in ApiKey.objects.filter(pk__in=ids["api_key"]):
        names[f"api_key:{key.pk}"] = f"API key {key.name}"
    return names
