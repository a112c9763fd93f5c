from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from referral_rocket.api.payloads.values import text_id
from referral_rocket.kit.clock import rfc3339
from rewards.models import BatchItem, RewardBatch
from rewards.services.selecting import Plan, PlannedItem
from rewards.states import ItemOutcome


def batches(
    found: Sequence[RewardBatch], counts: Mapping[UUID, Mapping[str, int]], to_freeze: Mapping[UUID, int]
) -> list[dict[str, Any]]:
    return [batch(each, counts[each.pk], to_freeze.get(each.pk, 0)) for each in found]


def batch(found: RewardBatch, counts: Mapping[str, int], to_freeze: int) -> dict[str, Any]:
    return {
        "batch_id": str(found.pk),
        "method": found.method,
        "status": found.status,
        "counts": dict(counts),
        "preparing": {"done": counts["total"] - to_freeze, "total": counts["total"]} if to_freeze else None,
        "campaign_id": text_id(found.campaign_id),
        "connection_id": text_id(found.connection_id),
        "note": found.note,
        "reference": found.reference,
        "created_at": rfc3339(found.created_at),
        "finished_at": rfc3339(found.finished_at),
    }


def items(found: Sequence[BatchItem]) -> list[dict[str, Any]]:
    return [
        {
            "reward_id": str(each.reward_id),
            "outcome": each.outcome,
            "code": each.code or None,
            "message": each.message or None,
            "provider_reference": each.provider_reference,
            "amount": each.amount,
            "currency": each.currency,
        }
        for each in found
    ]


def plan(found: Plan) -> dict[str, Any]:
    """What a batch would do, in the words of one that was made: QUEUED is what would be issued."""
    refused = found.number - found.issuable
    return {
        "counts": {
            "total": found.number,
            "queued": found.issuable,
            "succeeded": 0,
            "failed": refused,
            "unknown": 0,
            "waiting": 0,
        },
        "totals": [
            {"currency": currency, "amount": amount, "netted": found.netted.get(currency, 0)}
            for currency, _, amount in found.totals
        ],
        "items": [_planned(each) for each in found.items],
        "problems": [{"code": code, "count": count} for code, count in found.problems],
    }


def _planned(item: PlannedItem) -> dict[str, Any]:
    return {
        "reward_id": str(item.reward.pk),
        "outcome": ItemOutcome.FAILED if item.code else ItemOutcome.QUEUED,
        "code": item.code,
        "message": item.message or None,
        "provider_reference": None,
        "amount": item.reward.amount,
        "currency": item.reward.currency,
    }
