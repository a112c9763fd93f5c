"""Taking back an event that was marked by hand."""

from django.db import transaction

from participants.models import QualifyingEvent, Source
from participants.payloads import event_data
from participants.reversals import reversals_end
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from rewards.errors import EventNotUndoable
from rewards.services.budgets import BudgetsLeft
from rewards.services.claims import claimed
from rewards.services.door import Move, rewards_move
from rewards.services.reversing.families import Holding, hold
from rewards.services.reversing.settlement import Settlement
from rewards.states import RewardStatus

UNDONE = "event undone"
_OPEN = (RewardStatus.EARNED, RewardStatus.PENDING)


@transaction.atomic
def event_undo(*, organization: Organization, event: QualifyingEvent, actor: str) -> QualifyingEvent:
    """Treat a hand-made event as fully refunded: its rewards are canceled and its transaction id is free again.

    What was refunded of it is over with it. A payment that a payment system told of too can't be undone here: it would
    count anew with its next message.

    The event's and its rewards' rows are locked first; so a batch that takes one of the rewards at the same time is
    either seen here, or finds the reward canceled. Raises EventNotUndoable.
    """
    held = QualifyingEvent.objects.select_for_update(no_key=True).get(pk=event.pk)
    if held.source != Source.HAND:
        raise EventNotUndoable("Only events that were marked by hand can be undone; refund the payment instead.")
    if held.undone_at is not None:
        return held
    if held.payment_id is not None:
        raise EventNotUndoable("A payment system told of the same payment, so the event stays. Refund the payment.")
    holding = hold([held])
    rewards = holding.rewards
    if any(reward.status == RewardStatus.AVAILABLE for reward in rewards):
        raise EventNotUndoable("A reward of this event is issued already, so the event stays.")
    if claimed([*(reward.pk for reward in rewards), *holding.aggregates]):
        raise EventNotUndoable("A reward of this event is being issued right now, so the event stays.")
    from_aggregates = _withdrawn(organization, held, holding)
    moves = [
        Move(reward, RewardStatus.CANCELED, target_amount=0, reason=UNDONE)
        for reward in rewards
        if reward.status in _OPEN
    ]
    rewards_move(organization=organization, moves=[*moves, *from_aggregates], actor=actor, reason=UNDONE)
    held.undone_at = clock.now(organization)
    held.net_amount = None if held.amount is None else 0
    held.save(update_fields=["undone_at", "net_amount"])
    reversals_end(event=held)
    record(
        organization=organization,
        actor=actor,
        happenings=[
            Happening(
                "event.undone",
                "event",
                held.pk,
                held.campaign_id,
                {"canceled": len(moves) + len(from_aggregates)},
                event_data(held, held.participant.customer, "UNDONE"),
            )
        ],
    )
    return held


def _withdrawn(organization: Organization, event: QualifyingEvent, holding: Holding) -> list[Move]:
    """The steps by which the event's parts leave aggregates that nobody has issued, or raises EventNotUndoable."""
    parts = [reward for reward in holding.rewards if reward.status == RewardStatus.AGGREGATED]
    settlement = Settlement(
        organization, event, holding, BudgetsLeft(), before=event.net_amount or 0, net=0, reason=UNDONE
    )
    for part in parts:
        if part.deducts_id is not None or not settlement.withdraw(part):
            raise EventNotUndoable("A reward of this event was issued with others already, so the event stays.")
    return settlement.moves()
