"""`manage.py create_organization`: an organization, its owner and two keys, printed as JSON."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from referral_rocket.accounts.models import ApiKey, Membership, Organization, Scope, User
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.accounts.selectors import api_key_by_token

PASSWORD = "correct horse battery"


def create(**options: Any) -> Any:
    printed = io.StringIO()
    call_command(
        "create_organization",
        **{"name": "Acme", "email": "o@example.com", "password": PASSWORD, **options},
        stdout=printed,
    )
    return json.loads(printed.getvalue())


def test_it_works(db: None) -> None:
    answer = create(time_zone="Europe/Berlin")
    assert set(answer) == {"organization_id", "api_key", "test_api_key"}

    organization = Organization.objects.get(pk=answer["organization_id"])
    assert (organization.name, organization.time_zone, organization.mode) == ("Acme", "Europe/Berlin", "LIVE")
    owner = User.objects.get()
    assert owner.check_password(PASSWORD)
    with tenant(organization):
        assert [(each.user, each.role) for each in Membership.objects.all()] == [(owner, "OWNER")]
    for name, mode in (("api_key", "LIVE"), ("test_api_key", "TEST")):
        key = api_key_by_token(answer[name])
        assert key is not None
        assert key.organization.mode == mode
        assert set(key.scopes) == set(Scope.values)
        assert answer[name].startswith(f"rr_{mode.lower()}_")


def test_a_known_user_becomes_its_owner_and_keeps_the_password(db: None) -> None:
    user = User.objects.create_user("o@example.com", "another long password")
    organization = Organization.objects.get(pk=create(email="O@Example.com")["organization_id"])
    user.refresh_from_db()
    assert user.check_password("another long password")
    with tenant(organization):
        assert Membership.objects.get().user == user


@pytest.mark.parametrize("wrong", [{"email": "nobody"}, {"password": "short"}, {"time_zone": "Mars/Olympus"}])
def test_what_is_wrong_makes_nothing(db: None, wrong: dict[str, str]) -> None:
    with pytest.raises(CommandError):
        create(**wrong)
    assert not Organization.objects.exists()
    assert not User.objects.exists()
    with every_organization("test"):
        assert not ApiKey.objects.exists()
