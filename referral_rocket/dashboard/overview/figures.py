"""The figures of the overview. Set-based: a fixed number of queries, however much there is."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from campaigns.models import Campaign
from integrations.models import Connection, ConnectionStatus, Endpoint
from participants.models import Click, Participant, QualifyingEvent
from referral_rocket.dashboard.overview.period import Period
from referral_rocket.kit.money import digits
from rewards.models import BatchItem, Decision, Reward, RewardBatch, RewardTotals
from rewards.reconciliations import Finding
from rewards.states import BatchStatus, ItemOutcome, RewardStatus, WaitingFor
from webhooks.inbound.models import InboundEvent, InboundStatus
from webhooks.outbound.selectors import disabled_by_us, failed_orders

# What was earned and not taken back by a cancellation; deductions take back and were earned by nobody.
_EARNED = (RewardStatus.EARNED, RewardStatus.PENDING, RewardStatus.AVAILABLE, RewardStatus.AGGREGATED)
RANKED = 6


@dataclass(frozen=True)
class Due:
    currency: str
    count: int
    amount: int


def due() -> list[Due]:
    """What is due now, per currency, the largest number first. From the totals."""
    rows = (
        RewardTotals.objects.filter(status=RewardStatus.PENDING, count__gt=0)
        .values_list("currency")
        .annotate(Sum("count"), Sum("amount"))
    )
    return sorted((Due(*row) for row in rows), key=lambda due: (-due.count, due.currency))


@dataclass(frozen=True)
class Flow:
    """Earned and issued in the period in one currency, in minor units; `previously` what was issued in the one before."""

    currency: str
    earned: int
    issued: int
    issued_count: int
    previously: int
    earned_by_day: Mapping[date, int]
    issued_by_day: Mapping[date, int]

    @property
    def change(self) -> int | None:
        """Per cent that more was issued than in the period before; None where nothing was."""
        return round((self.issued - self.previously) * 100 / self.previously) if self.previously else None

    def chart(self, period: Period) -> dict[str, Any]:
        """Data of the chart component: a value for each span of days, named by its first day."""
        return {
            "labels": [f"{span[0].day} {span[0]:%b}" for span in period.spans],
            "currency": self.currency,
            "digits": digits(self.currency),
            "series": [
                {"name": "Earned", "values": _summed(self.earned_by_day, period)},
                {"name": "Issued", "values": _summed(self.issued_by_day, period)},
            ],
        }


def _summed(by_day: Mapping[date, int], period: Period) -> list[int]:
    return [sum(by_day.get(day, 0) for day in span) for span in period.spans]


def flows(period: Period) -> list[Flow]:
    """One for each currency in which anything was earned or issued, the busiest first."""
    earned = _by_day(_earned_since(period.start), "earned_at", period)
    issued = _by_day(
        Reward.objects.filter(status=RewardStatus.AVAILABLE, issued_at__gte=period.start), "issued_at", period
    )
    counts = dict(
        Reward.objects.filter(status=RewardStatus.AVAILABLE, issued_at__gte=period.start)
        .values_list("currency")
        .annotate(Count("id"))
    )
    previously = dict(
        Reward.objects.filter(status=RewardStatus.AVAILABLE, issued_at__gte=period.before, issued_at__lt=period.start)
        .values_list("currency")
        .annotate(Sum("amount"))
    )
    found = [
        Flow(
            currency=currency,
            earned=sum(earned[currency].values()),
            issued=sum(issued[currency].values()),
            issued_count=counts.get(currency, 0),
            previously=previously.get(currency, 0),
            earned_by_day=earned[currency],
            issued_by_day=issued[currency],
        )
        for currency in {*earned, *issued, *previously}
    ]
    return sorted(found, key=lambda flow: (-flow.issued_count, -flow.earned, flow.currency))


def _by_day(rewards: QuerySet[Reward], moment: str, period: Period) -> dict[str, dict[date, int]]:
    by_day: dict[str, dict[date, int]] = defaultdict(dict)
    rows = (
        rewards.values("currency", day=TruncDate(moment, tzinfo=period.zone)).annotate(total=Sum("amount")).order_by()
    )
    for row in rows:
        by_day[row["currency"]][row["day"]] = row["total"]
    return by_day


@dataclass(frozen=True)
class Funnel:
    """People on their way from a shared link to a reward, within the period."""

    clicks: int
    joined: int
    bought: int
    rewarded: int

    def steps(self, event_words: str, links: Mapping[str, str]) -> list[dict[str, Any]]:
        """Steps of the funnel component; shares are of the clicks, or of the first step that anybody took."""
        numbers = [
            ("Clicked a link", self.clicks, "participants"),
            ("Joined through it", self.joined, "joined"),
            (event_words, self.bought, "joined"),
            ("Led to a reward", self.rewarded, "rewards"),
        ]
        whole = max(1, *(number for _, number, _ in numbers))
        return [
            {"label": label, "value": number, "share": _percent(number, whole), "href": links[link]}
            for label, number, link in numbers
        ]


def _percent(part: int, whole: int) -> float:
    """Small shares with a decimal, others without."""
    share = part * 100 / whole
    return round(share) if share >= 10 else round(share, 1)


def funnel(period: Period) -> Funnel:
    referred = Q(participant__referred_by__isnull=False)
    events = QualifyingEvent.objects.filter(referred, occurred_at__gte=period.start, undone_at__isnull=True)
    rewarded = Decision.objects.filter(
        event__participant__referred_by__isnull=False,
        event__occurred_at__gte=period.start,
        event__undone_at__isnull=True,
        reward__isnull=False,
    )
    return Funnel(
        clicks=Click.objects.filter(at__gte=period.start, by_bot=False).count(),
        joined=Participant.objects.filter(joined_at__gte=period.start, referred_by__isnull=False).count(),
        bought=events.values("participant").distinct().count(),
        rewarded=rewarded.values("event__participant").distinct().count(),
    )


@dataclass(frozen=True)
class Ranked:
    """A campaign with what it did in the period; `due` is now. Amounts in minor units of its currency."""

    campaign: Campaign
    joined: int
    events: int
    earned: int
    due: int
    last_event: datetime | None


def _earned_since(start: datetime) -> QuerySet[Reward]:
    """What was earned, and not the aggregates that total it."""
    return Reward.objects.filter(status__in=_EARNED, earned_at__gte=start, parts_count__isnull=True)


def ranking(period: Period) -> list[Ranked]:
    """The campaigns in which most happened in the period."""
    joined = _counts(Participant.objects.filter(joined_at__gte=period.start))
    events = _counts(QualifyingEvent.objects.filter(occurred_at__gte=period.start, undone_at__isnull=True))
    earned: dict[UUID, int] = dict(_earned_since(period.start).values_list("campaign").annotate(Sum("amount")))
    owed: dict[UUID, int] = dict(
        RewardTotals.objects.filter(status=RewardStatus.PENDING).values_list("campaign").annotate(Sum("amount"))
    )
    last: dict[UUID, datetime] = dict(QualifyingEvent.objects.values_list("campaign").annotate(Max("occurred_at")))
    rows = [
        Ranked(
            campaign,
            joined.get(campaign.pk, 0),
            events.get(campaign.pk, 0),
            earned.get(campaign.pk, 0),
            owed.get(campaign.pk, 0),
            last.get(campaign.pk),
        )
        for campaign in Campaign.objects.order_by("-pk")
    ]
    return sorted(rows, key=lambda row: (-row.events, -row.joined, row.campaign.name))[:RANKED]


def _counts(rows: QuerySet[Any]) -> dict[UUID, int]:
    return dict(rows.values_list("campaign").annotate(Count("id")).order_by())


@dataclass(frozen=True)
class Waiting:
    """What needs a person. Sums are (currency, number, amount in minor units)."""

    broken: Sequence[Connection]
    unknown: int
    findings: int
    # Batches that wait for a second person, and the newest of them.
    approvals: int
    approval_batch: UUID | None
    reviews: Sequence[tuple[str, int, int]]
    recipients: int
    failed: Sequence[tuple[Connection, int]]
    endpoints: Sequence[Endpoint]
    orders: int

    @property
    def anything(self) -> bool:
        some = (
            self.broken,
            self.unknown,
            self.findings,
            self.approvals,
            self.reviews,
            self.recipients,
            self.failed,
            self.endpoints,
        )
        return any((*some, self.orders))

    @property
    def review_count(self) -> int:
        return sum(count for _, count, _ in self.reviews)


def waiting() -> Waiting:
    connections = {connection.pk: connection for connection in Connection.objects.order_by("pk")}
    unknown = BatchItem.objects.filter(outcome=ItemOutcome.UNKNOWN)
    awaiting = list(
        RewardBatch.objects.filter(status=BatchStatus.AWAITING_APPROVAL).order_by("-pk").values_list("pk", flat=True)
    )
    reviews = (
        Reward.objects.filter(status=RewardStatus.EARNED, waiting_for=WaitingFor.REVIEW)
        .values_list("currency")
        .annotate(Count("id"), Sum("amount"))
        .order_by("currency")
    )
    orders = failed_orders()
    failed: Iterable[tuple[UUID, int]] = (
        InboundEvent.objects.filter(status=InboundStatus.FAILED)
        .values_list("connection")
        .annotate(Count("id"))
        .order_by("connection")
    )
    return Waiting(
        broken=[each for each in connections.values() if each.status == ConnectionStatus.NEEDS_ATTENTION],
        unknown=unknown.count(),
        findings=Finding.objects.filter(settled_at__isnull=True).count(),
        approvals=len(awaiting),
        approval_batch=awaiting[0] if awaiting else None,
        reviews=list(reviews),
        recipients=Reward.objects.filter(status=RewardStatus.PENDING, waiting_for=WaitingFor.RECIPIENT).count(),
        failed=[(connections[connection_id], count) for connection_id, count in failed],
        endpoints=disabled_by_us(),
        orders=orders.count(),
    )


@dataclass(frozen=True)
class Beginnings:
    """What a new organization has done of what everybody does first."""

    campaign: bool
    connection: bool
    event: bool
    reward: bool

    @property
    def all_done(self) -> bool:
        return self.campaign and self.connection and self.event and self.reward


def beginnings() -> Beginnings:
    return Beginnings(
        campaign=Campaign.objects.exists(),
        connection=Connection.objects.exclude(status=ConnectionStatus.DISCONNECTED).exists(),
        event=QualifyingEvent.objects.exists(),
        reward=Reward.objects.filter(status=RewardStatus.AVAILABLE).exists(),
    )
