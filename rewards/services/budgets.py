"""Where the budget comes back to when something is taken back or not issued: the target of the reward that was earned.

A deduction has no target of its own, nor have what was carried over and what restores another; so the target that falls
is found along what they name.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from campaigns.models import Campaign
from rewards.models import Reward
from rewards.services.door import Move, targets_put_off
from rewards.services.standing import budget_used


def budgets_lock(campaign_ids: Iterable[UUID]) -> None:
    """Keep others that count against these campaigns' budgets away until the end of this transaction."""
    wanted = set(campaign_ids)
    if wanted:
        budgeted = Campaign.objects.select_for_update(no_key=True).filter(pk__in=wanted, budget__isnull=False)
        list(budgeted.order_by("pk").values_list("pk"))


class BudgetsLeft:
    """How far targets may rise in a transaction. Of campaigns that aren't `held` nobody knows what is left: nothing."""

    def __init__(self, held: Iterable[UUID] = ()) -> None:
        self._held = frozenset(held)
        # None where there is no budget.
        self._left: dict[UUID, int | None] = {}

    def take(self, campaign_id: UUID, amount: int) -> int:
        """What of `amount` there is, in minor units; it is as good as used then."""
        if campaign_id not in self._left:
            self._left[campaign_id] = self._read(campaign_id)
        left = self._left[campaign_id]
        if left is None:
            return amount
        granted = max(min(amount, left), 0)
        self._left[campaign_id] = left - granted
        return granted

    def _read(self, campaign_id: UUID) -> int | None:
        budget = Campaign.objects.values_list("budget", flat=True).get(pk=campaign_id)
        if budget is None:
            return None
        return budget - budget_used(campaign_id) - targets_put_off(campaign_id) if campaign_id in self._held else 0


def budget_holders(deduction_ids: Sequence[UUID]) -> set[UUID]:
    """The rewards whose targets may fall with these deductions. The caller locks them together with the deductions."""
    return set(origins(_taken_from(deduction_ids).values()).values())


def budget_returns(deductions: Iterable[tuple[UUID, int]]) -> list[Move]:
    """The steps by which targets fall by what these deductions, each of so much, took back. The caller holds the rows."""
    amounts = dict(deductions)
    return targets_fall((named, amounts[pk]) for pk, named in _taken_from(list(amounts)).items())


def targets_fall(cuts: Iterable[tuple[UUID, int]]) -> list[Move]:
    """The steps by which targets fall by what was cut from these rewards, or carried over from them."""
    wanted = list(cuts)
    found = origins(pk for pk, _ in wanted)
    rewards = Reward.objects.in_bulk(set(found.values()))
    left = {pk: reward.target_amount for pk, reward in rewards.items()}
    for pk, amount in wanted:
        left[found[pk]] = max(left[found[pk]] - amount, 0)
    return [
        Move(reward, reward.status, target_amount=left[pk], waiting_for=reward.waiting_for)
        for pk, reward in sorted(rewards.items())
        if left[pk] != reward.target_amount
    ]


def _taken_from(deduction_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """For each deduction the reward that it takes back: of an aggregate the part."""
    if not deduction_ids:
        return {}
    rows = Reward.objects.filter(pk__in=deduction_ids).values_list("pk", "deducts_part", "deducts")
    named = ((pk, part or deducted) for pk, part, deducted in rows)
    return {pk: reward_id for pk, reward_id in named if reward_id is not None}


def origins(reward_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """For each reward the one that it was carried over from in the beginning: as many queries as it was carried."""
    found = {pk: pk for pk in reward_ids}
    while found:
        rows = Reward.objects.filter(pk__in=set(found.values()), carried_from__isnull=False)
        carried = {pk: before for pk, before in rows.values_list("pk", "carried_from") if before is not None}
        if not carried:
            break
        found = {pk: carried.get(origin, origin) for pk, origin in found.items()}
    return found
