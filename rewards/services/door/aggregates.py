"""The door for aggregates, in sets: a whole close goes through here, and its rows never come into Python one by one.

What is said of each is what `door._happening` says, and a test holds the two together. Like the rest of the door it is
part of the caller's transaction, and the totals are its last statement.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from referral_rocket.accounts.models import Organization
from referral_rocket.activity.tasks import hand_on
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7_texts
from referral_rocket.kit.nudges import nudge
from rewards.errors import InvalidRewardTransition
from rewards.models import Reward
from rewards.services.door import Changes, add_up, erased_have_open
from rewards.states import OPEN_STATUSES, REWARD_TRANSITIONS, RewardStatus


class NewAggregate(NamedTuple):
    """What is an aggregate's own; the rest all of one call have in common. Amounts in minor units."""

    id: UUID
    participant_id: UUID
    customer_id: UUID
    status: str
    amount: int
    earned_amount: int
    reason: str | None
    parts_count: int
    period_ends_at: datetime
    moment: datetime


class Part(NamedTuple):
    """One reward or deduction that becomes part of an aggregate, as the caller read it under its lock."""

    reward_id: UUID
    aggregate_id: UUID
    status: str
    amount: int
    target_amount: int


# The aggregate's own, and the type of an array of it.
_OWN = {
    "id": "uuid", "participant_id": "uuid", "customer_id": "uuid", "status": "text", "amount": "bigint",
    "earned_amount": "bigint", "reason": "text", "parts_count": "int", "period_ends_at": "timestamptz",
    "moment": "timestamptz",
}  # fmt: skip
_BESIDE = ("transition", "activity", "pending")
# Where a column of the reward isn't called like the aggregate's own.
_FROM_OWN = {
    **{name: f"made.{name}" for name in _OWN if name != "moment"},
    "earned_at": "made.moment",
    "releases_at": "made.moment",
    "occurred_at": "made.moment",
    # Nothing of a total of 0 is ever due.
    "due_at": "CASE WHEN made.status = 'CANCELED' THEN NULL ELSE made.moment END",
}
# Whatever columns a reward gets: those that aren't named here take what the model would give them.
_COMMON = [field for field in Reward._meta.concrete_fields if field.attname not in _FROM_OWN]

# Put together of names from this file and the model alone.
_MAKE = """
WITH made AS (
    SELECT * FROM unnest({arrays}) AS made({names})
), inserted AS (
    INSERT INTO rewards_reward ({columns})
    SELECT {values} FROM made
), history AS (
    INSERT INTO rewards_rewardtransition (
        id, organization_id, reward_id, at, from_status, to_status, actor, reason, amount_before, amount_after)
    SELECT transition, %(organization_id)s, id, %(at)s, NULL, status, %(actor)s, coalesce(reason, %(why)s), 0, amount
    FROM made
), happened AS (
    INSERT INTO activity_activity (
        id, organization_id, at, actor, kind, subject_type, subject_id, campaign_id, data)
    SELECT activity, %(organization_id)s, %(at)s, %(actor)s, 'reward.created', 'reward', id, %(campaign_id)s,
        jsonb_build_object(
            'from', NULL, 'to', status, 'amount', amount, 'reason', coalesce(reason, %(why)s::text))
    FROM made
), person AS (
    SELECT made.*, customer.external_id, customer.erased_at
    -- LIMIT: each is looked up by its key. A join of so many is planned as a read of the whole table.
    FROM made, LATERAL (
        SELECT external_id, erased_at FROM participants_customer WHERE id = made.customer_id LIMIT 1) AS customer
), told AS (
    INSERT INTO activity_pendingactivity (id, organization_id, activity_id, snapshot, available_at, attempts)
    SELECT pending, %(organization_id)s, activity,
        jsonb_build_object(
            'amount', amount,
            'created_at', to_char(%(created_at)s::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'currency', %(currency)s::text, 'customer_id', customer_id, 'external_id', external_id,
            'campaign_id', %(campaign_id)s::uuid, 'reward_id', id, 'parts_count', parts_count,
            'type', %(type)s::text, 'status', status, 'previous_status', NULL,
            'reason', coalesce(reason, %(why)s::text)),
        %(wall)s, 0
    FROM person
)
SELECT customer_id FROM person WHERE erased_at IS NOT NULL
""".format(  # noqa: S608
    arrays=", ".join(
        [*(f"%(own_{name})s::{kind}[]" for name, kind in _OWN.items()), *(f"%({name})s::uuid[]" for name in _BESIDE)]
    ),
    names=", ".join([*_OWN, *_BESIDE]),
    columns=", ".join([*_FROM_OWN, *(str(field.column) for field in _COMMON)]),
    values=", ".join([*_FROM_OWN.values(), *(f"%({field.attname})s" for field in _COMMON)]),
)

_AGGREGATE = """
WITH part AS (
    SELECT * FROM unnest(
        %(id)s::uuid[], %(aggregate)s::uuid[], %(status)s::text[], %(amount)s::bigint[], %(transition)s::uuid[],
        %(activity)s::uuid[], %(pending)s::uuid[])
    AS part(id, aggregate, status, amount, transition, activity, pending)
), moved AS (
    UPDATE rewards_reward AS reward SET
        status = 'AGGREGATED', waiting_for = NULL, aggregate_id = part.aggregate, updated_at = %(wall)s
    FROM part
    -- ANY: as above, the rows are looked up by their keys.
    WHERE reward.id = ANY (%(id)s::uuid[])
        AND reward.id = part.id AND reward.status = part.status AND reward.amount = part.amount
        AND reward.waiting_for = 'AGGREGATION'
    RETURNING reward.id, reward.campaign_id, reward.customer_id, reward.transaction_id, reward.deducts_id, reward.type,
        reward.currency, reward.created_at, part.status, part.amount, part.transition, part.activity, part.pending
), history AS (
    INSERT INTO rewards_rewardtransition (
        id, organization_id, reward_id, at, from_status, to_status, actor, reason, amount_before, amount_after)
    SELECT transition, %(organization)s, id, %(at)s, status, 'AGGREGATED', %(actor)s, %(reason)s, amount, amount
    FROM moved
), happened AS (
    INSERT INTO activity_activity (
        id, organization_id, at, actor, kind, subject_type, subject_id, campaign_id, data)
    SELECT activity, %(organization)s, %(at)s, %(actor)s, 'reward.changed', 'reward', id, campaign_id,
        jsonb_build_object('from', status, 'to', 'AGGREGATED', 'amount', amount, 'reason', %(reason)s::text)
    FROM moved
), told AS (
    INSERT INTO activity_pendingactivity (id, organization_id, activity_id, snapshot, available_at, attempts)
    SELECT moved.pending, %(organization)s, moved.activity,
        jsonb_build_object(
            'amount', moved.amount,
            'created_at', to_char(moved.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'currency', moved.currency, 'customer_id', moved.customer_id, 'external_id', customer.external_id,
            'campaign_id', moved.campaign_id, 'reward_id', moved.id, 'type', moved.type, 'status', 'AGGREGATED',
            'previous_status', moved.status, 'reason', %(reason)s::text)
        || CASE WHEN moved.transaction_id IS NULL THEN '{}'::jsonb
            ELSE jsonb_build_object('transaction_id', moved.transaction_id) END
        || CASE WHEN moved.deducts_id IS NULL THEN '{}'::jsonb
            ELSE jsonb_build_object('deducts', moved.deducts_id) END,
        %(wall)s, 0
    FROM moved JOIN participants_customer AS customer ON customer.id = moved.customer_id
)
SELECT count(*) FROM moved
"""


@transaction.atomic
def aggregates_make(
    *, organization: Organization, model: Reward, aggregates: Sequence[NewAggregate], actor: str, reason: str
) -> None:
    """Insert new aggregates of one campaign, type and currency; `model` has what they have in common."""
    if not aggregates:
        return
    columns = dict(zip(_OWN, zip(*aggregates, strict=True), strict=True))
    own = {f"own_{name}": _ids(column) if _OWN[name] == "uuid" else list(column) for name, column in columns.items()}
    common = {field.attname: field.get_db_prep_save(getattr(model, field.attname), connection) for field in _COMMON}
    moments = {"at": clock.now(organization), "wall": clock.wall()}
    with connection.cursor() as cursor:
        cursor.execute(_MAKE, {**common, **own, **_new_ids(len(aggregates)), **moments, "actor": actor, "why": reason})
        erased = {customer for (customer,) in cursor.fetchall()}
    nudge(hand_on)
    erased_have_open({each.customer_id for each in aggregates if each.status in OPEN_STATUSES}, erased)
    changes: Changes = defaultdict(lambda: [0, 0, 0])
    for each in aggregates:
        change = changes[model.campaign_id, model.currency, each.status]
        change[0] += 1
        change[1] += each.amount
    add_up(organization, (), changes)


@transaction.atomic
def parts_join(
    *, organization: Organization, campaign_id: UUID, currency: str, parts: Sequence[Part], actor: str, reason: str
) -> None:
    """Make these rewards and deductions parts of aggregates that were made in this transaction.

    The caller holds the parts' rows. Raises InvalidRewardTransition where one of them isn't as it was read.
    """
    if not parts:
        return
    for status in {part.status for part in parts}:
        if not REWARD_TRANSITIONS.allows(status, RewardStatus.AGGREGATED):
            raise InvalidRewardTransition(f"The reward is {status}; it can't become AGGREGATED.")
    _move(organization, parts, actor, reason)
    changes: Changes = defaultdict(lambda: [0, 0, 0])
    for part in parts:
        for status, sign in ((part.status, -1), (str(RewardStatus.AGGREGATED), 1)):
            change = changes[campaign_id, currency, status]
            change[0] += sign
            change[1] += sign * part.amount
            change[2] += sign * part.target_amount
    add_up(organization, (), changes)


def _move(organization: Organization, parts: Sequence[Part], actor: str, reason: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _AGGREGATE,
            {
                **_new_ids(len(parts)),
                "id": _ids(part.reward_id for part in parts),
                "aggregate": _ids(part.aggregate_id for part in parts),
                "status": [part.status for part in parts],
                "amount": [part.amount for part in parts],
                "organization": organization.pk,
                "actor": actor,
                "reason": reason,
                "at": clock.now(organization),
                "wall": clock.wall(),
            },
        )
        (moved,) = cursor.fetchone()
    if moved != len(parts):
        raise InvalidRewardTransition("Somebody else changed a part at the same time.")


def _ids(identifiers: Iterable[UUID]) -> str:
    """An array of ids as PostgreSQL writes it: the driver would ask of each element what it is."""
    return _array([each.hex for each in identifiers])


def _new_ids(count: int) -> dict[str, str]:
    """Arrays of keys for what is written beside each row."""
    return {name: _array(uuid7_texts(count)) for name in _BESIDE}


def _array(texts: Iterable[str]) -> str:
    return f"{{{','.join(texts)}}}"
