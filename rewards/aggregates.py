"""Which rewards and deductions are totalled into which aggregate. Pure: rows as they were read in, groups out."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from rewards.periods import day_of, midnight_ending
from rewards.states import RewardStatus, WaitingFor


class Candidate(NamedTuple):
    """A reward or deduction that waits for its aggregate, or is still held. Amounts in minor units."""

    reward_id: UUID
    participant_id: UUID
    customer_id: UUID
    currency: str
    status: str
    waiting_for: str
    amount: int
    target_amount: int
    occurred_at: datetime
    ready_at: datetime | None
    # What it gives back; like a deduction such a reward joins the next aggregate, whatever day that is of.
    restores_id: UUID | None

    @property
    def is_deduction(self) -> bool:
        return self.status == RewardStatus.PENDING_DEDUCTION

    @property
    def joins_any(self) -> bool:
        return self.is_deduction or self.restores_id is not None


@dataclass
class Group:
    """What becomes one aggregate. `due_at` is the close, or the end of the delay."""

    participant_id: UUID
    customer_id: UUID
    currency: str
    period_ends_at: datetime
    due_at: datetime
    parts: list[Candidate] = field(default_factory=list)

    @property
    def deducts(self) -> bool:
        return any(part.is_deduction for part in self.parts)

    @property
    def net(self) -> int:
        """What the parts come to: below 0 where deductions exceed earnings."""
        return sum(-part.amount if part.is_deduction else part.amount for part in self.parts)


def statement_groups(candidates: Iterable[Candidate], close: datetime) -> list[Group]:
    """One group for each participant and currency, of what was ready before the close."""
    groups: dict[tuple[UUID, str], Group] = {}
    for each in candidates:
        if each.waiting_for != WaitingFor.AGGREGATION or each.ready_at is None or each.ready_at >= close:
            continue
        key = (each.participant_id, each.currency)
        if key not in groups:
            groups[key] = Group(each.participant_id, each.customer_id, each.currency, close, close)
        groups[key].parts.append(each)
    return list(groups.values())


def delayed_groups(
    candidates: Iterable[Candidate], *, delay: timedelta, zone: ZoneInfo, moment: datetime
) -> list[Group]:
    """A group for each participant, currency and calendar day of which everything is due at `moment`.

    A day is due `delay` after the last of it, once it is over and nothing of it is held any more. Deductions and
    restored rewards join the first of these groups that is due when they are ready or later; only where there is none
    they are a day's total of their own.
    """
    days: dict[tuple[UUID, str], dict[date, list[Candidate]]] = defaultdict(lambda: defaultdict(list))
    for each in candidates:
        days[each.participant_id, each.currency][day_of(each.occurred_at, zone)].append(each)
    groups: list[Group] = []
    for by_day in days.values():
        groups += _of_one(by_day, delay, zone, moment)
    return groups


def _of_one(by_day: dict[date, list[Candidate]], delay: timedelta, zone: ZoneInfo, moment: datetime) -> Sequence[Group]:
    joining = sorted(
        (each for some in by_day.values() for each in some if each.joins_any), key=lambda each: each.occurred_at
    )
    own = {day: [each for each in some if not each.joins_any] for day, some in by_day.items()}
    groups = [group for day, some in own.items() if (group := _due(day, some, delay, zone, moment))]
    groups.sort(key=lambda group: group.due_at)
    alone: dict[date, list[Candidate]] = defaultdict(list)
    for each in joining:
        group = next((group for group in groups if each.ready_at is not None and each.ready_at <= group.due_at), None)
        if group is None:
            alone[day_of(each.occurred_at, zone)].append(each)
        else:
            group.parts.append(each)
    return [*groups, *(group for day, some in alone.items() if (group := _due(day, some, delay, zone, moment)))]


def _due(day: date, parts: list[Candidate], delay: timedelta, zone: ZoneInfo, moment: datetime) -> Group | None:
    if not parts or any(each.waiting_for != WaitingFor.AGGREGATION or each.ready_at is None for each in parts):
        return None
    ends_at = midnight_ending(day, zone)
    ready = max(each.ready_at for each in parts if each.ready_at is not None)
    due_at = max(max(each.occurred_at for each in parts) + delay, ready, ends_at)
    if due_at > moment:
        return None
    first = parts[0]
    return Group(first.participant_id, first.customer_id, first.currency, ends_at, due_at, list(parts))
