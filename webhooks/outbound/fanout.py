"""From what happened to what we owe endpoints: the consumer of the outbox (settings.ACTIVITY_CONSUMERS).

Runs in the transaction that empties the outbox; so an event is never without its deliveries, nor twice with them.
Disabled endpoints get theirs too: they are kept until it is enabled.
"""

from collections.abc import Sequence
from uuid import UUID

from integrations.models import Endpoint, EventType
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.outbox import Told
from referral_rocket.kit.clock import wall
from referral_rocket.kit.nudges import nudge
from rewards.states import RewardStatus
from webhooks.outbound.claiming import body_text
from webhooks.outbound.models import Delivery
from webhooks.outbound.orders import orders_make
from webhooks.outbound.tasks import deliver

# Which event a fact is told as, by the first word of its activity's kind. Kinds without a snapshot aren't told.
_EVENT_TYPES = {
    "reward": EventType.REWARD_UPDATED,
    "participant": EventType.PARTICIPANT,
    "event": EventType.EVENT,
    "batch": EventType.BATCH,
}
_DUE = (RewardStatus.PENDING, RewardStatus.PENDING_DEDUCTION)


def consume(organization: Organization, told: Sequence[Told]) -> None:
    """Write a delivery for each fact and endpoint that asks for it, and the orders for rewards that became due."""
    endpoints = list(Endpoint.objects.filter(deleted_at__isnull=True).order_by("pk"))
    now = wall()
    facts = [
        Delivery(
            organization=organization,
            endpoint=endpoint,
            event_type=event_type,
            body=body_text({"data": each.snapshot, "object": str(event_type)}),
            next_attempt_at=now,
            created_at=now,
        )
        for each in told
        if each.snapshot is not None and (event_type := _event_type(each)) is not None
        for endpoint in endpoints
        if event_type in endpoint.event_types
    ]
    Delivery.objects.bulk_create(facts)
    ordered = orders_make(organization=organization, reward_ids=_became_due(told))
    if facts or ordered:
        nudge(deliver)


def _event_type(told: Told) -> EventType | None:
    return _EVENT_TYPES.get(told.activity.kind.partition(".")[0])


def _became_due(told: Sequence[Told]) -> list[UUID]:
    return [
        each.activity.subject_id
        for each in told
        if each.activity.kind in ("reward.created", "reward.changed")
        and each.activity.data["to"] in _DUE
        and each.activity.data["from"] != each.activity.data["to"]
    ]
