"""What the world outside is told of rewards and batches: the `data` of webhook bodies (api.md, Outbound webhooks)."""

from collections.abc import Mapping
from typing import Any

from referral_rocket.kit.clock import to_milliseconds
from rewards.models import Reward, RewardBatch


def reward_data(reward: Reward, external_id: str | None) -> dict[str, Any]:
    """A reward as orders and facts show it. Amounts in minor units; `external_id` is the tenant's id of the customer.

    Without `transaction_id` the reward didn't come from one transaction; an aggregate has `parts_count`. `deducts` names the reward that a deduction
    takes back.
    """
    data: dict[str, Any] = {
        "amount": reward.amount,
        "created_at": to_milliseconds(reward.created_at),
        "currency": reward.currency,
        "customer_id": str(reward.customer_id),
        "external_id": external_id,
        "campaign_id": str(reward.campaign_id),
        "reward_id": str(reward.pk),
    }
    if reward.transaction_id is not None:
        data["transaction_id"] = reward.transaction_id
    if reward.parts_count is not None:
        data["parts_count"] = reward.parts_count
    if reward.deducts_id is not None:
        data["deducts"] = str(reward.deducts_id)
    return {**data, "type": str(reward.type), "status": str(reward.status)}


def batch_data(batch: RewardBatch, change: str, counts: Mapping[str, int]) -> dict[str, Any]:
    """A batch after `change`: CREATED, FINISHED or CANCELED."""
    return {
        "batch_id": str(batch.pk),
        "campaign_id": None if batch.campaign_id is None else str(batch.campaign_id),
        "method": batch.method,
        "status": str(batch.status),
        "change": change,
        "counts": dict(counts),
        "created_at": to_milliseconds(batch.created_at),
        "finished_at": None if batch.finished_at is None else to_milliseconds(batch.finished_at),
    }
