"""Writing down what endpoints answered, many answers at a time.

A result counts only while its worker still holds the delivery. One statement per set moves the deliveries and keeps
the attempts; then the endpoints' health follows, and what a 2xx answer confirms, in the same transaction. Killed before
the commit, the deliveries are sent again once their leases have run out, under the same webhook-id.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import connection

from integrations.models import DisabledReason, Endpoint, EndpointStatus
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit.clock import wall
from referral_rocket.kit.ids import uuid7
from rewards.services.ordering import deductions_among, orders_confirm
from rewards.services.reversing import settle_what_waited
from webhooks.outbound.claiming import Shipment
from webhooks.outbound.models import DeliveryStatus
from webhooks.outbound.schedule import DISABLED_AFTER, next_attempt

ACTOR = "system:webhooks"
GONE = 410

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Result:
    """What became of one attempt. `status_code` is None where no answer came; `error` then says what happened.

    `retry_after` in seconds, as the answer asks for it.
    """

    shipment: Shipment
    at: datetime
    duration_ms: int
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


_WRITE = """
WITH result AS (
    SELECT * FROM unnest(
        %(delivery)s::uuid[], %(token)s::uuid[], %(status)s::text[], %(tries)s::int[], %(next)s::timestamptz[],
        %(finished)s::timestamptz[], %(attempt)s::uuid[], %(at)s::timestamptz[], %(url)s::text[], %(duration)s::int[],
        %(code)s::int[], %(error)s::text[], %(excerpt)s::text[])
    AS result(delivery_id, token, status, tries, next_attempt_at, finished_at, attempt_id, at, url, duration_ms,
        status_code, error, excerpt)
), written AS (
    UPDATE outbound_delivery AS delivery SET
        status = result.status, tries = result.tries, finished_at = result.finished_at, lease_token = NULL,
        next_attempt_at = COALESCE(result.next_attempt_at, delivery.next_attempt_at),
        forced = delivery.forced AND result.status = 'PENDING'
    FROM result
    WHERE delivery.id = result.delivery_id AND delivery.lease_token = result.token AND delivery.status = 'PENDING'
    RETURNING delivery.id, delivery.organization_id
)
INSERT INTO outbound_deliveryattempt (
    id, organization_id, delivery_id, at, url, duration_ms, status_code, error, response_excerpt)
SELECT result.attempt_id, written.organization_id, written.id, result.at, result.url, result.duration_ms,
    result.status_code, result.error, result.excerpt
FROM written JOIN result ON result.delivery_id = written.id
RETURNING delivery_id
"""

_HOURS = """
INSERT INTO outbound_endpointhour AS kept (id, organization_id, endpoint_id, hour, succeeded, failed, duration_ms)
SELECT * FROM unnest(
    %(id)s::uuid[], %(organization)s::uuid[], %(endpoint)s::uuid[], %(hour)s::timestamptz[], %(succeeded)s::bigint[],
    %(failed)s::bigint[], %(duration)s::bigint[])
ON CONFLICT (endpoint_id, hour) DO UPDATE SET
    succeeded = kept.succeeded + excluded.succeeded,
    failed = kept.failed + excluded.failed,
    duration_ms = kept.duration_ms + excluded.duration_ms
"""


def results_write(results: Sequence[Result]) -> int:
    """Write the results, those that confirm rewards organization by organization; how many still counted."""
    plain = [result for result in results if not result.confirms]
    confirming: dict[UUID, list[Result]] = defaultdict(list)
    for result in results:
        if result.confirms:
            confirming[result.shipment.organization_id].append(result)
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
    return [*([together] if together else []), *([each] for each in results if each not in together)]


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
    steps = [_step(result, now) for result in results]
    parameters = {name: [step[name] for step in steps] for name in steps[0]}
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, parameters)
        counted = {row[0] for row in cursor.fetchall()}
    _write_health([result for result in results if result.shipment.delivery_id in counted], now)
    return counted


def _step(result: Result, now: datetime) -> dict[str, Any]:
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
        "status": str(status),
        "tries": tries,
        "next": again,
        "finished": None if again else now,
        "attempt": uuid7(),
        "at": result.at,
        "url": shipment.url,
        "duration": result.duration_ms,
        "code": result.status_code,
        "error": result.error,
        "excerpt": result.response_excerpt,
    }


@dataclass
class _Health:
    organization_id: UUID
    succeeded: int = 0
    failed: int = 0
    duration_ms: int = 0
    gone: bool = False
    first_failure: datetime | None = None


def _write_health(results: Sequence[Result], now: datetime) -> None:
    health: dict[UUID, _Health] = {}
    for result in results:
        kept = health.setdefault(result.shipment.endpoint_id, _Health(result.shipment.organization_id))
        kept.duration_ms += result.duration_ms
        kept.gone = kept.gone or result.status_code == GONE
        if result.succeeded:
            kept.succeeded += 1
        else:
            kept.failed += 1
            kept.first_failure = min(filter(None, (kept.first_failure, result.at)))
    if not health:
        return
    _add_hours(health, now)
    # In key order: two workers that write about the same endpoints wait for each other instead of deadlocking.
    endpoints = Endpoint.objects.select_for_update(no_key=True).filter(pk__in=health).order_by("pk")
    for endpoint in endpoints:
        _update_endpoint(endpoint, health[endpoint.pk], now)


def _add_hours(health: dict[UUID, _Health], now: datetime) -> None:
    rows = sorted(health.items())
    hour = now.replace(minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(
            _HOURS,
            {
                "id": [uuid7() for _ in rows],
                "organization": [kept.organization_id for _, kept in rows],
                "endpoint": [endpoint for endpoint, _ in rows],
                "hour": [hour] * len(rows),
                "succeeded": [kept.succeeded for _, kept in rows],
                "failed": [kept.failed for _, kept in rows],
                "duration": [kept.duration_ms for _, kept in rows],
            },
        )


def _update_endpoint(endpoint: Endpoint, kept: _Health, now: datetime) -> None:
    fields = []
    if kept.succeeded:
        endpoint.last_success_at, endpoint.failing_since = now, None
        fields += ["last_success_at", "failing_since"]
    if kept.failed:
        endpoint.last_failure_at = now
        fields.append("last_failure_at")
    if kept.failed and not kept.succeeded and endpoint.failing_since is None:
        endpoint.failing_since = kept.first_failure
        fields.append("failing_since")
    Endpoint.objects.filter(pk=endpoint.pk).update(**{name: getattr(endpoint, name) for name in fields})
    if endpoint.status == EndpointStatus.DISABLED:
        return
    if kept.gone:
        disable(endpoint, DisabledReason.GONE, now)
    elif endpoint.failing_since is not None and now - endpoint.failing_since >= DISABLED_AFTER:
        disable(endpoint, DisabledReason.NO_SUCCESS, now)


def disable(endpoint: Endpoint, reason: DisabledReason, now: datetime) -> None:
    """Send it nothing more, and have the organization told by mail (tasks.tell_of_disabled)."""
    Endpoint.objects.filter(pk=endpoint.pk).update(
        status=EndpointStatus.DISABLED, disabled_reason=reason, disabled_at=now, notice_due_at=now
    )
    log.warning("endpoint_disabled", endpoint=str(endpoint.pk), reason=reason)
    record(
        organization=Organization.objects.get(pk=endpoint.organization_id),
        actor=ACTOR,
        happenings=[Happening("endpoint.disabled", "endpoint", endpoint.pk, data={"reason": str(reason)})],
    )
