"""The steps out of EARNED: due by itself, or ready for an aggregate."""

from datetime import datetime

from rewards.models import Reward
from rewards.services.door import Move
from rewards.states import RewardStatus, WaitingFor


def waits_no_more(reward: Reward, *, ready_at: datetime) -> Move:
    """The step after review and holding: due, or ready for its aggregate, since `ready_at`."""
    if reward.campaign.aggregates:
        return Move(reward, RewardStatus.EARNED, waiting_for=WaitingFor.AGGREGATION, ready_at=ready_at)
    return becomes_due(reward, ready_at)


def becomes_due(reward: Reward, due_at: datetime) -> Move:
    """The step to PENDING, in which the campaign's fulfilment of this moment is fixed for the reward."""
    return Move(
        reward,
        RewardStatus.PENDING,
        due_at=due_at,
        fulfilment_kind=reward.campaign.fulfilment_kind,
        fulfilment_method=reward.campaign.fulfilment_method,
        fulfilment_endpoint_id=reward.campaign.fulfilment_endpoint_id,
    )


def after_review(reward: Reward, now: datetime) -> Move:
    """The step out of review: into the rest of the holding period, else as `waits_no_more` says."""
    if reward.releases_at is not None and reward.releases_at > now:
        return Move(reward, RewardStatus.EARNED, waiting_for=WaitingFor.HOLDING)
    return waits_no_more(reward, ready_at=now)
