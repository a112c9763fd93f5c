"""Where the budget comes back to when an issued reward is taken back: the target of the reward that it was earned by.

A deduction has no target of its own, nor have the parts of a remainder that was carried over and what restores another;
so the target that falls is found along what the deduction names.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from rewards.models import Reward
from rewards.services.door import Move


def budget_holders(deduction_ids: Sequence[UUID]) -> set[UUID]:
    """The rewards whose targets may fall with these deductions. The caller locks them together with the deductions."""
    return {holder for _, _, holder in _holders(deduction_ids)}


def budget_returns(deduction_ids: Sequence[UUID]) -> list[Move]:
    """The steps by which the targets fall by what the deductions take back. The caller holds the rows."""
    found = _holders(deduction_ids)
    if not found:
        return []
    rewards = Reward.objects.in_bulk({holder for _, _, holder in found})
    left = {pk: reward.target_amount for pk, reward in rewards.items()}
    for _, amount, holder in found:
        left[holder] = max(left[holder] - amount, 0)
    return [
        Move(reward, reward.status, target_amount=left[pk], waiting_for=reward.waiting_for)
        for pk, reward in sorted(rewards.items())
        if left[pk] != reward.target_amount
    ]


def _holders(deduction_ids: Sequence[UUID]) -> list[tuple[UUID, int, UUID]]:
    """(deduction, its amount, the reward with the target), in key order."""
    if not deduction_ids:
        return []
    rows = Reward.objects.filter(pk__in=deduction_ids).order_by("pk")
    named: list[tuple[UUID, int, UUID]] = []
    for pk, amount, part, deducted in rows.values_list("pk", "amount", "deducts_part", "deducts"):
        taken_from = part or deducted
        if taken_from is not None:
            named.append((pk, amount, taken_from))
    origins = _origins({taken_from for _, _, taken_from in named})
    return [(pk, amount, origins[taken_from]) for pk, amount, taken_from in named]


def _origins(reward_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """For each reward the one that it was carried over from in the beginning: as many queries as it was carried."""
    origins = {pk: pk for pk in reward_ids}
    while True:
        rows = Reward.objects.filter(pk__in=set(origins.values()), carried_from__isnull=False)
        carried = {pk: before for pk, before in rows.values_list("pk", "carried_from") if before is not None}
        if not carried:
            return origins
        origins = {pk: carried.get(origin, origin) for pk, origin in origins.items()}
