from collections.abc import Sequence
from typing import Any

from participants.models import QualifyingEvent
from referral_rocket.api.payloads.rewards import rewards as rewards_payload
from referral_rocket.api.payloads.values import text_id
from referral_rocket.kit.clock import rfc3339
from rewards.models import Decision, Reward
from rewards.services.earning import EventResult


def result(found: EventResult) -> dict[str, Any]:
    """The answer to a report: a repeat shows the first one's event, and says of itself whether it differs."""
    return {
        **event(found.event, found.decisions, found.rewards),
        "outcome": found.outcome,
        "differs": found.differs,
    }


def event(found: QualifyingEvent, decisions: Sequence[Decision], rewards: Sequence[Reward]) -> dict[str, Any]:
    return {
        "event_id": str(found.pk),
        "outcome": found.outcome,
        "transaction_id": found.transaction_id,
        "differs": found.differs,
        "net_amount": found.net_amount,
        "decisions": [decision(each) for each in decisions],
        "rewards": rewards_payload(rewards),
        "campaign_id": str(found.campaign_id),
        "participant_id": str(found.participant_id),
        "source": found.source,
        "type": found.type,
        "amount": found.amount,
        "currency": found.currency,
        "occurred_at": rfc3339(found.occurred_at),
        "country": found.country,
        "tax": found.tax,
        "shipping": found.shipping,
        "discount": found.discount,
        "metadata": found.metadata,
        "items": found.items,
        "created_at": rfc3339(found.created_at),
        "undone_at": rfc3339(found.undone_at),
    }


def decision(found: Decision) -> dict[str, Any]:
    return {
        "rule_id": str(found.rule.rule_id),
        "outcome": found.outcome,
        "code": found.code,
        "message": found.message,
        "reward_id": text_id(found.reward_id),
    }
