"""Batches: the list, one with its progress and results, cancelling."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from campaigns.services import MANUAL
from integrations.registry import file_of
from referral_rocket.accounts.roles import Ability
from referral_rocket.accounts.selectors import actor_names
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.batches.next_steps import next_step, shown_outcome, step_of_reason
from referral_rocket.dashboard.links import to
from referral_rocket.dashboard.methods import menu, method_name
from referral_rocket.dashboard.pagination import page_by_id
from referral_rocket.kit import clock
from referral_rocket.kit.nudges import nudge
from rewards.errors import (
    BatchHasNoFile,
    BatchNotCancelable,
    BatchNotReady,
    FileWasDownloaded,
    InvalidResults,
    SamePerson,
)
from rewards.models import RewardBatch
from rewards.selectors import (
    batch_counts,
    batches,
    held_up,
    issued_sums,
    items_of,
    netted_of,
    reasons_for_no,
    to_freeze,
)
from rewards.services.asking import EVERY, last_asked
from rewards.services.batches import batch_approve, batch_cancel
from rewards.services.files import NOTHING_PAYABLE, batch_file, batch_results
from rewards.services.queueing import queued_among
from rewards.states import BatchStatus, ItemOutcome
from rewards.tasks import run_batches

# What is given instead of a discount that can't be put on yet.
CREDIT = "STRIPE_CREDIT"
# What is typed to cancel a batch whose file was downloaded.
NOT_PAID = "not paid"
# So many of what was issued and needs a person all the same are shown together; the rest once these are dealt with.
MOST_UNDELIVERED = 20
LARGEST_RESULTS = 5 * 1024 * 1024
# So many reasons why a batch doesn't get on are shown while it runs.
REASONS_SHOWN = 5
# So many lines of a result file that don't fit are told one by one.
LISTED = 10
_NOT_REWARDED = (ItemOutcome.FAILED, ItemOutcome.UNKNOWN, ItemOutcome.WAITING)
_RUNNING = (BatchStatus.QUEUED, BatchStatus.RUNNING)


@require_safe
def batch_list(request: Any) -> HttpResponse:
    found = batches()
    status = request.GET.get("status", "")
    if status in BatchStatus.values:
        found = found.filter(status=status)
    listed = page_by_id(request, found)
    counts = batch_counts(listed.rows)
    names = actor_names(batch.actor for batch in listed.rows)
    context = {
        "page": listed,
        "lines": [(batch, counts[batch.pk], names[batch.actor]) for batch in listed.rows],
        "statuses": BatchStatus.choices,
    }
    return render(request, "batches/list.html", context)


@require_safe
def batch(request: Any, batch_id: UUID) -> HttpResponse:
    shown = get_object_or_404(batches(), pk=batch_id)
    rewarded = page_by_id(
        request,
        items_of(shown, [ItemOutcome.SUCCEEDED]),
        newest_first=False,
        names=("rewarded_after", "rewarded_before"),
    )
    not_rewarded = page_by_id(request, items_of(shown, _NOT_REWARDED), newest_first=False)
    queued = queued_among([item.reward_id for item in not_rewarded.rows])
    asked = last_asked([item.reward.customer_id for item in not_rewarded.rows])
    progress = _progress(shown)
    names = actor_names(filter(None, (shown.actor, shown.approved_by)))
    context = {
        **progress,
        "actor": names[shown.actor],
        "approver": names.get(shown.approved_by, ""),
        "rewarded": rewarded,
        "undelivered": list(
            items_of(shown, [ItemOutcome.SUCCEEDED]).exclude(code="").order_by("pk")[:MOST_UNDELIVERED]
        ),
        "not_rewarded": not_rewarded,
        "lines": [
            (
                item,
                shown_outcome(item),
                next_step(item, queued=item.reward_id in queued, by_file=progress["by_file"]),
                asked.get(item.reward.customer_id),
            )
            for item in not_rewarded.rows
        ],
        "asked_lately": clock.wall() - EVERY,
        "reasons": [
            (code, step.of_several(text, number), number, step)
            for outcome, code, text, number, free in reasons_for_no(shown)
            for step in [step_of_reason(outcome, code, free)]
        ],
        "waiting": page_by_id(
            request,
            items_of(shown, [ItemOutcome.QUEUED]),
            newest_first=False,
            names=("waiting_after", "waiting_before"),
        )
        if progress["awaits"]
        else None,
        "sums": _with_netted(issued_sums(shown, [ItemOutcome.SUCCEEDED]), netted_of(shown, [ItemOutcome.SUCCEEDED])),
        "asked": shown.asked if progress["preparing"] else issued_sums(shown, [ItemOutcome.QUEUED]),
        "own": shown.actor == request.actor or shown.person_id == request.user.pk,
        "again": _again(shown),
        "credit": _again(shown, CREDIT),
        "by_hand": MANUAL,
    }
    return render(request, "batches/batch.html", context)


@require_safe
def batch_progress(request: Any, batch_id: UUID) -> HttpResponse:
    """The fragment that a running batch's page asks for each second; at the end it asks for the whole page."""
    shown = get_object_or_404(batches(), pk=batch_id)
    progress = _progress(shown)
    response = render(request, "batches/progress.html", {**progress, "polled": True})
    if not progress["moves"]:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@requires(Ability.ISSUE)
def batch_stop(request: Any, batch_id: UUID) -> HttpResponse:
    shown = get_object_or_404(RewardBatch, pk=batch_id)
    not_paid = request.POST.get("confirmation", "").strip().lower() == NOT_PAID
    try:
        batch_cancel(organization=request.organization, batch=shown, actor=request.actor, not_paid=not_paid)
    except FileWasDownloaded:
        messages.error(request, f"Type “{NOT_PAID}” to cancel a batch whose file was downloaded.")
    except BatchNotCancelable as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "Canceled. What wasn't sent yet is due again; what is under way ends first.")
    return redirect(to(request, "batch", shown.pk))


@require_POST
@requires(Ability.ISSUE)
def batch_agree(request: Any, batch_id: UUID) -> HttpResponse:
    """A second person lets the batch go."""
    shown = get_object_or_404(RewardBatch, pk=batch_id)
    try:
        batch_approve(organization=request.organization, batch=shown, actor=request.actor, person=request.user.pk)
    except (BatchNotReady, SamePerson) as error:
        messages.error(request, error.message)
    else:
        nudge(run_batches)
        messages.success(request, "Approved. The batch is on its way.")
    return redirect(to(request, "batch", shown.pk))


@require_POST
@requires(Ability.ISSUE)
def batch_download(request: Any, batch_id: UUID) -> HttpResponse:
    """The batch's file. A POST, since the first one begins the issuing."""
    shown = get_object_or_404(RewardBatch, pk=batch_id)
    try:
        file = batch_file(organization=request.organization, batch=shown, actor=request.actor)
    except (BatchHasNoFile, BatchNotReady) as error:
        messages.error(request, error.message)
        return redirect(to(request, "batch", shown.pk))
    if file is None:
        messages.error(request, NOTHING_PAYABLE)
        return redirect(to(request, "batch", shown.pk))
    response = HttpResponse(file.content, content_type=file.content_type)
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return response


@require_POST
@requires(Ability.ISSUE)
def batch_upload(request: Any, batch_id: UUID) -> HttpResponse:
    """The provider's result file."""
    shown = get_object_or_404(RewardBatch, pk=batch_id)
    uploaded = request.FILES.get("results")
    if uploaded is None or uploaded.size > LARGEST_RESULTS:
        messages.error(request, "Choose the result file that you downloaded from the provider, of at most 5 MB.")
        return redirect(to(request, "batch", shown.pk))
    try:
        results = batch_results(
            organization=request.organization, batch=shown, content=uploaded.read(), actor=request.actor
        )
    except (BatchHasNoFile, BatchNotReady, InvalidResults) as error:
        messages.error(request, error.message)
        return redirect(to(request, "batch", shown.pk))
    messages.success(request, f"The file told of {results.told} reward{'' if results.told == 1 else 's'}.")
    for contradiction in results.contradictions[:LISTED]:
        messages.error(request, contradiction)
    for line in results.unknown[:LISTED]:
        messages.warning(
            request,
            f"Line {line.number} was left out: it is of no reward in this batch, or its status isn't known here: {line.shown}",
        )
    if len(results.unknown) > LISTED:
        messages.warning(request, f"So were {len(results.unknown) - LISTED} more lines.")
    return redirect(to(request, "batch", shown.pk))


def _progress(shown: RewardBatch) -> dict[str, Any]:
    counts = batch_counts([shown])[shown.pk]
    preparing, running = to_freeze([shown]).get(shown.pk, 0), shown.status in _RUNNING
    by_file = file_of(shown.method) is not None
    return {
        "batch": shown,
        "counts": counts,
        "preparing": preparing,
        "prepared": counts["total"] - preparing,
        # Whether it goes on by itself: then the page asks again.
        "moves": bool(preparing) or (running and not by_file),
        "running": running,
        "held_up": held_up(shown)[:REASONS_SHOWN] if running else [],
        "awaits": shown.status == BatchStatus.AWAITING_APPROVAL,
        "by_file": by_file,
        # What a file paid may come back long after: its results are taken until the batch is canceled.
        "takes_results": running or (shown.status != BatchStatus.CANCELED and shown.file_at is not None),
        "done": counts["total"] - counts["queued"],
        "no_count": counts["failed"] + counts["unknown"] + counts["waiting"],
        "method": method_name(shown.method),
    }


def _with_netted(sums: Sequence[tuple[str, int, int]], netted: Mapping[str, int]) -> list[tuple[str, int, int, int]]:
    return [(currency, number, amount, netted.get(currency, 0)) for currency, number, amount in sums]


def _again(shown: RewardBatch, method: str = "") -> str:
    """The key under which the Issue Reward menu offers the batch's own way again, or another of its connection's.

    Empty where it doesn't, where the other way is the batch's own, and by hand, which every reward's line offers anyway.
    """
    if method == shown.method:
        return ""
    if shown.method == MANUAL:
        return ""
    wanted = method or shown.method
    # A file has no connection.
    key = f"{wanted}:{shown.connection_id}" if shown.connection_id else wanted
    return next((line.key for line in menu() if line.key == key), "")
