"""Past payments of a connection: a dry run, what it shows, and the import of just that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from integrations.models import Connection
from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.integrations.lookup import connection_or_404
from referral_rocket.kit.nudges import nudge
from webhooks.inbound.backfilling import DAYS, BackfillRefused, backfill_dry_run, backfill_import, progress
from webhooks.inbound.models import Backfill, BackfillStatus, InboundStatus
from webhooks.inbound.tasks import backfill

# So many runs are shown; older ones say nothing that matters any more.
SHOWN = 5


class DaysForm(forms.Form):
    days = forms.TypedChoiceField(
        label="Payments of the last", coerce=int, choices=[(days, f"{days} days") for days in DAYS], initial=30
    )


@dataclass(frozen=True)
class Run:
    """A backfill as the page shows it. `waiting`, `used`, `ignored`, `failed`: an import's events, by what became of them."""

    backfill: Backfill
    waiting: int
    used: int
    ignored: int
    failed: int
    can_import: bool

    @property
    def is_running(self) -> bool:
        return self.backfill.next_attempt_at is not None or self.waiting > 0


def runs_of(connection: Connection) -> Sequence[Run]:
    """The last ones, newest first. Two queries."""
    found = list(Backfill.objects.filter(connection=connection).order_by("-pk")[:SHOWN])
    counts = progress(found)
    runs = []
    for place, each in enumerate(found):
        by_status = counts[each.pk]
        # Only the newest: an import of what an old dry run showed would bring more than was looked at.
        newest = place == 0 and each.dry_run and each.status == BackfillStatus.FINISHED
        runs.append(
            Run(
                each,
                waiting=by_status[InboundStatus.RECEIVED],
                used=by_status[InboundStatus.PROCESSED],
                ignored=by_status[InboundStatus.IGNORED],
                failed=by_status[InboundStatus.FAILED],
                can_import=newest and connection.is_active and each.found > each.known,
            )
        )
    return runs


def shown(connection: Connection) -> dict[str, Any]:
    runs = runs_of(connection)
    return {"runs": runs, "any_running": any(run.is_running for run in runs), "days_form": DaysForm()}


@require_safe
def backfill_runs(request: Any, connection_id: UUID) -> HttpResponse:
    """The fragment that asks for itself while something runs."""
    connection = connection_or_404(connection_id)
    return render(request, "integrations/backfill_runs.html", {"connection": connection, **shown(connection)})


@require_POST
@requires(Ability.CONNECT)
def dry_run(request: Any, connection_id: UUID) -> HttpResponse:
    connection = connection_or_404(connection_id)
    form = DaysForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose how many days to look back.")
        return _back(request, connection)
    try:
        backfill_dry_run(connection=connection, days=form.cleaned_data["days"], actor=request.actor)
    except BackfillRefused as refused:
        messages.error(request, refused.message)
    else:
        nudge(backfill)
        messages.success(request, "The dry run has begun. Nothing is stored by it.")
    return _back(request, connection)


@require_POST
@requires(Ability.CONNECT)
def take_in(request: Any, connection_id: UUID, backfill_id: UUID) -> HttpResponse:
    connection = connection_or_404(connection_id)
    run = get_object_or_404(Backfill.objects.select_related("connection"), pk=backfill_id, connection=connection)
    try:
        backfill_import(dry_run=run, actor=request.actor)
    except BackfillRefused as refused:
        messages.error(request, refused.message)
    else:
        nudge(backfill)
        messages.success(request, "The import has begun. What it brings shows below, payment by payment.")
    return _back(request, connection)


def _back(request: Any, connection: Connection) -> HttpResponse:
    return redirect(links.to(request, "connection", connection.pk) + "#backfill")
