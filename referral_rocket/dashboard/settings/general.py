"""The organization's name and time zone."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from referral_rocket.accounts.roles import Ability, Role, may
from referral_rocket.accounts.selectors import members
from referral_rocket.accounts.services import organization_update
from referral_rocket.activity.services import Happening, record
from referral_rocket.dashboard import links
from referral_rocket.dashboard.overview.figures import due
from referral_rocket.kit import clock


class OrganizationForm(forms.Form):
    name = forms.CharField(max_length=200)
    time_zone = forms.ChoiceField(
        label="Time zone",
        choices=[(name, name.replace("_", " ")) for name in sorted(clock.time_zones())],
        help_text="Dates are shown in it. Days, months and caps begin at its midnight.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def organization(request: Any) -> HttpResponse:
    held = request.organization
    form = OrganizationForm(
        request.POST if request.method == "POST" else None, initial={"name": held.name, "time_zone": held.time_zone}
    )
    if request.method == "POST":
        if held.is_test or not may(request.role, Ability.CHANGE_SETTINGS):
            raise PermissionDenied("Your role doesn't allow this: change the organization's settings.")
        if form.is_valid():
            organization_update(organization=held, **form.cleaned_data)
            happening = Happening("organization.changed", "organization", held.pk, data={"fields": form.changed_data})
            record(organization=held, actor=request.actor, happenings=[happening])
            messages.success(request, "Saved. The test organization follows.")
            return redirect(links.to(request, "settings"))
    context = {"tab": "organization", "form": form, "live": held.live_organization}
    if not held.is_test and may(request.role, Ability.DELETE):
        context["heirs"] = [each for each in members(held) if each.role != Role.OWNER]
        context["due"] = due()
    return render(request, "settings/organization.html", context, status=422 if form.is_bound else 200)
