"""What is done on a connection's page. Nothing here asks the provider: a check is queued, its answer comes later."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from integrations.errors import InvalidCredentials, ModeMismatch
from integrations.models import Connection
from integrations.registry import provider_of
from integrations.services import (
    connection_disconnect,
    connection_request_check,
    connection_request_webhook,
    connection_update,
)
from integrations.tasks import check_connections
from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.integrations.connections import show
from referral_rocket.dashboard.integrations.forms import CredentialsForm, SecretForm, SettingsForm
from referral_rocket.dashboard.integrations.lookup import connection_or_404
from referral_rocket.kit.nudges import nudge

# What has to be typed before a connection is cut.
WORD = "disconnect"


@require_POST
@requires(Ability.CONNECT)
def check(request: Any, connection_id: UUID) -> HttpResponse:
    connection = connection_request_check(connection=connection_or_404(connection_id))
    nudge(check_connections)
    if request.htmx:
        return render(request, "integrations/check.html", {"connection": connection})
    return _back(request, connection)


@require_POST
@requires(Ability.CONNECT)
def webhook(request: Any, connection_id: UUID) -> HttpResponse:
    """Have the provider send its webhooks here; a worker asks it."""
    connection = connection_request_webhook(connection=connection_or_404(connection_id), actor=request.actor)
    nudge(check_connections)
    return _back(request, connection)


@require_POST
@requires(Ability.CONNECT)
def secret(request: Any, connection_id: UUID) -> HttpResponse:
    connection = connection_or_404(connection_id)
    form = SecretForm(request.POST, provider=provider_of(connection.provider))
    if form.is_valid():
        try:
            connection_update(
                connection=connection,
                webhook_secret=form.cleaned_data["webhook_secret"],
                overlap=form.overlap_span(),
                actor=request.actor,
            )
        except InvalidCredentials as error:
            form.refuse(error)
        else:
            messages.success(request, "The signing secret was saved. It is used within ten seconds.")
            return _back(request, connection)
    return show(request, connection, opened="secret", status=422, secret_form=form)


@require_POST
@requires(Ability.CONNECT)
def credentials(request: Any, connection_id: UUID) -> HttpResponse:
    connection = connection_or_404(connection_id)
    form = CredentialsForm(request.POST, provider=provider_of(connection.provider))
    if form.is_valid():
        try:
            connection_update(connection=connection, credentials=form.credentials(), actor=request.actor)
        except InvalidCredentials as error:
            form.refuse(error)
        except ModeMismatch as error:
            form.add_error(None, error.message)
        else:
            connection_request_check(connection=connection)
            nudge(check_connections)
            messages.success(request, "The credentials were replaced. The provider is being asked about them.")
            return _back(request, connection)
    return show(request, connection, opened="credentials", status=422, credentials_form=form)


@require_POST
@requires(Ability.CONNECT)
def settings(request: Any, connection_id: UUID) -> HttpResponse:
    connection = connection_or_404(connection_id)
    form = SettingsForm(request.POST, provider=provider_of(connection.provider), now=connection.settings)
    if form.is_valid():
        try:
            connection_update(connection=connection, settings=form.settings(), actor=request.actor)
        except InvalidCredentials as error:
            form.refuse(error)
        else:
            connection_request_check(connection=connection)
            nudge(check_connections)
            messages.success(request, "The settings were saved. The provider is being asked about them.")
            return _back(request, connection)
    return show(request, connection, opened="settings", status=422, settings_form=form)


@require_POST
@requires(Ability.CONNECT)
def disconnect(request: Any, connection_id: UUID) -> HttpResponse:
    connection = connection_or_404(connection_id)
    if request.POST.get("confirmation", "").strip().lower() != WORD:
        messages.error(request, f"Nothing was disconnected: type {WORD} to confirm.")
        return _back(request, connection)
    connection_disconnect(connection=connection, actor=request.actor)
    messages.success(request, f"{connection.provider_name} is disconnected; its credentials are forgotten.")
    return redirect(links.to(request, "integrations"))


def _back(request: Any, connection: Connection) -> HttpResponse:
    return redirect(links.to(request, "connection", connection.pk))
