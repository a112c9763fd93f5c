"""What is done with endpoints and deliveries. Nothing is sent from here: it is queued, and goes out at once."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from integrations.models import Endpoint, EndpointStatus
from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.webhooks.forms import EndpointForm, ReplayForm, RotationForm
from referral_rocket.dashboard.webhooks.pages import endpoint_or_404, show
from rewards.errors import RewardsError
from webhooks.outbound.deliveries import deliveries_replay, delivery_retry
from webhooks.outbound.endpoints import (
    IssuedSecret,
    endpoint_create,
    endpoint_delete,
    endpoint_rotate_secret,
    endpoint_test,
    endpoint_update,
)
from webhooks.outbound.errors import AddressNotAllowed, EndpointConflict, InvalidEndpoint
from webhooks.outbound.models import Delivery
from webhooks.outbound.orders import order_take_back

# What has to be typed before an endpoint is deleted.
WORD = "delete"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.CONNECT)
def add(request: Any) -> HttpResponse:
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            issued = endpoint_create(organization=request.organization, actor=request.actor, **form.cleaned_data)
        except (InvalidEndpoint, AddressNotAllowed) as error:
            form.refuse(error)
        else:
            return _secret_page(request, issued, "The endpoint is there")
    return render(request, "webhooks/new.html", {"form": form}, status=422 if request.method == "POST" else 200)


def _secret_page(request: Any, issued: IssuedSecret, title: str) -> HttpResponse:
    """Answered right here: on its way through a redirect, the secret would have to be kept somewhere."""
    response = render(
        request, "webhooks/secret.html", {"endpoint": issued.endpoint, "secret": issued.secret, "title": title}
    )
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@requires(Ability.CONNECT)
def edit(request: Any, endpoint_id: UUID) -> HttpResponse:
    endpoint = endpoint_or_404(endpoint_id)
    form = EndpointForm(request.POST)
    if form.is_valid():
        try:
            endpoint_update(endpoint=endpoint, actor=request.actor, **form.cleaned_data)
        except (InvalidEndpoint, AddressNotAllowed) as error:
            form.refuse(error)
        else:
            messages.success(request, "The endpoint was changed.")
            return _back(request, endpoint)
    return show(request, endpoint, opened="edit", status=422, edit_form=form)


@require_POST
@requires(Ability.CONNECT)
def test(request: Any, endpoint_id: UUID) -> HttpResponse:
    endpoint = endpoint_or_404(endpoint_id)
    try:
        endpoint_test(endpoint=endpoint, actor=request.actor)
        messages.success(request, "A test event is on its way. Its answer shows below.")
    except EndpointConflict as error:
        messages.error(request, error.message)
    return _back(request, endpoint)


@require_POST
@requires(Ability.CONNECT)
def secret(request: Any, endpoint_id: UUID) -> HttpResponse:
    endpoint = endpoint_or_404(endpoint_id)
    form = RotationForm(request.POST)
    if not form.is_valid():
        return show(request, endpoint, opened="secret", status=422, rotation_form=form)
    issued = endpoint_rotate_secret(endpoint=endpoint, overlap_hours=form.hours(), actor=request.actor)
    return _secret_page(request, issued, "The new secret")


@require_POST
@requires(Ability.CONNECT)
def replay(request: Any, endpoint_id: UUID) -> HttpResponse:
    endpoint = endpoint_or_404(endpoint_id)
    form = ReplayForm(request.POST)
    if not form.is_valid():
        return show(request, endpoint, opened="replay", status=422, replay_form=form)
    count = deliveries_replay(
        endpoint=endpoint,
        since=form.moment(request.organization.zone),
        only_failed=form.cleaned_data["only_failed"],
        actor=request.actor,
    )
    messages.success(request, f"{count} {'delivery is' if count == 1 else 'deliveries are'} sent again.")
    return _back(request, endpoint)


@require_POST
@requires(Ability.CONNECT)
def switch(request: Any, endpoint_id: UUID) -> HttpResponse:
    """Disable an enabled endpoint, or enable a disabled one; `undo` of the toast is the same press again."""
    endpoint = endpoint_or_404(endpoint_id)
    enable = endpoint.status == EndpointStatus.DISABLED
    status = EndpointStatus.ENABLED if enable else EndpointStatus.DISABLED
    endpoint_update(endpoint=endpoint, status=status, actor=request.actor)
    said = "Enabled: what is pending is sent now." if enable else "Disabled. Events are kept until it is enabled."
    messages.success(request, said, extra_tags="undo:" + links.to(request, "endpoint_switch", endpoint.pk))
    return _back(request, endpoint)


@require_POST
@requires(Ability.CONNECT)
def delete(request: Any, endpoint_id: UUID) -> HttpResponse:
    endpoint = endpoint_or_404(endpoint_id)
    if request.POST.get("confirmation", "").strip().lower() != WORD:
        messages.error(request, f"Nothing was deleted: type {WORD} to confirm.")
        return _back(request, endpoint)
    try:
        endpoint_delete(endpoint=endpoint, actor=request.actor)
    except EndpointConflict as error:
        messages.error(request, error.message)
        return _back(request, endpoint)
    messages.success(request, "The endpoint was deleted.")
    return redirect(links.to(request, "webhooks"))


@require_POST
@requires(Ability.CONNECT)
def retry(request: Any, delivery_id: UUID) -> HttpResponse:
    found = _delivery(delivery_id)
    try:
        delivery_retry(delivery=found, actor=request.actor)
        messages.success(request, "It is sent again, under the same webhook-id.")
    except EndpointConflict as error:
        messages.error(request, error.message)
    return _back(request, found.endpoint)


@require_POST
@requires(Ability.ISSUE)
def take_back(request: Any, delivery_id: UUID) -> HttpResponse:
    found = _delivery(delivery_id)
    if found.reward is None:
        messages.error(request, "This is no order.")
        return _back(request, found.endpoint)
    try:
        order_take_back(organization=request.organization, reward=found.reward, actor=request.actor)
    except RewardsError as error:
        messages.error(request, error.message)
        return _back(request, found.endpoint)
    messages.success(request, "The reward can be issued from here now. Its order isn't sent again.")
    return redirect(links.to(request, "reward", found.reward.pk))


def _delivery(delivery_id: UUID) -> Delivery:
    found: Delivery = get_object_or_404(Delivery.objects.select_related("endpoint", "reward"), pk=delivery_id)
    return found


def _back(request: Any, endpoint: Endpoint) -> HttpResponse:
    return redirect(links.to(request, "endpoint", endpoint.pk))
