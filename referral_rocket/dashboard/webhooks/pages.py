"""Endpoints with their health, and what each was sent."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from integrations.models import Endpoint, EventType
from referral_rocket.dashboard.pagination import page_by_id
from referral_rocket.dashboard.webhooks.forms import EndpointForm, ReplayForm, RotationForm
from referral_rocket.dashboard.wording import wording
from referral_rocket.kit import clock
from webhooks.outbound import help as receiving
from webhooks.outbound.deliveries import order_needs_a_person
from webhooks.outbound.models import TEST_EVENT, Delivery, DeliveryStatus
from webhooks.outbound.selectors import deliveries, disabled_by_us, endpoints, failed_orders, health_of, with_attempts

TYPES = [(value, wording("webhook_event", value).label) for value in (*EventType.values, TEST_EVENT)]
FAILED_ORDERS_SHOWN = 20


@require_safe
def webhook_list(request: Any) -> HttpResponse:
    found = list(endpoints())
    health = health_of(found)
    context = {
        "lines": [(endpoint, health[endpoint.pk]) for endpoint in found],
        "disabled": disabled_by_us(),
        "failed_orders": list(failed_orders()[:FAILED_ORDERS_SHOWN]),
        "form": EndpointForm(),
    }
    return render(request, "webhooks/list.html", context)


def endpoint_or_404(endpoint_id: UUID) -> Endpoint:
    found: Endpoint = get_object_or_404(endpoints(), pk=endpoint_id)
    return found


@require_safe
def endpoint(request: Any, endpoint_id: UUID) -> HttpResponse:
    return show(request, endpoint_or_404(endpoint_id))


def show(request: Any, endpoint: Endpoint, *, opened: str = "", status: int = 200, **forms: Any) -> HttpResponse:
    """The page; `opened` names the dialog that stands open with what is wrong in its form, given in `forms`."""
    found = deliveries(endpoint)
    for name, known in (("status", DeliveryStatus.values), ("event_type", dict(TYPES))):
        asked = request.GET.get(name, "")
        if asked in known:
            found = found.filter(**{name: asked})
    health = health_of([endpoint])[endpoint.pk]
    context = {
        "endpoint": endpoint,
        "health": health,
        "old_secret_until": _old_secret_until(endpoint),
        "page": page_by_id(request, found),
        "statuses": DeliveryStatus.choices,
        "types": TYPES,
        "examples": receiving.examples(),
        "vector": _vector(),
        "opened": opened,
        "edit_form": EndpointForm(initial={name: getattr(endpoint, name) for name in EndpointForm.base_fields}),
        "rotation_form": RotationForm(),
        "replay_form": ReplayForm(),
        **forms,
    }
    return render(request, "webhooks/endpoint.html", context, status=status)


def _old_secret_until(endpoint: Endpoint) -> datetime | None:
    until = endpoint.secrets.get("previous_until")
    moment = datetime.fromisoformat(until).astimezone(UTC) if until else None
    return moment if moment and moment > clock.wall() else None


def _vector() -> str:
    return "\n".join(
        (
            f"secret             {receiving.VECTOR_SECRET}",
            f"webhook-id         {receiving.VECTOR_ID}",
            f"webhook-timestamp  {receiving.VECTOR_TIMESTAMP}",
            f"webhook-signature  {receiving.vector_signature()}",
            f"body               {receiving.VECTOR_BODY}",
        )
    )


@require_safe
def delivery_state(request: Any, delivery_id: UUID) -> HttpResponse:
    """The state of one row and when it goes on, for htmx to ask for while something is about to happen."""
    found: Delivery = get_object_or_404(Delivery.objects.select_related("endpoint"), pk=delivery_id)
    return render(request, "webhooks/state.html", {"delivery": found, "endpoint": found.endpoint, "polled": True})


@require_safe
def delivery(request: Any, delivery_id: UUID) -> HttpResponse:
    """The inside of an opened row: the request, and each attempt with its answer."""
    found: Delivery = get_object_or_404(with_attempts(Delivery.objects.all()), pk=delivery_id)
    context = {
        "delivery": found,
        "body": json.dumps(json.loads(found.body), indent=2, ensure_ascii=False),
        "needs_a_person": order_needs_a_person(found),
    }
    return render(request, "webhooks/delivery.html", context)
