"""Connecting a provider."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from integrations.description import Provider
from integrations.errors import InvalidCredentials, ModeMismatch, UnknownProvider
from integrations.models import Connection
from integrations.registry import provider_of
from integrations.services import connection_create, connection_request_check
from integrations.tasks import check_connections
from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.integrations.forms import ConnectForm
from referral_rocket.dashboard.methods import is_sandbox_of
from referral_rocket.kit.nudges import nudge


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.CONNECT)
def integration_connect(request: Any, provider: str) -> HttpResponse:
    described = _provider_or_404(provider)
    form = ConnectForm(request.POST if request.method == "POST" else None, provider=described)
    if request.method == "POST" and form.is_valid():
        connection = _connect(request, described, form)
        if connection is not None:
            connection_request_check(connection=connection)
            nudge(check_connections)
            messages.success(request, f"{described.name} is connected. It is being asked about the account.")
            return redirect(links.to(request, "connection", connection.pk))
    context = {
        "form": form,
        "provider": described,
        "sandbox": is_sandbox_of(described.slug),
        "installable": described.install is not None and described.install.is_set_up(),
    }
    return render(request, "integrations/connect.html", context, status=422 if form.is_bound else 200)


def _provider_or_404(slug: str) -> Provider:
    try:
        return provider_of(slug)
    except UnknownProvider as error:
        raise Http404("This provider isn't built in.") from error


def _connect(request: Any, provider: Provider, form: ConnectForm) -> Connection | None:
    """None where it is refused; the form then says why."""
    try:
        return connection_create(
            organization=request.organization,
            provider=provider.slug,
            credentials=form.credentials(),
            settings=form.settings(),
            webhook_secret=form.cleaned_data.get("webhook_secret") or None,
            actor=request.actor,
        )
    except InvalidCredentials as error:
        form.refuse(error)
    except ModeMismatch as error:
        form.add_error(None, error.message)
    return None
