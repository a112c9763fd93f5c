from collections.abc import Sequence
from typing import Any

from referral_rocket.api.payloads.rewards import rewards as rewards_payload
from rewards.models import Reward
from rewards.services.reversing import ReversalResult


def refund(found: ReversalResult, rewards: Sequence[Reward]) -> dict[str, Any]:
    """`rewards` are the result's, loaded with what their payload reads."""
    return {
        "refund_id": found.refund_id,
        "event_id": None if found.event is None else str(found.event.pk),
        "net_amount": found.net_amount,
        "capped": found.capped,
        "rewards": rewards_payload(rewards),
    }
