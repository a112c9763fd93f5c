"""Somebody to whom something is owed, and who owes something back."""

from participants.models import Participant
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward
from rewards.services import issuing
from rewards.services.reversing import transaction_reverse
from rewards.states import RewardStatus
from tests import factories


def due(sharer: Participant, amount: int = 12000) -> Reward:
    """A reward of $12.00 for somebody new whom `sharer` referred."""
    friend = factories.participant(sharer.campaign, referred_by=sharer)
    (reward,) = factories.event(friend, amount).rewards
    return reward


def refund(reward: Reward, amount: int, refund_id: str = "re_1") -> list[Reward]:
    with tenant(reward.organization):
        result = transaction_reverse(
            organization=reward.organization,
            campaign_id=reward.campaign_id,
            transaction_id=str(reward.transaction_id),
            report=ReversalReport(refund_id=refund_id, amount=amount),
            actor=factories.ACTOR,
        )
    return list(result.rewards)


def deduction(sharer: Participant, amount: int, *, method: str = "MANUAL") -> Reward:
    """Of `amount` (at most 1200), from a reward that was issued by that method before."""
    reward = due(sharer)
    factories.batch(reward.organization, [reward], method=method)
    issuing.run(seconds=5)
    (owed,) = refund(reward, amount * 10)
    assert (owed.status, owed.amount) == (RewardStatus.PENDING_DEDUCTION, amount)
    return owed


def now(reward: Reward) -> Reward:
    with tenant(reward.organization):
        return Reward.objects.get(pk=reward.pk)


def all_of(organization: Organization, status: str) -> list[int]:
    with tenant(organization):
        return sorted(Reward.objects.filter(status=status).values_list("amount", flat=True))
