"""API keys: made, shown once, revoked."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from referral_rocket.accounts.models import ApiKey, Scope
from referral_rocket.accounts.roles import Ability, may
from referral_rocket.accounts.selectors import api_keys
from referral_rocket.accounts.services import api_key_create, api_key_revoke
from referral_rocket.activity.services import Happening, record
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires
from referral_rocket.kit import clock

EXPIRIES = (("", "Never"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"))


class KeyForm(forms.Form):
    name = forms.CharField(max_length=200, help_text="What uses it, such as “Shop backend”.")
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=[
            (Scope.READ, "Read everything"),
            (Scope.WRITE, "Write campaigns, participants, events"),
            (Scope.ISSUE, "Issue rewards"),
        ],
        initial=[Scope.READ, Scope.WRITE],
        widget=forms.CheckboxSelectMultiple,
    )
    expires_in = forms.ChoiceField(label="Expires", choices=EXPIRIES, required=False)


@require_safe
def api_keys_page(request: Any) -> HttpResponse:
    return _show(request)


def _show(request: Any, *, form: KeyForm | None = None, token: str = "", status: int = 200) -> HttpResponse:
    """The page. `token` is the text of a key just made: it is on this answer and nowhere else."""
    allowed = may(request.role, Ability.MANAGE_KEYS)
    context = {
        "tab": "keys",
        "keys": api_keys() if allowed else (),
        "now": clock.wall(),
        "form": form or KeyForm(),
        "form_open": form is not None,
        "token": token,
    }
    return render(request, "developers/keys.html", context, status=status)


@never_cache
@require_POST
@requires(Ability.MANAGE_KEYS)
def key_create(request: Any) -> HttpResponse:
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _show(request, form=form, status=422)
    days = form.cleaned_data["expires_in"]
    issued = api_key_create(
        organization=request.organization,
        name=form.cleaned_data["name"],
        scopes=form.cleaned_data["scopes"],
        user=request.user,
        expires_at=clock.wall() + timedelta(days=int(days)) if days else None,
    )
    _note(request, "api_key.created", issued.key, scopes=issued.key.scopes)
    # Not a redirect: the text would have to be kept somewhere until the next page.
    return _show(request, token=issued.token, status=201)


@require_POST
@requires(Ability.MANAGE_KEYS)
def key_revoke(request: Any, key_id: UUID) -> HttpResponse:
    key = get_object_or_404(ApiKey, pk=key_id)
    if key.revoked_at is None:
        api_key_revoke(key=key)
        _note(request, "api_key.revoked", key)
    messages.success(request, f"The key {key.name} was revoked. It stopped working just now.")
    return redirect(links.to(request, "developers"))


def _note(request: Any, kind: str, key: ApiKey, **data: object) -> None:
    happening = Happening(kind, "api_key", key.pk, data=data)
    record(organization=request.organization, actor=request.actor, happenings=[happening])
