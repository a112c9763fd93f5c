"""One stored event of a provider: what it said, and letting it be worked on once more."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires
from referral_rocket.kit.nudges import nudge
from webhooks.inbound.models import InboundEvent
from webhooks.inbound.services import NotReplayable, inbound_replay
from webhooks.inbound.tasks import work_off

# As much as a person reads; the stored body stays whole.
SHOWN_CHARACTERS = 20_000


@require_safe
def inbound_event(request: Any, event_id: UUID) -> HttpResponse:
    """The inside of an opened row: the body as it came, laid out for reading."""
    event = get_object_or_404(InboundEvent, pk=event_id)
    text = _laid_out(bytes(event.body))
    context = {"event": event, "body": text[:SHOWN_CHARACTERS], "cut": len(text) > SHOWN_CHARACTERS}
    return render(request, "integrations/inbound_body.html", context)


def _laid_out(body: bytes) -> str:
    text = body.decode(errors="replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


@require_POST
@requires(Ability.CONNECT)
def replay(request: Any, event_id: UUID) -> HttpResponse:
    event = get_object_or_404(InboundEvent.objects.defer("body"), pk=event_id)
    try:
        inbound_replay(organization=request.organization, event=event, actor=request.actor)
        nudge(work_off)
        messages.success(request, "The event is worked on once more.")
    except NotReplayable as error:
        messages.error(request, error.message)
    return redirect(links.to(request, "connection", event.connection_id))
