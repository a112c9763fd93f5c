"""What can be taken along, and how long things are kept."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from referral_rocket.api.tasks import LOG_KEPT


@require_safe
def data(request: HttpRequest) -> HttpResponse:
    context = {
        "tab": "data",
        "log_days": LOG_KEPT.days,
        "invitation_days": settings.INVITATION_LIFETIME.days,
    }
    return render(request, "settings/data.html", context)
