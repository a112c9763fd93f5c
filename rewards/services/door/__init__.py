"""The one door to a reward's status and amounts. It takes many rows; a single one is a list of one.

Everything is one transaction of the caller's: the rows, their history, the activity and, as the last statement, the
totals. Killed before the commit, nothing happened; after it, everything did. Two callers that move the same reward:
the second waits for the first one's row lock and then finds the status changed, which refuses its whole call.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from participants.models import Customer, Erasure
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7
from referral_rocket.kit.inserting import rows_insert
from rewards.errors import InvalidRewardTransition
from rewards.models import Reward, RewardTransition
from rewards.payloads import reward_data
from rewards.states import OPEN_STATUSES, REWARD_TRANSITIONS, RewardStatus


@dataclass(frozen=True)
class Move:
    """One reward's change. `reward` is as the caller read it: the move is refused if its status has changed since.

    Where `to` is the status that the reward has, only its amount changes. None leaves a column as it is;
    `waiting_for` is always written.
    """

    reward: Reward
    to: str
    amount: int | None = None
    target_amount: int | None = None
    remainder_amount: int | None = None
    refunded_amount: int | None = None
    waiting_for: str | None = None
    fulfilment_kind: str | None = None
    fulfilment_method: str | None = None
    fulfilment_endpoint_id: UUID | None = None
    netted_amount: int | None = None
    settled_by_id: UUID | None = None
    method: str | None = None
    provider_reference: str | None = None
    reason: str | None = None
    ready_at: datetime | None = None
    due_at: datetime | None = None
    issued_at: datetime | None = None


# Column of a reward, the move's attribute, its PostgreSQL type. Those that a move leaves None keep their value.
_COLUMNS = (
    ("amount", "bigint"),
    ("target_amount", "bigint"),
    ("remainder_amount", "bigint"),
    ("refunded_amount", "bigint"),
    ("fulfilment_kind", "text"),
    ("fulfilment_method", "text"),
    ("fulfilment_endpoint_id", "uuid"),
    ("netted_amount", "bigint"),
    ("settled_by_id", "uuid"),
    ("method", "text"),
    ("provider_reference", "text"),
    ("reason", "text"),
    ("ready_at", "timestamptz"),
    ("due_at", "timestamptz"),
    ("issued_at", "timestamptz"),
)

# A part's amount follows its payment while it stays what it is (product.md, Refunds: inside an aggregate).
_AMOUNT_MAY_CHANGE = (
    RewardStatus.EARNED,
    RewardStatus.PENDING,
    RewardStatus.PENDING_DEDUCTION,
    RewardStatus.AGGREGATED,
)

_UPDATE = """
UPDATE rewards_reward AS reward SET
    status = move.to_status, waiting_for = move.waiting_for, updated_at = %(now)s, {columns}
FROM unnest(%(id)s::uuid[], %(from_status)s::text[], %(to_status)s::text[], %(waiting_for)s::text[], {values})
    AS move(id, from_status, to_status, waiting_for, {names})
WHERE reward.id = move.id AND reward.status = move.from_status
""".format(
    columns=", ".join(f"{name} = COALESCE(move.{name}, reward.{name})" for name, _ in _COLUMNS),
    values=", ".join(f"%({name})s::{kind}[]" for name, kind in _COLUMNS),
    names=", ".join(name for name, _ in _COLUMNS),
)

_TOTALS = """
INSERT INTO rewards_rewardtotals AS totals (
    id, organization_id, campaign_id, currency, status, count, amount, target)
SELECT * FROM unnest(
    %(id)s::uuid[], %(organization)s::uuid[], %(campaign)s::uuid[], %(currency)s::text[], %(status)s::text[],
    %(count)s::bigint[], %(amount)s::bigint[], %(target)s::bigint[])
ON CONFLICT (campaign_id, currency, status) DO UPDATE SET
    count = totals.count + excluded.count,
    amount = totals.amount + excluded.amount,
    target = totals.target + excluded.target
"""


Changes = dict[tuple[UUID, str, str], list[int]]
_put_off: ContextVar["_PutOff | None"] = ContextVar("totals_put_off", default=None)


@dataclass
class _PutOff:
    organization: Organization
    changes: Changes


@contextmanager
def totals_last(organization: Organization) -> Iterator[None]:
    """Every call of the door in the block, and the totals of all of them in one statement at its end.

    For a transaction that goes through the door several times: nothing may be locked after totals (docs/locking.md).
    A block inside another one leaves the totals to the outer one. A savepoint of the block must not be rolled back
    alone: its changes would be in the totals. An error out of the block leaves them unwritten, and so must undo it all.
    """
    if _put_off.get() is not None:
        yield
        return
    waiting = _PutOff(organization, defaultdict(lambda: [0, 0, 0]))
    token = _put_off.set(waiting)
    try:
        yield
    finally:
        _put_off.reset(token)
    _write_totals(organization, waiting.changes)


def targets_put_off(campaign_id: UUID) -> int:
    """By how much the campaign's targets have changed in this transaction, and the totals don't say so yet."""
    waiting = _put_off.get()
    if waiting is None:
        return 0
    return sum(change[2] for (changed, _, _), change in waiting.changes.items() if changed == campaign_id)


@transaction.atomic
def rewards_create(*, organization: Organization, rewards: Sequence[Reward], actor: str, reason: str) -> list[Reward]:
    """Insert new rewards, whatever status they begin in."""
    if not rewards:
        return []
    Reward.objects.bulk_create(rewards)
    steps = [
        _Step(reward, None, reward.status, 0, reward.amount, 0, reward.target_amount, reason) for reward in rewards
    ]
    _record(organization, steps, actor)
    return list(rewards)


@transaction.atomic
def rewards_move(*, organization: Organization, moves: Sequence[Move], actor: str, reason: str) -> None:
    """Make the moves, all or none. The rewards that were handed in are brought up to date.

    Raises InvalidRewardTransition where the table of states doesn't have a move, or a reward has changed meanwhile.
    """
    if not moves:
        return
    for move in moves:
        _check(move)
    _update(moves)
    steps = []
    for move in moves:
        reward = move.reward
        before, amount_before, target_before = reward.status, reward.amount, reward.target_amount
        _bring_up_to_date(move)
        steps.append(
            _Step(
                reward,
                before,
                move.to,
                amount_before,
                reward.amount,
                target_before,
                reward.target_amount,
                move.reason or reason,
            )
        )
    _record(organization, steps, actor)


def _check(move: Move) -> None:
    current = move.reward.status
    if current == move.to and (current in _AMOUNT_MAY_CHANGE or move.amount is None):
        return
    if not REWARD_TRANSITIONS.allows(current, move.to):
        raise InvalidRewardTransition(f"The reward is {current}; it can't become {move.to}.")


def _update(moves: Sequence[Move]) -> None:
    # Row locks are taken in key order, so that two doors over the same rewards can't deadlock.
    ordered = sorted(moves, key=lambda move: move.reward.pk)
    list(
        Reward.objects.select_for_update(no_key=True)
        .filter(pk__in=[move.reward.pk for move in ordered])
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    parameters: dict[str, Any] = {name: [getattr(move, name) for move in ordered] for name, _ in _COLUMNS}
    parameters |= {
        "id": [move.reward.pk for move in ordered],
        "from_status": [str(move.reward.status) for move in ordered],
        "to_status": [str(move.to) for move in ordered],
        "waiting_for": [move.waiting_for and str(move.waiting_for) for move in ordered],
        "now": clock.wall(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, parameters)
        moved = cursor.rowcount
    if moved != len(ordered):
        raise InvalidRewardTransition("Somebody else changed the reward at the same time. Look at it again.")


def _bring_up_to_date(move: Move) -> None:
    reward = move.reward
    reward.status = move.to
    reward.waiting_for = move.waiting_for
    for name, _ in _COLUMNS:
        value = getattr(move, name)
        if value is not None:
            setattr(reward, name, value)


@dataclass(frozen=True)
class _Step:
    reward: Reward
    before: str | None
    after: str
    amount_before: int
    amount_after: int
    target_before: int
    target_after: int
    reason: str


def _record(organization: Organization, steps: Sequence[_Step], actor: str) -> None:
    at = clock.now(organization)
    rows_insert(
        [
            RewardTransition(
                organization=organization,
                reward=step.reward,
                at=at,
                from_status=step.before,
                to_status=step.after,
                actor=actor,
                reason=step.reason,
                amount_before=step.amount_before,
                amount_after=step.amount_after,
            )
            for step in steps
        ]
    )
    people = {
        pk: (external_id, erased_at)
        for pk, external_id, erased_at in Customer.objects.filter(
            pk__in={step.reward.customer_id for step in steps}
        ).values_list("pk", "external_id", "erased_at")
    }
    happenings = [_happening(step, people[step.reward.customer_id][0]) for step in steps]
    record(organization=organization, actor=actor, at=at, happenings=happenings)
    erased_have_open(
        {step.reward.customer_id for step in steps if step.after in OPEN_STATUSES},
        {pk for pk, (_, erased_at) in people.items() if erased_at is not None},
    )
    add_up(organization, steps)


def erased_have_open(opened: Set[UUID], erased: Set[UUID]) -> None:
    """What is open for an erased person, by whatever way, is found and ended by the sweep (erasing.py)."""
    if opened & erased:
        Erasure.objects.filter(customer__in=opened & erased).update(finished_at=None)


def _happening(step: _Step, external_id: str | None) -> Happening:
    return Happening(
        kind="reward.changed" if step.before else "reward.created",
        subject_type="reward",
        subject_id=step.reward.pk,
        campaign_id=step.reward.campaign_id,
        data={"from": step.before, "to": step.after, "amount": step.amount_after, "reason": step.reason},
        snapshot=_snapshot(step, external_id),
    )


def _snapshot(step: _Step, external_id: str | None) -> dict[str, Any] | None:
    """What webhooks say of the step: the reward as it is now. Only changes of the status are told."""
    if step.before == step.after:
        return None
    return {
        **reward_data(step.reward, external_id),
        # The step's own: the same reward may take several steps in one transaction.
        "amount": step.amount_after,
        "status": str(step.after),
        "previous_status": None if step.before is None else str(step.before),
        "reason": step.reason,
    }


def add_up(organization: Organization, steps: Iterable[_Step], others: Changes | None = None) -> None:
    """The door's last statement. `others` are changes of rows that aren't among the steps."""
    waiting = _put_off.get()
    changes: Changes = defaultdict(lambda: [0, 0, 0]) if waiting is None else waiting.changes
    for place_and_status, change in (others or {}).items():
        for position, difference in enumerate(change):
            changes[place_and_status][position] += difference
    for step in steps:
        place = (step.reward.campaign_id, step.reward.currency)
        if step.before is not None:
            left = changes[*place, str(step.before)]
            left[0] -= 1
            left[1] -= step.amount_before
            left[2] -= step.target_before
        entered = changes[*place, str(step.after)]
        entered[0] += 1
        entered[1] += step.amount_after
        entered[2] += step.target_after
    if waiting is None:
        _write_totals(organization, changes)


def _write_totals(organization: Organization, changes: Changes) -> None:
    # In key order: two transactions that touch the same totals wait for each other instead of deadlocking.
    keys = sorted(key for key, change in changes.items() if change != [0, 0, 0])
    if not keys:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _TOTALS,
            {
                "id": [uuid7() for _ in keys],
                "organization": [organization.pk] * len(keys),
                "campaign": [key[0] for key in keys],
                "currency": [key[1] for key in keys],
                "status": [key[2] for key in keys],
                "count": [changes[key][0] for key in keys],
                "amount": [changes[key][1] for key in keys],
                "target": [changes[key][2] for key in keys],
            },
        )
