"""Which mails one gets about this organization."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from referral_rocket.accounts.roles import may
from referral_rocket.dashboard import links
from referral_rocket.notices.kinds import NOTICES, NoticeKind
from referral_rocket.notices.services import notices_choose, notices_wanted


@require_http_methods(["GET", "HEAD", "POST"])
def notifications(request: Any) -> HttpResponse:
    """A switch for each kind of mail that the member's role could get. A test organization follows its live one."""
    live = request.organization.live_organization
    offered = [kind for kind, notice in NOTICES.items() if may(request.role, notice.ability)]
    # Nothing ticked is an answer too.
    sent = request.POST if request.method == "POST" else None
    form = None if live else _form(offered)(sent)
    if request.method == "POST":
        if form is None:
            raise PermissionDenied("A test organization follows its live one: choose there.")
        if not offered:
            raise PermissionDenied("Your role gets none of these mails.")
        if form.is_valid():
            # What the role doesn't offer stays as it was chosen under another role.
            kept = [kind for kind in notices_wanted(user=request.user) if kind not in offered]
            chosen = [kind for kind in offered if form.cleaned_data[kind]]
            notices_choose(organization=request.organization, user=request.user, wanted=[*kept, *chosen])
            messages.success(request, "Saved.")
            return redirect(links.to(request, "notifications"))
    if form is not None and not form.is_bound:
        wanted = notices_wanted(user=request.user)
        form.initial = {kind: kind in wanted for kind in offered}
    return render(request, "settings/notifications.html", {"tab": "notifications", "form": form, "live": live})


def _form(offered: list[str]) -> type[forms.Form]:
    switches = {
        kind: forms.BooleanField(label=NoticeKind(kind).label, help_text=NOTICES[kind].about, required=False)
        for kind in offered
    }
    return type("NotificationsForm", (forms.Form,), switches)
