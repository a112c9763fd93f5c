"""What is due in a campaign, by participant and currency, and choosing from it. All inside `tenant()`.

A row of the Reward Due table stands for the due rewards of one participant in one currency. Grouping is done by the
database over the partial index of what is due; a page of rows and what goes with it take a fixed number of queries.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, Exists, Min, OuterRef, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce, NullIf

from campaigns.models import FulfilmentKind
from participants.models import Customer
from participants.selectors import customers_beginning_with
from rewards.models import BatchItem, Claim, Reward
from rewards.states import RewardStatus, WaitingFor

# What a row's name is sorted by: the name that is shown, or the address where there is none.
_WHO = Coalesce(NullIf("customer__name", Value("")), "customer__email_key")
# A column of the table and what it is sorted by; the participant and the currency make the order total.
SORTS = {"total": "total", "oldest": "oldest", "number": "number", "name": "who"}
DEFAULT_SORT = "-total"


@dataclass(frozen=True)
class DueFilter:
    """Which due rewards of a campaign. `search` is the beginning of a name, an e-mail or an external id.

    `waiting`: True for those that wait for a recipient, False for those that don't, None for both.
    """

    campaign_id: UUID
    search: str = ""
    currency: str = ""
    method: str = ""
    waiting: bool | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it takes everything that is due in the campaign."""
        return not self.search and not self.currency and not self.method and self.waiting is None


@dataclass(frozen=True)
class DueRow:
    """One participant's due rewards in one currency. `free_*` leaves out those that somebody is issuing now."""

    participant_id: UUID
    customer: Customer
    currency: str
    number: int
    total: int
    oldest: datetime
    free_number: int
    free_total: int
    waiting_number: int
    ordered_number: int
    position: tuple[Any, str, str]

    @property
    def key(self) -> str:
        """How a form names the row."""
        return f"{self.participant_id}:{self.currency}"

    @property
    def being_issued(self) -> int:
        """Without those that the tenant's own system issues."""
        return self.number - self.free_number - self.ordered_number


def _is_free() -> Q:
    """Nobody is issuing it, and it isn't the tenant's system that does."""
    claims = Claim.objects.filter(reward=OuterRef("pk"), closed_at__isnull=True)
    return Q(~Exists(claims), fulfilment_kind=FulfilmentKind.METHOD)


def due_rewards(chosen: DueFilter) -> QuerySet[Reward]:
    """The due rewards that the filter lets through, claimed ones too, unordered."""
    found = Reward.objects.filter(campaign=chosen.campaign_id, status=RewardStatus.PENDING)
    if chosen.search.strip():
        found = found.filter(customer__in=customers_beginning_with(chosen.search).values("pk"))
    if chosen.currency:
        found = found.filter(currency=chosen.currency)
    if chosen.method:
        found = found.filter(fulfilment_method=chosen.method)
    if chosen.waiting is not None:
        found = found.filter(waiting_for__isnull=not chosen.waiting)
    return found


def free_rewards(chosen: DueFilter) -> QuerySet[Reward]:
    """Those of them that nobody is issuing."""
    return due_rewards(chosen).filter(_is_free())


@dataclass(frozen=True)
class FreeSum:
    """In each currency the number and sum of what can be selected.

    `waiting` of them need a recipient: they can be tried again, or issued another way. `ready` leaves those out.
    """

    sums: Sequence[tuple[str, int, int]]
    ready: Sequence[tuple[str, int, int]]
    waiting: int

    @property
    def number(self) -> int:
        return sum(number for _, number, _ in self.sums)


def free_sum(chosen: DueFilter) -> FreeSum:
    """One query."""
    waits = Q(waiting_for__isnull=False)
    rows = list(
        free_rewards(chosen)
        .values("currency")
        .annotate(
            number=Count("pk"),
            total=Sum("amount"),
            waiting=Count("pk", filter=waits),
            waiting_total=Coalesce(Sum("amount", filter=waits), Value(0)),
        )
        .order_by("currency")
    )
    ready = [
        (row["currency"], row["number"] - row["waiting"], int(row["total"] - row["waiting_total"])) for row in rows
    ]
    return FreeSum(
        sums=[(row["currency"], row["number"], int(row["total"])) for row in rows],
        ready=[each for each in ready if each[1]],
        waiting=sum(row["waiting"] for row in rows),
    )


def due_rows(
    chosen: DueFilter,
    *,
    sort: str = DEFAULT_SORT,
    after: Sequence[Any] | None = None,
    before: Sequence[Any] | None = None,
    limit: int,
) -> list[DueRow]:
    """At most `limit` rows in order of `sort` (a key of SORTS, `-` in front for descending), from a position on.

    `after` and `before` are the `position` of a row; with `before` the rows right before it are answered, in the same
    order. Three queries: all rewards are grouped by what the order needs, and only the page's rows are looked at closer.
    """
    descending = sort.startswith("-")
    column = SORTS[sort.removeprefix("-")]
    # The name is in another table, and costs a join of everything: only where it is the order.
    by_name = {"who": _WHO} if column == "who" else {}
    grouped = (
        due_rewards(chosen)
        .annotate(**by_name)
        .values("participant_id", "customer_id", "currency", *by_name)
        .annotate(number=Count("pk"), total=Sum("amount"), oldest=Min("due_at"))
    )
    backwards = before is not None
    position = before if backwards else after
    falling = descending != backwards
    if position is not None:
        grouped = grouped.filter(_beyond(column, falling, position))
    sign = "-" if falling else ""
    rows = list(grouped.order_by(f"{sign}{column}", f"{sign}participant_id", f"{sign}currency")[:limit])
    if backwards:
        rows.reverse()
    customers = Customer.objects.in_bulk([row["customer_id"] for row in rows])
    details = _details(chosen, [row["participant_id"] for row in rows])
    return [
        _row(row, customers[row["customer_id"]], details[row["participant_id"], row["currency"]], column)
        for row in rows
    ]


def _details(chosen: DueFilter, participants: Sequence[UUID]) -> dict[tuple[UUID, str], Mapping[str, Any]]:
    """How much of each row a batch can take, and what becomes of the rest."""
    rows = (
        due_rewards(chosen)
        .filter(participant__in=participants)
        .annotate(free=Case(When(_is_free(), then=True), default=False))
        .values("participant_id", "currency")
        .annotate(
            free_number=Count("pk", filter=Q(free=True)),
            free_total=Coalesce(Sum("amount", filter=Q(free=True)), Value(0)),
            ordered_number=Count("pk", filter=Q(fulfilment_kind=FulfilmentKind.WEBHOOK)),
            waiting_number=Count("pk", filter=Q(waiting_for=WaitingFor.RECIPIENT)),
        )
        .order_by()
    )
    return {(row["participant_id"], row["currency"]): row for row in rows}


def _beyond(column: str, falling: bool, position: Sequence[Any]) -> Q:
    value, participant_id, currency = position
    way = "lt" if falling else "gt"
    return (
        Q(**{f"{column}__{way}": value})
        | Q(**{column: value, f"participant_id__{way}": participant_id})
        | Q(**{column: value, "participant_id": participant_id, f"currency__{way}": currency})
    )


def _row(row: Mapping[str, Any], customer: Customer, details: Mapping[str, Any], column: str) -> DueRow:
    return DueRow(
        participant_id=row["participant_id"],
        customer=customer,
        currency=row["currency"],
        number=row["number"],
        total=int(row["total"]),
        oldest=row["oldest"],
        free_number=details["free_number"],
        free_total=int(details["free_total"]),
        waiting_number=details["waiting_number"],
        ordered_number=details["ordered_number"],
        position=(row[column], str(row["participant_id"]), row["currency"]),
    )


def rewards_of_row(chosen: DueFilter, participant_id: UUID, currency: str) -> QuerySet[Reward]:
    """What a row opens to, the oldest first; `free` says whether nobody is issuing the reward."""
    return (
        due_rewards(chosen)
        .filter(participant=participant_id, currency=currency)
        .annotate(free=Case(When(_is_free(), then=True), default=False))
        .select_related("event__participant__customer", "rule", "campaign")
        .prefetch_related("decisions")
        .order_by("due_at", "pk")
    )


def issuing_batches(reward_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """The batch that is issuing each of these rewards now, for those that one is. One query."""
    items = BatchItem.objects.filter(reward__in=list(reward_ids), claim__closed_at__isnull=True, claim__isnull=False)
    return dict(items.values_list("reward_id", "batch_id"))


def free_of_rows(chosen: DueFilter, rows: Iterable[tuple[UUID, str]]) -> list[UUID]:
    """The rewards behind the rows that were chosen, as (participant, currency), without those being issued."""
    wanted: dict[str, list[UUID]] = {}
    for participant_id, currency in rows:
        wanted.setdefault(currency, []).append(participant_id)
    if not wanted:
        return []
    any_row = Q()
    for currency, participants in wanted.items():
        any_row |= Q(currency=currency, participant__in=participants)
    return list(free_rewards(chosen).filter(any_row).order_by("pk").values_list("pk", flat=True))
