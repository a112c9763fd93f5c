from collections.abc import Sequence
from typing import Any

from referral_rocket.api.payloads.values import text_id
from referral_rocket.kit.clock import rfc3339
from rewards.models import Reward, RewardTransition


def rewards(found: Sequence[Reward]) -> list[dict[str, Any]]:
    return [reward(each) for each in found]


def reward(found: Reward) -> dict[str, Any]:
    return {
        "reward_id": str(found.pk),
        "customer_id": str(found.customer_id),
        "participant_id": str(found.participant_id),
        "campaign_id": str(found.campaign_id),
        "rule_id": None if found.rule is None else str(found.rule.rule_id),
        "event_id": text_id(found.event_id),
        "transaction_id": found.transaction_id,
        "type": found.type,
        "status": found.status,
        "amount": found.amount,
        "earned_amount": found.earned_amount,
        "currency": found.currency,
        "remainder_amount": found.remainder_amount,
        "refunded_amount": found.refunded_amount,
        "pending_reduction": max(found.pending_reduction, 0),
        "netted_amount": found.netted_amount,
        "deducts": text_id(found.deducts_id),
        "restores": text_id(found.restores_id),
        "carried_from": text_id(found.carried_from_id),
        "aggregate_id": text_id(found.aggregate_id),
        "fulfilment": {
            "kind": found.fulfilment_kind,
            "method": found.fulfilment_method,
            "endpoint_id": text_id(found.fulfilment_endpoint_id),
        },
        "method": found.method,
        "provider_reference": found.provider_reference,
        "reason": found.reason,
        "settled_by": text_id(found.settled_by_id),
        "deducts_part": text_id(found.deducts_part_id),
        "uncut_amount": found.uncut_amount,
        "waiting_for": found.waiting_for,
        "external_ref": found.external_ref,
        "earned_at": rfc3339(found.earned_at),
        "due_at": rfc3339(found.due_at),
        "issued_at": rfc3339(found.issued_at),
        "created_at": rfc3339(found.created_at),
        "updated_at": rfc3339(found.updated_at),
    }


def transitions(found: Sequence[RewardTransition]) -> list[dict[str, Any]]:
    return [
        {
            "at": rfc3339(each.at),
            "from": each.from_status,
            "to": each.to_status,
            "actor": each.actor,
            "reason": each.reason,
            "amount_before": each.amount_before,
            "amount_after": each.amount_after,
        }
        for each in found
    ]
