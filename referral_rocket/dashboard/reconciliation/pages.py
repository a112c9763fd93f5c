"""Reconciliation: our rows held against the providers', what was found, and what a person did about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from campaigns.services import MANUAL
from integrations.models import Connection, ConnectionStatus
from integrations.registry import provider_of
from referral_rocket.accounts.roles import Ability
from referral_rocket.accounts.selectors import actor_names
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.links import to
from referral_rocket.dashboard.pagination import page_by_id
from referral_rocket.dashboard.reconciliation.words import MEANINGS
from referral_rocket.kit.nudges import nudge
from rewards.models import BatchItem
from rewards.reconciliations import Finding, Reconciliation
from rewards.services.claims import claimed
from rewards.services.reconciling.findings import NotSettleable, finding_settle
from rewards.services.reconciling.runs import DAYS, AlreadyUnderWay, reconciliation_begin
from rewards.states import ItemOutcome, RewardStatus
from rewards.tasks import reconcile, run_batches

# So many unknown outcomes are listed; their number is of all.
LISTED = 50


class DaysForm(forms.Form):
    days = forms.TypedChoiceField(
        label="Issued in the last",
        coerce=int,
        choices=[(days, "day" if days == 1 else f"{days} days") for days in DAYS],
        initial=7,
    )


class NoteForm(forms.Form):
    note = forms.CharField(
        max_length=500,
        label="What you found",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept with it, for whoever asks later. It is never listed as open again.",
    )


@dataclass(frozen=True)
class Way:
    """A connection, and how it can be reconciled: what its provider lists, and what it doesn't."""

    connection: Connection
    lists: Sequence[str]
    leaves_out: str


@require_safe
def reconciliation(request: Any) -> HttpResponse:
    settled = request.GET.get("tab") == "settled"
    unknown = BatchItem.objects.filter(outcome=ItemOutcome.UNKNOWN)
    listed = page_by_id(
        request,
        Finding.objects.filter(settled_at__isnull=not settled).select_related("connection", "reward__customer"),
    )
    names = actor_names(each.settled_by for each in listed.rows if each.settled_by)
    context = {
        **_progress(),
        "tab": "settled" if settled else "open",
        "open_count": Finding.objects.filter(settled_at__isnull=True).count(),
        "unknown_count": unknown.count(),
        "unknown": list(unknown.select_related("batch__connection", "reward__customer").order_by("pk")[:LISTED]),
        "page": listed,
        "lines": [(each, names.get(each.settled_by, "")) for each in listed.rows],
        "ways": _ways(),
        "days_form": DaysForm(),
    }
    return render(request, "reconciliation/reconciliation.html", context)


def _ways() -> list[Way]:
    ways = []
    for connection in Connection.objects.filter(status=ConnectionStatus.ACTIVE).order_by("pk"):
        provider = provider_of(connection.provider)
        if any(method.adapter for method in provider.methods):
            ways.append(Way(connection, [listing.label for listing in provider.listings], provider.unlisted))
    return ways


def _progress() -> dict[str, Any]:
    last = Reconciliation.objects.order_by("-pk").first()
    return {"last": last, "running": last is not None and last.finished_at is None}


@require_safe
def progress(request: Any) -> HttpResponse:
    """The fragment that the page asks for while one is under way; at the end it asks for the whole page."""
    context = _progress()
    response = render(request, "reconciliation/progress.html", context)
    if not context["running"]:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@requires(Ability.ISSUE)
def begin(request: Any) -> HttpResponse:
    form = DaysForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose how many days to look back.")
        return redirect(to(request, "reconciliation"))
    try:
        reconciliation_begin(organization=request.organization, days=form.cleaned_data["days"], actor=request.actor)
    except AlreadyUnderWay:
        messages.warning(request, "One is under way already. It shows below.")
    else:
        nudge(reconcile)
        nudge(run_batches)
    return redirect(to(request, "reconciliation"))


@require_safe
def finding(request: Any, finding_id: UUID) -> HttpResponse:
    return _show(request, _finding(finding_id), NoteForm())


@require_POST
@requires(Ability.ISSUE)
def settle(request: Any, finding_id: UUID) -> HttpResponse:
    shown, form = _finding(finding_id), NoteForm(request.POST)
    if not form.is_valid():
        return _show(request, shown, form, status=422)
    try:
        finding_settle(
            organization=request.organization, finding=shown, actor=request.actor, note=form.cleaned_data["note"]
        )
    except NotSettleable as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, "Settled. It isn't listed as open any more.")
    return redirect(to(request, "reconciliation"))


def _finding(finding_id: UUID) -> Finding:
    return get_object_or_404(
        Finding.objects.select_related("connection", "reward__customer", "reward__campaign", "item"), pk=finding_id
    )


def _show(request: Any, shown: Finding, form: NoteForm, *, status: int = 200) -> HttpResponse:
    reward = shown.reward
    due = reward is not None and reward.status == RewardStatus.PENDING and not claimed([reward.pk])
    context = {
        "finding": shown,
        "meaning": MEANINGS[shown.kind],
        "settled_by": actor_names([shown.settled_by])[shown.settled_by] if shown.settled_by else "",
        "form": form,
        "can_mark": due and shown.kind == "NOT_ISSUED_HERE",
        "by_hand": MANUAL,
    }
    return render(request, "reconciliation/finding.html", context, status=status)
