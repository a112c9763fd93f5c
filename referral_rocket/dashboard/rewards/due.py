"""The Reward Due table of a campaign: a row per participant and currency, opening to its rewards."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from campaigns.models import Campaign, FulfilmentKind
from referral_rocket.dashboard.methods import menu, method_name
from referral_rocket.dashboard.pagination import Page, page
from rewards.due import (
    DEFAULT_SORT,
    SORTS,
    DueFilter,
    DueRow,
    due_rewards,
    due_rows,
    free_sum,
    issuing_batches,
    rewards_of_row,
)
from rewards.services.automatic import ahead
from webhooks.outbound.selectors import order_states

# The table's filters, as an address and the selection form spell them.
FILTERS = ("q", "currency", "fulfilment", "state")
_STATES = {"ready": False, "recipient": True}


def due_filter(campaign_id: UUID, asked: QueryDict) -> DueFilter:
    """The filter that an address or a form asks for; what it doesn't know is left out."""
    return DueFilter(
        campaign_id=campaign_id,
        search=asked.get("q", "").strip()[:200],
        currency=asked.get("currency", ""),
        method=asked.get("fulfilment", ""),
        waiting=_STATES.get(asked.get("state", "")),
    )


@require_safe
def due_table(request: Any, campaign_id: UUID) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    chosen = due_filter(campaign.pk, request.GET)
    sort = request.GET.get("sort", "")
    if sort.removeprefix("-") not in SORTS:
        sort = DEFAULT_SORT
    listed = _page(request, chosen, sort)
    free = free_sum(chosen)
    whole = DueFilter(campaign.pk)
    found = list(due_rewards(whole).values_list("currency", "fulfilment_method").distinct().order_by())
    context = {
        "campaign": campaign,
        "ahead": ahead(campaign),
        "page": listed,
        "sort": sort,
        "free": free,
        "more_than_page": bool(listed.next or listed.previous),
        "kept": [(name, request.GET[name]) for name in FILTERS if request.GET.get(name)],
        "menu": menu(campaign.fulfilment_method, campaign.fulfilment_connection_id),
        "currencies": sorted({(currency, currency) for currency, _ in found}),
        "methods": sorted({(method, method_name(method)) for _, method in found}),
        "states": [("ready", "Ready"), ("recipient", "Needs a recipient")],
        "nothing_due": not found,
    }
    return render(request, "rewards/due.html", context)


def _page(request: Any, chosen: DueFilter, sort: str) -> Page[DueRow]:
    return page(
        request,
        lambda after, before, limit: due_rows(chosen, sort=sort, after=after, before=before, limit=limit),
        lambda row: row.position,
        length=3,
    )


@require_safe
def due_row(request: Any, campaign_id: UUID, participant_id: UUID, currency: str) -> HttpResponse:
    """What a row opens to, as a fragment: each reward with why, since when, how it will be issued."""
    chosen = due_filter(campaign_id, request.GET)
    rewards = list(rewards_of_row(chosen, participant_id, currency)[:200])
    if not rewards:
        raise Http404("Nothing of this is due any more.")
    batches = issuing_batches(reward.pk for reward in rewards if not reward.free)  # type: ignore[attr-defined]
    orders = order_states(reward.pk for reward in rewards if reward.fulfilment_kind == FulfilmentKind.WEBHOOK)
    lines = [(reward, batches.get(reward.pk), orders.get(reward.pk)) for reward in rewards]
    return render(request, "rewards/due_row.html", {"lines": lines, "participant_id": participant_id})
