"""A member in front of the pages, without a browser."""

from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from referral_rocket.accounts.models import Membership, Organization, User
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from tests import factories


@dataclass
class Visitor:
    """Asks for pages of `organization` by their names; answers are Django's test responses."""

    organization: Organization
    user: User
    client: Client = field(default_factory=Client)

    def __post_init__(self) -> None:
        self.client.force_login(self.user)

    def url(self, name: str, /, *arguments: object) -> str:
        return reverse(f"dashboard:{name}", args=[self.organization.slug, *arguments])

    def get(self, name: str, /, *arguments: object, **asked: Any) -> Any:
        return self.client.get(self.url(name, *arguments), asked)

    def post(self, name: str, /, *arguments: object, **sent: Any) -> Any:
        return self.client.post(self.url(name, *arguments), sent)

    def queries(self, name: str, /, *arguments: object, **asked: Any) -> int:
        """How many queries the page takes, once what is the same for every page is remembered."""
        self.get(name, *arguments, **asked)
        with CaptureQueriesContext(connection) as captured:
            assert self.get(name, *arguments, **asked).status_code == 200
        return len(captured)


def member(organization: Organization, role: str = Role.OWNER) -> Visitor:
    """A new user with that role in the (live) organization."""
    user = factories.user()
    with tenant(organization):
        Membership.objects.create(organization=organization, user=user, role=role)
    return Visitor(organization, user)


def stranger(organization: Organization) -> Visitor:
    """A user who is in another organization only, asking for pages of this one."""
    user = factories.user()
    factories.organization(owner=user)
    return Visitor(organization, user)


def text(response: Any) -> str:
    """The page's text, white space run together."""
    return " ".join(response.content.decode().split())
