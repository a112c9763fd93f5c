"""An erased person is owed nothing and owes nothing: what is open is ended, on record."""

from collections.abc import Sequence

from participants.models import Customer
from referral_rocket.accounts.models import Organization
from rewards.models import Reward
from rewards.services.door import Move, rewards_move
from rewards.states import AGGREGATE_TYPES, OPEN_STATUSES, RewardStatus

PARTICIPANT_ERASED = "participant_erased"


def leave_nothing_open(*, organization: Organization, rewards: Sequence[Reward], actor: str) -> None:
    """End what is open among these rewards of erased people; the caller has just made or moved them under their lock.

    So a refund, a won dispute or a remainder that comes after the erasing leaves nothing to be issued or taken back.
    """
    still_open = [reward for reward in rewards if reward.status in OPEN_STATUSES]
    if not still_open:
        return
    people = {reward.customer_id for reward in still_open}
    erased = set(Customer.objects.filter(pk__in=people, erased_at__isnull=False).values_list("pk", flat=True))
    end(organization=organization, rewards=[each for each in still_open if each.customer_id in erased], actor=actor)


def end(*, organization: Organization, rewards: Sequence[Reward], actor: str) -> None:
    """Cancel rewards and write off deductions, held by the caller and none of them being issued.

    A written-off deduction counts as taken back (`remainder_amount`), or the next refund would ask for it again. What an
    aggregate has used of the budget stands at its parts, which stay AGGREGATED.
    """
    totals = [reward.pk for reward in rewards if reward.type in AGGREGATE_TYPES]
    parts = Reward.objects.filter(aggregate__in=totals, target_amount__gt=0).order_by("pk") if totals else ()
    moves = [
        Move(
            reward,
            RewardStatus.CANCELED,
            target_amount=None if reward.status == RewardStatus.PENDING_DEDUCTION else 0,
            remainder_amount=reward.amount if reward.status == RewardStatus.PENDING_DEDUCTION else None,
            reason=PARTICIPANT_ERASED,
        )
        for reward in rewards
    ]
    moves += [Move(part, part.status, target_amount=0) for part in parts]
    rewards_move(organization=organization, moves=moves, actor=actor, reason=PARTICIPANT_ERASED)
