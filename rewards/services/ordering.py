"""Orders: rewards that the tenant's own system issues. Who sends them sits above; here is what they do to a reward.

An order holds the reward's claim until its outcome: a 2xx answer of an endpoint that confirms so, what the tenant says
by the API, or a person who releases it. Each service is one transaction; of two at once the second waits for the
reward's row and finds it done.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.db import transaction

from campaigns.models import FulfilmentKind
from campaigns.services import MANUAL
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from rewards.errors import BeingIssued, InvalidRewardTransition
from rewards.models import Claim, Reward
from rewards.services.claims import claims_close
from rewards.services.confirming import BY_WEBHOOK, reward_deduct, rows_of_deduction
from rewards.services.door import Move, rewards_move
from rewards.states import ClaimKind, RewardStatus, WaitingFor

ACKNOWLEDGED = "acknowledged by webhook"
_DUE = (RewardStatus.PENDING, RewardStatus.PENDING_DEDUCTION)


@transaction.atomic
def orders_confirm(*, organization: Organization, references: Mapping[UUID, str], actor: str) -> int:
    """Record that the orders of these claims were acknowledged; how many rewards that moved.

    `references` gives each claim's webhook-id, which the reward keeps. A reward that isn't due any more stays as it is.
    """
    held = _hold(list(references))
    moves = [
        Move(
            claim.reward,
            RewardStatus.AVAILABLE,
            method=BY_WEBHOOK,
            provider_reference=references[claim.pk],
            issued_at=clock.now(organization),
        )
        for claim in held
        if claim.reward.status == RewardStatus.PENDING
    ]
    rewards_move(organization=organization, moves=moves, actor=actor, reason=ACKNOWLEDGED)
    deductions = [claim.reward for claim in held if claim.reward.status == RewardStatus.PENDING_DEDUCTION]
    for deduction in deductions:
        reward_deduct(organization=organization, reward=deduction, actor=actor)
    claims_close(claim.pk for claim in held)
    return len(moves) + len(deductions)


def deductions_among(claim_ids: Iterable[UUID | None]) -> set[UUID]:
    """Those of the claims whose reward takes another one back."""
    claims = Claim.objects.filter(pk__in=[each for each in claim_ids if each], reward__deducts__isnull=False)
    return set(claims.values_list("pk", flat=True))


def _hold(claim_ids: Sequence[UUID]) -> list[Claim]:
    """The claims that are open still, with their rewards locked in key order and read under the lock.

    What a deduction takes back is locked with it, since its target changes too.
    """
    claims = list(Claim.objects.filter(pk__in=claim_ids, kind=ClaimKind.ORDER).select_related("reward"))
    wanted = {claim.reward_id for claim in claims}
    for claim in claims:
        if claim.reward.status == RewardStatus.PENDING_DEDUCTION:
            wanted |= rows_of_deduction(claim.reward)
    rewards = Reward.objects.select_for_update(no_key=True).order_by("pk").in_bulk(wanted)
    held = list(Claim.objects.filter(pk__in=claim_ids, closed_at__isnull=True).order_by("reward"))
    for claim in held:
        claim.reward = rewards[claim.reward_id]
    return held


def orders_without_endpoint(*, organization: Organization, rewards: Sequence[Reward], actor: str) -> None:
    """Note that nobody takes the orders of these rewards, which were read under their lock."""
    moves = [
        Move(reward, reward.status, waiting_for=WaitingFor.NO_ENDPOINT)
        for reward in rewards
        if reward.waiting_for != WaitingFor.NO_ENDPOINT
    ]
    rewards_move(organization=organization, moves=moves, actor=actor, reason="no_endpoint")


def orders_found_endpoint(*, organization: Organization, rewards: Sequence[Reward], actor: str) -> None:
    """Note that rewards that waited for an endpoint have one."""
    moves = [Move(reward, reward.status) for reward in rewards if reward.waiting_for == WaitingFor.NO_ENDPOINT]
    rewards_move(organization=organization, moves=moves, actor=actor, reason="endpoint found")


@transaction.atomic
def order_release(*, organization: Organization, reward: Reward, actor: str) -> Reward:
    """Take a due reward back from the tenant's system, so that it can be issued from here: by hand at first.

    Only for a person who knows that the system didn't issue it. Raises InvalidRewardTransition where it isn't due or
    isn't fulfilled by webhook, BeingIssued where something else than an order holds it.
    """
    held = Reward.objects.select_for_update(no_key=True).get(pk=reward.pk)
    if held.status not in _DUE or held.fulfilment_kind != FulfilmentKind.WEBHOOK:
        raise InvalidRewardTransition("Only a due reward that is ordered by webhook can be released.")
    claims = list(Claim.objects.filter(reward=held, closed_at__isnull=True))
    if any(claim.kind != ClaimKind.ORDER for claim in claims):
        raise BeingIssued("Somebody is issuing this reward right now.")
    claims_close(claim.pk for claim in claims)
    move = Move(held, held.status, fulfilment_kind=FulfilmentKind.METHOD, fulfilment_method=MANUAL, reason="released")
    rewards_move(organization=organization, moves=[move], actor=actor, reason="released from the webhook")
    return held
