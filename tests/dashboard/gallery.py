"""Pages that show every component, for tests and for looking at. A URLconf of its own: no product URL leads here."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render as django_render
from django.urls import include, path

from tests.dashboard.rendering import FakeOrganization, FakeUser, Remembered, render

PAGES = Path(__file__).parent / "gallery_pages"
NAMES = ("overview", "components", "reward_due", "empty", "forms")


class GalleryForm(forms.Form):
    """One field of every kind, two of them with something wrong."""

    name = forms.CharField(label="Campaign name", help_text="Participants see it on the share page.")
    holding_days = forms.IntegerField(label="Holding period", min_value=0, help_text="Days before a reward is due.")
    landing_url = forms.URLField(label="Landing page", required=False, assume_scheme="https")
    currency = forms.ChoiceField(choices=[("USD", "US dollar"), ("EUR", "Euro")])
    note = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    timing = forms.ChoiceField(
        choices=[("IMMEDIATE", "As soon as it is earned"), ("STATEMENT", "Once a month")], widget=forms.RadioSelect
    )
    review = forms.BooleanField(
        label="Review before issuing", required=False, help_text="A person approves each reward."
    )


def _rows() -> list[dict[str, Any]]:
    people = [
        ("Amara Okafor", "amara@northwind.test", 3, 3600, "USD", 9, ""),
        ("Jonas Lindqvist", "jonas.lindqvist@fjellheim.test", 1, 1200, "USD", 6, ""),
        ("Priya Raman", "priya@ramandesign.test", 12, 14400, "USD", 31, ""),
        ("Mateo García Hernández", "mateo@tallerhernandez.test", 2, 2250, "EUR", 4, ""),
        ("Wei Zhang", "wei.zhang@brightline.test", 1, 1200, "USD", 2, "Ordered by webhook; your system confirms it"),
        ("Léa Fontaine", "lea@atelier-fontaine.test", 4, 8650, "EUR", 15, ""),
    ]
    return [
        {
            "id": number,
            "name": name,
            "email": email,
            "count": count,
            "total": total,
            "currency": currency,
            "oldest": datetime.now(UTC) - timedelta(days=days, hours=number),
            "reason": reason,
        }
        for number, (name, email, count, total, currency, days, reason) in enumerate(people, 1)
    ]


def _context() -> dict[str, Any]:
    labels = [f"{day} Nov" for day in range(1, 22)]
    issued = [int(4000 + 900 * (day % 7) + 160 * day) for day in range(21)]
    earned = [int(5200 + 1400 * ((day * 3) % 7) + 210 * day) for day in range(21)]
    return {
        "rows": _rows(),
        "moment": datetime.now(UTC) - timedelta(hours=3),
        "reward_statuses": [
            "EARNED",
            "PENDING",
            "AVAILABLE",
            "PENDING_DEDUCTION",
            "DEDUCTED",
            "AGGREGATED",
            "CANCELED",
        ],
        "item_outcomes": ["QUEUED", "SUCCEEDED", "FAILED", "UNKNOWN", "WAITING"],
        "campaign_statuses": ["DRAFT", "ACTIVE", "PAUSED", "ENDED"],
        "over_time": {
            "labels": labels,
            "currency": "USD",
            "digits": 2,
            "series": [{"name": "Earned", "values": earned}, {"name": "Issued", "values": issued}],
        },
        "steps": [
            {"label": "Clicked", "value": 4210, "share": 100, "href": "/clicks/"},
            {"label": "Joined", "value": 861, "share": 20.5},
            {"label": "Bought", "value": 214, "share": 5.1},
            {"label": "Rewarded", "value": 190, "share": 4.5},
        ],
        "weekly": {
            "labels": [f"Week {week}" for week in range(40, 47)],
            "series": [{"name": "Purchases", "values": [18, 24, 31, 22, 40, 37, 42]}],
        },
        "joined": {
            "labels": labels,
            "series": [{"name": "Joined", "values": [3 + (day * day) % 11 for day in range(21)]}],
        },
        "form": GalleryForm({"name": "", "holding_days": "-3", "currency": "USD", "timing": "IMMEDIATE"}),
        "reward_id": "0193a6f2-51c8-7d3e-9a40-6f1d2b7c8e90",
    }


def gallery_page(request: HttpRequest, name: str = "overview") -> HttpResponse:
    if name not in NAMES:
        raise Http404
    request.organization = FakeOrganization(mode="TEST" if request.GET.get("mode") == "test" else "LIVE")
    request.user = FakeUser()
    request._messages = Remembered(request)
    if request.GET.get("toast"):
        messages.success(request, "Event marked complete. One reward of $12.00 is due.", extra_tags="undo:/undo/")
    return HttpResponse(render((PAGES / f"{name}.html").read_text(), request, **_context()))


def share_page(request: HttpRequest) -> HttpResponse:
    context = {"campaign": {"name": "Friends of Acme"}, "referrer_name": "Amara", "referral_code": "AMARA-7K2Q"}
    return django_render(request, "share/campaign.html", context)


def error_page(request: HttpRequest, code: str) -> HttpResponse:
    return django_render(request, f"{code}.html")


def _section(key: str) -> Any:
    return path(f"o/<slug:slug>/{key}/", gallery_page, {"name": "overview"}, name=key)


dashboard_urls = [
    path("o/<slug:slug>/", gallery_page, {"name": "overview"}, name="overview"),
    *[
        _section(key)
        for key in ("campaigns", "participants", "rewards", "integrations", "webhooks", "developers", "settings")
    ],
]

urlpatterns = [
    path("", gallery_page, name="home"),
    path("gallery/<str:name>/", gallery_page, name="gallery"),
    path("", include((dashboard_urls, "dashboard"))),
    path("share/", share_page),
    path("error/<str:code>/", error_page),
    path("organizations/new/", gallery_page, name="organization_new"),
    path("accounts/", include("allauth.urls")),
]
