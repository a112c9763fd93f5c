"""The pages of imports. What can't be done shows the page again with the reason."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from participants.importing import selectors
from participants.importing.errors import ImportRefused
from participants.importing.fields import FIELDS, left_out, source_of
from participants.importing.models import ImportRow, ImportStatus, ParticipantImport, RowState
from participants.importing.services import import_discard, import_map, import_start, import_undo, import_upload
from participants.importing.states import AT_WORK, IMPORT_TRANSITIONS
from participants.models import Participant
from participants.tasks import import_participants
from referral_rocket.accounts.roles import Ability
from referral_rocket.accounts.selectors import actor_names
from referral_rocket.activity.models import Activity
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.pagination import page_by_id
from referral_rocket.dashboard.participants.imports.forms import ColumnsForm, UploadForm
from referral_rocket.dashboard.participants.imports.wording import problem_word
from referral_rocket.dashboard.settings.activity_log import lines_of
from referral_rocket.kit.nudges import nudge

# So many rows of each kind are shown before somebody says go; the others stand in the file.
SHOWN = 10
MOST_HISTORY = 30


@require_safe
def import_list(request: Any) -> HttpResponse:
    listed = page_by_id(request, selectors.imports())
    names = actor_names(each.actor for each in listed.rows)
    context = {"page": listed, "lines": [(each, names[each.actor]) for each in listed.rows]}
    return render(request, "imports/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.RUN_CAMPAIGNS)
def import_new(request: Any) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_bound and form.is_valid():
        uploaded = form.cleaned_data["file"]
        try:
            made = import_upload(
                organization=request.organization,
                file=uploaded,
                file_name=uploaded.name,
                size=uploaded.size,
                delimiter=form.cleaned_data["delimiter"],
                actor=request.actor,
            )
        except ImportRefused as refused:
            form.add_error("file", refused.message)
        else:
            address = links.to(request, "participant_import_columns", made.pk)
            campaign = request.GET.get("campaign", "")
            return redirect(f"{address}?campaign={campaign}" if campaign else address)
    return render(request, "imports/new.html", {"form": form}, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.RUN_CAMPAIGNS)
def import_columns(request: Any, import_id: UUID) -> HttpResponse:
    shown = _import_or_404(import_id)
    samples = selectors.samples(shown)
    data = request.POST if request.method == "POST" else None
    form = ColumnsForm(data, shown=shown, samples=samples, campaign=request.GET.get("campaign", ""))
    if form.is_bound and form.is_valid():
        try:
            import_map(participant_import=shown, actor=request.actor, **form.choices_made())
        except ImportRefused as refused:
            form.add_error(None, refused.message)
        else:
            nudge(import_participants)
            return redirect(links.to(request, "participant_import", shown.pk))
    elif not IMPORT_TRANSITIONS.allows(shown.status, ImportStatus.CHECKING):
        return redirect(links.to(request, "participant_import", shown.pk))
    context = {
        "import": shown,
        "form": form,
        "column_fields": form.column_fields(),
        "source": source_of(shown.columns),
        "columns": [(column, samples[place], _taken_as(form, place)) for place, column in enumerate(shown.columns)],
    }
    return render(request, "imports/columns.html", context, status=422 if form.is_bound else 200)


def _taken_as(form: ColumnsForm, place: int) -> str:
    return ", ".join(field.label for field in FIELDS if str(form[field.name].value()) == str(place))


@require_safe
def import_page(request: Any, import_id: UUID) -> HttpResponse:
    shown = _import_or_404(import_id)
    context = {
        **_progress(shown),
        "actor": actor_names([shown.actor])[shown.actor],
        "history": lines_of(request, _history(shown)),
        "problems": [(problem_word(code), number) for code, number in selectors.problems(shown)],
        "wrong_rows": selectors.first_rows(shown, RowState.WRONG, SHOWN),
        "kept_rows": selectors.first_rows(shown, RowState.KEPT, SHOWN),
        "new_rows": _as_they_would_be(shown),
        "not_taken": left_out(shown.columns, shown.mapping) if shown.mapping else (),
        "undo_until": shown.created_at + timedelta(days=settings.IMPORT_KEEP_DAYS),
        "can": {
            wanted.lower(): IMPORT_TRANSITIONS.allows(shown.status, wanted)
            for wanted in (ImportStatus.CHECKING, ImportStatus.RUNNING, ImportStatus.UNDOING, ImportStatus.DISCARDED)
        },
    }
    return render(request, "imports/import.html", context)


def _as_they_would_be(shown: ParticipantImport) -> list[tuple[ImportRow, str, datetime | None]]:
    """The first new rows, each with who referred that person, by the name that the file or the campaign has."""
    if shown.status != ImportStatus.CHECKED:
        return []
    rows = selectors.first_rows(shown, RowState.NEW, SHOWN)
    there = {
        each.pk: str(each.customer)
        for each in Participant.objects.select_related("customer").filter(
            pk__in=[row.referrer_id for row in rows if row.referrer_id]
        )
    }
    return [
        (row, there.get(row.referrer_id) or row.values.get("referrer", ""), _joined_at(row))  # type: ignore[arg-type]
        for row in rows
    ]


def _joined_at(row: ImportRow) -> datetime | None:
    told = row.values.get("joined_at")
    return datetime.fromisoformat(told) if told else None


def _history(shown: ParticipantImport) -> list[Activity]:
    return list(Activity.objects.filter(subject_type="import", subject_id=shown.pk).order_by("-pk")[:MOST_HISTORY])


@require_safe
def import_progress(request: Any, import_id: UUID) -> HttpResponse:
    """The fragment that asks for itself while a worker is at it, and then for the page."""
    shown = _import_or_404(import_id)
    response = render(request, "imports/progress.html", _progress(shown))
    if shown.status not in AT_WORK:
        response["HX-Refresh"] = "true"
    return response


def _progress(shown: ParticipantImport) -> dict[str, Any]:
    return {"import": shown, "running": shown.status in AT_WORK, "figures": shown.figures}


@require_POST
@requires(Ability.RUN_CAMPAIGNS)
def import_begin(request: Any, import_id: UUID) -> HttpResponse:
    return _ask(request, import_id, import_start)


@require_POST
@requires(Ability.RUN_CAMPAIGNS)
def import_take_back(request: Any, import_id: UUID) -> HttpResponse:
    return _ask(request, import_id, import_undo)


@require_POST
@requires(Ability.RUN_CAMPAIGNS)
def import_throw_away(request: Any, import_id: UUID) -> HttpResponse:
    return _ask(request, import_id, import_discard, "The file was thrown away. Nothing of it was imported.")


def _ask(request: Any, import_id: UUID, service: Callable[..., Any], said: str = "") -> HttpResponse:
    shown = _import_or_404(import_id)
    try:
        service(participant_import=shown, actor=request.actor)
    except ImportRefused as refused:
        messages.error(request, refused.message)
    else:
        nudge(import_participants)
        if said:
            messages.success(request, said)
    return redirect(links.to(request, "participant_import", shown.pk))


def _import_or_404(import_id: UUID) -> ParticipantImport:
    return get_object_or_404(selectors.imports(), pk=import_id)
