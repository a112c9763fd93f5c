"""Refunds and disputes reach rewards: what is owed follows what is left of the payment.

A reversal is stored and its events are settled in one transaction. Settling doesn't apply "a refund": it works out
what should be left of each reward now (`goal`), compares it with what is there (`standing`), and moves the difference.
So it may be repeated, run late, or run twice at once (the event's row is locked first), and ends in the same state.

What should be left of a reward (product.md, Refunds): not issued, `earned × net ÷ payment`; issued,
`issued × net ÷ net when its issuing began`; each rounded once, from the totals. A reward whose issuing has begun and
isn't over is left alone, its `pending_reduction` says what waits (below 0: to be given back), and the runner settles
its event with the outcome.

A part of an aggregate is issued with it. Until then it falls and rises, and the aggregate with it; an aggregate that
fell to nothing is canceled, and what would take it below is a deduction. Parts of one aggregate may be settled for
several events at once: each waits for the aggregate's row, which is locked with the event's rewards in key order.

What is given back counts against the budget as far as that goes: its campaign's row is locked before the events. What
the budget has been given to others for meanwhile is still owed, by a reward that restores and that no budget counts.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from campaigns.models import Campaign
from participants.models import Payment, QualifyingEvent, Reversal, ReversalStatus
from participants.reversals import Net, ReversalReport, net_of, reversal_store, reversals_of
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit.rows import rows_update
from rewards.models import Claim, Reward
from rewards.services.budgets import BudgetsLeft, budgets_lock
from rewards.services.door import Move, rewards_create, rewards_move, totals_last
from rewards.services.leaving import leave_nothing_open
from rewards.services.reversing.families import Holding, hold, issuing_begun
from rewards.services.reversing.settlement import GIVEN_BACK, REFUNDED, Settlement

SAME_PAYMENT = "same_payment"
_GIVES_BACK = (ReversalStatus.FAILED, ReversalStatus.WON)

__all__ = [
    "GIVEN_BACK",
    "REFUNDED",
    "SAME_PAYMENT",
    "ReversalResult",
    "budgets_lock_early",
    "event_settle",
    "events_settle",
    "issuing_begun",
    "payments_settle",
    "settle_what_waited",
    "transaction_reverse",
    "transactions_lock",
]

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ReversalResult:
    """What the API answers. `event` is None while its payment is unknown; `rewards` are those that changed or came."""

    refund_id: str
    event: QualifyingEvent | None
    net_amount: int | None
    capped: bool
    created: bool
    rewards: Sequence[Reward]


@transaction.atomic
def transaction_reverse(
    *, organization: Organization, campaign_id: UUID, transaction_id: str, report: ReversalReport, actor: str
) -> ReversalResult:
    """A refund or dispute told by the API, also before its payment: it is kept and counts when the event comes.

    The transaction may be named by any id of its payment.
    """
    transactions_lock(organization, [transaction_id])
    event, payment = _event_and_payment(campaign_id, transaction_id)
    if payment is not None:
        stored = reversal_store(organization=organization, report=report, actor=actor, payment=payment)
    else:
        stored = reversal_store(
            organization=organization,
            report=report,
            actor=actor,
            campaign_id=campaign_id,
            transaction_id=transaction_id,
        )
    changed: list[Reward] = []
    if payment is not None:
        # The payment may count in several campaigns, also where it doesn't in this one.
        changed = payments_settle(organization=organization, payments=[payment], actor=actor)
    elif event is not None:
        changed = event_settle(organization=organization, event=event, actor=actor)
    if event is None:
        return ReversalResult(report.refund_id, None, None, False, stored.created, changed)
    event.refresh_from_db()
    capped = _net(event, reversals_of([event])[event.pk]).capped
    return ReversalResult(report.refund_id, event, event.net_amount, capped, stored.created, changed)


def _event_and_payment(campaign_id: UUID, transaction_id: str) -> tuple[QualifyingEvent | None, Payment | None]:
    """The event that a transaction counts as in the campaign, and its payment, which may be known without an event."""
    events = QualifyingEvent.objects.select_related("payment").filter(campaign=campaign_id)
    event = events.filter(transaction_id=transaction_id, undone_at__isnull=True).first()
    if event is None:
        late = events.filter(transaction_id=transaction_id, same_as__isnull=False).values("same_as")
        event = events.filter(pk__in=late).first()
    if event is None:
        payment = Payment.objects.filter(references__value=transaction_id).order_by("pk").first()
        return events.filter(payment=payment, undone_at__isnull=True).first() if payment else None, payment
    return event, event.payment


@transaction.atomic
def payments_settle(
    *,
    organization: Organization,
    payments: Iterable[Payment],
    actor: str,
    recognised: Iterable[QualifyingEvent] = (),
) -> list[Reward]:
    """Bring the rewards of these payments' events in line with what is left of the payments.

    Payments of which nothing was ever reversed have nothing to be brought in line; `recognised` are events that were
    undone because they proved to be other events' occurrences (recognising.py).
    """
    reversed_ones = Reversal.objects.filter(payment__in=list(payments)).values("payment").distinct()
    standing = QualifyingEvent.objects.filter(
        payment__in=reversed_ones, amount__isnull=False, undone_at__isnull=True
    ).values_list("pk", flat=True)
    wanted = {*standing, *(event.pk for event in recognised)}
    return events_settle(organization=organization, event_ids=wanted, actor=actor)


def transactions_lock(organization: Organization, transaction_ids: Iterable[str]) -> None:
    """Keep reports of one transaction apart until the end of this transaction: its events and its reversals.

    Without it, a refund that finds no event yet and an event that finds no refund yet could pass each other, and so
    could a payment's message and the API, each telling of the payment by another of its ids. To be called once in a
    transaction, with every id that matters: the locks are taken in the ids' order.
    """
    names = sorted({f"transaction:{organization.pk}:{transaction_id}" for transaction_id in transaction_ids})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(%s::text[]) AS name", [names]
        )


# Settling -----------------------------------------------------------------------------------------------------------


def event_settle(*, organization: Organization, event: QualifyingEvent, actor: str) -> list[Reward]:
    """Bring an event's net amount and its rewards in line with what was reversed; the rewards that changed or came."""
    return events_settle(organization=organization, event_ids=[event.pk], actor=actor)


@transaction.atomic
def events_settle(*, organization: Organization, event_ids: Collection[UUID], actor: str) -> list[Reward]:
    """`event_settle` for many events, all in one go where their rewards are of nobody's aggregate.

    An aggregate is the sum of parts that may be of several events: each of those has to see what the one before made of
    it, so they are settled one after another. Budgets from which something may be given back, then all events, then all
    of their rewards, are locked in key order before the first one is settled (docs/locking.md).
    """
    if not event_ids:
        return []
    budgets = _budgets_to_raise(event_ids)
    events = [
        event
        for event in QualifyingEvent.objects.select_for_update(no_key=True).filter(pk__in=event_ids).order_by("pk")
        if event.amount is not None and (event.undone_at is None or event.same_as_id is not None)
    ]
    if not events:
        return []
    holding = hold(events)
    alone = {reward.event_id for reward in holding.rewards if reward.aggregate_id is not None}
    with totals_last(organization):
        together = [event for event in events if event.pk not in alone]
        changed = _settle(organization, together, holding, budgets, actor)
        for event in events:
            if event.pk in alone:
                changed += _settle(organization, [event], hold([event]), budgets, actor)
    return changed


def budgets_lock_early(payments: Sequence[Payment]) -> None:
    """For a transaction that counts payments before it settles them: where something may be given back, it locks every
    budget at once, so that those which it counts against later are none that it would have to lock in another order.
    """
    if Reversal.objects.filter(payment__in=payments, status__in=_GIVES_BACK).exists():
        budgets_lock(Campaign.objects.filter(budget__isnull=False).values_list("pk", flat=True))


def _budgets_to_raise(event_ids: Collection[UUID]) -> BudgetsLeft:
    """The budgets of these events' campaigns from which something may be given back now, locked."""
    events = list(QualifyingEvent.objects.filter(pk__in=event_ids, campaign__budget__isnull=False))
    given_back = {
        event_id
        for event_id, reversals in (reversals_of(events) if events else {}).items()
        if any(each.status in _GIVES_BACK for each in reversals)
    }
    wanted = {event.campaign_id for event in events if event.pk in given_back}
    budgets_lock(wanted)
    return BudgetsLeft(wanted)


def _settle(
    organization: Organization,
    events: Sequence[QualifyingEvent],
    holding: Holding,
    budgets: BudgetsLeft,
    actor: str,
) -> list[Reward]:
    """Events that share no aggregate."""
    befores = _write_nets(organization, events, actor)
    moves: dict[str, list[Move]] = defaultdict(list)
    created: dict[str, list[Reward]] = defaultdict(list)
    for event, part in zip(events, holding.by_event(events), strict=True):
        reason = REFUNDED if event.same_as_id is None else SAME_PAYMENT
        settlement = Settlement(
            organization, event, part, budgets, before=befores[event.pk], net=event.net_amount or 0, reason=reason
        )
        for family in part.families():
            settlement.settle(family)
        moves[reason] += settlement.moves()
        created[reason] += settlement.created
    changed: list[Reward] = []
    for reason in moves:
        rewards_move(organization=organization, moves=moves[reason], actor=actor, reason=reason)
        rewards_create(organization=organization, rewards=created[reason], actor=actor, reason=reason)
        changed += [*(move.reward for move in moves[reason]), *created[reason]]
    leave_nothing_open(organization=organization, rewards=changed, actor=actor)
    return changed


def _write_nets(organization: Organization, events: Sequence[QualifyingEvent], actor: str) -> dict[UUID, int]:
    """Bring the events' net amounts up to date; what they were before, which at first is the whole amount."""
    reversals = reversals_of(events)
    befores, happenings, changed = {}, [], []
    for event in events:
        before = (event.amount or 0) if event.net_amount is None else event.net_amount
        befores[event.pk] = before
        net = _net(event, reversals[event.pk]).amount
        if net == event.net_amount:
            continue
        event.net_amount = net
        changed.append(event)
        data = {"before": before, "net_amount": net}
        happenings.append(Happening("event.net_changed", "event", event.pk, event.campaign_id, data))
    rows_update(changed, ["net_amount"])
    if happenings:
        record(organization=organization, actor=actor, happenings=happenings)
    return befores


def settle_what_waited(*, organization: Organization, actor: str) -> int:
    """Settle the events of rewards for which a refund waited until their issuing was over; how many.

    The runner calls it after writing outcomes, and the sweep in case it was killed in between; both outside `tenant()`:
    each event is a transaction of its own, since nothing may be locked after the totals that settling one changes
    (docs/locking.md). An event that can't be settled stops only itself.
    """
    with tenant(organization):
        waited = Reward.objects.filter(~Q(pending_reduction=0), organization=organization, event__isnull=False)
        of_itself = Claim.objects.filter(reward=OuterRef("pk"), closed_at__isnull=True)
        of_its_aggregate = Claim.objects.filter(reward=OuterRef("aggregate"), closed_at__isnull=True)
        over = waited.exclude(Exists(of_itself)).exclude(Exists(of_its_aggregate)).values("event").distinct()
        events = list(QualifyingEvent.objects.filter(pk__in=over).order_by("pk"))
    for event in events:
        try:
            with tenant(organization):
                event_settle(organization=organization, event=event, actor=actor)
        except Exception:
            log.exception("settling_failed", qualifying_event=str(event.pk))
    return len(events)


def _net(event: QualifyingEvent, reversals: Iterable[Reversal]) -> Net:
    if event.same_as_id is not None:
        # Another event counts for this occurrence: of this one nothing is left, whatever is reversed or given back.
        return Net(0, capped=False)
    return net_of(event.amount or 0, reversals)
