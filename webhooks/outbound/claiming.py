"""Taking what is due: some rows of each endpoint, leased to one worker, in one transaction.

Each endpoint gives at most what the worker has room for on it, so that a long queue doesn't push the others out. Orders
are looked at once more here, under the lock of their reward: a canceled one isn't sent, and what wasn't sent yet goes
out with the amount of this moment. Killed before the commit, nothing is leased; after it, the lease runs out.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection

from campaigns.models import FulfilmentKind
from referral_rocket.accounts.scoping import every_organization
from referral_rocket.kit.clock import wall
from referral_rocket.kit.encryption import UndecryptableSecret, decrypt
from referral_rocket.kit.ids import uuid7, uuid7_many
from rewards.models import Claim, Reward
from rewards.services.claims import claims_close, issuing_begins
from rewards.states import RewardStatus
from webhooks.outbound.models import Delivery, DeliveryAttempt, DeliveryStatus

# An order whose reward somebody else has locked waits this long, rather than all others for it.
LOCKED_SECONDS = 1
INTERRUPTED = "The worker ended before the answer was written down; it was sent again."
_OPEN = (RewardStatus.PENDING, RewardStatus.PENDING_DEDUCTION)
_ISSUED = (RewardStatus.AVAILABLE, RewardStatus.DEDUCTED)


log = structlog.get_logger(__name__)


class Target(NamedTuple):
    """Where deliveries go, and the secrets to sign them with."""

    endpoint_id: UUID
    organization_id: UUID
    url: str
    secrets: tuple[str, ...]
    is_struggling: bool


# Compared by identity: thousands a second go through sets. Not frozen, which would triple what making one costs.
@dataclass(slots=True, eq=False)
class Shipment:
    """A delivery with all that sending it takes. `lease_token` is the worker's.

    `claimed_at` in seconds of `time.monotonic`: what has waited long since then is claimed again instead of being sent.
    """

    delivery_id: UUID
    target: Target = field(repr=False)
    body: bytes = field(repr=False)
    tries: int
    claim_id: UUID | None
    confirms: bool
    lease_token: UUID
    claimed_at: float

    @property
    def webhook_id(self) -> str:
        return f"msg_{self.delivery_id.hex}"


# LATERAL … LIMIT 1: one look into the index for each endpoint, whatever the planner knows of how much is due.
_DUE = """
SELECT endpoint.id, endpoint.organization_id, endpoint.url, endpoint.secrets, endpoint.failing_since IS NOT NULL
FROM integrations_endpoint AS endpoint
CROSS JOIN LATERAL (
    SELECT FROM outbound_delivery AS waiting
    WHERE waiting.endpoint_id = endpoint.id AND waiting.status = 'PENDING' AND waiting.next_attempt_at <= %(now)s
    LIMIT 1
) AS something
WHERE endpoint.status = 'ENABLED' AND endpoint.deleted_at IS NULL
"""

_CLAIM = """
UPDATE outbound_delivery AS delivery SET
    next_attempt_at = %(lease_end)s, lease_token = %(token)s,
    first_attempt_at = COALESCE(delivery.first_attempt_at, %(now)s)
FROM (
    SELECT due.id, due.lease_token
    FROM unnest(%(endpoints)s::uuid[], %(rooms)s::int[]) AS wanted(endpoint_id, room)
    CROSS JOIN LATERAL (
        SELECT waiting.id, waiting.lease_token FROM outbound_delivery AS waiting
        WHERE waiting.endpoint_id = wanted.endpoint_id AND waiting.status = 'PENDING'
            AND waiting.next_attempt_at <= %(now)s
        ORDER BY waiting.next_attempt_at LIMIT wanted.room FOR NO KEY UPDATE SKIP LOCKED
    ) AS due
) AS claimed
WHERE delivery.id = claimed.id
RETURNING delivery.id, delivery.endpoint_id, delivery.body, delivery.tries, delivery.reward_id, delivery.claim_id,
    delivery.confirms, delivery.forced, delivery.first_attempt_at = %(now)s, claimed.lease_token
"""


class _Row(NamedTuple):
    delivery_id: UUID
    endpoint_id: UUID
    body: str
    tries: int
    reward_id: UUID | None
    claim_id: UUID | None
    confirms: bool
    forced: bool
    is_first: bool
    left_behind_by: UUID | None


class _Ordered(NamedTuple):
    """A reward as it stands under its lock."""

    status: str
    amount: int
    fulfilment_kind: str


def claim(
    *,
    token: UUID,
    room: int,
    rooms: Mapping[UUID, int],
    usual_room: int,
    unsent: Mapping[UUID, int] | None = None,
    share: int = 9,
) -> list[Shipment]:
    """Lease up to `room` due deliveries. `rooms` says how many an endpoint may give, `usual_room` for all others.

    `unsent` says how many an organization has been given already: it gets no more than `share` times what is left.
    """
    claimed_at = time.monotonic()
    with every_organization("claiming webhook deliveries"):
        now = wall()
        targets = {each.endpoint_id: each for each in _targets_with_something_due(now)}
        wanted = _shares(targets.values(), room, rooms, usual_room, unsent or {}, share)
        rows = _lease(token, now, wanted)
        if not rows:
            return []
        _note_interrupted(rows, targets, now)
        bodies = _prepare_orders(rows, now)
        return [
            Shipment(
                row.delivery_id,
                targets[row.endpoint_id],
                bodies[row.delivery_id].encode(),
                row.tries,
                row.claim_id,
                row.confirms,
                token,
                claimed_at,
            )
            for row in rows
            if row.delivery_id in bodies
        ]


# Opening a token takes as long as signing a dozen deliveries, and the same few come with every claim.
@lru_cache(maxsize=1024)
def _opened(token: str) -> Mapping[str, str | None] | None:
    """None where no key opens it: that endpoint has to wait until one does, and must not keep the others waiting."""
    try:
        stored: Mapping[str, str | None] = json.loads(decrypt(token))
    except UndecryptableSecret:
        log.error("endpoint_secret_not_readable")
        return None
    return stored


def signing_secrets(stored: Mapping[str, str | None], now: datetime) -> tuple[str, ...]:
    """The secrets to sign with: the current one, and during a rotation the one before it."""
    secrets = [stored["current"]]
    previous, until = stored.get("previous"), stored.get("previous_until")
    if previous and until and now < datetime.fromisoformat(until):
        secrets.append(previous)
    return tuple(secret for secret in secrets if secret)


def lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.LEASE_SECONDS)


def renew(*, token: UUID, delivery_ids: Sequence[UUID]) -> None:
    """Keep what is still being sent."""
    with every_organization("renewing leases of webhook deliveries"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbound_delivery SET next_attempt_at = %s WHERE id = ANY(%s) AND lease_token = %s",
            [lease_end(wall()), list(delivery_ids), token],
        )


def give_back(*, token: UUID, delivery_ids: Sequence[UUID]) -> None:
    """Let go of what was not sent: it is due at once, as its endpoint stands then.

    An order that was claimed once counts as begun all the same: its body stays, and a refund waits for its outcome.
    """
    with every_organization("giving back webhook deliveries"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbound_delivery SET next_attempt_at = %s, lease_token = NULL"
            " WHERE id = ANY(%s) AND lease_token = %s",
            [wall(), list(delivery_ids), token],
        )


def _targets_with_something_due(now: datetime) -> list[Target]:
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": now})
        rows = cursor.fetchall()
    return [
        Target(endpoint_id, organization_id, url, signing_secrets(stored, now), is_struggling)
        for endpoint_id, organization_id, url, secrets, is_struggling in rows
        if (stored := _opened(secrets)) is not None
    ]


def _shares(
    targets: Iterable[Target],
    room: int,
    rooms: Mapping[UUID, int],
    usual_room: int,
    unsent: Mapping[UUID, int],
    share: int,
) -> list[tuple[UUID, int]]:
    """How many each endpoint may give: the smallest wishes first, so that what they leave goes to the larger ones."""
    wishes = sorted((rooms.get(target.endpoint_id, usual_room), target[:2]) for target in targets)
    wishes = [(wish, target) for wish, target in wishes if wish > 0]
    given = Counter(unsent)
    shares: list[tuple[UUID, int]] = []
    for position, (wish, (endpoint, organization)) in enumerate(wishes):
        fair = -(-room // (len(wishes) - position))
        most = min(wish, fair, share * room - given[organization])
        if most > 0:
            shares.append((endpoint, most))
            given[organization] += most
            room -= most
    return shares


def _lease(token: UUID, now: datetime, wanted: Sequence[tuple[UUID, int]]) -> list[_Row]:
    if not wanted:
        return []
    parameters: dict[str, Any] = {
        "now": now,
        "lease_end": lease_end(now),
        "token": token,
        "endpoints": [endpoint for endpoint, _ in wanted],
        "rooms": [room for _, room in wanted],
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [_Row(*row) for row in cursor.fetchall()]


def _note_interrupted(rows: Sequence[_Row], targets: Mapping[UUID, Target], now: datetime) -> None:
    """What another worker held when it ended may have been sent: that shows in the log, and the order counts as begun."""
    left = [row for row in rows if row.left_behind_by is not None]
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(
            id=attempt_id,
            organization_id=targets[row.endpoint_id].organization_id,
            delivery_id=row.delivery_id,
            at=now,
            url=targets[row.endpoint_id].url,
            duration_ms=0,
            error=INTERRUPTED,
        )
        for row, attempt_id in zip(left, uuid7_many(len(left)), strict=True)
    )


def _prepare_orders(rows: Sequence[_Row], now: datetime) -> dict[UUID, str]:
    """The bodies to send. An order that is not to be sent is missing from them, and has been put away."""
    bodies = {row.delivery_id: row.body for row in rows}
    orders = [row for row in rows if row.reward_id is not None]
    if not orders:
        return bodies
    held = (
        Reward.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(pk__in={row.reward_id for row in orders if row.reward_id is not None})
        .order_by("pk")
        .values_list("pk", "status", "amount", "fulfilment_kind")
    )
    rewards = {reward_id: _Ordered(status, amount, kind) for reward_id, status, amount, kind in held}
    open_claims = set(
        Claim.objects.filter(pk__in=[row.claim_id for row in orders], closed_at__isnull=True).values_list(
            "pk", flat=True
        )
    )
    begun: list[_Row] = []
    for row in orders:
        assert row.reward_id is not None
        reward = rewards.get(row.reward_id)
        if reward is None:
            _put_back(row, now)
        elif not _is_wanted(row, reward, open_claims):
            _skip(row, reward, now)
        else:
            if row.is_first:
                bodies[row.delivery_id] = _with_amount(row, reward.amount)
                begun.append(row)
            continue
        del bodies[row.delivery_id]
    issuing_begins(row.reward_id for row in begun if row.reward_id is not None)
    Claim.objects.filter(pk__in=[row.claim_id for row in begun], started_at__isnull=True).update(started_at=now)
    return bodies


def _is_wanted(row: _Row, reward: _Ordered, open_claims: set[UUID]) -> bool:
    """Whether the order is to be sent. Once its claim is closed there is an outcome, and only a person sends it again.

    Never where a person took the reward back: it is or was issued from here, and the tenant's system would pay it too.
    """
    if reward.fulfilment_kind != FulfilmentKind.WEBHOOK:
        return False
    if reward.status in _OPEN:
        return row.claim_id in open_claims
    return row.forced and reward.status in _ISSUED


def _put_back(row: _Row, now: datetime) -> None:
    fields: dict[str, object] = {"lease_token": None, "next_attempt_at": now + timedelta(seconds=LOCKED_SECONDS)}
    if row.is_first:
        fields["first_attempt_at"] = None
    Delivery.objects.filter(pk=row.delivery_id).update(**fields)


def _skip(row: _Row, reward: _Ordered, now: datetime) -> None:
    fields: dict[str, object] = {"first_attempt_at": None} if row.is_first else {}
    Delivery.objects.filter(pk=row.delivery_id).update(
        status=DeliveryStatus.SKIPPED,
        reason=f"The reward is {reward.status} and not ordered by this any more.",
        lease_token=None,
        finished_at=now,
        **fields,
    )
    if row.claim_id is not None:
        claims_close([row.claim_id])


def _with_amount(row: _Row, amount: int) -> str:
    """The body with the amount that is owed now: nobody has seen it yet."""
    body = json.loads(row.body)
    if body["data"]["amount"] == amount:
        return row.body
    body["data"]["amount"] = amount
    text = body_text(body)
    Delivery.objects.filter(pk=row.delivery_id).update(body=text)
    return text


def body_text(body: Mapping[str, object]) -> str:
    """A body as it is signed and sent."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def new_token() -> UUID:
    return uuid7()
