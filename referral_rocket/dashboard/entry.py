"""Pages before an organization is open: where to go, making an organization, accepting an invitation."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from referral_rocket.accounts.errors import InvitationNotUsable
from referral_rocket.accounts.models import Invitation, Organization, User
from referral_rocket.accounts.selectors import invitation_by_token, organizations_of
from referral_rocket.accounts.services import invitation_accept, organization_create
from referral_rocket.dashboard.sign_in import INVITATION_KEY
from referral_rocket.kit import clock


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Sends a person to the invitation that waits, else to their first organization, else to making one."""
    token = request.session.get(INVITATION_KEY)
    if token:
        return redirect("invitation", token=token)
    accesses = organizations_of(_user(request))
    if not accesses:
        return redirect("organization_new")
    return redirect(_overview(accesses[0].organization))


class OrganizationForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=200,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "organization"}),
        help_text="As your team knows it. A test twin with the same name comes with it.",
    )
    time_zone = forms.ChoiceField(
        label="Time zone",
        choices=[(name, name.replace("_", " ")) for name in sorted(clock.time_zones())],
        initial="UTC",
        widget=forms.Select(attrs={"data-time-zone": ""}),
        help_text="Dates are shown in it, and statement periods end at its midnight.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def organization_new(request: HttpRequest) -> HttpResponse:
    form = OrganizationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        organization = organization_create(owner=_user(request), **form.cleaned_data)
        messages.success(request, f"{organization.name} is ready.")
        return redirect(_overview(organization))
    status = 422 if form.is_bound else 200
    context = {"form": form, "back": _came_from(request)}
    return render(request, "entry/organization_new.html", context, status=status)


def _came_from(request: HttpRequest) -> Organization | None:
    """The organization whose switcher led here, else the person's first one; None where there is none."""
    mine = [access.organization for access in organizations_of(_user(request))]
    wanted = request.GET.get("from", "")
    return next((each for each in mine if each.slug == wanted), mine[0] if mine else None)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Shows an invitation; a POST of the invited person, signed in, accepts it."""
    found = invitation_by_token(token)
    problem = _problem(found)
    if problem is not None or found is None:
        request.session.pop(INVITATION_KEY, None)
        return render(request, "entry/invitation_unusable.html", {"problem": problem}, status=410)
    if not request.user.is_authenticated:
        request.session[INVITATION_KEY] = token
        return render(request, "entry/invitation.html", {"invitation": found})
    user = _user(request)
    if request.method == "POST":
        try:
            invitation_accept(invitation=found, user=user)
        except InvitationNotUsable as error:
            return render(request, "entry/invitation_unusable.html", {"problem": error.message}, status=409)
        request.session.pop(INVITATION_KEY, None)
        messages.success(request, f"Welcome to {found.organization.name}.")
        return redirect(_overview(found.organization))
    fits = user.email == found.email
    if not fits:
        # Otherwise every visit of the front page would lead back here.
        request.session.pop(INVITATION_KEY, None)
    return render(request, "entry/invitation.html", {"invitation": found, "fits": fits})


def _problem(invitation: Invitation | None) -> str | None:
    """Why an invitation can't be accepted, in words; None where it can."""
    if invitation is None:
        return "This invitation isn't known. Check that the whole link was copied."
    if invitation.accepted_at:
        return "This invitation was accepted already. Sign in to go on."
    if invitation.revoked_at:
        return "This invitation was withdrawn or replaced by a newer one. Ask for a new one."
    if invitation.expires_at <= clock.wall():
        return "This invitation has expired. Ask for a new one."
    return None


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _overview(organization: Organization) -> str:
    return reverse("dashboard:overview", kwargs={"slug": organization.slug})
