"""What a batch is made of, and what it would do, told beforehand: sums by the database, so that a preview of a million
rewards costs little more than one of ten. All inside `tenant()`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Case, CharField, Count, Exists, OuterRef, Q, QuerySet, Sum, Value, When

from campaigns.models import FulfilmentKind
from campaigns.services import MANUAL, methods
from integrations import registry
from integrations.errors import ConnectionRequired as NoConnection
from integrations.models import Connection
from integrations.selectors import connection_for_method
from rewards.due import DueFilter, free_rewards
from rewards.errors import ConnectionRequired, InvalidReward, UnknownRewards
from rewards.models import BatchItem, Claim, Reward
from rewards.services.netting import netted_sums
from rewards.states import RewardStatus, WaitingFor

MAXIMUM_REWARDS = 10_000
PREVIEWED = 200

MESSAGES = {
    "not_due": "This reward isn't due: it was issued, canceled or is still waiting.",
    "being_issued": "Somebody else is issuing this reward right now. Look at its page to see how that ends.",
    "fulfilled_by_webhook": "Your own system issues this reward, by webhook.",
}


@dataclass(frozen=True)
class Selection:
    """What a batch is made of: the rewards named, all that is due in a campaign, or what of it a filter lets through.

    Of the last two what is due and free at the moment of the batch.
    """

    reward_ids: Sequence[UUID] = ()
    campaign_id: UUID | None = None
    due: DueFilter | None = None

    @property
    def filter(self) -> DueFilter | None:
        return self.due or (DueFilter(self.campaign_id) if self.campaign_id is not None else None)

    @property
    def is_empty(self) -> bool:
        return not self.reward_ids and self.filter is None


@dataclass(frozen=True)
class PlannedItem:
    """A reward and what a batch would make of it: `code` is None where it would be issued."""

    reward: Reward
    code: str | None

    @property
    def message(self) -> str:
        return MESSAGES[self.code] if self.code else ""


@dataclass(frozen=True)
class Plan:
    """What a batch would do, without doing it. `items` are the first 200 of `number`.

    `totals` are (currency, number, amount) of what would be issued, `netted` how much of it deductions would settle, by
    currency: that much isn't sent. `waiting` and `by_method` count, of what would be issued, what couldn't be sent
    with this connection before and which way was meant for it.
    """

    number: int
    items: Sequence[PlannedItem]
    totals: Sequence[tuple[str, int, int]]
    netted: Mapping[str, int]
    problems: Sequence[tuple[str, int]]
    waiting: int
    by_method: Mapping[str, int]

    @property
    def issuable(self) -> int:
        return sum(number for _, number, _ in self.totals)


def batch_plan(*, method: str, selection: Selection, connection_id: UUID | None = None) -> Plan:
    """Six queries at most, however many rewards. Raises UnknownRewards, ConnectionRequired, InvalidReward."""
    connection_of(method, connection_id)
    found = selected(selection)
    unknown_there = Q(waiting_for=WaitingFor.RECIPIENT)
    if connection_id is not None:
        # Another provider may well know the person.
        unknown_there &= Q(Exists(BatchItem.objects.filter(reward=OuterRef("pk"), connection=connection_id)))
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    problems: dict[str, int] = defaultdict(int)
    by_method: dict[str, int] = defaultdict(int)
    waiting = 0
    for group in (
        found.values("obstacle", "currency", "fulfilment_method")  # type: ignore[misc]
        .annotate(number=Count("pk"), total=Sum("amount"), waiting=Count("pk", filter=unknown_there))
        .order_by("obstacle", "currency", "fulfilment_method")
    ):
        if group["obstacle"]:
            problems[group["obstacle"]] += group["number"]
            continue
        sums[group["currency"]][0] += group["number"]
        sums[group["currency"]][1] += int(group["total"])
        by_method[group["fulfilment_method"]] += group["number"]
        waiting += group["waiting"]
    return Plan(
        number=sum(number for number, _ in sums.values()) + sum(problems.values()),
        items=[
            PlannedItem(reward, reward.obstacle or None)  # type: ignore[attr-defined]
            for reward in found.select_related("customer", "campaign").order_by("pk")[:PREVIEWED]
        ],
        totals=[(currency, number, amount) for currency, (number, amount) in sums.items()],
        netted=netted_sums(found.filter(obstacle="")),  # type: ignore[misc]
        problems=list(problems.items()),
        waiting=waiting,
        by_method=dict(by_method),
    )


def connection_of(method: str, connection_id: UUID | None) -> Connection | None:
    """The connection that a batch of the method uses; None by hand and by file. Raises like `batch_plan`."""
    if method not in methods():
        raise InvalidReward("method", f"Use one of {', '.join(methods())}.")
    if method == MANUAL or registry.file_of(method) is not None:
        return None
    try:
        return connection_for_method(method=method, connection_id=connection_id)
    except NoConnection as error:
        raise ConnectionRequired(str(error)) from error


def selected(selection: Selection) -> QuerySet[Reward]:
    """The rewards, unordered; each with `obstacle`, the code for which it can't be issued, empty where it can.

    Raises UnknownRewards, InvalidReward.
    """
    if selection.filter is not None:
        return free_rewards(selection.filter).annotate(obstacle=_obstacle())
    wanted = set(selection.reward_ids)
    if len(wanted) > MAXIMUM_REWARDS:
        raise InvalidReward("reward_ids", f"A batch takes at most {MAXIMUM_REWARDS} rewards; make several.")
    found = Reward.objects.filter(pk__in=wanted)
    if found.count() < len(wanted):
        raise UnknownRewards(sorted(wanted - set(found.values_list("pk", flat=True))))
    return found.annotate(obstacle=_obstacle())


def _obstacle() -> Case:
    claims = Claim.objects.filter(reward=OuterRef("pk"), closed_at__isnull=True)
    return Case(
        When(status=RewardStatus.PENDING, fulfilment_kind=FulfilmentKind.WEBHOOK, then=Value("fulfilled_by_webhook")),
        When(Exists(claims), then=Value("being_issued")),
        When(~Q(status=RewardStatus.PENDING), then=Value("not_due")),
        default=Value(""),
        output_field=CharField(),
    )
