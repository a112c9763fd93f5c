"""Connecting a provider by installing the operator's app there: to its page, and back with a code.

Nothing here asks the provider: the browser does, and a worker exchanges the code. `state` is kept in the session of who
asked, so an answer that somebody else brings about is of no use.
"""

import secrets
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from integrations.description import Install
from integrations.errors import BadSignature, InvalidCredentials, UnknownProvider
from integrations.installing import connection_install
from integrations.registry import provider_of
from integrations.tasks import check_connections
from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires
from referral_rocket.kit.nudges import nudge
from referral_rocket.kit.signing import same

_KEPT = "installing"


@require_POST
@requires(Ability.CONNECT)
def install(request: Any, provider: str) -> HttpResponse:
    """A page with the way to the shop; a form can't lead to another site (form-action of the content security policy)."""
    described, flow = provider_of(provider), _flow_or_404(provider)
    shop, state = request.POST.get("shop", "").strip().lower(), secrets.token_urlsafe(24)
    try:
        url = flow.permission_url(shop, _callback(provider), state, settings.PROVIDER_API_BASES.get(provider))
    except InvalidCredentials as error:
        messages.error(request, str(error))
        return redirect(links.to(request, "integration_connect", provider))
    request.session[_KEPT] = {"provider": provider, "shop": shop, "state": state, "slug": request.organization.slug}
    return render(request, "integrations/install.html", {"provider": described, "shop": shop, "url": url})


@require_GET
def answered(request: Any, provider: str) -> HttpResponse:
    """The one address that every shop comes back to; on to the organization that asked, answer and all."""
    kept = request.session.get(_KEPT)
    if kept is None or kept["provider"] != provider:
        raise Http404("Nobody here has asked for this installation.")
    address = reverse("dashboard:integration_installed", args=[kept["slug"], provider])
    return redirect(f"{address}?{request.GET.urlencode()}")


@require_GET
@requires(Ability.CONNECT)
def installed(request: Any, provider: str) -> HttpResponse:
    flow, kept = _flow_or_404(provider), request.session.pop(_KEPT, None)
    # Once: a second answer with the same state finds nothing.
    if kept is None or not same(kept["state"], request.GET.get("state", "")):
        messages.error(request, "This installation isn't the one that was started here. Start it again.")
        return redirect(links.to(request, "integration_connect", provider))
    try:
        credentials = flow.credentials(request.GET.dict(), kept["shop"])
    except BadSignature as error:
        messages.error(request, error.message)
        return redirect(links.to(request, "integration_connect", provider))
    connection = connection_install(
        organization=request.organization, provider=provider, credentials=credentials, actor=request.actor
    )
    nudge(check_connections)
    return redirect(links.to(request, "connection", connection.pk))


def _flow_or_404(provider: str) -> Install:
    try:
        flow = provider_of(provider).install
    except UnknownProvider as error:
        raise Http404("This provider isn't built in.") from error
    if flow is None or not flow.is_set_up():
        raise Http404("No app of this provider is set up here.")
    return flow


def _callback(provider: str) -> str:
    return f"{settings.BASE_URL}{reverse('integration_answered', args=[provider])}"
