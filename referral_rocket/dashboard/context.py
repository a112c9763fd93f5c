"""What the frame around every page of an organization needs."""

from typing import Any

from django.http import HttpRequest

from referral_rocket.accounts.roles import ABILITIES, Ability
from rewards.selectors import due_count


def frame(request: HttpRequest) -> dict[str, Any]:
    """`frame`, where an organization is open; nothing on the pages outside (log-in, share page)."""
    organization = getattr(request, "organization", None)
    if organization is None:
        return {}
    allowed = ABILITIES[request.role]  # type: ignore[attr-defined]
    return {
        "frame": {
            "organization": organization,
            "role": request.role,  # type: ignore[attr-defined]
            "organizations": [access.organization for access in request.accesses],  # type: ignore[attr-defined]
            "due_count": due_count(),
            "can": {ability.value: ability in allowed for ability in Ability},
        }
    }
