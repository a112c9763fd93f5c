"""Netting: deductions are settled from the participant's next rewards of that campaign and currency, while those are
issued. The provider gets the difference.

How much is netted is fixed with an item's first attempt, in its transaction: each deduction is claimed (`NETTING`), a
larger one is split, and the rest goes to the next reward. Killed before the commit, nothing is netted; after it, the
deductions stay claimed until the item's outcome is known, however late: with its success they become DEDUCTED in the
transaction that makes the reward AVAILABLE, otherwise they are free again. A refund or a dispute that is won meanwhile
waits for that like for any issuing (reversing.py). Webhook fulfilment nets nothing, on either side.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Sum

from campaigns.models import FulfilmentKind
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from rewards.models import BatchItem, Claim, Netting, Reward
from rewards.services.budgets import budget_returns, origins
from rewards.services.claims import claims_close, claims_open
from rewards.services.confirming import deductions_of, rest_of
from rewards.services.door import Move, rewards_create, rewards_move
from rewards.services.take_backs import can_be_taken_back
from rewards.states import AGGREGATE_TYPES, ClaimKind, RewardStatus

NETTED = "netted"
SPLIT = "split, to be netted"

Place = tuple[UUID, UUID, str]


def place_of(reward: Reward) -> Place:
    """Rewards and deductions of one place are netted against each other."""
    return (reward.campaign_id, reward.participant_id, reward.currency)


def places_of(reward_ids: Collection[UUID]) -> set[Place]:
    """Those of the rewards from which something can be netted. None of it ever changes, so no lock is needed."""
    rewards = Reward.objects.filter(pk__in=reward_ids, fulfilment_kind=FulfilmentKind.METHOD)
    return (
        set(rewards.order_by().values_list("campaign", "participant", "currency").distinct()) if reward_ids else set()
    )


def nettable(places: Collection[Place]) -> list[Reward]:
    """The deductions that could be netted from rewards of these places, the oldest first. Two queries at most.

    What may still be taken back where it was issued is left alone until that was tried.
    """
    if not places:
        return []
    found = [each for each in _open(places) if place_of(each) in places]
    first_taken_back = can_be_taken_back(found)
    return [each for each in found if each.pk not in first_taken_back]


def _open(places: Collection[Place]) -> QuerySet[Reward]:
    claims = Claim.objects.filter(reward=OuterRef("pk"), closed_at__isnull=True)
    return (
        Reward.objects.filter(
            ~Exists(claims),
            status=RewardStatus.PENDING_DEDUCTION,
            fulfilment_kind=FulfilmentKind.METHOD,
            waiting_for__isnull=True,
            participant__in={participant for _, participant, _ in places},
            campaign__in={campaign for campaign, _, _ in places},
        )
        .select_related("deducts")
        .order_by("pk")
    )


def netted_sums(rewards: QuerySet[Reward]) -> dict[str, int]:
    """How much would be netted if these rewards were issued now, by currency. Four queries at most.

    Only rewards of participants who owe something are read.
    """
    sums: dict[str, int] = defaultdict(int)
    for currency, netted in rewards.order_by().values_list("currency").annotate(Sum("netted_amount")):
        sums[currency] += int(netted)
    owing = Reward.objects.filter(
        status=RewardStatus.PENDING_DEDUCTION, fulfilment_kind=FulfilmentKind.METHOD, waiting_for__isnull=True
    )
    affected = list(rewards.filter(participant__in=owing.values("participant")).order_by("pk"))
    left: dict[Place, int] = defaultdict(int)
    places = {place_of(each) for each in affected if each.fulfilment_kind == FulfilmentKind.METHOD}
    for deduction in nettable(places):
        left[place_of(deduction)] += deduction.amount
    for reward in affected:
        part = min(left[place_of(reward)], reward.amount - reward.netted_amount)
        if part > 0:
            left[place_of(reward)] -= part
            sums[reward.currency] += part
    return dict(sums)


def nettings_begin(
    *, organization: Organization, items: Sequence[BatchItem], deductions: Sequence[Reward], actor: str
) -> None:
    """Fix what is netted from items whose first attempt is being written; each gets its `netted_amount`.

    The caller holds the rows of the items, their rewards and the deductions, as they are now.
    """
    free = defaultdict(list)
    for deduction in reversed(deductions):
        free[place_of(deduction)].append(deduction)
    moves, rests, nettings = [], [], []
    for item in items:
        item.netted_amount = item.reward.netted_amount
        waiting = free[place_of(item.reward)]
        while waiting and item.sent_amount > 0:
            deduction = waiting.pop()
            part = min(deduction.amount, item.sent_amount)
            if part < deduction.amount:
                rest = rest_of(deduction, deduction.amount - part)
                rests.append(rest)
                if rest.waiting_for is None:
                    waiting.append(rest)
                moves.append((deduction, part))
            nettings.append((item, deduction, part))
            item.netted_amount += part
    _split(organization, moves, rests, actor)
    claims = claims_open(
        organization=organization,
        rewards=[deduction for _, deduction, _ in nettings],
        kind=ClaimKind.NETTING,
        started=True,
    )
    Netting.objects.bulk_create(
        Netting(organization=organization, item=item, deduction=deduction, claim=claims[deduction.pk], amount=part)
        for item, deduction, part in nettings
    )


def _split(organization: Organization, moves: Sequence[tuple[Reward, int]], rests: list[Reward], actor: str) -> None:
    known = {rest.pk for rest in rests}
    for deduction, part in moves:
        if deduction.pk in known:
            # A rest that is split again right away comes into being with what is left for it.
            deduction.amount = deduction.earned_amount = part
    rewards_move(
        organization=organization,
        moves=[Move(each, each.status, amount=part) for each, part in moves if each.pk not in known],
        actor=actor,
        reason=SPLIT,
    )
    rewards_create(organization=organization, rewards=rests, actor=actor, reason=SPLIT)


def nettings_of(items: Iterable[BatchItem]) -> dict[UUID, list[Netting]]:
    """Those that are still open, by item. One query."""
    found: dict[UUID, list[Netting]] = defaultdict(list)
    for netting in Netting.objects.filter(item__in=[item.pk for item in items], claim__closed_at__isnull=True).order_by(
        "pk"
    ):
        found[netting.item_id].append(netting)
    return found


def settling_moves(
    organization: Organization, settled: Iterable[tuple[BatchItem, Netting]], rewards: Mapping[UUID, Reward]
) -> list[Move]:
    """The steps of deductions that were netted. `rewards` holds them, locked."""
    now = clock.now(organization)
    return [
        Move(
            rewards[netting.deduction_id],
            RewardStatus.DEDUCTED,
            method=item.batch.method,
            settled_by_id=item.reward_id,
            issued_at=now,
            reason=NETTED,
        )
        for item, netting in settled
    ]


def with_budget_back(moves: Sequence[Move]) -> list[Move]:
    """The moves, and with what becomes DEDUCTED the steps of the targets that it was earned by, which budgets count.

    One move for each reward. The caller holds the rows, and those of `rows_of_deduction`.
    """
    taken: dict[UUID, int] = {}
    for move in moves:
        if move.to == RewardStatus.DEDUCTED:
            taken |= _gives_back(move.reward, {each.reward.pk for each in moves if each.to == RewardStatus.DEDUCTED})
    found = {move.reward.pk: move for move in moves}
    for step in budget_returns(taken.items()):
        before = found.get(step.reward.pk)
        found[step.reward.pk] = step if before is None else replace(before, target_amount=step.target_amount)
    return list(found.values())


def _gives_back(deduction: Reward, settled: Collection[UUID]) -> dict[UUID, int]:
    """What a deduction gives back to budgets, by the deduction that names the reward.

    A negative total is of several rewards: they have their budget back once nothing of it is left, whatever it was
    split into.
    """
    if deduction.type not in AGGREGATE_TYPES:
        return {deduction.pk: deduction.amount}
    (origin,) = origins([deduction.pk]).values()
    family = {origin}
    while True:
        more = set(Reward.objects.filter(carried_from__in=family).values_list("pk", flat=True)) - family
        if not more:
            break
        family |= more
    left = Reward.objects.filter(pk__in=family - {*settled}, status=RewardStatus.PENDING_DEDUCTION)
    return {} if left.exists() else deductions_of(deduction)


def nettings_end(settled: Sequence[Netting], freed: Sequence[Netting]) -> None:
    """Close the claims; what was settled says since when."""
    now = clock.wall()
    Netting.objects.filter(pk__in=[each.pk for each in settled]).update(settled_at=now)
    claims_close(each.claim_id for each in (*settled, *freed))
