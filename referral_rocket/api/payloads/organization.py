from typing import Any

from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock


def organization(found: Organization) -> dict[str, Any]:
    return {
        "organization_id": str(found.pk),
        "name": found.name,
        "time_zone": found.time_zone,
        "mode": found.mode,
        "now": clock.rfc3339(clock.now(found)),
    }
