"""Letting many stored events of a connection be worked on once more: what is offered, and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from integrations.models import Connection
from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.integrations.lookup import connection_or_404
from referral_rocket.kit.nudges import nudge
from webhooks.inbound.models import InboundStatus, Replay
from webhooks.inbound.replaying import ReplayRefused, inbound_replay_many, progress
from webhooks.inbound.services import REPLAYABLE
from webhooks.inbound.tasks import replay, work_off

# Of those that have ended, so many are shown.
SHOWN = 2


@dataclass(frozen=True)
class Offer:
    """What the button replays: the status and type that the list is filtered by, failed ones where it isn't."""

    status: str
    event_type: str
    label: str


@dataclass(frozen=True)
class Run:
    """A replay as the page shows it, with its events by what became of them."""

    replay: Replay
    waiting: int
    used: int
    ignored: int
    failed: int

    @property
    def is_running(self) -> bool:
        return self.replay.finished_at is None or self.waiting > 0

    @property
    def done(self) -> int:
        return self.replay.taken - self.waiting


def offer(status: str, event_type: str, counts: Mapping[str, int]) -> Offer | None:
    """None where there is nothing of that to replay."""
    wanted = status or InboundStatus.FAILED
    if wanted not in REPLAYABLE or not counts.get(wanted):
        return None
    words = InboundStatus(wanted).label.lower()
    if event_type:
        return Offer(wanted, event_type, f"Replay all {words} {event_type}")
    number = counts[wanted]
    return Offer(wanted, "", f"Replay {number} {words} event{'s' if number > 1 else ''}")


def shown(connection: Connection) -> dict[str, Any]:
    """Two queries."""
    found = list(Replay.objects.filter(connection=connection).order_by("-pk")[:SHOWN])
    runs = _runs(found)
    return {"replays": runs, "any_replaying": any(run.is_running for run in runs)}


def _runs(found: Sequence[Replay]) -> list[Run]:
    counts = progress(found)
    return [
        Run(
            each,
            waiting=counts[each.pk][InboundStatus.RECEIVED],
            used=counts[each.pk][InboundStatus.PROCESSED],
            ignored=counts[each.pk][InboundStatus.IGNORED],
            failed=counts[each.pk][InboundStatus.FAILED],
        )
        for each in found
    ]


@require_safe
def replay_runs(request: Any, connection_id: UUID) -> HttpResponse:
    """The fragment that asks for itself while something runs."""
    connection = connection_or_404(connection_id)
    return render(request, "integrations/replay_runs.html", {"connection": connection, **shown(connection)})


@require_POST
@requires(Ability.CONNECT)
def replay_many(request: Any, connection_id: UUID) -> HttpResponse:
    connection = connection_or_404(connection_id)
    try:
        inbound_replay_many(
            connection=connection,
            status=request.POST.get("status", ""),
            event_type=request.POST.get("type", "")[:120],
            actor=request.actor,
        )
    except ReplayRefused as refused:
        messages.error(request, refused.message)
    else:
        nudge(replay)
        nudge(work_off)
        messages.success(request, "The events are being worked on once more.")
    return redirect(links.to(request, "connection", connection.pk) + "#events")
