"""The organization's settings, its members, one's own profile, and what happened."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.messages import get_messages
from django.core import mail

from referral_rocket.accounts.models import Invitation, Membership, Organization, User
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from referral_rocket.dashboard.settings.activity_log import what_happened
from referral_rocket.notices.kinds import NoticeKind
from referral_rocket.notices.services import notices_wanted
from tests import factories
from tests.dashboard.visitor import Visitor, member, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return factories.organization(name="Acme")


@pytest.fixture
def owner(organization: Organization) -> Visitor:
    with tenant(organization):
        user = Membership.objects.get().user
    return Visitor(organization, user)


@pytest.fixture
def admin(organization: Organization) -> Visitor:
    return member(organization, Role.ADMIN)


def role_of(organization: Organization, user: User) -> str | None:
    with tenant(organization):
        return Membership.objects.filter(user=user).values_list("role", flat=True).first()


def membership_of(organization: Organization, user: User) -> Membership:
    with tenant(organization):
        return Membership.objects.get(user=user)


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def kinds(organization: Organization) -> list[str]:
    with tenant(organization):
        return list(Activity.objects.order_by("pk").values_list("kind", flat=True))


def test_it_works(organization: Organization, admin: Visitor) -> None:
    answer = admin.post("settings", name="Acme Coffee", time_zone="Europe/Berlin")
    assert answer.headers["Location"] == admin.url("settings")
    for each in (organization, organization.test_organization):
        each.refresh_from_db()
        assert (each.name, each.time_zone) == ("Acme Coffee", "Europe/Berlin")
    assert kinds(organization) == ["organization.changed"]


def test_an_unknown_time_zone_is_refused(organization: Organization, admin: Visitor) -> None:
    assert admin.post("settings", name="Acme", time_zone="Mars/Olympus").status_code == 422
    organization.refresh_from_db()
    assert organization.time_zone == "UTC"


def test_marketers_and_test_twins_change_nothing(organization: Organization, admin: Visitor) -> None:
    marketer = member(organization, Role.MARKETER)
    twin = Visitor(organization.test_organization, admin.user)
    for visitor in (marketer, twin):
        assert visitor.post("settings", name="Taken over", time_zone="UTC").status_code == 403
        assert "Taken over" not in text(visitor.get("settings"))
    organization.refresh_from_db()
    assert organization.name == "Acme"


# Members


def test_an_invitation_goes_out_by_mail(
    organization: Organization, admin: Visitor, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = admin.post("member_invite", email="New@Example.com", role=Role.MARKETER)
    assert answer.status_code == 201
    (message,) = mail.outbox
    assert message.to == ["new@example.com"]
    assert message.subject == f"{admin.user} invites you to Acme"
    (link,) = re.findall(r"https?://\S+/invitations/\S+", str(message.body))
    assert link in text(answer)
    assert link not in text(admin.get("members"))
    with tenant(organization):
        assert Invitation.objects.get().role == Role.MARKETER
    assert "new@example.com" in text(admin.get("members"))
    assert kinds(organization) == ["member.invited"]


def test_members_and_wrong_addresses_are_not_invited(organization: Organization, admin: Visitor) -> None:
    for email, message in ((admin.user.email, "is a member already"), ("nobody", "Enter a valid email address.")):
        answer = admin.post("member_invite", email=email, role=Role.VIEWER)
        assert answer.status_code == 422
        assert message in text(answer)
    with tenant(organization):
        assert not Invitation.objects.exists()
    assert mail.outbox == []


def test_an_invitation_is_withdrawn(organization: Organization, admin: Visitor) -> None:
    admin.post("member_invite", email="new@example.com", role=Role.VIEWER)
    with tenant(organization):
        invitation = Invitation.objects.get()
    admin.post("invitation_revoke", invitation.pk)
    with tenant(organization):
        assert Invitation.objects.get().revoked_at is not None
    assert "Withdraw" not in text(admin.get("members"))


def test_roles_change(organization: Organization, admin: Visitor) -> None:
    ben = member(organization, Role.VIEWER)
    membership = membership_of(organization, ben.user)
    assert said(admin.post("member_role", membership.pk, role=Role.MARKETER)) == [f"{ben.user} is marketer now."]
    assert role_of(organization, ben.user) == Role.MARKETER
    assert kinds(organization) == ["member.role_changed"]
    admin.post("member_remove", membership.pk)
    assert role_of(organization, ben.user) is None
    assert ben.get("overview").status_code == 404


def test_only_owners_touch_owners(organization: Organization, owner: Visitor, admin: Visitor) -> None:
    first = membership_of(organization, owner.user)
    mine = membership_of(organization, admin.user)
    assert admin.post("member_role", first.pk, role=Role.VIEWER).status_code == 403
    assert admin.post("member_remove", first.pk).status_code == 403
    assert admin.post("member_role", mine.pk, role=Role.OWNER).status_code == 403
    assert admin.post("member_invite", email="x@example.com", role=Role.OWNER).status_code == 422
    assert role_of(organization, owner.user) == Role.OWNER
    owner.post("member_role", mine.pk, role=Role.OWNER)
    assert role_of(organization, admin.user) == Role.OWNER


def test_the_last_owner_stays(organization: Organization, owner: Visitor) -> None:
    mine = membership_of(organization, owner.user)
    assert said(owner.post("member_role", mine.pk, role=Role.ADMIN)) == ["Make somebody else an owner first."]
    assert said(owner.post("member_remove", mine.pk))[-1] == "Make somebody else an owner first."
    assert role_of(organization, owner.user) == Role.OWNER


def test_who_leaves_goes_home(organization: Organization, admin: Visitor) -> None:
    answer = admin.post("member_remove", membership_of(organization, admin.user).pk)
    assert answer.headers["Location"] == "/"
    assert admin.get("overview").status_code == 404


def test_a_twins_members_are_managed_in_the_live_organization(organization: Organization, admin: Visitor) -> None:
    twin = Visitor(organization.test_organization, admin.user)
    assert "Manage members there" in text(twin.get("members"))
    assert twin.post("member_invite", email="x@example.com", role=Role.VIEWER).status_code == 403


# Oneself


def test_the_profile_decides_how_money_is_written(organization: Organization) -> None:
    viewer = member(organization, Role.VIEWER)
    factories.due_rewards(factories.campaign(organization, rules=[factories.referral_rule(amount=123456)]), 1)
    assert "$1,234.56" in text(viewer.get("overview"))
    viewer.post("profile", name=" Ines ", locale="de_DE")
    viewer.user.refresh_from_db()
    assert (viewer.user.name, viewer.user.locale) == ("Ines", "de_DE")
    assert "1.234,56\xa0$" in viewer.get("overview").content.decode()
    assert viewer.post("profile", name="Ines", locale="xx_YY").status_code == 422


def test_security_leads_to_password_and_second_factor(organization: Organization) -> None:
    page = text(member(organization, Role.VIEWER).get("security"))
    for address in ("/accounts/email/", "/accounts/password/change/", "/accounts/2fa/"):
        assert address in page
    assert "not verified yet" in page


# The activity log


def test_what_happened_and_who_did_it(organization: Organization, admin: Visitor) -> None:
    campaign = factories.campaign(organization)
    rewards = factories.due_rewards(campaign, 1)
    admin.post("settings", name="Acme Coffee", time_zone="UTC")
    lines = admin.get("activity").context["lines"]
    assert (lines[0].what, lines[0].who, lines[0].details) == ("Organization changed", str(admin.user), "name")
    by_reward = admin.get("activity", about="reward").context["lines"]
    assert [(line.what, line.details, line.who) for line in by_reward] == [
        ("Reward created", "Due, earned", "Referral Rocket (test)")
    ]
    assert by_reward[0].href == admin.url("reward", rewards[0].pk)
    mine = admin.get("activity", who=f"user:{admin.user.pk}").context["lines"]
    assert [line.what for line in mine] == ["Organization changed"]
    about_one = admin.get("activity", subject=campaign.pk).context["lines"]
    assert [line.what for line in about_one] == ["Campaign created"]
    assert admin.get("activity", subject="me").status_code == 404


def test_queries_do_not_grow(organization: Organization, admin: Visitor) -> None:
    campaign = factories.campaign(organization)
    factories.due_rewards(campaign, 1)
    admin.post("member_invite", email="a@example.com", role=Role.VIEWER)
    before = admin.queries("activity"), admin.queries("members")
    factories.due_rewards(campaign, 4)
    admin.post("member_invite", email="b@example.com", role=Role.VIEWER)
    member(organization, Role.VIEWER)
    assert (admin.queries("activity"), admin.queries("members")) == before


def test_choosing_mails(organization: Organization, admin: Visitor) -> None:
    page = text(admin.get("notifications"))
    assert "A connection stopped working" in page
    answer = admin.post("notifications", APPROVAL="on")
    assert answer.headers["Location"] == admin.url("notifications")
    with tenant(organization):
        assert notices_wanted(user=admin.user) == [NoticeKind.APPROVAL]


def test_mails_that_a_role_could_not_act_on_are_not_offered(organization: Organization) -> None:
    marketer = member(organization, Role.MARKETER)
    assert "A connection stopped working" not in text(marketer.get("notifications"))
    marketer.post("notifications")
    with tenant(organization):
        assert notices_wanted(user=marketer.user) == [NoticeKind.CONNECTION, NoticeKind.ENDPOINT]
    assert "Your role does neither." in text(member(organization, Role.VIEWER).get("notifications"))


def test_mails_of_a_test_organization_are_chosen_in_the_live_one(organization: Organization, admin: Visitor) -> None:
    twin = Visitor(organization.test_organization, admin.user)
    assert "Choose there" in text(twin.get("notifications"))
    assert twin.post("notifications").status_code == 403
    with tenant(organization):
        assert notices_wanted(user=admin.user) == NoticeKind.values


def test_what_is_kept_and_what_can_be_taken_along(admin: Visitor) -> None:
    page = admin.get("data").content.decode()
    assert admin.url("participant_export") in page
    assert admin.url("rewards_export") in page
    assert "30 days" in page


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("inbound.replayed_many", "Provider's events replayed"),
        ("api_key.created", "API key created"),
        ("participant.joined", "Participant joined"),
    ],
)
def test_what_happened_is_said_in_words(kind: str, words: str) -> None:
    assert what_happened(kind) == words


def test_what_would_leave_nobody_an_owner_is_not_offered(organization: Organization, owner: Visitor) -> None:
    mine = membership_of(organization, owner.user)
    page = text(owner.get("members"))
    assert "The only owner: can change or leave once there is another" in page
    assert owner.url("member_role", mine.pk) not in page
    assert owner.url("member_remove", mine.pk) not in page
    member(organization, Role.OWNER)
    page = text(owner.get("members"))
    assert "The only owner" not in page
    assert owner.url("member_role", mine.pk) in page
    assert owner.url("member_remove", mine.pk) in page


def test_a_time_zone_is_written_as_where_it_is_chosen() -> None:
    page = text(member(factories.organization(time_zone="America/New_York"), Role.VIEWER).get("settings"))
    assert "America/New York" in page
    assert "America/New_York" not in page


def test_the_link_is_sent_again_only_to_an_address_that_is_not_confirmed(organization: Organization) -> None:
    viewer = member(organization, Role.VIEWER)
    EmailAddress.objects.create(user=viewer.user, email=viewer.user.email, verified=True, primary=True)
    assert "Send the link again" not in text(viewer.client.get("/accounts/email/"))
    EmailAddress.objects.create(user=viewer.user, email="new@example.com", verified=False)
    page = text(viewer.client.get("/accounts/email/"))
    assert page.count("Send the link again") == 1
    assert '<input type="hidden" name="email" value="new@example.com">' in page
