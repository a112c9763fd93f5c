"""Refunds and disputes reach rewards: what is owed follows what is left of the payment.

A reversal is stored and its events are settled in one transaction. Settling doesn't apply "a refund": it works out
what should be left of each reward now (`goal`), compares it with what is there (`standing`), and moves the difference.
So it may be repeated, run late, or run twice at once (the event's row is locked first), and ends in the same state.

What should be left of a reward (product.md, Refunds): not issued, `earned × net ÷ payment`; issued,
`issued × net ÷ net when its issuing began`; each rounded once, from the totals. A reward whose issuing has begun and
isn't over is left alone, its `pending_reduction` says what waits (below 0: to be given back), and the runner settles
its event with the outcome.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from participants.models import Payment, QualifyingEvent, Reversal
from participants.reversals import Net, ReversalReport, net_of, reversal_store, reversals_of
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from referral_rocket.kit.money import share
from rewards.models import BatchItem, Claim, Reward
from rewards.services.door import Move, rewards_create, rewards_move, totals_last
from rewards.services.leaving import leave_nothing_open
from rewards.states import ItemOutcome, RewardStatus

REFUNDED = "refunded"
GIVEN_BACK = "given back"
SAME_PAYMENT = "same_payment"
_UNISSUED = (RewardStatus.EARNED, RewardStatus.PENDING)

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
    return ReversalResult(report.refund_id, event, event.net_amount, _net(event).capped, stored.created, changed)


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
    if not wanted:
        return []
    # All events, then all of their rewards, each in key order, before the first one is settled (docs/locking.md).
    events = list(QualifyingEvent.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk"))
    rewards = Reward.objects.select_for_update(no_key=True).filter(event__in=events).order_by("pk")
    list(rewards.values_list("pk", flat=True))
    with totals_last(organization):
        settled = [event_settle(organization=organization, event=event, actor=actor) for event in events]
    return [reward for rewards_of_event in settled for reward in rewards_of_event]


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


@transaction.atomic
def event_settle(*, organization: Organization, event: QualifyingEvent, actor: str) -> list[Reward]:
    """Bring an event's net amount and its rewards in line with what was reversed; the rewards that changed or came."""
    held = (
        QualifyingEvent.objects.select_for_update(no_key=True, of=("self",)).select_related("payment").get(pk=event.pk)
    )
    if held.amount is None or (held.undone_at is not None and held.same_as_id is None):
        return []
    net = _net(held)
    if net.amount != held.net_amount:
        before, held.net_amount = held.net_amount, net.amount
        held.save(update_fields=["net_amount"])
        record(
            organization=organization,
            actor=actor,
            happenings=[
                Happening(
                    "event.net_changed",
                    "event",
                    held.pk,
                    held.campaign_id,
                    {"before": before, "net_amount": net.amount},
                )
            ],
        )
    settlement = _Settlement(organization, held, net.amount)
    for family in _families(held):
        settlement.settle(family)
    with totals_last(organization):
        rewards_move(organization=organization, moves=settlement.moves, actor=actor, reason=settlement.reason)
        rewards_create(organization=organization, rewards=settlement.created, actor=actor, reason=settlement.reason)
        changed = [*(move.reward for move in settlement.moves), *settlement.created]
        leave_nothing_open(organization=organization, rewards=changed, actor=actor)
    return changed


def settle_what_waited(*, organization: Organization, actor: str) -> int:
    """Settle the events of rewards for which a refund waited until their issuing was over; how many.

    The runner calls it after writing outcomes, and the sweep in case it was killed in between; both outside `tenant()`:
    each event is a transaction of its own, since nothing may be locked after the totals that settling one changes
    (docs/locking.md). An event that can't be settled stops only itself.
    """
    with tenant(organization):
        waited = Reward.objects.filter(~Q(pending_reduction=0), organization=organization, event__isnull=False)
        claims = Claim.objects.filter(reward=OuterRef("pk"), closed_at__isnull=True)
        over = waited.exclude(Exists(claims)).values("event").distinct()
        events = list(QualifyingEvent.objects.filter(pk__in=over).order_by("pk"))
    for event in events:
        try:
            with tenant(organization):
                event_settle(organization=organization, event=event, actor=actor)
        except Exception:
            log.exception("settling_failed", qualifying_event=str(event.pk))
    return len(events)


def _net(event: QualifyingEvent) -> Net:
    if event.same_as_id is not None:
        # Another event counts for this occurrence: of this one nothing is left, whatever is reversed or given back.
        return Net(0, capped=False)
    return net_of(event.amount or 0, reversals_of(event.payment, event.campaign_id, event.transaction_id))


@dataclass
class _Family:
    """A reward with what came of it: rewards that restore it, and the deductions of all of them."""

    root: Reward
    restorations: list[Reward] = field(default_factory=list)
    deductions: list[Reward] = field(default_factory=list)
    being_issued: set[UUID] = field(default_factory=set)

    @property
    def carriers(self) -> list[Reward]:
        return [self.root, *self.restorations]

    def standing(self) -> int:
        """What is open or issued, less what was or will be taken back. What a person forgave counts as taken back."""
        given = sum(each.amount for each in self.carriers if each.status != RewardStatus.CANCELED)
        return given - sum(map(_taken, self.deductions))

    def waived(self) -> int:
        """What restorations were to give and a person canceled or cut: it isn't given again, nor taken back."""
        return sum(
            each.amount if each.status == RewardStatus.CANCELED else each.remainder_amount
            for each in self.restorations
            if not _refunded(each)
        )

    def difference(self, event: QualifyingEvent, net: int) -> int:
        """What is to be given back; below 0, to be taken back."""
        difference = self.goal(event, net) - self.standing()
        return difference if difference <= 0 else max(difference - self.waived(), 0)

    def goal(self, event: QualifyingEvent, net: int) -> int:
        assert event.amount is not None
        if self.root.status == RewardStatus.AVAILABLE:
            began_with = event.amount if self.root.issued_net is None else self.root.issued_net
            return share(self.root.amount, net, began_with) if began_with else 0
        return share(self.root.earned_amount, net, event.amount) if event.amount else 0


def _refunded(reward: Reward) -> bool:
    """Whether it was canceled here. A person's reason may be any word, but leaves an amount that no refund took."""
    return reward.status == RewardStatus.CANCELED and reward.refunded_amount >= reward.earned_amount


def _taken(deduction: Reward) -> int:
    if deduction.status == RewardStatus.CANCELED:
        return deduction.remainder_amount
    return deduction.amount + deduction.remainder_amount


def _families(event: QualifyingEvent) -> list[_Family]:
    # Locked first and read afterwards: what is left of a deduction taken in part is a row that its transaction made,
    # and a statement that waited for that transaction doesn't see it.
    locked = Reward.objects.select_for_update(no_key=True).filter(event=event).order_by("pk")
    list(locked.values_list("pk", flat=True))
    rewards = list(
        Reward.objects.select_for_update(no_key=True, of=("self",))
        .select_related("campaign")
        .filter(event=event)
        .order_by("pk")
    )
    families = {each.pk: _Family(each) for each in rewards if each.deducts_id is None and each.restores_id is None}
    home = dict(families)
    for each in rewards:
        if each.restores_id is not None:
            home[each.pk] = families[each.restores_id]
            families[each.restores_id].restorations.append(each)
    for each in rewards:
        if each.deducts_id is not None:
            home[each.deducts_id].deductions.append(each)
    for reward_id in issuing_begun([each.pk for each in rewards]):
        if reward_id in home:
            home[reward_id].being_issued.add(reward_id)
    # A reward that a person canceled or rejected stays so, whatever becomes of the payment.
    return [
        family for family in families.values() if family.root.status != RewardStatus.CANCELED or _refunded(family.root)
    ]


def issuing_begun(reward_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the rewards whose issuing has begun and isn't over: the provider or the tenant may have acted.

    The caller holds the rewards' rows, which the runner also locks before it begins with one.
    """
    by_batch = BatchItem.objects.filter(reward__in=reward_ids, claim__closed_at__isnull=True, claim__isnull=False)
    begun = by_batch.exclude(outcome=ItemOutcome.QUEUED, in_doubt=False, tries=0).values_list("reward", flat=True)
    ordered = Claim.objects.filter(reward__in=reward_ids, closed_at__isnull=True, started_at__isnull=False)
    return {*begun, *ordered.values_list("reward", flat=True)}


class _Settlement:
    """Collects the moves and the new rewards that bring families to their goals."""

    def __init__(self, organization: Organization, event: QualifyingEvent, net: int) -> None:
        self.organization = organization
        self.event = event
        self.net = net
        self.reason = REFUNDED if event.same_as_id is None else SAME_PAYMENT
        self.now = clock.now(organization)
        self.moves: list[Move] = []
        self.created: list[Reward] = []

    def settle(self, family: _Family) -> None:
        difference = family.difference(self.event, self.net)
        if family.being_issued:
            self._wait(family, -difference)
            return
        self._nothing_waits(family)
        if difference < 0:
            self._take_back(family, -difference)
        elif difference > 0:
            self._give_back(family, difference)

    def _nothing_waits(self, family: _Family) -> None:
        # Not a change of the reward's status or amounts, so it needs no step in its history.
        members = [each.pk for each in (*family.carriers, *family.deductions)]
        Reward.objects.filter(~Q(pending_reduction=0), pk__in=members).update(pending_reduction=0)

    def _wait(self, family: _Family, reduction: int) -> None:
        # Below 0 where something is to be given back: that too must be found again when the issuing is over.
        Reward.objects.filter(pk__in=family.being_issued).update(pending_reduction=reduction)

    def _take_back(self, family: _Family, amount: int) -> None:
        """First from what isn't issued, the newest first; then by deductions from what is."""
        for carrier in reversed(family.carriers):
            if carrier.status in _UNISSUED and amount:
                cut = min(amount, carrier.amount)
                self._lower(carrier, cut)
                amount -= cut
        for carrier in family.carriers:
            if carrier.status != RewardStatus.AVAILABLE or not amount:
                continue
            taken = sum(_taken(each) for each in family.deductions if each.deducts_id == carrier.pk)
            cut = min(amount, carrier.amount - taken)
            if cut > 0:
                self.created.append(self._new(carrier, cut, RewardStatus.PENDING_DEDUCTION, deducts=carrier))
                amount -= cut

    def _lower(self, carrier: Reward, cut: int) -> None:
        refunded = carrier.refunded_amount + cut
        target = max(carrier.target_amount - cut, 0)
        if cut == carrier.amount:
            self.moves.append(
                Move(carrier, RewardStatus.CANCELED, target_amount=0, refunded_amount=refunded, reason=self.reason)
            )
            return
        self.moves.append(
            Move(
                carrier,
                carrier.status,
                amount=carrier.amount - cut,
                target_amount=target,
                refunded_amount=refunded,
                waiting_for=carrier.waiting_for,
            )
        )

    def _give_back(self, family: _Family, amount: int) -> None:
        """First by canceling deductions that nobody has begun, then by raising what isn't issued; else anew."""
        for deduction in reversed(family.deductions):
            if deduction.status == RewardStatus.PENDING_DEDUCTION and amount:
                back = min(amount, deduction.amount)
                amount -= back
                to = RewardStatus.CANCELED if back == deduction.amount else deduction.status
                left = None if to == RewardStatus.CANCELED else deduction.amount - back
                self.moves.append(
                    Move(deduction, to, amount=left, reason=GIVEN_BACK, waiting_for=deduction.waiting_for)
                )
        for carrier in family.carriers:
            if carrier.status in _UNISSUED and carrier.refunded_amount and amount:
                back = min(amount, carrier.refunded_amount)
                amount -= back
                self._raise(carrier, back)
        if amount:
            self.created.append(self._new(family.root, amount, RewardStatus.PENDING, restores=family.root))

    def _raise(self, carrier: Reward, back: int) -> None:
        has_target = carrier.restores_id is None
        self.moves.append(
            Move(
                carrier,
                carrier.status,
                amount=carrier.amount + back,
                target_amount=carrier.target_amount + back if has_target else None,
                refunded_amount=carrier.refunded_amount - back,
                waiting_for=carrier.waiting_for,
                reason=GIVEN_BACK,
            )
        )

    def _new(
        self, of: Reward, amount: int, status: str, *, deducts: Reward | None = None, restores: Reward | None = None
    ) -> Reward:
        """With the event, transaction, rule and type of the reward that it comes from, and no target of its own."""
        campaign = of.campaign
        return Reward(
            organization=self.organization,
            campaign=campaign,
            participant_id=of.participant_id,
            customer_id=of.customer_id,
            rule_id=of.rule_id,
            event=self.event,
            beneficiary=of.beneficiary,
            transaction_id=of.transaction_id,
            type=of.type,
            status=status,
            amount=amount,
            earned_amount=amount,
            target_amount=0,
            currency=of.currency,
            deducts=deducts,
            restores=restores,
            fulfilment_kind=of.fulfilment_kind if deducts else campaign.fulfilment_kind,
            fulfilment_method=of.fulfilment_method if deducts else campaign.fulfilment_method,
            fulfilment_endpoint_id=of.fulfilment_endpoint_id if deducts else campaign.fulfilment_endpoint_id,
            earned_at=self.now,
            releases_at=self.now,
            due_at=self.now,
            created_at=self.now,
            updated_at=self.now,
        )
