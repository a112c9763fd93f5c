"""Writing down what endpoints answered, many answers at a time.

A result counts only while its worker still holds the delivery. One statement per set moves the deliveries and keeps
the attempts; then the endpoints' health follows, and what a 2xx answer confirms, in the same transaction. Killed before
the commit, the deliveries are sent again once their leases have run out, under the same webhook-id.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from django.db import connection

from integrations.models import DisabledReason, Endpoint, EndpointStatus
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit.clock import wall
from referral_rocket.kit.ids import uuid7, uuid7_many
from rewards.services.ordering import deductions_among, orders_confirm
from rewards.services.reversing import settle_what_waited
from webhooks.outbound.claiming import Shipment
from webhooks.outbound.models import DeliveryStatus
from webhooks.outbound.schedule import DISABLED_AFTER, next_attempt

ACTOR = "system:webhooks"
GONE = 410

log = structlog.get_logger(__name__)


# Compared by identity, and not frozen: as a shipment.
@dataclass(slots=True, eq=False)
class Result:
    """What became of one attempt. `status_code` is None where no answer came; `error` then says what happened.

    `retry_after` in seconds, as the answer asks for it.
    """

    shipment: Shipment
    at: datetime
    duration_ms: int = 0
    status_code: int | None = None
    error: str | None = None
    response_excerpt: str = ""
    retry_after: float | None = None

    @property
    def succeeded(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def confirms(self) -> bool:
        return self.succeeded and self.shipment.confirms and self.shipment.claim_id is not None


# One text of JSON is much cheaper to make than an array a column. Nothing but the key and the token is asked for: only
# what is PENDING has a token (a constraint), and with a condition on the status the planner walks through all that is
# due, once for each result, when its statistics are from before a burst.
_WRITE = """
WITH result AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(results)s::json) AS result (
        delivery uuid, token uuid, status text, tries int, next timestamptz, attempt uuid, at timestamptz, url text,
        duration int, code int, error text, excerpt text)
), written AS (
    UPDATE outbound_delivery AS delivery SET
        status = result.status, tries = result.tries, lease_token = NULL,
        finished_at = CASE WHEN result.status <> 'PENDING' THEN %(now)s END,
        next_attempt_at = COALESCE(result.next, delivery.next_attempt_at),
        forced = delivery.forced AND result.status = 'PENDING'
    FROM result
    WHERE delivery.id = result.delivery AND delivery.lease_token = result.token
    RETURNING delivery.id, delivery.organization_id, result.attempt, result.at, result.url, result.duration,
        result.code, result.error, result.excerpt
)
INSERT INTO outbound_deliveryattempt (
    id, organization_id, delivery_id, at, url, duration_ms, status_code, error, response_excerpt)
SELECT attempt, organization_id, id, at, url, duration, code, error, excerpt FROM written
RETURNING delivery_id
"""

_HOURS = """
INSERT INTO outbound_endpointhour AS kept (id, organization_id, endpoint_id, hour, succeeded, failed, duration_ms)
SELECT id, organization, endpoint, %(hour)s, succeeded, failed, duration
FROM json_to_recordset(%(health)s::json) AS health (
    id uuid, organization uuid, endpoint uuid, succeeded bigint, failed bigint, duration bigint)
ORDER BY endpoint
ON CONFLICT (endpoint_id, hour) DO UPDATE SET
    succeeded = kept.succeeded + excluded.succeeded,
    failed = kept.failed + excluded.failed,
    duration_ms = kept.duration_ms + excluded.duration_ms
"""

# In key order: two workers that write about the same endpoints wait for each other instead of deadlocking.
_HOLD = "SELECT id FROM integrations_endpoint WHERE id = ANY(%(endpoints)s) ORDER BY id FOR NO KEY UPDATE"

_ENDPOINTS = """
UPDATE integrations_endpoint AS endpoint SET
    last_success_at = CASE WHEN health.succeeded > 0 THEN %(now)s ELSE endpoint.last_success_at END,
    last_failure_at = CASE WHEN health.failed > 0 THEN %(now)s ELSE endpoint.last_failure_at END,
    failing_since = CASE WHEN health.succeeded = 0 THEN COALESCE(endpoint.failing_since, health.first_failure) END
FROM json_to_recordset(%(health)s::json) AS health (
    endpoint uuid, succeeded bigint, failed bigint, first_failure timestamptz)
WHERE endpoint.id = health.endpoint
RETURNING endpoint.id, endpoint.organization_id, endpoint.status, endpoint.failing_since
"""


def results_write(results: Sequence[Result]) -> int:
    """Write the results, those that confirm rewards organization by organization; how many still counted."""
    plain = [result for result in results if not result.confirms]
    confirming: dict[UUID, list[Result]] = defaultdict(list)
    for result in results:
        if result.confirms:
            confirming[result.shipment.target.organization_id].append(result)
    written = 0
    if plain:
        with every_organization("results of webhook deliveries"):
            written += len(_write(plain))
    for organization_id, ours in confirming.items():
        for some in _apart(organization_id, ours):
            written += _confirm(organization_id, some)
    if written < len(results):
        log.warning("delivery_result_after_lease", count=len(results) - written)
    return written


def _apart(organization_id: UUID, results: Sequence[Result]) -> list[list[Result]]:
    """All rewards in one transaction, each deduction in its own: it moves two rewards, and the totals come last."""
    with tenant(Organization.objects.get(pk=organization_id)):
        deducting = deductions_among(result.shipment.claim_id for result in results)
    together = [result for result in results if result.shipment.claim_id not in deducting]
    alone = [[result] for result in results if result.shipment.claim_id in deducting]
    return [together, *alone] if together else alone


def _confirm(organization_id: UUID, results: Sequence[Result]) -> int:
    organization = Organization.objects.get(pk=organization_id)
    with tenant(organization):
        counted = _write(results)
        claims = {
            result.shipment.claim_id: result.shipment.webhook_id
            for result in results
            if result.shipment.delivery_id in counted and result.shipment.claim_id is not None
        }
        orders_confirm(organization=organization, references=claims, actor=ACTOR)
    # In a transaction of its own: settling locks an event before its rewards, confirming the other way round.
    settle_what_waited(organization=organization, actor=ACTOR)
    return len(counted)


def _write(results: Sequence[Result]) -> set[UUID]:
    """The deliveries whose result counted."""
    now = wall()
    rows = [_step(result, now, pk) for result, pk in zip(results, uuid7_many(len(results)), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, {"results": _json(rows), "now": now})
        counted = {row[0] for row in cursor.fetchall()}
    _write_health([result for result in results if result.shipment.delivery_id in counted], now)
    return counted


def _json(rows: object) -> str:
    return json.dumps(rows, default=str, ensure_ascii=False)


def _step(result: Result, now: datetime, attempt_id: UUID) -> dict[str, Any]:
    shipment = result.shipment
    tries = shipment.tries + (0 if result.succeeded else 1)
    again = None if result.succeeded else next_attempt(tries, now, result.retry_after)
    if result.succeeded:
        status = DeliveryStatus.DELIVERED
    else:
        status = DeliveryStatus.PENDING if again else DeliveryStatus.FAILED
    return {
        "delivery": shipment.delivery_id,
        "token": shipment.lease_token,
        "status": status.value,
        "tries": tries,
        "next": again,
        "attempt": attempt_id,
        "at": result.at,
        "url": shipment.target.url,
        "duration": result.duration_ms,
        "code": result.status_code,
        "error": result.error,
        "excerpt": result.response_excerpt,
    }


@dataclass(slots=True)
class _Health:
    organization_id: UUID
    succeeded: int = 0
    failed: int = 0
    duration_ms: int = 0
    gone: bool = False
    first_failure: datetime | None = None

    def add(self, result: Result) -> None:
        self.duration_ms += result.duration_ms
        self.gone = self.gone or result.status_code == GONE
        if result.succeeded:
            self.succeeded += 1
            return
        self.failed += 1
        self.first_failure = min(filter(None, (self.first_failure, result.at)))


def _write_health(results: Sequence[Result], now: datetime) -> None:
    health: dict[UUID, _Health] = {}
    for result in results:
        target = result.shipment.target
        kept = health.get(target.endpoint_id)
        if kept is None:
            kept = health[target.endpoint_id] = _Health(target.organization_id)
        kept.add(result)
    if not health:
        return
    rows = [
        {
            "id": uuid7(),
            "organization": kept.organization_id,
            "endpoint": endpoint,
            "succeeded": kept.succeeded,
            "failed": kept.failed,
            "duration": kept.duration_ms,
            "first_failure": kept.first_failure,
        }
        for endpoint, kept in health.items()
    ]
    hour = now.replace(minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(_HOURS, {"health": _json(rows), "hour": hour})
        cursor.execute(_HOLD, {"endpoints": list(health)})
        cursor.execute(_ENDPOINTS, {"health": _json(rows), "now": now})
        endpoints = cursor.fetchall()
    for endpoint_id, organization_id, status, failing_since in endpoints:
        if status == EndpointStatus.DISABLED:
            continue
        if health[endpoint_id].gone:
            disable(endpoint_id, organization_id, DisabledReason.GONE, now)
        elif failing_since is not None and now - failing_since >= DISABLED_AFTER:
            disable(endpoint_id, organization_id, DisabledReason.NO_SUCCESS, now)


def disable(endpoint_id: UUID, organization_id: UUID, reason: DisabledReason, now: datetime) -> None:
    """Send it nothing more, and have the organization told by mail (referral_rocket/notices)."""
    Endpoint.objects.filter(pk=endpoint_id).update(
        status=EndpointStatus.DISABLED, disabled_reason=reason, disabled_at=now
    )
    # Its host alone: what comes after it may hold a token.
    url = Endpoint.objects.values_list("url", flat=True).get(pk=endpoint_id)
    log.warning("endpoint_disabled", endpoint=str(endpoint_id), reason=reason)
    record(
        organization=Organization.objects.get(pk=organization_id),
        actor=ACTOR,
        happenings=[
            Happening(
                "endpoint.disabled",
                "endpoint",
                endpoint_id,
                data={"reason": str(reason), "host": urlsplit(url).hostname},
            )
        ],
    )
