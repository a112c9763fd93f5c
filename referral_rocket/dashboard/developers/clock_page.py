"""The clock of a test organization: it only moves forward, and what becomes due until then becomes due at once."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from referral_rocket.accounts.errors import ClockRefused
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Ability, may
from referral_rocket.dashboard import links
from referral_rocket.kit import clock
from webhooks.outbound.advancing import clock_advance

STEPS = (
    ("1", "An hour"),
    ("24", "A day"),
    (str(7 * 24), "A week"),
    (str(30 * 24), "30 days"),
)


class ClockForm(forms.Form):
    """To a moment, read in the organization's time zone, or on by a step (hours); the step's buttons send it."""

    to = forms.DateTimeField(
        label="Advance to",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    step = forms.ChoiceField(choices=STEPS, required=False, widget=forms.HiddenInput)

    def moment(self, organization: Organization) -> datetime | None:
        """None where neither was given."""
        if self.cleaned_data["step"]:
            return clock.now(organization) + timedelta(hours=int(self.cleaned_data["step"]))
        given: datetime | None = self.cleaned_data["to"]
        if given is None:
            return None
        return timezone.make_aware(timezone.make_naive(given, timezone.get_current_timezone()), organization.zone)


@require_http_methods(["GET", "HEAD", "POST"])
def test_clock(request: Any) -> HttpResponse:
    organization: Organization = request.organization
    form = ClockForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not may(request.role, Ability.RUN_CAMPAIGNS):
            raise PermissionDenied("Your role doesn't allow this: advance the test clock.")
        if form.is_valid() and _advance(request, organization, form):
            return redirect(links.to(request, "test_clock"))
    context = {
        "tab": "clock",
        "form": form,
        "steps": STEPS,
        "now": clock.now(organization),
        "ahead": _in_words(organization.clock_offset),
        "twin": None if organization.is_test else organization.test_organization,
    }
    return render(request, "developers/clock.html", context, status=422 if form.is_bound else 200)


def _in_words(offset: timedelta) -> str:
    """`8 days` or `5 hours`; "" for less than a minute. A step of a day is a few milliseconds short of one."""
    minutes = round(offset / timedelta(minutes=1))
    for unit, size in (("day", 24 * 60), ("hour", 60), ("minute", 1)):
        if minutes >= size:
            count = minutes // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return ""


def _advance(request: Any, organization: Organization, form: ClockForm) -> bool:
    moment = form.moment(organization)
    if moment is None:
        form.add_error("to", "Say to when.")
        return False
    try:
        released = clock_advance(organization=organization, now=moment)
    except ClockRefused as error:
        form.add_error("to", error.message)
        return False
    noun = "reward" if released == 1 else "rewards"
    came = f" {released} {noun} became due." if released else ""
    local = clock.now(organization).astimezone(organization.zone)
    messages.success(request, f"It is {local.day} {local:%B %Y, %H:%M} now.{came}")
    return True
