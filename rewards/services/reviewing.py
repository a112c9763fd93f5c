"""Deciding about many rewards in review at once."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction

from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from rewards.models import Reward
from rewards.services.becoming_due import after_review
from rewards.services.door import Move, rewards_move
from rewards.states import RewardStatus, WaitingFor

# As many as a page can select, and then some: one transaction holds them.
MOST_AT_ONCE = 1_000


@transaction.atomic
def rewards_approve(*, organization: Organization, reward_ids: Collection[UUID], actor: str) -> int:
    """Let those that are in review out of it; how many that were. Others, decided about meanwhile, stay as they are."""
    now = clock.now(organization)
    moves = [after_review(reward, now) for reward in _in_review(reward_ids)]
    rewards_move(organization=organization, moves=moves, actor=actor, reason="approved")
    return len(moves)


@transaction.atomic
def rewards_reject(*, organization: Organization, reward_ids: Collection[UUID], actor: str, reason: str) -> int:
    """Refuse those that are in review, for a reason that is shown with each; how many that were."""
    moves = [Move(reward, RewardStatus.CANCELED, target_amount=0, reason=reason) for reward in _in_review(reward_ids)]
    rewards_move(organization=organization, moves=moves, actor=actor, reason="rejected")
    return len(moves)


def _in_review(reward_ids: Collection[UUID]) -> list[Reward]:
    """Locked in key order, and read under the lock: of two people who decide at once, the second finds nothing."""
    return list(
        Reward.objects.select_for_update(no_key=True, of=("self",))
        .select_related("campaign")
        .filter(pk__in=list(reward_ids)[:MOST_AT_ONCE], status=RewardStatus.EARNED, waiting_for=WaitingFor.REVIEW)
        .order_by("pk")
    )
