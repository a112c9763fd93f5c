"""Collects the changes and the new rewards that bring an event's families to their goals."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Q

from campaigns.models import Campaign
from participants.models import QualifyingEvent
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from rewards.models import Reward
from rewards.services.budgets import BudgetsLeft
from rewards.services.door import Move
from rewards.services.reversing.families import Family, Holding, taken
from rewards.states import RewardStatus, WaitingFor

REFUNDED = "refunded"
GIVEN_BACK = "given back"
_UNISSUED = (RewardStatus.EARNED, RewardStatus.PENDING)

_WAITING_IN_PARTS = """
UPDATE rewards_reward AS aggregate SET pending_reduction = coalesce(
    (SELECT sum(part.pending_reduction) FROM rewards_reward AS part WHERE part.aggregate_id = aggregate.id), 0)
WHERE aggregate.id = ANY(%s)
"""


@dataclass
class Draft:
    """A reward as it is going to be. One for each reward, however many families change it."""

    reward: Reward
    to: str
    amount: int
    target: int
    refunded: int
    reason: str | None = None

    @property
    def is_changed(self) -> bool:
        before = self.reward
        return (self.to, self.amount, self.target, self.refunded) != (
            before.status,
            before.amount,
            before.target_amount,
            before.refunded_amount,
        )

    def move(self) -> Move:
        before = self.reward
        return Move(
            before,
            self.to,
            amount=None if self.amount == before.amount else self.amount,
            target_amount=None if self.target == before.target_amount else self.target,
            refunded_amount=None if self.refunded == before.refunded_amount else self.refunded,
            waiting_for=None if self.to == RewardStatus.CANCELED else before.waiting_for,
            reason=self.reason,
        )


class Settlement:
    """`before` is the event's net amount until now: what the rewards stand at if everything was settled by then."""

    def __init__(
        self,
        organization: Organization,
        event: QualifyingEvent,
        holding: Holding,
        budgets: BudgetsLeft,
        *,
        before: int,
        net: int,
        reason: str = REFUNDED,
    ) -> None:
        self.organization = organization
        self.event = event
        self.holding = holding
        self.before = before
        self.net = net
        self.reason = reason
        self.budgets = budgets
        self.now = clock.now(organization)
        self.created: list[Reward] = []
        self._drafts: dict[UUID, Draft] = {}
        # What the open aggregates come to, with the sign of their direction.
        self._sums = {each.pk: _signed(each) for each in holding.aggregates.values()}

    def settle(self, family: Family) -> None:
        if family.is_given_up:
            self._nothing_waits(family)
            return
        for carrier in family.carriers:
            self._note_issuing(carrier)
        difference = family.difference(self.event, self.net)
        if family.being_issued:
            self._wait(family, -difference)
            return
        self._nothing_waits(family)
        if difference < 0:
            self._take_back(family, -difference)
        elif difference > 0:
            self._give_back(family, difference)

    def moves(self) -> list[Move]:
        """The changes, an aggregate's as the sum of its parts."""
        for aggregate in self.holding.aggregates.values():
            total = self._sums[aggregate.pk]
            if total == _signed(aggregate):
                continue
            draft = self._draft(aggregate)
            draft.amount = abs(total)
            draft.to = aggregate.status if total else RewardStatus.CANCELED
            draft.reason = "a part changed"
        return [draft.move() for draft in self._drafts.values() if draft.is_changed]

    def withdraw(self, part: Reward) -> bool:
        """Take the whole of a part out of its open aggregate; False where the aggregate comes to less than that."""
        if part.amount > self._room(part, taking=True):
            return False
        self._cut(part, part.amount)
        return True

    # What waits ------------------------------------------------------------------------------------------------------

    def _note_issuing(self, part: Reward) -> None:
        """Note what was left of the payment when the part's aggregate began to be issued, or was taken off another.

        That was `before`: the net amount doesn't change without coming by here. Noted so, issuing an aggregate needn't
        touch its parts. An issuing that came to nothing is forgotten.
        """
        aggregate = self.holding.aggregate_of(part)
        if part.status != RewardStatus.AGGREGATED or aggregate is None:
            return
        if self.holding.is_open(aggregate):
            if part.issued_net is not None:
                self._set_issued(part, None, None)
        elif part.issued_net is None and part.amount:
            self._set_issued(part, part.amount, self.before)

    def _set_issued(self, part: Reward, base: int | None, net: int | None) -> None:
        part.issued_base, part.issued_net = base, net
        Reward.objects.filter(pk=part.pk).update(issued_base=base, issued_net=net)

    def _nothing_waits(self, family: Family) -> None:
        # Not a change of the reward's status or amounts, so it needs no step in its history.
        # The rewards were read under their locks, and only settling changes this.
        members = [each.pk for each in (*family.carriers, *family.deductions) if each.pending_reduction]
        if members:
            Reward.objects.filter(pk__in=members).update(pending_reduction=0)
            self._sum_up_what_waits()

    def _wait(self, family: Family, reduction: int) -> None:
        # Below 0 where something is to be given back: that too must be found again when the issuing is over.
        members = {each.pk for each in (*family.carriers, *family.deductions)}
        Reward.objects.filter(pk__in=family.being_issued).update(pending_reduction=reduction)
        Reward.objects.filter(~Q(pending_reduction=0), pk__in=members - family.being_issued).update(pending_reduction=0)
        self._sum_up_what_waits()

    def _sum_up_what_waits(self) -> None:
        if self.holding.aggregates:
            with connection.cursor() as cursor:
                cursor.execute(_WAITING_IN_PARTS, [list(self.holding.aggregates)])

    # Taking ----------------------------------------------------------------------------------------------------------

    def _take_back(self, family: Family, amount: int) -> None:
        """First from what isn't issued, the newest first; then by deductions from what is."""
        for carrier in reversed(family.carriers):
            cut = min(amount, self._amount(carrier), self._room(carrier, taking=True))
            if cut > 0:
                self._cut(carrier, cut)
                amount -= cut
        for carrier in family.carriers:
            issued = carrier.status in (RewardStatus.AVAILABLE, RewardStatus.AGGREGATED) or carrier.netted_amount
            if not issued or not amount:
                continue
            off = sum(taken(each) for each in family.deductions if _deducted(each) == carrier.pk)
            cut = min(amount, self._amount(carrier) - off)
            if cut > 0:
                self._deduct(carrier, cut)
                amount -= cut

    def _room(self, reward: Reward, *, taking: bool) -> int:
        """How much the reward may fall (rise) as what isn't issued; 0 where it is issued.

        An aggregate can't change its direction: one to be issued falls to nothing at most, one to be deducted rises so.
        """
        if reward.status in _UNISSUED:
            # What was netted while it was issued stays issued, though the money that was sent came back.
            return reward.amount - reward.netted_amount if taking else reward.earned_amount
        aggregate = self.holding.aggregate_of(reward)
        if reward.status != RewardStatus.AGGREGATED or aggregate is None or not self.holding.is_open(aggregate):
            return 0
        total = self._sums[aggregate.pk]
        bounded = (
            aggregate.status != RewardStatus.PENDING_DEDUCTION
            if taking
            else (aggregate.status == RewardStatus.PENDING_DEDUCTION)
        )
        if not bounded:
            return reward.earned_amount
        return max(abs(total) - aggregate.netted_amount, 0) if taking else abs(total)

    def _cut(self, carrier: Reward, cut: int) -> None:
        draft = self._draft(carrier)
        draft.refunded += cut
        if carrier.status != RewardStatus.AGGREGATED and cut == draft.amount:
            # A canceled reward keeps the amount that it had.
            draft.to, draft.reason = RewardStatus.CANCELED, self.reason
            self._target(carrier, -draft.target)
        else:
            draft.amount -= cut
        if carrier.status == RewardStatus.AGGREGATED:
            self._shift(carrier, -cut)
        self._target(carrier, -cut)

    def _deduct(self, carrier: Reward, cut: int) -> None:
        """What can't fall any more is taken back by a deduction of its own."""
        aggregate = self.holding.aggregate_of(carrier) if carrier.status == RewardStatus.AGGREGATED else None
        if aggregate is not None and carrier.issued_net is None:
            # Its aggregate fell to nothing with it, and what is left of it is what others' deductions were taken off.
            self._set_issued(carrier, carrier.amount, self.before)
        if carrier.status in _UNISSUED and carrier.issued_base is None:
            # Only what was netted of it is left, and that is less than what it stands for: from now on reckoned from that.
            self._set_issued(carrier, carrier.amount, self.before)
        deducted = aggregate or carrier
        self.created.append(
            self._new(
                carrier,
                cut,
                RewardStatus.PENDING_DEDUCTION,
                fulfilled_as=deducted,
                deducts=deducted,
                deducts_part=carrier if aggregate is not None else None,
            )
        )

    # Giving back -----------------------------------------------------------------------------------------------------

    def _give_back(self, family: Family, amount: int) -> None:
        """First by canceling deductions that nobody has begun, then by raising what isn't issued; else anew."""
        for deduction in reversed(family.deductions):
            back = min(amount, deduction.amount, self._room_of_deduction(deduction))
            if back > 0:
                amount -= back
                self._lift(deduction, back)
        for carrier in family.carriers:
            back = min(amount, carrier.refunded_amount, self._room(carrier, taking=False))
            if back > 0 and carrier.restores_id is None:
                back = self.budgets.take(carrier.campaign_id, back)
            if back > 0:
                amount -= back
                self._raise(carrier, back)
        if amount:
            self.created.append(self._restoring(family.root, amount))

    def _room_of_deduction(self, deduction: Reward) -> int:
        if deduction.status == RewardStatus.PENDING_DEDUCTION:
            return deduction.amount
        return self._room(deduction, taking=False)

    def _lift(self, deduction: Reward, back: int) -> None:
        draft = self._draft(deduction)
        draft.reason = GIVEN_BACK
        if deduction.status == RewardStatus.AGGREGATED:
            draft.amount -= back
            self._shift(deduction, back)
        elif back == deduction.amount:
            draft.to = RewardStatus.CANCELED
        else:
            draft.amount -= back

    def _raise(self, carrier: Reward, back: int) -> None:
        draft = self._draft(carrier)
        draft.amount += back
        draft.refunded -= back
        draft.reason = GIVEN_BACK
        if carrier.status == RewardStatus.AGGREGATED:
            self._shift(carrier, back)
        self._target(carrier, back)

    def _restoring(self, root: Reward, amount: int) -> Reward:
        campaign = root.campaign
        if campaign.aggregates:
            return self._new(root, amount, RewardStatus.EARNED, fulfilled_as=campaign, restores=root)
        return self._new(root, amount, RewardStatus.PENDING, fulfilled_as=campaign, restores=root)

    # Drafts ----------------------------------------------------------------------------------------------------------

    def _draft(self, reward: Reward) -> Draft:
        if reward.pk not in self._drafts:
            self._drafts[reward.pk] = Draft(
                reward, reward.status, reward.amount, reward.target_amount, reward.refunded_amount
            )
        return self._drafts[reward.pk]

    def _amount(self, reward: Reward) -> int:
        draft = self._drafts.get(reward.pk)
        if draft is None:
            return 0 if reward.status == RewardStatus.CANCELED else reward.amount
        return 0 if draft.to == RewardStatus.CANCELED else draft.amount

    def _shift(self, part: Reward, change: int) -> None:
        assert part.aggregate_id is not None
        self._sums[part.aggregate_id] += change

    def _target(self, reward: Reward, change: int) -> None:
        """Budget and caps follow. What was carried over counts with the reward that it came from; a restoration never."""
        if reward.restores_id is not None:
            return
        by_id = {each.pk: each for each in self.holding.rewards}
        while reward.carried_from_id in by_id:
            reward = by_id[reward.carried_from_id]
        if reward.restores_id is not None:
            return
        draft = self._draft(reward)
        draft.target = max(draft.target + change, 0)

    def _new(
        self,
        of: Reward,
        amount: int,
        status: str,
        *,
        fulfilled_as: Reward | Campaign,
        deducts: Reward | None = None,
        deducts_part: Reward | None = None,
        restores: Reward | None = None,
    ) -> Reward:
        """With the event, transaction, rule and type of the reward that it comes from, and no target of its own."""
        joins = of.campaign.aggregates
        return Reward(
            organization=self.organization,
            campaign=of.campaign,
            participant_id=of.participant_id,
            customer_id=of.customer_id,
            rule_id=of.rule_id,
            event=self.event,
            beneficiary=of.beneficiary,
            transaction_id=of.transaction_id,
            type=of.type,
            status=status,
            waiting_for=WaitingFor.AGGREGATION if joins else None,
            amount=amount,
            earned_amount=amount,
            target_amount=0,
            currency=of.currency,
            deducts=deducts,
            deducts_part=deducts_part,
            restores=restores,
            fulfilment_kind=fulfilled_as.fulfilment_kind,
            fulfilment_method=fulfilled_as.fulfilment_method,
            fulfilment_endpoint_id=fulfilled_as.fulfilment_endpoint_id,
            earned_at=self.now,
            releases_at=self.now,
            occurred_at=self.now,
            ready_at=self.now if joins else None,
            due_at=None if joins else self.now,
            created_at=self.now,
            updated_at=self.now,
        )


def _signed(aggregate: Reward) -> int:
    taken_back = aggregate.status in (RewardStatus.PENDING_DEDUCTION, RewardStatus.DEDUCTED)
    return -aggregate.amount if taken_back else aggregate.amount


def _deducted(deduction: Reward) -> UUID | None:
    return deduction.deducts_part_id or deduction.deducts_id
