"""What is left where less is issued than was owed: dropped, on record, or carried over as a reward of its own.

What an aggregate wasn't issued of is shared out to its parts, so that it stays the sum of them: each part's amount is
what was issued of it, and refunds of its payment are reckoned from that (reversing.families). A carried remainder of an
aggregate is an aggregate too, of what was left of each part.

All of it happens in the transaction of the confirmation, under the participant's lock: two confirmations at once add up
what they carry over one after the other, so that the one that reaches the campaign's smallest amount sees all of it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import F, Sum

from participants.models import Participant, QualifyingEvent
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7
from referral_rocket.kit.money import share
from rewards.models import Reward
from rewards.services.becoming_due import becomes_due
from rewards.services.budgets import origins, targets_fall
from rewards.services.door import Move, rewards_create, rewards_move
from rewards.services.door.aggregates import Part, parts_join
from rewards.states import AGGREGATE_TYPES, RewardStatus, WaitingFor

CARRIED = "left over, and carried on"
ENOUGH = "enough was carried over"


def participant_lock(reward: Reward) -> None:
    """Keep two confirmations for one participant apart. Taken before any reward's row (docs/locking.md)."""
    list(Participant.objects.select_for_update(no_key=True).filter(pk=reward.participant_id).values_list("pk"))


def rows_of_remainder(reward: Reward) -> set[UUID]:
    """The rewards that change where the reward is issued in part or canceled; to be locked together with it."""
    carried = Reward.objects.filter(
        campaign=reward.campaign_id, participant=reward.participant_id, waiting_for=WaitingFor.CARRY
    ).values_list("pk", flat=True)
    parts = list(Reward.objects.filter(aggregate=reward.pk).values_list("pk", flat=True))
    return {*carried, *parts, *origins([reward.pk, *parts]).values()}


def remainder_share_out(
    *, organization: Organization, aggregate: Reward, left: int, actor: str, reason: str, frees_budget: bool = False
) -> list[tuple[Reward, int]]:
    """Take what wasn't issued of an aggregate off its parts, each in proportion; (part, what was taken off).

    `aggregate` is as it was before, its rows and its parts' are locked. Nothing is taken off deductions: they were
    taken off the rest.
    """
    parts = list(
        Reward.objects.select_related("campaign")
        .filter(aggregate=aggregate.pk, status=RewardStatus.AGGREGATED, deducts__isnull=True, amount__gt=0)
        .order_by("pk")
    )
    cuts = _shares(parts, left)
    _note_issued(cuts)
    moves = [
        Move(
            part,
            RewardStatus.AGGREGATED,
            amount=part.amount - cut,
            remainder_amount=part.remainder_amount + cut,
            waiting_for=part.waiting_for,
        )
        for part, cut in cuts
        if cut
    ]
    rewards_move(organization=organization, moves=moves, actor=actor, reason=reason)
    if frees_budget:
        rewards_move(
            organization=organization,
            moves=targets_fall((part.pk, cut) for part, cut in cuts),
            actor=actor,
            reason=reason,
        )
    return [(part, cut) for part, cut in cuts if cut]


def _shares(parts: Sequence[Reward], left: int) -> list[tuple[Reward, int]]:
    """Rounded from the running total, so that the shares come to exactly `left`."""
    total = sum(part.amount for part in parts)
    shares, running = [], 0
    for part in parts:
        before = share(left, running, total)
        running += part.amount
        shares.append((part, share(left, running, total) - before))
    return shares


def _note_issued(cuts: Iterable[tuple[Reward, int]]) -> None:
    """From now on deductions of the parts are reckoned from what was issued of them, at what was left of the payment.

    Where a refund waits for this outcome, what was left before it is noted already (reversing.settlement).
    """
    by_event = {part.event_id: part for part, _ in cuts if part.event_id is not None}
    nets = dict(QualifyingEvent.objects.filter(pk__in=by_event).values_list("pk", "net_amount"))
    for part, cut in cuts:
        if part.event_id is None:
            continue
        part.issued_base = part.amount - cut
        part.issued_net = nets[part.event_id] if part.issued_net is None else part.issued_net
        Reward.objects.filter(pk=part.pk).update(issued_base=part.issued_base, issued_net=part.issued_net)


def remainder_carry(
    *, organization: Organization, reward: Reward, left: int, of_parts: Sequence[tuple[Reward, int]], actor: str
) -> Reward:
    """Carry what wasn't issued of a reward over, as a reward of its own; with it all that waits, once it is enough."""
    now = clock.now(organization)
    if reward.type in AGGREGATE_TYPES:
        carried = _carried_aggregate(organization, reward, left, of_parts, now, actor)
    else:
        carried = _rest_of(reward, left, now, WaitingFor.CARRY)
        rewards_create(organization=organization, rewards=[carried], actor=actor, reason=CARRIED)
    carried_release(
        organization=organization,
        campaign_id=reward.campaign_id,
        participant_id=reward.participant_id,
        currency=reward.currency,
        moment=now,
        actor=actor,
    )
    return carried


def _carried_aggregate(
    organization: Organization,
    aggregate: Reward,
    left: int,
    of_parts: Sequence[tuple[Reward, int]],
    now: datetime,
    actor: str,
) -> Reward:
    rests = [_rest_of(part, cut, now, WaitingFor.AGGREGATION) for part, cut in of_parts]
    rewards_create(organization=organization, rewards=rests, actor=actor, reason=CARRIED)
    carried = _rest_of(aggregate, left, now, WaitingFor.CARRY)
    carried.parts_count = len(rests)
    rewards_create(organization=organization, rewards=[carried], actor=actor, reason=CARRIED)
    parts_join(
        organization=organization,
        campaign_id=aggregate.campaign_id,
        currency=aggregate.currency,
        parts=[Part(rest.pk, carried.pk, str(rest.status), rest.amount, 0) for rest in rests],
        actor=actor,
        reason=CARRIED,
    )
    return carried


def _rest_of(reward: Reward, amount: int, now: datetime, waiting_for: str) -> Reward:
    """With the event, transaction, rule and type of the reward that it is left of, and no target of its own."""
    return Reward(
        id=uuid7(),
        organization_id=reward.organization_id,
        campaign_id=reward.campaign_id,
        participant_id=reward.participant_id,
        customer_id=reward.customer_id,
        rule_id=reward.rule_id,
        event_id=reward.event_id,
        beneficiary=reward.beneficiary,
        transaction_id=reward.transaction_id,
        type=reward.type,
        status=RewardStatus.EARNED,
        waiting_for=waiting_for,
        amount=amount,
        earned_amount=amount,
        target_amount=0,
        currency=reward.currency,
        carried_from_id=reward.pk,
        fulfilment_kind=reward.fulfilment_kind,
        fulfilment_method=reward.fulfilment_method,
        earned_at=now,
        releases_at=now,
        occurred_at=now,
        ready_at=now,
        created_at=now,
        updated_at=now,
    )


def carried_release(
    *,
    organization: Organization,
    campaign_id: UUID,
    participant_id: UUID,
    currency: str,
    moment: datetime,
    actor: str,
) -> int:
    """Make all due that a participant has carried over, if it comes to the campaign's smallest amount; how many.

    The caller holds the participant's row.
    """
    waiting = list(
        Reward.objects.select_for_update(no_key=True, of=("self",))
        .select_related("campaign")
        .filter(
            campaign=campaign_id,
            participant=participant_id,
            currency=currency,
            waiting_for=WaitingFor.CARRY,
            status=RewardStatus.EARNED,
        )
        .order_by("pk")
    )
    if not waiting or sum(reward.amount for reward in waiting) < waiting[0].campaign.carry_minimum:
        return 0
    moves = [becomes_due(reward, moment) for reward in waiting]
    rewards_move(organization=organization, moves=moves, actor=actor, reason=ENOUGH)
    return len(moves)


def carried_release_everybody(*, organization: Organization, moment: datetime, actor: str) -> int:
    """The sweep: what has come to be enough otherwise, by a smaller minimum or a refund that failed. Outside `tenant()`.

    Each participant is a transaction of its own; killed in between, the next run does the rest.
    """
    with tenant(organization):
        enough = list(
            Reward.objects.filter(waiting_for=WaitingFor.CARRY, status=RewardStatus.EARNED)
            .order_by()
            .values_list("campaign", "participant", "currency")
            .annotate(sum=Sum("amount"))
            .filter(sum__gte=F("campaign__carry_minimum"))
            .values_list("campaign", "participant", "currency")
        )
    released = 0
    for campaign_id, participant_id, currency in enough:
        with tenant(organization):
            list(Participant.objects.select_for_update(no_key=True).filter(pk=participant_id).values_list("pk"))
            released += carried_release(
                organization=organization,
                campaign_id=campaign_id,
                participant_id=participant_id,
                currency=currency,
                moment=moment,
                actor=actor,
            )
    return released
