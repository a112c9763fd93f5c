"""Tremendous's webhooks: is it Tremendous's, and which reward it is about. What became of it is looked up.

https://developers.tremendous.com/docs/webhooks-1: `{uuid, event, created_utc, payload: {resource: {id, type}, meta}}`.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from integrations.base import Fact, Ignored, PayoutChanged, Received
from integrations.errors import BadSignature, UnreadableEvent
from integrations.reading import header
from referral_rocket.kit.signing import hex_signature, same

SCHEME = "sha256="
EVENTS = (
    "ORDERS.APPROVED",
    "ORDERS.CANCELED",
    "ORDERS.FAILED",
    "REWARDS.CANCELED",
    "REWARDS.DELIVERY.FAILED",
    "REWARDS.DELIVERY.SUCCEEDED",
    "REWARDS.FLAGGED",
)


class TremendousWebhooks:
    """See `integrations.base.InboundAdapter`."""

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...], now: datetime) -> Received:
        given = header(headers, "Tremendous-Webhook-Signature")
        if not given:
            raise BadSignature("missing", "The Tremendous-Webhook-Signature header is missing.")
        if not secrets:
            raise BadSignature("no_secret", "This connection has no webhook private key yet.")
        if not given.startswith(SCHEME):
            raise BadSignature("malformed", "The Tremendous-Webhook-Signature header isn't sha256=….")
        # No early exit: which of the secrets fits is nobody's business.
        fits = [same(SCHEME + hex_signature(secret, body), given) for secret in secrets]
        if not any(fits):
            raise BadSignature("wrong", "The signature doesn't match this connection's webhook private key.")
        return _received(body, now)

    def read(self, payload: Mapping[str, Any]) -> tuple[Fact, ...]:
        event = payload.get("event")
        if event not in EVENTS:
            return (Ignored(f"{event} says nothing about a reward that was sent."),)
        try:
            resource, meta = payload["payload"]["resource"], payload["payload"].get("meta")
            reference = resource["id"]
        except (KeyError, TypeError, AttributeError) as error:
            raise UnreadableEvent(f"{event} names no order or reward") from error
        if not isinstance(reference, str) or not reference:
            raise UnreadableEvent(f"{event} names no order or reward")
        return (PayoutChanged(_our_reward(meta), reference),)


def _received(body: bytes, now: datetime) -> Received:
    try:
        event = json.loads(body)
        event_id, event_type, created = event["uuid"], event["event"], event.get("created_utc")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableEvent("the body isn't a Tremendous event in JSON") from error
    if not (isinstance(event_id, str) and isinstance(event_type, str) and event_id and event_type):
        raise UnreadableEvent("the event has no uuid or event")
    return Received(event_id[:255], event_type[:100], None, _moment(created, now))


def _moment(text: Any, now: datetime) -> datetime:
    """Documented as a time with its offset; the time of arrival where it is anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return now
    return moment if moment.tzinfo else now


def _our_reward(meta: Any) -> UUID | None:
    """Where the message carries our `external_id`, which begins with the reward's id."""
    key = meta.get("external_id") if isinstance(meta, Mapping) else None
    try:
        return UUID(str(key).partition(":")[0]) if key else None
    except ValueError:
        return None
