"""Numbers of people and events in campaigns. All inside `tenant()`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Max

from participants.models import Participant, QualifyingEvent


@dataclass(frozen=True)
class CampaignCounts:
    """`last_event_at` is when the last event occurred; None without any. Undone events don't count."""

    participants: int = 0
    events: int = 0
    last_event_at: datetime | None = None


def campaign_counts(campaign_ids: Iterable[UUID]) -> dict[UUID, CampaignCounts]:
    """For each campaign, in two queries."""
    wanted = list(campaign_ids)
    people = dict(
        Participant.objects.filter(campaign__in=wanted).order_by().values_list("campaign").annotate(Count("id"))
    )
    events = {
        campaign_id: (number, last)
        for campaign_id, number, last in QualifyingEvent.objects.filter(campaign__in=wanted, undone_at__isnull=True)
        .order_by()
        .values_list("campaign")
        .annotate(Count("id"), Max("occurred_at"))
    }
    return {
        campaign_id: CampaignCounts(people.get(campaign_id, 0), *events.get(campaign_id, (0, None)))
        for campaign_id in wanted
    }


def has_event(campaign_id: UUID) -> bool:
    """Whether anything was ever recorded in the campaign: its currency is fixed from then on."""
    return QualifyingEvent.objects.filter(campaign=campaign_id).exists()
