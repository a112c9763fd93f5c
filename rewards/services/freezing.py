"""Freezing: from a selection to a batch's items, each with the claim on its reward.

A selection is fixed with its batch: which rewards, with which amount each, and what stood in the way of it then. Up to
FROZEN_AT_ONCE of them become items at once; more are stored in slices, by one statement in the database, and the worker
makes them items slice by slice. What has changed meanwhile (issued, canceled, lowered, claimed by somebody else) isn't
issued: it becomes an item that says so.

A slice is one transaction: lock its row, the rewards in key order and the batch; insert claims and items; remove the
slice. Killed before its commit, the slice is still there and nothing was claimed; after it, the items are the runner's.
Two workers at once: one skips the slice that the other holds. A claim that somebody else takes in the same moment goes
to one of them, by its unique index. Canceling takes the slices away first, so it waits for one that is being frozen and
then finds its items. The runner issues the first items while the last are still being frozen.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection as database
from django.db.models import QuerySet

from integrations import registry
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7
from rewards.models import BatchSlice, Reward, RewardBatch
from rewards.services.finishing import finish_if_done
from rewards.services.selecting import MESSAGES
from rewards.states import BatchStatus

# So many at once are locked and inserted; the batch's page moves on about ten times a second.
SLICE = 1_000
# One slice takes a request about 0.1 s. Who asks for no more than that sees in the answer what was left out.
FROZEN_AT_ONCE = SLICE
# The worker turns to issuing after so long: it works off what is frozen before it freezes more.
SECONDS = 5

_CHANGED = "changed"
# Why a reward isn't issued, with the code (api.md) and the message of its item.
_REASONS = (
    *((code, code, message) for code, message in MESSAGES.items()),
    (
        _CHANGED,
        "not_due",
        "Its amount has changed since this batch was asked for, so it was left out. Look at it again.",
    ),
)

_STORE = """
INSERT INTO rewards_batchslice (id, organization_id, batch_id, position, number, reward_ids, amounts, obstacles)
SELECT gen_random_uuid(), %s, %s, position, count(*),
    array_agg(id ORDER BY id), array_agg(amount ORDER BY id), array_agg(obstacle ORDER BY id)
FROM (
    SELECT id, amount, obstacle, (row_number() OVER (ORDER BY id) - 1) / %s AS position
    FROM ({chosen}) AS chosen(id, amount, obstacle)
) AS placed
GROUP BY position
"""

_SUMS = """
SELECT reward.campaign_id, reward.currency, chosen.obstacle = '', count(*), sum(chosen.amount)
FROM rewards_batchslice AS slice
CROSS JOIN unnest(slice.reward_ids, slice.amounts, slice.obstacles) AS chosen(reward_id, amount, obstacle)
JOIN rewards_reward AS reward ON reward.id = chosen.reward_id
WHERE slice.batch_id = %s
GROUP BY 1, 2, 3
"""

_FREEZE = """
WITH chosen AS (
    SELECT * FROM unnest(
        %(reward)s::uuid[], %(amount)s::bigint[], %(obstacle)s::text[], %(claim)s::uuid[], %(item)s::uuid[])
    AS chosen(reward_id, amount, obstacle, claim_id, item_id)
), seen AS (
    SELECT chosen.*, reward.amount AS amount_now, reward.currency,
        CASE
            WHEN chosen.obstacle <> '' THEN chosen.obstacle
            WHEN reward.status <> 'PENDING' THEN 'not_due'
            WHEN reward.fulfilment_kind = 'WEBHOOK' THEN 'fulfilled_by_webhook'
            WHEN reward.amount <> chosen.amount THEN %(changed)s
            ELSE ''
        END AS reason
    FROM chosen JOIN rewards_reward AS reward ON reward.id = chosen.reward_id
), taken AS (
    INSERT INTO rewards_claim (id, organization_id, reward_id, kind, opened_at)
    SELECT claim_id, %(organization)s, reward_id, 'BATCH', %(now)s FROM seen WHERE reason = '' ORDER BY reward_id
    ON CONFLICT DO NOTHING
    RETURNING id, reward_id
), judged AS (
    SELECT seen.*, taken.id AS claimed,
        CASE WHEN reason = '' AND taken.id IS NULL THEN 'being_issued' ELSE reason END AS why
    FROM seen LEFT JOIN taken USING (reward_id)
)
INSERT INTO rewards_batchitem (
    id, organization_id, batch_id, reward_id, claim_id, connection_id, amount, netted_amount, currency, outcome, code,
    message, in_doubt, tries, next_attempt_at, updated_at)
SELECT item_id, %(organization)s, %(batch)s, reward_id, claimed, %(connection)s, amount_now, 0, currency,
    CASE WHEN why = '' THEN 'QUEUED' ELSE 'FAILED' END, coalesce(told.code, ''), coalesce(told.message, ''), false, 0,
    CASE WHEN why = '' THEN %(next)s::timestamptz END, %(now)s
FROM judged
LEFT JOIN unnest(%(whys)s::text[], %(codes)s::text[], %(messages)s::text[]) AS told(why, code, message) USING (why)
"""


@dataclass(frozen=True)
class Chosen:
    """Some rewards in key order, the amount of each when it was chosen, and the code of what stood in its way then."""

    reward_ids: Sequence[UUID]
    amounts: Sequence[int]
    obstacles: Sequence[str]


@dataclass(frozen=True)
class Asked:
    """What a selection came to: (currency, number, amount) and, by campaign, the sum of what is to be issued.

    `number` and `campaigns` are of all that was selected.
    """

    number: int
    totals: Sequence[tuple[str, int, int]]
    by_campaign: dict[UUID, int]
    campaigns: frozenset[UUID]


def is_big(found: QuerySet[Reward]) -> bool:
    """Whether it is left to the worker."""
    return found.order_by().values("pk")[: FROZEN_AT_ONCE + 1].count() > FROZEN_AT_ONCE


def choose(found: QuerySet[Reward]) -> tuple[list[Chosen], Asked]:
    """Lock the rewards in key order, and read them as they then stand: what somebody is changing is waited for."""
    locked = list(found.select_for_update(no_key=True, of=("self",)).order_by("pk").values_list("pk", flat=True))
    rows = list(
        found.filter(pk__in=locked).order_by("pk").values_list("pk", "amount", "obstacle", "campaign_id", "currency")  # type: ignore[misc]
    )
    slices = [
        Chosen(
            *zip(*((pk, amount, obstacle) for pk, amount, obstacle, _, _ in rows[start : start + SLICE]), strict=True)
        )
        for start in range(0, len(rows), SLICE)
    ]
    return slices, _asked((campaign, currency, not why, 1, amount) for _, amount, why, campaign, currency in rows)


def store(batch: RewardBatch, found: QuerySet[Reward]) -> Asked:
    """Write the selection down in slices, without reading it; what it came to, from what was written."""
    wanted = found.order_by().values_list("pk", "amount", "obstacle")  # type: ignore[misc]
    chosen, parameters = wanted.query.sql_with_params()
    with database.cursor() as cursor:
        cursor.execute(_STORE.format(chosen=chosen), [batch.organization_id, batch.pk, SLICE, *parameters])
        cursor.execute(_SUMS, [batch.pk])
        return _asked(cursor.fetchall())


def _asked(rows: Iterable[tuple[UUID, str, bool, int, int]]) -> Asked:
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    by_campaign: dict[UUID, int] = defaultdict(int)
    campaigns, selected = set(), 0
    for campaign_id, currency, is_free, number, amount in rows:
        campaigns.add(campaign_id)
        selected += number
        if is_free:
            totals[currency][0] += number
            totals[currency][1] += int(amount)
            by_campaign[campaign_id] += int(amount)
    return Asked(
        selected,
        [(currency, number, amount) for currency, (number, amount) in sorted(totals.items())],
        dict(by_campaign),
        frozenset(campaigns),
    )


def freeze(batch: RewardBatch, chosen: Chosen) -> None:
    """Make items of these, claiming each that is still as it was chosen; in the caller's transaction."""
    # In key order, and before the batch (docs/locking.md); what is read afterwards stays as it is until the commit.
    held = Reward.objects.select_for_update(no_key=True).filter(pk__in=chosen.reward_ids).order_by("pk")
    list(held.values_list("pk", flat=True))
    status = RewardBatch.objects.select_for_update(no_key=True).values_list("status", flat=True).get(pk=batch.pk)
    now = clock.wall()
    with database.cursor() as cursor:
        cursor.execute(
            _FREEZE,
            {
                "reward": list(chosen.reward_ids),
                "amount": list(chosen.amounts),
                "obstacle": list(chosen.obstacles),
                "claim": [uuid7() for _ in chosen.reward_ids],
                "item": [uuid7() for _ in chosen.reward_ids],
                "organization": batch.organization_id,
                "batch": batch.pk,
                "connection": batch.connection_id,
                "changed": _CHANGED,
                "now": now,
                # Not before it is approved; and a file is downloaded by a person.
                "next": None if status == BatchStatus.AWAITING_APPROVAL or registry.file_of(batch.method) else now,
                "whys": [why for why, _, _ in _REASONS],
                "codes": [code for _, code, _ in _REASONS],
                "messages": [message for _, _, message in _REASONS],
            },
        )


# The worker's -----------------------------------------------------------------------------------------------------


def freeze_everywhere(*, seconds: float = SECONDS) -> int:
    """Freeze what is stored in slices, in turns between organizations, for about `seconds`; how many rewards."""
    deadline = time.monotonic() + seconds
    frozen = 0
    while time.monotonic() < deadline:
        with every_organization("sweep of batches to be frozen"):
            waiting = BatchSlice.objects.order_by().values("organization").distinct()
            organizations = list(Organization.objects.filter(pk__in=waiting).order_by("pk"))
        done = sum(freeze_next(organization=organization) for organization in organizations)
        if not done:
            # Nothing is left, or somebody else is at it.
            break
        frozen += done
    return frozen


def freeze_next(*, organization: Organization) -> int:
    """Freeze the first slice that nobody is at: how many rewards it had, 0 where there is none. Outside `tenant()`."""
    with tenant(organization):
        found = (
            BatchSlice.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("batch")
            .order_by("batch", "position")
            .first()
        )
        if found is None:
            return 0
        freeze(found.batch, Chosen(found.reward_ids, found.amounts, found.obstacles))
        BatchSlice.objects.filter(pk=found.pk).delete()
        finish_if_done([found.batch_id])
        return found.number
