"""Reading rewards, what is due, and batches. All inside `tenant()`."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Min, QuerySet, Sum

from campaigns.models import Campaign
from rewards.models import BatchItem, Reward, RewardBatch, RewardTotals, RewardTransition
from rewards.states import ItemOutcome, RewardStatus


def due_count() -> int:
    """Rewards due in the organization, from the totals: one small query."""
    return RewardTotals.objects.filter(status=RewardStatus.PENDING).aggregate(count=Sum("count"))["count"] or 0


@dataclass(frozen=True)
class CampaignDue:
    """A campaign with rewards due: number and sum for each currency, and since when the oldest is due."""

    campaign: Campaign
    sums: Sequence[tuple[str, int, int]]
    oldest: datetime | None

    @property
    def count(self) -> int:
        return sum(count for _, count, _ in self.sums)


def campaigns_due() -> list[CampaignDue]:
    """Campaigns with rewards due, the largest number first. Two queries."""
    sums: dict[UUID, list[tuple[str, int, int]]] = defaultdict(list)
    campaigns: dict[UUID, Campaign] = {}
    totals = RewardTotals.objects.filter(status=RewardStatus.PENDING, count__gt=0).select_related("campaign")
    for total in totals.order_by("currency"):
        campaigns[total.campaign_id] = total.campaign
        sums[total.campaign_id].append((total.currency, total.count, total.amount))
    oldest = dict(
        Reward.objects.filter(status=RewardStatus.PENDING, campaign__in=campaigns)
        .values_list("campaign")
        .annotate(Min("due_at"))
    )
    found = [CampaignDue(campaign, sums[pk], oldest.get(pk)) for pk, campaign in campaigns.items()]
    return sorted(found, key=lambda due: (-due.count, due.campaign.name))


def rewards() -> QuerySet[Reward]:
    return Reward.objects.select_related("campaign", "participant", "customer", "rule")


def history(reward: Reward) -> QuerySet[RewardTransition]:
    """Every transition, oldest first."""
    return RewardTransition.objects.filter(reward=reward).order_by("id")


def batch_counts(batches: Sequence[RewardBatch]) -> dict[UUID, dict[str, int]]:
    """For each batch the number of its items by outcome, lower case, and `total`. One query."""
    counts: dict[UUID, dict[str, int]] = {
        batch.pk: {"total": 0, **{outcome.lower(): 0 for outcome in ItemOutcome.values}} for batch in batches
    }
    rows = BatchItem.objects.filter(batch__in=batches).values_list("batch", "outcome").annotate(Count("id"))
    for batch_id, outcome, count in rows:
        counts[batch_id][outcome.lower()] = count
        counts[batch_id]["total"] += count
    return counts
