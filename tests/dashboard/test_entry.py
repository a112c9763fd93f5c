"""How people get in: signing up, the first page, new organizations, invitations."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from allauth.mfa.adapter import get_adapter
from django.test import Client
from django.urls import reverse

from referral_rocket.accounts.models import Membership, Organization, User
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.selectors import organizations_of
from referral_rocket.accounts.services import invitation_create, invitation_revoke
from referral_rocket.kit import clock
from tests import factories
from tests.dashboard.visitor import text

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"


@pytest.fixture
def client() -> Client:
    return Client()


def overview(organization: Organization) -> str:
    return reverse("dashboard:overview", args=[organization.slug])


def sign_up(client: Client, **sent: str) -> Any:
    return client.post(
        reverse("account_signup"), {"email": "mara@acme.test", "password1": PASSWORD, **sent}, follow=False
    )


def invite(organization: Organization, email: str, role: str = Role.MARKETER) -> str:
    """The token of an invitation."""
    with tenant(organization):
        inviter = Membership.objects.select_related("user").get().user
        return invitation_create(organization=organization, email=email, role=role, invited_by=inviter).token


def roles(user: User) -> dict[str, str]:
    return {access.organization.slug: access.role for access in organizations_of(user)}


def test_it_works(client: Client) -> None:
    assert sign_up(client, organization="Acme Coffee", time_zone="Europe/Berlin").status_code == 302
    user = User.objects.get(email="mara@acme.test")
    live, twin = [access.organization for access in organizations_of(user)]
    assert (live.name, live.time_zone, twin.live_organization_id) == ("Acme Coffee", "Europe/Berlin", live.pk)
    assert roles(user) == {"acme-coffee": "OWNER", "acme-coffee-test": "OWNER"}
    assert client.get("/")["Location"] == overview(live)


def test_unknown_time_zone_is_utc(client: Client) -> None:
    sign_up(client, organization="Acme", time_zone="Mars/Olympus")
    assert Organization.objects.get(slug="acme").time_zone == "UTC"


def test_sign_up_needs_an_organization(client: Client) -> None:
    answer = sign_up(client, organization="")
    assert answer.status_code == 200
    assert "This field is required." in text(answer)
    assert not User.objects.exists()


def test_log_in_leads_to_the_first_organization(client: Client) -> None:
    user = factories.user("mara@acme.test", PASSWORD)
    organization = factories.organization(owner=user)
    assert client.get("/")["Location"] == f"{reverse('account_login')}?next=/"
    answer = client.post(reverse("account_login"), {"login": "mara@acme.test", "password": PASSWORD})
    assert answer["Location"] == reverse("home")
    assert client.get("/")["Location"] == overview(organization)


@pytest.mark.parametrize(
    ("method", "headers", "back"),
    [
        ("get", {}, "/o/acme/rewards/?page=2"),
        ("post", {"Referer": "http://testserver/o/acme/rewards/due/1/?q=ann"}, "/o/acme/rewards/due/1/?q=ann"),
        ("post", {"Referer": "https://elsewhere.test/o/acme/rewards/"}, "/o/acme/"),
        ("post", {}, "/o/acme/"),
    ],
)
def test_signing_in_again_leads_back_to_the_page_that_was_open(client: Client, method, headers, back) -> None:
    user = factories.user("mara@acme.test", PASSWORD)
    factories.organization("Acme", owner=user)

    answer = getattr(client, method)("/o/acme/rewards/?page=2", headers=headers)
    sign_in = urlsplit(answer["Location"])
    assert (answer.status_code, sign_in.path, parse_qs(sign_in.query)) == (
        302,
        reverse("account_login"),
        {"next": [back]},
    )
    assert ("nothing was changed" in text(client.get(answer["Location"]))) is (method == "post")
    signed_in = client.post(answer["Location"], {"login": "mara@acme.test", "password": PASSWORD, "next": back})
    assert signed_in["Location"] == back


def test_a_fragment_of_somebody_signed_out_leads_the_whole_page_to_sign_in(client: Client) -> None:
    factories.organization("Acme")
    open_page = {"HX-Request": "true", "HX-Current-URL": "http://testserver/o/acme/rewards/?tab=waiting"}

    answer = client.get("/o/acme/rewards/?page=2", headers=open_page)

    assert answer.status_code == 200
    assert parse_qs(urlsplit(answer["HX-Redirect"]).query) == {"next": ["/o/acme/rewards/?tab=waiting"]}
    assert answer.content == b""


def test_person_without_an_organization_makes_one(client: Client) -> None:
    user = factories.user()
    client.force_login(user)
    assert client.get("/")["Location"] == reverse("organization_new")
    wrong = client.post(reverse("organization_new"), {"name": "", "time_zone": "UTC"})
    assert wrong.status_code == 422
    answer = client.post(reverse("organization_new"), {"name": "Acme", "time_zone": "Europe/Berlin"})
    assert answer["Location"] == overview(Organization.objects.get(slug="acme"))
    assert roles(user) == {"acme": "OWNER", "acme-test": "OWNER"}


def test_signing_out_takes_a_post(client: Client) -> None:
    client.force_login(factories.user())
    client.get(reverse("account_logout"))
    assert "_auth_user_id" in client.session
    client.post(reverse("account_logout"))
    assert "_auth_user_id" not in client.session


def test_forms_need_their_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user())
    assert client.post(reverse("organization_new"), {"name": "Acme", "time_zone": "UTC"}).status_code == 403
    assert client.post(reverse("account_logout")).status_code == 403


def test_invited_person_signs_up_without_an_organization(client: Client) -> None:
    organization = factories.organization("Acme")
    path = reverse("invitation", args=[invite(organization, "mara@acme.test")])
    assert "Join Acme" in text(client.get(path))
    assert 'name="organization"' not in text(client.get(reverse("account_signup")))
    assert sign_up(client).status_code == 302
    assert client.get("/")["Location"] == path
    assert "Accept the invitation" in text(client.get(path))
    user = User.objects.get(email="mara@acme.test")
    assert roles(user) == {}
    assert client.post(path)["Location"] == overview(organization)
    assert roles(user) == {"acme": "MARKETER", "acme-test": "MARKETER"}
    assert client.get("/")["Location"] == overview(organization)


def test_looking_at_an_invitation_accepts_nothing(client: Client) -> None:
    organization = factories.organization()
    user = factories.user("mara@acme.test")
    client.force_login(user)
    client.get(reverse("invitation", args=[invite(organization, "mara@acme.test")]))
    assert roles(user) == {}


def test_invitation_of_somebody_else(client: Client) -> None:
    organization = factories.organization()
    user = factories.user("other@acme.test")
    client.force_login(user)
    path = reverse("invitation", args=[invite(organization, "mara@acme.test")])
    assert "This invitation is for mara@acme.test" in text(client.get(path))
    assert client.post(path).status_code == 409
    assert roles(user) == {}
    assert client.get("/")["Location"] == reverse("organization_new")


@pytest.mark.parametrize("how", ["used", "withdrawn", "expired", "unknown"])
def test_invitation_that_cannot_be_used(client: Client, how: str) -> None:
    organization = factories.organization()
    user = factories.user("mara@acme.test")
    client.force_login(user)
    with tenant(organization):
        inviter = Membership.objects.select_related("user").get().user
        sent = invitation_create(
            organization=organization, email="mara@acme.test", role=Role.VIEWER, invited_by=inviter
        )
        if how == "withdrawn":
            invitation_revoke(invitation=sent.invitation)
    path = reverse("invitation", args=["x" if how == "unknown" else sent.token])
    if how == "used":
        client.post(path)
        with tenant(organization):
            Membership.objects.filter(user=user).delete()
    with time_machine.travel(clock.wall() + timedelta(days=15 if how == "expired" else 0)):
        client.force_login(user)
        for answer in (client.get(path), client.post(path)):
            assert answer.status_code == 410
            assert "can&#x27;t be used" in text(answer) or "can't be used" in text(answer)
    assert roles(user) == {}


def test_totp_secrets_are_encrypted() -> None:
    adapter = get_adapter()
    stored = adapter.encrypt("JBSWY3DPEHPK3PXP")
    assert "JBSWY3DPEHPK3PXP" not in stored
    assert adapter.decrypt(stored) == "JBSWY3DPEHPK3PXP"


def test_its_forms_speak_as_the_other_pages(client: Client) -> None:
    page = client.get(reverse("account_login")).content.decode()
    assert "E-mail</label>" in page
    assert "placeholder" not in page


def test_another_organization_is_offered_and_there_is_a_way_back(client: Client) -> None:
    user = factories.user()
    client.force_login(user)
    assert "Back to" not in text(client.get(reverse("organization_new")))
    first, second = (factories.organization(name, owner=user) for name in ("Acme", "Beans"))
    offered = f"{reverse('organization_new')}?from={second.slug}"
    assert offered in text(client.get(overview(second)))
    assert f'href="{overview(second)}">Back to Beans</a>' in text(client.get(offered))
    assert f'href="{overview(first)}">Back to Acme</a>' in text(client.get(reverse("organization_new")))
    strange = factories.organization("Theirs")
    assert "Theirs" not in text(client.get(f"{reverse('organization_new')}?from={strange.slug}"))
