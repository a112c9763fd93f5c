"""Asking participants by mail for what a batch's rewards wait for: one, or all that failed for one reason."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.links import to
from referral_rocket.kit.nudges import nudge
from rewards.models import RewardBatch
from rewards.selectors import not_issued
from rewards.services.asking import EVERY, Asked, NobodyToAsk, recipients_ask
from webhooks.outbound.tasks import ask_recipients

# So many items' people are asked with one press; pressed again, it goes on with the others.
MOST = 2_000


@require_POST
@requires(Ability.ISSUE)
def ask(request: Any, batch_id: UUID) -> HttpResponse:
    """Of the batch the `item`, else those with `code`. Answers go to the member who presses it."""
    batch = get_object_or_404(RewardBatch, pk=batch_id)
    items = not_issued(batch, code=request.POST.get("code", "")).select_related("batch", "reward")
    if request.POST.get("item"):
        items = items.filter(pk=_uuid(request.POST["item"]))
    try:
        asked = recipients_ask(
            organization=request.organization,
            items=items.order_by("pk")[:MOST],
            actor=request.actor,
            reply_to=request.user.email,
        )
    except NobodyToAsk as nobody:
        messages.error(request, nobody.message)
    else:
        nudge(ask_recipients)
        (messages.success if asked.queued else messages.warning)(request, _said(asked, request.user.email))
    return redirect(to(request, "batch", batch.pk))


def _said(asked: Asked, reply_to: str) -> str:
    people = "1 person is" if asked.queued == 1 else f"{asked.queued} people are"
    said = f"{people} asked by mail; answers go to {reply_to}." if asked.queued else "Nobody was asked."
    if asked.lately:
        said += f" {asked.lately} left out: asked within the last {EVERY.days} days."
    if asked.gone:
        said += f" {asked.gone} left out: erased, or without an e-mail address."
    return said


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise BadRequest("This names no reward of the batch.") from error
