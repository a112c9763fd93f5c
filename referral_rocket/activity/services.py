"""Recording what happened, in the transaction in which it happens."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from referral_rocket.accounts.models import Organization
from referral_rocket.activity.models import Activity
from referral_rocket.kit.clock import wall


@dataclass(frozen=True)
class Happening:
    """One thing that happened, as `record` takes it. `data` is JSON and holds no personal data and no secrets."""

    kind: str
    subject_type: str
    subject_id: UUID
    campaign_id: UUID | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def record(
    *, organization: Organization, actor: str, happenings: Iterable[Happening], at: datetime | None = None
) -> list[Activity]:
    """Append the happenings, in one statement.

    `actor` is `user:<id>`, `api_key:<id>` or `system:<what>`. Runs in the caller's transaction: if that rolls back,
    nothing happened.
    """
    moment = at or wall()
    return Activity.objects.bulk_create(
        Activity(
            organization=organization,
            at=moment,
            actor=actor,
            kind=happening.kind,
            subject_type=happening.subject_type,
            subject_id=happening.subject_id,
            campaign_id=happening.campaign_id,
            data=dict(happening.data),
        )
        for happening in happenings
    )
