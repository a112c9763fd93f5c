"""The campaigns of an organization, and one with its tabs."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from campaigns.models import Campaign, CampaignStatus
from campaigns.selectors import campaigns, current_rules
from campaigns.states import CAMPAIGN_TRANSITIONS
from campaigns.terms import coupon_in_words, in_words, timing_in_words
from integrations.models import Connection
from participants.counts import campaign_counts
from participants.selectors import participants
from referral_rocket.activity.models import Activity
from referral_rocket.dashboard.pagination import page_by_id
from referral_rocket.dashboard.settings.activity_log import lines_of
from referral_rocket.kit import clock
from referral_rocket.kit.money import digits
from rewards.models import Reward
from rewards.selectors import budget_spent, campaign_totals, daily_amounts, periods, waiting_for_total
from rewards.services.aggregating import next_close
from rewards.services.automatic import ahead
from rewards.states import RewardStatus

TABS = ("summary", "participants", "rewards", "totals", "rules", "fulfilment", "share", "settings", "activity")
CHART_DAYS = 60


@require_safe
def campaign_list(request: Any) -> HttpResponse:
    found = Campaign.objects.all()
    status, text = request.GET.get("status", ""), request.GET.get("q", "").strip().lower()
    if status in CampaignStatus.values:
        found = found.filter(status=status)
    if text:
        # An organization has some dozens of campaigns; their names are compared here, whatever their case.
        names = found.values_list("pk", "name")
        found = found.filter(pk__in=[pk for pk, name in names if name.lower().startswith(text)])
    listed = page_by_id(request, found)
    keys = [campaign.pk for campaign in listed.rows]
    counts, totals = campaign_counts(keys), campaign_totals(keys)
    lines = [
        (
            campaign,
            counts[campaign.pk],
            totals[campaign.pk].get(RewardStatus.PENDING, []),
            totals[campaign.pk].get(RewardStatus.AVAILABLE, []),
        )
        for campaign in listed.rows
    ]
    context = {"page": listed, "lines": lines, "statuses": CampaignStatus.choices}
    return render(request, "campaigns/list.html", context)


@require_safe
def campaign(request: Any, campaign_id: UUID) -> HttpResponse:
    shown = get_object_or_404(
        campaigns().select_related("fulfilment_connection", "fulfilment_endpoint"), pk=campaign_id
    )
    tab = request.GET.get("tab", "summary")
    if tab not in TABS:
        tab = "summary"
    context = {
        "campaign": shown,
        "tab": tab,
        "body": f"campaigns/tab_{tab}.html",
        "tabs": [
            (name, "Share page" if name == "share" else name.capitalize())
            for name in TABS
            if name != "totals" or tab == name or shown.aggregates
        ],
        "due": campaign_totals([shown.pk])[shown.pk].get(RewardStatus.PENDING, []),
        "can_become": [status for status in CampaignStatus.values if CAMPAIGN_TRANSITIONS.allows(shown.status, status)],
        **_TAB_CONTEXTS[tab](request, shown),
    }
    return render(request, "campaigns/campaign.html", context)


def _summary(request: Any, shown: Campaign) -> dict[str, Any]:
    zone = request.organization.zone
    today = clock.now(request.organization).astimezone(zone).date()
    days = [today - timedelta(days=back) for back in range(CHART_DAYS - 1, -1, -1)]
    since = datetime(days[0].year, days[0].month, days[0].day, tzinfo=zone)
    earned, issued = daily_amounts(campaign_id=shown.pk, currency=shown.currency, since=since, zone=zone)
    totals = campaign_totals([shown.pk])[shown.pk]
    return {
        "counts": campaign_counts([shown.pk])[shown.pk],
        "issued": totals.get(RewardStatus.AVAILABLE, []),
        "earned": totals.get(RewardStatus.EARNED, []),
        "budget_spent": budget_spent(shown.pk) if shown.budget else None,
        "timing": timing_in_words(shown),
        "readings": [in_words(rule, shown.currency) for rule in current_rules(shown)],
        "chart": {
            "labels": [f"{day.day} {day:%b}" for day in days],
            "series": [
                {"name": "Earned", "values": [earned.get(day, 0) for day in days]},
                {"name": "Issued", "values": [issued.get(day, 0) for day in days]},
            ],
            "currency": shown.currency,
            "digits": digits(shown.currency),
        },
        "has_amounts": bool(earned or issued),
        "chart_days": CHART_DAYS,
    }


def _participants(request: Any, shown: Campaign) -> dict[str, Any]:
    found = participants(shown.pk).select_related("referred_by__customer")
    return {"page": page_by_id(request, found)}


def _rewards(request: Any, shown: Campaign) -> dict[str, Any]:
    found: QuerySet[Reward] = Reward.objects.filter(campaign=shown).select_related("customer")
    status = request.GET.get("status", "")
    if status in RewardStatus.values:
        found = found.filter(status=status)
    return {"page": page_by_id(request, found), "statuses": RewardStatus.choices}


def _totals(request: Any, shown: Campaign) -> dict[str, Any]:
    return {
        "timing": timing_in_words(shown),
        "waiting": waiting_for_total(shown.pk),
        "next_close": next_close(shown),
        "page": page_by_id(request, periods(shown.pk)),
    }


def _rules(request: Any, shown: Campaign) -> dict[str, Any]:
    return {"rules": [(rule, in_words(rule, shown.currency)) for rule in current_rules(shown)]}


def _fulfilment(request: Any, shown: Campaign) -> dict[str, Any]:
    connection: Connection | None = shown.fulfilment_connection
    return {
        "connection": connection,
        "endpoint": shown.fulfilment_endpoint,
        "timing": timing_in_words(shown),
        "coupon": coupon_in_words(shown),
        "ahead": ahead(shown),
    }


def _share(request: Any, shown: Campaign) -> dict[str, Any]:
    return {"example": participants(shown.pk).order_by("pk").first()}


def _settings(request: Any, shown: Campaign) -> dict[str, Any]:
    return {}


def _activity(request: Any, shown: Campaign) -> dict[str, Any]:
    listed = page_by_id(request, Activity.objects.filter(campaign_id=shown.pk))
    return {"page": listed, "lines": lines_of(request, listed.rows)}


_TAB_CONTEXTS: dict[str, Callable[[Any, Campaign], dict[str, Any]]] = {
    "summary": _summary,
    "participants": _participants,
    "rewards": _rewards,
    "totals": _totals,
    "rules": _rules,
    "fulfilment": _fulfilment,
    "share": _share,
    "settings": _settings,
    "activity": _activity,
}
