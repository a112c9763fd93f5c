"""Letting a batch's rewards wait until an earlier discount is used up: one, or all of them that can."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.links import to
from rewards.models import BatchItem, RewardBatch
from rewards.selectors import not_issued
from rewards.services.queueing import CODE, NotQueueable, reward_unqueue, rewards_queue

# So many wait with one press; pressed again, it goes on with the others.
MOST = 2_000


@require_POST
@requires(Ability.ISSUE)
def item_queue(request: Any, batch_id: UUID, item_id: UUID) -> HttpResponse:
    """Let the item's reward wait, or wait no more (`stop`)."""
    item = get_object_or_404(BatchItem.objects.select_related("batch"), pk=item_id, batch=batch_id)
    if request.POST.get("stop"):
        reward_unqueue(organization=request.organization, reward_id=item.reward_id, actor=request.actor)
        messages.success(request, "It doesn't wait any more. It is still due.")
        return redirect(to(request, "batch", batch_id))
    return _queue(request, item.batch, [item])


@require_POST
@requires(Ability.ISSUE)
def batch_queue(request: Any, batch_id: UUID) -> HttpResponse:
    """Let all of the batch's rewards wait that can."""
    batch = get_object_or_404(RewardBatch, pk=batch_id)
    return _queue(request, batch, list(not_issued(batch, code=CODE).select_related("batch")[:MOST]))


def _queue(request: Any, batch: RewardBatch, items: list[BatchItem]) -> HttpResponse:
    try:
        number = rewards_queue(organization=request.organization, items=items, actor=request.actor)
    except NotQueueable as error:
        messages.error(request, error.message)
        return redirect(to(request, "batch", batch.pk))
    are = "Queued" if len(items) == 1 else f"{number} queued"
    messages.success(request, f"{are}. Tried again each day, and once the customer has paid.")
    return redirect(to(request, "batch", batch.pk))
