"""What a person or the tenant's own system says about a reward: it was issued, it won't be, it may be, give one.

Each service is one transaction: killed before its commit nothing happened, and saying it again does it. Said twice at
once, the row lock of the first makes the second one look again and find it done.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from campaigns.models import Campaign, FulfilmentKind, Remainder
from campaigns.services import MANUAL
from participants.models import Customer, Participant
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7
from referral_rocket.kit.money import MAXIMUM_AMOUNT
from rewards.errors import (
    AmountExceedsOwed,
    BeingIssued,
    BudgetExhausted,
    EarnsNothing,
    ExternalRefConflict,
    FulfilledByMethod,
    InvalidReward,
    InvalidRewardTransition,
)
from rewards.models import Reward
from rewards.services.becoming_due import after_review
from rewards.services.budgets import budget_holders, budget_returns, origins, targets_fall
from rewards.services.claims import claims_close, claims_open, held_from_here, issuing_begins, order_end
from rewards.services.door import Move, rewards_create, rewards_move, totals_last
from rewards.services.remainders import (
    participant_lock,
    remainder_carry,
    remainder_share_out,
    rows_of_remainder,
)
from rewards.services.standing import budget_used
from rewards.states import AGGREGATE_TYPES, ClaimKind, RewardStatus, RewardType, WaitingFor

# What the method of a reward says that the tenant's system issued.
BY_WEBHOOK = "WEBHOOK"


@transaction.atomic
def reward_confirm(
    *, organization: Organization, reward: Reward, actor: str, amount: int | None = None, reference: str | None = None
) -> Reward:
    """Record that a due reward was issued by hand or by the tenant's system, whole or in part.

    What is left is dropped, on record, or carried over, as the campaign says. The same confirmation again changes nothing. Raises FulfilledByMethod, BeingIssued, InvalidRewardTransition,
    AmountExceedsOwed.
    """
    if amount is not None:
        participant_lock(reward)
    held = _hold(reward, rows_of_remainder(reward) if amount is not None else ())
    _check_by_hand(held)
    if held.status == RewardStatus.AVAILABLE and held.amount == (held.amount if amount is None else amount):
        return held
    _check_free(held, RewardStatus.AVAILABLE, RewardStatus.PENDING)
    if amount is not None and amount > held.amount:
        raise AmountExceedsOwed(f"{amount} is more than the {held.amount} owed.")
    begun = order_end(held)
    claims = claims_open(organization=organization, rewards=[held], kind=ClaimKind.CONFIRMATION)
    if not claims:
        raise BeingIssued("Somebody is issuing this reward right now.")
    if not begun:
        issuing_begins([held.pk])
    issued = held.amount if amount is None else amount
    left = held.amount - issued
    move = Move(
        held,
        RewardStatus.AVAILABLE,
        amount=issued,
        remainder_amount=left,
        method=_method(held),
        provider_reference=reference,
        issued_at=clock.now(organization),
    )
    claims_close(claim.pk for claim in claims.values())
    with totals_last(organization):
        rewards_move(organization=organization, moves=[move], actor=actor, reason="confirmed")
        if left:
            _keep_the_rest(organization, held, left, actor)
    return held


def _keep_the_rest(organization: Organization, confirmed: Reward, left: int, actor: str) -> None:
    of_parts: list[tuple[Reward, int]] = []
    if confirmed.type in AGGREGATE_TYPES:
        of_parts = remainder_share_out(
            organization=organization, aggregate=confirmed, left=left, actor=actor, reason="issued in part"
        )
    if confirmed.campaign.remainder == Remainder.CARRY:
        remainder_carry(organization=organization, reward=confirmed, left=left, of_parts=of_parts, actor=actor)


@transaction.atomic
def reward_cancel(
    *, organization: Organization, reward: Reward, actor: str, reason: str, by_person: bool = False
) -> Reward:
    """Record that a due reward will not be issued, nor any part of it. Raises like reward_confirm.

    `by_person`: somebody who has the reward in front of them says so, whichever method is meant for it.
    """
    held = _hold(reward, rows_of_remainder(reward))
    if not by_person:
        _check_by_hand(held)
    if held.status == RewardStatus.CANCELED:
        return held
    _check_free(held, RewardStatus.CANCELED, RewardStatus.PENDING, RewardStatus.PENDING_DEDUCTION)
    order_end(held)
    # A deduction that a person cancels is forgiven: it counts as taken back, or the next refund would ask for it again.
    forgiven = held.amount if held.status == RewardStatus.PENDING_DEDUCTION else None
    owed = held.amount if held.status == RewardStatus.PENDING else 0
    move = Move(held, RewardStatus.CANCELED, target_amount=0, remainder_amount=forgiven, reason=reason)
    with totals_last(organization):
        rewards_move(organization=organization, moves=[move], actor=actor, reason="canceled")
        if owed and held.type in AGGREGATE_TYPES:
            remainder_share_out(
                organization=organization, aggregate=held, left=owed, actor=actor, reason="canceled", frees_budget=True
            )
        elif owed and held.carried_from_id is not None:
            freed = targets_fall([(held.pk, owed)])
            rewards_move(organization=organization, moves=freed, actor=actor, reason="canceled")
    return held


@transaction.atomic
def reward_deduct(
    *,
    organization: Organization,
    reward: Reward,
    actor: str,
    amount: int | None = None,
    forgive: bool = False,
    by_person: bool = False,
) -> Reward:
    """Record that a deduction was taken back outside, whole or in part.

    What is left is a deduction of its own (`carried_from`), or forgiven. Budget comes back with what was deducted. The
    same again changes nothing. Raises like reward_confirm. `by_person` as in reward_cancel: what no provider takes back
    is left to a person.
    """
    gives_back = deductions_of(reward)
    held = _hold(reward, rows_of_deduction(reward))
    if not by_person:
        _check_by_hand(held)
    if held.status == RewardStatus.DEDUCTED and held.amount == (held.amount if amount is None else amount):
        return held
    _check_free(held, RewardStatus.DEDUCTED, RewardStatus.PENDING_DEDUCTION)
    if amount is not None and amount > held.amount:
        raise AmountExceedsOwed(f"{amount} is more than the {held.amount} to be taken back.")
    order_end(held)
    taken = held.amount if amount is None else amount
    left = held.amount - taken
    move = Move(
        held,
        RewardStatus.DEDUCTED,
        amount=taken,
        remainder_amount=left if forgive else 0,
        method=_method(held),
        issued_at=clock.now(organization),
    )
    with totals_last(organization):
        rewards_move(organization=organization, moves=[move], actor=actor, reason="deducted")
        freed = _budget_back(held, taken, left, forgive, gives_back)
        rewards_move(organization=organization, moves=freed, actor=actor, reason="deducted")
        if left and not forgive:
            rest = rest_of(held, left)
            rewards_create(organization=organization, rewards=[rest], actor=actor, reason="left of a deduction")
    return held


def rows_of_deduction(reward: Reward) -> set[UUID]:
    """The rewards that have their budget back with this deduction; to be locked together with it."""
    return budget_holders(list(deductions_of(reward)))


def deductions_of(reward: Reward) -> dict[UUID, int]:
    """The deduction itself, or those that a negative total is made of, with their amounts: what gives the budget back."""
    if reward.type not in AGGREGATE_TYPES:
        return {reward.pk: reward.amount}
    origin = origins([reward.pk])[reward.pk]
    parts = Reward.objects.filter(aggregate=origin, status=RewardStatus.AGGREGATED, deducts__isnull=False)
    return dict(parts.values_list("pk", "amount"))


def _budget_back(deduction: Reward, taken: int, left: int, forgive: bool, gives_back: Mapping[UUID, int]) -> list[Move]:
    """The step of the deducted reward's target, which budget and caps count. Restorations have no target."""
    if deduction.type not in AGGREGATE_TYPES:
        return budget_returns([(deduction.pk, taken + (left if forgive else 0))])
    # A negative total is of several rewards: they have their budget back once nothing of it is left.
    return [] if left and not forgive else budget_returns(gives_back.items())


def rest_of(deduction: Reward, amount: int) -> Reward:
    """What is left of a deduction that is taken in part, as a deduction of its own."""
    now = clock.now(deduction.organization)
    joins = deduction.campaign.aggregates and deduction.type not in AGGREGATE_TYPES
    same = {field.attname: getattr(deduction, field.attname) for field in Reward._meta.concrete_fields}
    return Reward(
        **same
        | {
            "id": uuid7(),
            "status": RewardStatus.PENDING_DEDUCTION,
            "amount": amount,
            "earned_amount": amount,
            "remainder_amount": 0,
            "method": None,
            "issued_at": None,
            "reason": None,
            "carried_from_id": deduction.pk,
            # It stands alone, or waits for the next aggregate itself.
            "aggregate_id": None,
            "period_ends_at": None,
            "waiting_for": WaitingFor.AGGREGATION if joins else None,
            "occurred_at": now,
            "ready_at": now,
            "due_at": None if joins else now,
            "created_at": now,
            "updated_at": now,
        }
    )


def _hold(reward: Reward, others: Iterable[UUID] = ()) -> Reward:
    """The reward, locked with the others in key order, which is how everybody locks them (docs/locking.md)."""
    held = Reward.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign").order_by("pk")
    return held.in_bulk({reward.pk, *others})[reward.pk]


def _method(held: Reward) -> str:
    return BY_WEBHOOK if held.fulfilment_kind == FulfilmentKind.WEBHOOK else MANUAL


def _check_by_hand(held: Reward) -> None:
    if held.fulfilment_kind == FulfilmentKind.METHOD and held.fulfilment_method != MANUAL:
        raise FulfilledByMethod(
            f"This reward is issued by {held.fulfilment_method}. Issue it from the Reward Due table."
        )


def _check_free(held: Reward, wanted: str, *from_statuses: str) -> None:
    if held_from_here([held.pk]):
        raise BeingIssued("A batch is issuing this reward.")
    if held.status not in from_statuses:
        raise InvalidRewardTransition(f"The reward is {held.status}; it can't become {wanted}.")


@transaction.atomic
def reward_approve(*, organization: Organization, reward: Reward, actor: str) -> Reward:
    """Let a reward out of review: it becomes due, or waits for the rest of its holding period or its aggregate."""
    held = _hold_in_review(reward, "approved")
    move = after_review(held, clock.now(organization))
    rewards_move(organization=organization, moves=[move], actor=actor, reason="approved")
    return held


@transaction.atomic
def reward_reject(*, organization: Organization, reward: Reward, actor: str, reason: str) -> Reward:
    """Refuse a reward in review; the reason is shown with it."""
    held = _hold_in_review(reward, "rejected")
    move = Move(held, RewardStatus.CANCELED, target_amount=0, reason=reason)
    rewards_move(organization=organization, moves=[move], actor=actor, reason="rejected")
    return held


def _hold_in_review(reward: Reward, wanted: str) -> Reward:
    held = Reward.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign").get(pk=reward.pk)
    if held.status != RewardStatus.EARNED or held.waiting_for != WaitingFor.REVIEW:
        raise InvalidRewardTransition(f"The reward is {held.status} and not in review; it can't be {wanted}.")
    return held


@dataclass(frozen=True)
class Given:
    """A one-time reward; `created` is False where the same was given before."""

    reward: Reward
    created: bool


@transaction.atomic
def reward_give_once(
    *, organization: Organization, participant: Participant, amount: int, reason: str, actor: str, external_ref: str
) -> Given:
    """Give a one-time reward under the tenant's own reference: asked again, it is answered with the first one.

    Of two at once the second waits for the first one's end and finds its reward. Raises ExternalRefConflict where the
    reference was used for another participant or amount, and what `reward_give` raises.
    """
    with connection.cursor() as cursor:
        name = f"external_ref:{organization.pk}:{external_ref}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
    known = Reward.objects.filter(
        type=RewardType.ONE_TIME, external_ref=external_ref, carried_from__isnull=True
    ).first()
    if known is None:
        reward = reward_give(
            organization=organization,
            participant=participant,
            amount=amount,
            reason=reason,
            actor=actor,
            external_ref=external_ref,
        )
        return Given(reward, created=True)
    asked = known.earned_amount if known.uncut_amount is None else known.uncut_amount
    if (known.participant_id, asked) != (participant.pk, amount):
        raise ExternalRefConflict(f"{external_ref} was given before, to another participant or with another amount.")
    return Given(known, created=False)


def _check_earns(participant: Participant) -> None:
    # Under the lock that erasing takes first; the customer is read by a statement after it, which sees what that wrote.
    held = Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
    if held.banned_at or Customer.objects.filter(pk=held.customer_id, erased_at__isnull=False).exists():
        raise EarnsNothing("participant_id", "This participant is banned or was erased, and earns nothing.")


@transaction.atomic
def reward_give(
    *,
    organization: Organization,
    participant: Participant,
    amount: int,
    reason: str,
    actor: str,
    external_ref: str | None = None,
) -> Reward:
    """A one-time reward, due at once: after review where its amount asks for it, with the next aggregate where the
    campaign makes some. It counts against the budget.

    Where that doesn't suffice the reward is what is left, with `uncut_amount` on record. Raises InvalidReward,
    EarnsNothing for somebody who is banned or was erased, and BudgetExhausted where nothing is left.
    """
    if not 1 <= amount <= MAXIMUM_AMOUNT:
        raise InvalidReward("amount", f"An amount is from 1 to {MAXIMUM_AMOUNT}.")
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=participant.campaign_id)
    _check_earns(participant)
    left = amount if campaign.budget is None else campaign.budget - budget_used(campaign.pk)
    if left <= 0:
        raise BudgetExhausted("amount", "The campaign's budget is used up.")
    asked, amount = amount, min(amount, left)
    now = clock.now(organization)
    reward = Reward(
        organization=organization,
        campaign=campaign,
        participant=participant,
        customer=participant.customer,
        type=RewardType.ONE_TIME,
        status=RewardStatus.PENDING,
        amount=amount,
        earned_amount=amount,
        target_amount=amount,
        uncut_amount=asked if amount < asked else None,
        currency=campaign.currency,
        reason=reason,
        external_ref=external_ref,
        fulfilment_kind=campaign.fulfilment_kind,
        fulfilment_method=campaign.fulfilment_method,
        earned_at=now,
        releases_at=now,
        occurred_at=now,
        due_at=now,
        created_at=now,
        updated_at=now,
    )
    if campaign.review_above is not None and amount > campaign.review_above:
        reward.status, reward.waiting_for, reward.due_at = RewardStatus.EARNED, WaitingFor.REVIEW, None
    elif campaign.aggregates:
        reward.status, reward.waiting_for, reward.due_at = RewardStatus.EARNED, WaitingFor.AGGREGATION, None
        reward.ready_at = now
    else:
        reward.fulfilment_endpoint_id = campaign.fulfilment_endpoint_id
    rewards_create(organization=organization, rewards=[reward], actor=actor, reason=reason)
    return reward
