"""Loads the sample organization, once; afterwards finds it again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from allauth.account.models import EmailAddress
from django.db import transaction

from referral_rocket.accounts.models import ApiKey, Membership, Organization, Scope, User
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.selectors import api_key_by_token, organizations_of
from referral_rocket.accounts.services import api_key_create, invitation_create, organization_create
from referral_rocket.dashboard.sample import stand_in
from referral_rocket.dashboard.sample.connections import OTHERS, STRIPE, connect
from referral_rocket.dashboard.sample.keepsake import Keepsake, keep, kept
from referral_rocket.dashboard.sample.plot import Plot, plot
from referral_rocket.dashboard.sample.recipes import LIVE, TEST, Recipe
from referral_rocket.dashboard.sample.story import Story
from referral_rocket.kit import clock

NAME = "Acme Coffee"
ZONE = "America/New_York"
EMAIL = "demo@example.com"
_KEY_NAME = "Shop backend"
_COLLEAGUES = (
    ("Noor Haddad", "noor@acme.example", Role.ADMIN),
    ("Ben Clarke", "ben@acme.example", Role.MARKETER),
    ("Ines Costa", "ines@acme.example", Role.VIEWER),
)


def load(*, seed: int, keepsake_path: Path) -> tuple[Organization, Keepsake]:
    """The organization and how to get in. Everything in the database is one transaction: all of it, or nothing."""
    now = clock.wall()
    live_plot = plot(LIVE, seed=seed, now=now)
    test_plot = plot(TEST, seed=seed + 7, now=now)
    with transaction.atomic():
        keepsake = kept(keepsake_path, EMAIL)
        owner = _owner(keepsake)
        organization = _found(owner)
        if organization is None:
            organization = _new(owner, now)
            keepsake = _with_keys(keepsake, organization, owner)
            _tell(organization, live_plot, LIVE, owner, seed, now)
            _tell(organization.test_organization, test_plot, TEST, owner, seed, now)
        else:
            keepsake = _with_keys(keepsake, organization, owner)
        # Before the commit: keys in the database whose text nobody has are of no use; the reverse is mended next time.
        keep(keepsake_path, keepsake)
    stand_in.introduce(live_plot.everybody, livemode=True)
    stand_in.introduce(test_plot.everybody, livemode=False)
    return organization, keepsake


def _owner(keepsake: Keepsake) -> User:
    owner = User.objects.filter(email=EMAIL).first()
    if owner is None:
        owner = User.objects.create_user(EMAIL, keepsake.password, name="Dana Reyes")
        EmailAddress.objects.create(user=owner, email=EMAIL, primary=True, verified=True)
        return owner
    if not owner.check_password(keepsake.password):
        owner.set_password(keepsake.password)
        owner.save(update_fields=["password"])
    return owner


def _found(owner: User) -> Organization | None:
    mine = (access.organization for access in organizations_of(owner))
    return next((each for each in mine if each.name == NAME and not each.is_test), None)


def _new(owner: User, now: datetime) -> Organization:
    organization = organization_create(name=NAME, owner=owner, time_zone=ZONE)
    began = now - timedelta(days=max(recipe.started for recipe in LIVE) + 1)
    with tenant(organization):
        for name, email, role in _COLLEAGUES:
            # Without a password: they show what a team looks like, and nobody logs in as one of them.
            colleague = User.objects.filter(email=email).first() or User.objects.create_user(email, name=name)
            Membership.objects.create(organization=organization, user=colleague, role=role)
        Membership.objects.filter(organization=organization).update(created_at=began)
        invitation_create(organization=organization, email="sam@acme.example", role=Role.MARKETER, invited_by=owner)
    Organization.objects.filter(pk__in=[organization.pk, organization.test_organization.pk]).update(created_at=began)
    return organization


def _with_keys(keepsake: Keepsake, organization: Organization, owner: User) -> Keepsake:
    """The kept keys where they still work, else new ones."""
    return Keepsake(
        email=keepsake.email,
        password=keepsake.password,
        api_key=_key(keepsake.api_key, organization, owner),
        test_api_key=_key(keepsake.test_api_key, organization.test_organization, owner),
    )


def _key(token: str, organization: Organization, owner: User) -> str:
    known = api_key_by_token(token) if token else None
    if known is not None and known.organization_id == organization.pk:
        return token
    return api_key_create(organization=organization, name=_KEY_NAME, scopes=Scope.values, user=owner).token


def _tell(
    organization: Organization, told: Plot, recipes: Sequence[Recipe], owner: User, seed: int, now: datetime
) -> None:
    actor = f"user:{owner.pk}"
    with tenant(organization):
        connection = connect(STRIPE, organization=organization, actor=actor, now=now)
        for account in OTHERS:
            connect(account, organization=organization, actor=actor, now=now)
        key_actor = f"api_key:{ApiKey.objects.get(name=_KEY_NAME).pk}"
    story = Story(
        organization=organization,
        plot=told,
        connection=connection,
        actor=actor,
        key_actor=key_actor,
        random=Random(seed),  # noqa: S311 - sample data, to be the same each time
        now=now,
    )
    story.tell(recipes)
