"""The page."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from referral_rocket.dashboard import links
from referral_rocket.dashboard.overview import figures
from referral_rocket.dashboard.overview.period import CHOICES, period_of


@require_safe
def overview(request: Any) -> HttpResponse:
    period = period_of(request.organization, request.GET.get("days", ""))
    flows = figures.flows(period)
    asked = request.GET.get("currency", "")
    shown = next((flow for flow in flows if flow.currency == asked), flows[0] if flows else None)
    context = {
        "period": period,
        "choices": CHOICES,
        "due": figures.due(),
        "flows": flows,
        "shown": shown,
        "chart": shown.chart(period) if shown else None,
        "funnel": figures.funnel(period).steps("Did the qualifying event", _links(request)),
        "ranking": figures.ranking(period),
        "waiting": figures.waiting(),
        "beginnings": figures.beginnings(),
    }
    return render(request, "overview/overview.html", context)


def _links(request: Any) -> dict[str, str]:
    participants = links.to(request, "participants")
    return {
        "participants": participants,
        "joined": f"{participants}?state=referred",
        "rewards": f"{links.to(request, 'rewards')}?tab=all",
    }
