from collections.abc import Sequence
from typing import Any

from integrations.models import Endpoint
from referral_rocket.kit.clock import rfc3339
from webhooks.outbound.models import Delivery, DeliveryStatus


def endpoints(found: Sequence[Endpoint]) -> list[dict[str, Any]]:
    return [endpoint(each) for each in found]


def endpoint(found: Endpoint) -> dict[str, Any]:
    return {
        "endpoint_id": str(found.pk),
        "url": found.url,
        "description": found.description,
        "status_mode": found.status_mode,
        "event_types": list(found.event_types),
        "status": found.status,
        "disabled_reason": found.disabled_reason,
        "failing_since": rfc3339(found.failing_since),
        "last_success_at": rfc3339(found.last_success_at),
        "created_at": rfc3339(found.created_at),
    }


def deliveries(found: Sequence[Delivery]) -> list[dict[str, Any]]:
    return [delivery(each) for each in found]


def delivery(found: Delivery) -> dict[str, Any]:
    """Its attempts are prefetched (`selectors.with_attempts`)."""
    return {
        "delivery_id": str(found.pk),
        "webhook_id": found.webhook_id,
        "endpoint_id": str(found.endpoint_id),
        "event_type": found.event_type,
        "status": found.status,
        "reason": found.reason or None,
        "reward_id": None if found.reward_id is None else str(found.reward_id),
        "next_attempt_at": rfc3339(found.next_attempt_at) if found.status == DeliveryStatus.PENDING else None,
        "attempts": [
            {
                "at": rfc3339(attempt.at),
                "status_code": attempt.status_code,
                "error": attempt.error,
                "duration_ms": attempt.duration_ms,
                "response_excerpt": attempt.response_excerpt,
            }
            for attempt in found.attempts.all()
        ],
        "created_at": rfc3339(found.created_at),
    }
