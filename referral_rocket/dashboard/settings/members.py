"""Who is in the organization, and as what. Of a test organization: those of its live one, managed there."""

from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.mail import send_mail
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from referral_rocket.accounts.errors import AlreadyMember, LastOwner
from referral_rocket.accounts.models import Invitation, Membership
from referral_rocket.accounts.roles import Ability, Role, may_manage
from referral_rocket.accounts.selectors import members, open_invitations
from referral_rocket.accounts.services import (
    SentInvitation,
    invitation_create,
    invitation_revoke,
    membership_change_role,
    membership_end,
)
from referral_rocket.activity.services import Happening, record
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires


class InvitationForm(forms.Form):
    email = forms.EmailField(label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(initial=Role.MARKETER)

    def __init__(self, data: Any = None, *, of_role: str) -> None:
        super().__init__(data)
        self.fields["role"].choices = roles_for(of_role)  # type: ignore[attr-defined]


def roles_for(role: str) -> list[tuple[str, str]]:
    """The roles that a member of `role` may give."""
    return [choice for choice in Role.choices if may_manage(role, choice[0])]


@require_safe
def member_list(request: Any) -> HttpResponse:
    return _show(request)


def _show(request: Any, *, form: InvitationForm | None = None, link: str = "", status: int = 200) -> HttpResponse:
    """The page. `link` is that of an invitation just made: its token is on this answer and in the mail only."""
    live = request.organization.live_organization
    found = [] if live else list(members(request.organization))
    owners = [each for each in found if each.role == Role.OWNER]
    # An organization has an owner: what would leave it without one is refused, and isn't offered.
    last_owner = owners[0] if len(owners) == 1 else None
    rows = [(each, each != last_owner and _may_touch(request, each)) for each in found]
    context = {
        "tab": "members",
        "live": live,
        "members": rows,
        "last_owner": last_owner,
        "invitations": () if live else open_invitations().select_related("invited_by"),
        "roles": roles_for(request.role),
        "form": form or InvitationForm(of_role=request.role),
        "form_open": form is not None,
        "link": link,
    }
    return render(request, "settings/members.html", context, status=status)


def _may_touch(request: Any, membership: Membership) -> bool:
    return may_manage(request.role, membership.role)


def _check(request: Any, *roles: str) -> None:
    """Raises PermissionDenied in a test organization, and where an admin would touch an owner or make one."""
    if request.organization.is_test:
        raise PermissionDenied("Members are managed in the live organization.")
    if not all(may_manage(request.role, role) for role in roles):
        raise PermissionDenied("Only an owner can make somebody an owner, or change what an owner is.")


@never_cache
@require_POST
@requires(Ability.INVITE)
def invite(request: Any) -> HttpResponse:
    _check(request)
    form = InvitationForm(request.POST, of_role=request.role)
    if form.is_valid():
        try:
            sent = invitation_create(organization=request.organization, invited_by=request.user, **form.cleaned_data)
        except AlreadyMember as error:
            form.add_error("email", error.message)
        else:
            _note(request, "member.invited", "invitation", sent.invitation.pk, role=sent.invitation.role)
            return _show(request, link=_mail(request, sent), status=201)
    return _show(request, form=form, status=422)


def _mail(request: Any, sent: SentInvitation) -> str:
    """Send the invitation once it is committed; answers its link."""
    link = settings.BASE_URL + reverse("invitation", args=[sent.token])
    context = {
        "inviter": str(request.user),
        "organization": request.organization,
        "role": Role(sent.invitation.role).label.lower(),
        "expires_at": sent.invitation.expires_at,
        "url": link,
    }
    mail = partial(
        send_mail,
        " ".join(render_to_string("invitations/invitation_subject.txt", context).split()),
        render_to_string("invitations/invitation_message.txt", context),
        settings.DEFAULT_FROM_EMAIL,
        [sent.invitation.email],
    )
    # A mail server that refuses or is away doesn't undo the invitation: its link is on the page too.
    transaction.on_commit(mail, robust=True)
    return link


@require_POST
@requires(Ability.INVITE)
def revoke(request: Any, invitation_id: UUID) -> HttpResponse:
    _check(request)
    invitation = get_object_or_404(Invitation, pk=invitation_id)
    invitation_revoke(invitation=invitation)
    _note(request, "member.invitation_revoked", "invitation", invitation.pk)
    messages.success(request, f"The invitation of {invitation.email} was withdrawn.")
    return _back(request)


@require_POST
@requires(Ability.INVITE)
def change_role(request: Any, membership_id: UUID) -> HttpResponse:
    membership = _membership_or_404(membership_id)
    role = request.POST.get("role", "")
    if role not in Role.values:
        messages.error(request, "There is no such role.")
        return _back(request)
    _check(request, membership.role, role)
    try:
        membership_change_role(membership=membership, role=role)
    except LastOwner as error:
        messages.error(request, error.message)
        return _back(request)
    _note(request, "member.role_changed", "membership", membership.pk, role=role)
    messages.success(request, f"{membership.user} is {Role(role).label.lower()} now.")
    return _back(request)


@require_POST
@requires(Ability.INVITE)
def remove(request: Any, membership_id: UUID) -> HttpResponse:
    membership = _membership_or_404(membership_id)
    _check(request, membership.role)
    user, pk = membership.user, membership.pk
    try:
        membership_end(membership=membership)
    except LastOwner as error:
        messages.error(request, error.message)
        return _back(request)
    _note(request, "member.removed", "membership", pk)
    if user == request.user:
        messages.success(request, f"You left {request.organization.name}.")
        return redirect("home")
    messages.success(request, f"{user} can't open {request.organization.name} any more.")
    return _back(request)


def _membership_or_404(membership_id: UUID) -> Membership:
    found: Membership = get_object_or_404(Membership.objects.select_related("user"), pk=membership_id)
    return found


def _note(request: Any, kind: str, subject_type: str, subject_id: UUID, **data: object) -> None:
    happening = Happening(kind, subject_type, subject_id, data=data)
    record(organization=request.organization, actor=request.actor, happenings=[happening])


def _back(request: Any) -> HttpResponse:
    return redirect(links.to(request, "members"))
