"""The log of API calls."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from referral_rocket.api.models import ApiRequest
from referral_rocket.dashboard.pagination import page_by_id

STATUSES = (("ok", "Succeeded"), ("refused", "Refused (4xx)"), ("failed", "Failed (5xx)"))
_RANGES = {"ok": (200, 399), "refused": (400, 499), "failed": (500, 599)}
METHODS = tuple((each, each) for each in ("GET", "POST", "PATCH", "DELETE"))


@require_safe
def api_log(request: Any) -> HttpResponse:
    found = ApiRequest.objects.select_related("key")
    status, method = request.GET.get("status", ""), request.GET.get("method", "")
    if status in _RANGES:
        found = found.filter(status__range=_RANGES[status])
    if method in dict(METHODS):
        found = found.filter(method=method)
    context = {
        "tab": "log",
        "page": page_by_id(request, found),
        "statuses": STATUSES,
        "methods": METHODS,
        "filtered": bool(status or method),
    }
    return render(request, "developers/log.html", context)
