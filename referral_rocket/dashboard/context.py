"""What the frame around every page of an organization needs."""

from typing import Any

from django.http import HttpRequest
from django_scopes import get_scope

from referral_rocket.accounts.roles import ABILITIES, Ability
from referral_rocket.dashboard.links import to
from rewards.selectors import due_count


def frame(request: HttpRequest) -> dict[str, Any]:
    """`frame`, where an organization is open; nothing on the pages outside (log-in, share page, errors)."""
    organization = getattr(request, "organization", None)
    # The page of an error is made after the view's transaction and its organization were closed.
    if organization is None or get_scope().get("organization") != organization:
        return {}
    allowed = ABILITIES[request.role]  # type: ignore[attr-defined]
    return {
        "frame": {
            "organization": organization,
            "role": request.role,  # type: ignore[attr-defined]
            "organizations": [access.organization for access in request.accesses],  # type: ignore[attr-defined]
            "due_count": due_count(),
            "search_url": to(request, "search"),
            "can": {ability.value: ability in allowed for ability in Ability},
        }
    }
