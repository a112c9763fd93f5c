"""Recording what happened, in the transaction in which it happens."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from referral_rocket.accounts.models import Organization
from referral_rocket.activity.models import Activity, PendingActivity
from referral_rocket.activity.tasks import hand_on
from referral_rocket.kit.clock import wall
from referral_rocket.kit.inserting import rows_insert
from referral_rocket.kit.nudges import nudge


@dataclass(frozen=True)
class Happening:
    """One thing that happened, as `record` takes it. `data` is JSON and holds no personal data and no secrets.

    `snapshot`, where there is one, is JSON for those outside who want to hear of it: the thing as it is at this moment.
    It is kept until the outbox has handed it on.
    """

    kind: str
    subject_type: str
    subject_id: UUID
    campaign_id: UUID | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    snapshot: Mapping[str, Any] | None = None


def record(
    *,
    organization: Organization,
    actor: str,
    happenings: Iterable[Happening],
    at: datetime | None = None,
    told: bool = True,
) -> list[Activity]:
    """Append the happenings and put them into the outbox, in two statements; not into the outbox where `told` is false.

    `actor` is `user:<id>`, `api_key:<id>` or `system:<what>`. Runs in the caller's transaction: if that rolls back,
    nothing happened, and nobody hears of it.
    """
    moment = at or wall()
    wanted = list(happenings)
    activities = [
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
        for happening in wanted
    ]
    rows_insert(activities)
    if not told:
        return activities
    # Wall time, whatever the activity's: a queue is worked on when something was put into it.
    now = wall()
    rows_insert(
        [
            PendingActivity(
                organization=organization,
                activity_id=activity.pk,
                snapshot=None if happening.snapshot is None else dict(happening.snapshot),
                available_at=now,
            )
            for activity, happening in zip(activities, wanted, strict=True)
        ]
    )
    if activities:
        nudge(hand_on)
    return activities
