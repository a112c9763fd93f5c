"""Reading rewards, what is due, and batches. All inside `tenant()`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from campaigns.models import Campaign
from participants.selectors import customers_beginning_with
from rewards.models import (
    BatchItem,
    BatchSlice,
    Claim,
    Reward,
    RewardBatch,
    RewardTotals,
    RewardTransition,
    StatementPeriod,
)
from rewards.states import ItemOutcome, RewardStatus, WaitingFor


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
    totals = RewardTotals.objects.filter(status=RewardStatus.PENDING, count__gt=0).select_related(
        "campaign__organization"
    )
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


def parts_of(aggregate: Reward) -> QuerySet[Reward]:
    """What the aggregate totals, unordered."""
    return rewards().filter(aggregate=aggregate)


@dataclass(frozen=True)
class Sums:
    """What rewards and the deductions among them come to, in minor units."""

    earned: int = 0
    earned_count: int = 0
    deducted: int = 0
    deducted_count: int = 0


def waiting_for_total(campaign_id: UUID) -> Sums:
    """What waits for the campaign's next total. One query."""
    return _sums(Reward.objects.filter(campaign=campaign_id, waiting_for=WaitingFor.AGGREGATION))


def periods(campaign_id: UUID) -> QuerySet[StatementPeriod]:
    """The closes of a campaign's statements, unordered; their ids are in the order of closing."""
    return StatementPeriod.objects.filter(campaign=campaign_id)


def parts_sums(aggregate: Reward) -> Sums:
    """What an aggregate's parts come to now. One query."""
    return _sums(Reward.objects.filter(aggregate=aggregate))


def _sums(found: QuerySet[Reward]) -> Sums:
    taken = Q(deducts__isnull=False)
    row = found.aggregate(
        earned=Sum("amount", filter=~taken),
        earned_count=Count("id", filter=~taken),
        deducted=Sum("amount", filter=taken),
        deducted_count=Count("id", filter=taken),
    )
    return Sums(**{name: int(value or 0) for name, value in row.items()})


def history(reward: Reward) -> QuerySet[RewardTransition]:
    """Every transition, oldest first."""
    return RewardTransition.objects.filter(reward=reward).order_by("id")


def batch_counts(batches: Sequence[RewardBatch]) -> dict[UUID, dict[str, int]]:
    """For each batch the number of its items by outcome, lower case, and `total`. Two queries.

    What is still to be frozen counts as queued.
    """
    counts: dict[UUID, dict[str, int]] = {
        batch.pk: {"total": 0, **{outcome.lower(): 0 for outcome in ItemOutcome.values}} for batch in batches
    }
    rows = BatchItem.objects.filter(batch__in=batches).values_list("batch", "outcome").annotate(Count("id"))
    for batch_id, outcome, count in rows:
        counts[batch_id][outcome.lower()] = count
        counts[batch_id]["total"] += count
    for batch_id, number in to_freeze(batches).items():
        counts[batch_id]["queued"] += number
        counts[batch_id]["total"] += number
    return counts


def to_freeze(batches: Sequence[RewardBatch]) -> dict[UUID, int]:
    """How many rewards the worker has still to make items of, for those batches that are being prepared. One query."""
    rows = BatchSlice.objects.filter(batch__in=batches).values_list("batch").annotate(Sum("number"))
    return {batch_id: int(number) for batch_id, number in rows.order_by()}


def _open_claim() -> Exists:
    return Exists(Claim.objects.filter(reward=OuterRef("reward"), closed_at__isnull=True))


def not_issued(batch: RewardBatch, code: str = "") -> QuerySet[BatchItem]:
    """Items of a batch whose reward is still due and that nobody is issuing; with `code` those that failed for it."""
    items = BatchItem.objects.filter(
        ~_open_claim(),
        batch=batch,
        outcome__in=[ItemOutcome.FAILED, ItemOutcome.WAITING],
        reward__status=RewardStatus.PENDING,
    ).order_by("pk")
    return items.filter(code=code) if code else items


def reasons_for_no(batch: RewardBatch) -> list[tuple[str, str, str, int, int]]:
    """(outcome, code, message, number, number still due and free) of what a batch didn't issue, the most frequent first.

    One query.
    """
    free = Q(~_open_claim(), reward__status=RewardStatus.PENDING)
    rows = (
        BatchItem.objects.filter(batch=batch)
        .exclude(outcome__in=[ItemOutcome.QUEUED, ItemOutcome.SUCCEEDED])
        .values_list("outcome", "code")
        .annotate(message=Min("message"), number=Count("id"), free=Count("id", filter=free))
        .order_by("-number", "code")
    )
    return list(rows)


def held_up(batch: RewardBatch) -> list[tuple[str, int]]:
    """(message, number) of what a batch tries again or looks up, the most frequent first. One query."""
    rows = (
        BatchItem.objects.filter(batch=batch, outcome=ItemOutcome.QUEUED)
        .exclude(message="")
        .values_list("message")
        .annotate(number=Count("id"))
        .order_by("-number", "message")
    )
    return list(rows)


def issued_sums(batch: RewardBatch, outcomes: Sequence[str]) -> list[tuple[str, int, int]]:
    """(currency, number, amount) of a batch's items with these outcomes. One query."""
    rows = (
        BatchItem.objects.filter(batch=batch, outcome__in=outcomes)
        .values_list("currency")
        .annotate(number=Count("id"), amount=Sum("amount"))
        .order_by("currency")
    )
    return [(currency, number, int(amount)) for currency, number, amount in rows]


def netted_of(batch: RewardBatch, outcomes: Sequence[str]) -> dict[str, int]:
    """How much of a batch's items with these outcomes deductions settled, by currency; none is left out. One query."""
    rows = (
        BatchItem.objects.filter(batch=batch, outcome__in=outcomes, netted_amount__gt=0)
        .values_list("currency")
        .annotate(netted=Sum("netted_amount"))
        .order_by("currency")
    )
    return {currency: int(netted) for currency, netted in rows}


def batches() -> QuerySet[RewardBatch]:
    return RewardBatch.objects.select_related("campaign", "connection")


def items_of(batch: RewardBatch, outcomes: Sequence[str]) -> QuerySet[BatchItem]:
    """Items with what a page shows of them; `free` says whether nobody is issuing the reward now."""
    open_claim = Exists(Claim.objects.filter(reward=OuterRef("reward"), closed_at__isnull=True))
    return (
        BatchItem.objects.filter(batch=batch, outcome__in=outcomes)
        .annotate(free=~open_claim)
        .select_related("reward__customer", "reward__campaign")
    )


@dataclass(frozen=True)
class RewardFilter:
    """Which rewards. `search` is the beginning of a name, e-mail, external id or transaction, or a whole reward id."""

    statuses: Sequence[str] = ()
    waiting_for: Sequence[str] = ()
    campaign_id: UUID | None = None
    type: str = ""
    currency: str = ""
    search: str = ""


# A prefix that so many customers begin with says nothing yet; the rest of them is left out until more is typed.
_CUSTOMERS_SEARCHED = 1_000


def rewards_matching(chosen: RewardFilter) -> QuerySet[Reward]:
    """Unordered, with campaign and customer; one query more where there is something to search for."""
    found = Reward.objects.select_related("campaign", "customer")
    if chosen.statuses:
        found = found.filter(status__in=chosen.statuses)
    if chosen.waiting_for:
        found = found.filter(waiting_for__in=chosen.waiting_for)
    for name in ("campaign_id", "type", "currency"):
        if getattr(chosen, name):
            found = found.filter(**{name: getattr(chosen, name)})
    text = chosen.search.strip()
    if text:
        # The customers first: one condition over two tables would let no index serve either.
        customers = list(customers_beginning_with(text).values_list("pk", flat=True)[:_CUSTOMERS_SEARCHED])
        any_of = Q(customer__in=customers) | Q(transaction_id__gte=text, transaction_id__lt=text + "\U0010ffff")
        with suppress(ValueError):
            any_of |= Q(pk=UUID(text))
        found = found.filter(any_of)
    return found


def waiting_counts() -> dict[str, int]:
    """Number of earned rewards that aren't due yet, by what they wait for. One query."""
    rows = Reward.objects.filter(status=RewardStatus.EARNED).values_list("waiting_for").annotate(Count("id"))
    return {waiting_for or "": count for waiting_for, count in rows}


def status_counts() -> dict[str, int]:
    """Number of rewards by status, from the totals. One small query."""
    return dict(RewardTotals.objects.values_list("status").annotate(Sum("count")))


def reward_currencies() -> list[str]:
    """The currencies that there are rewards in, from the totals. One small query."""
    return sorted(RewardTotals.objects.values_list("currency", flat=True).distinct())


def campaign_totals(campaign_ids: Iterable[UUID]) -> dict[UUID, dict[str, list[tuple[str, int, int]]]]:
    """For each campaign and status the (currency, number, sum) of its rewards, from the totals. One query."""
    found: dict[UUID, dict[str, list[tuple[str, int, int]]]] = {pk: defaultdict(list) for pk in campaign_ids}
    for total in RewardTotals.objects.filter(campaign__in=found, count__gt=0).order_by("currency"):
        found[total.campaign_id][total.status].append((total.currency, total.count, total.amount))
    return found


def budget_spent(campaign_id: UUID) -> int:
    """What the campaign has used of its budget, in minor units of its currency."""
    return RewardTotals.objects.filter(campaign=campaign_id).aggregate(sum=Sum("target"))["sum"] or 0


def daily_amounts(
    *, campaign_id: UUID, currency: str, since: datetime, zone: ZoneInfo
) -> tuple[dict[date, int], dict[date, int]]:
    """Sums of what was earned and of what was issued, by day in `zone`, in one currency. Two queries."""
    found = []
    here = Reward.objects.filter(campaign=campaign_id, currency=currency)
    # Not what was earned before: aggregates total it, a carried remainder and what restores another are part of it.
    earned = here.filter(
        parts_count__isnull=True, deducts__isnull=True, restores__isnull=True, carried_from__isnull=True
    )
    for rewards_, moment, amount in ((earned, "earned_at", "earned_amount"), (here, "issued_at", "amount")):
        rows = (
            rewards_.filter(**{f"{moment}__gte": since})
            .order_by()
            .values_list(TruncDate(moment, tzinfo=zone))
            .annotate(Sum(amount))
        )
        found.append({day: int(total) for day, total in rows})
    return found[0], found[1]
