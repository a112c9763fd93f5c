"""An event's rewards as settling sees them: each with what came of it, and what should be left of it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import QuerySet

from participants.models import QualifyingEvent
from referral_rocket.kit.money import share
from rewards.models import BatchItem, Claim, Reward
from rewards.states import ItemOutcome, RewardStatus

# An aggregate in these may still change with its parts, as long as nobody has begun to issue it.
_UNSETTLED = (RewardStatus.EARNED, RewardStatus.PENDING, RewardStatus.PENDING_DEDUCTION)


@dataclass
class Family:
    """A reward with what came of it: rewards that restore it, and the deductions of all of them.

    `parent` is what the root was carried over from: the rest of something that was issued in part.
    """

    root: Reward
    parent: Reward | None = None
    restorations: list[Reward] = field(default_factory=list)
    deductions: list[Reward] = field(default_factory=list)
    being_issued: set[UUID] = field(default_factory=set)

    @property
    def is_given_up(self) -> bool:
        """Whether a person canceled or rejected the reward: it stays so, whatever becomes of the payment."""
        return self.root.status == RewardStatus.CANCELED and not refunded(self.root)

    @property
    def carriers(self) -> list[Reward]:
        return [self.root, *self.restorations]

    def standing(self) -> int:
        """What is open or issued, less what was or will be taken back. What a person forgave counts as taken back."""
        given = sum(each.amount for each in self.carriers if each.status != RewardStatus.CANCELED)
        return given - sum(map(taken, self.deductions))

    def waived(self) -> int:
        """What restorations were to give and a person canceled or cut: it isn't given again, nor taken back."""
        return sum(self._waived_of(each) for each in self.restorations if not refunded(each))

    def _waived_of(self, restoration: Reward) -> int:
        if restoration.status == RewardStatus.CANCELED:
            return restoration.amount
        carried = sum(each.earned_amount for each in self.restorations if each.carried_from_id == restoration.pk)
        return restoration.remainder_amount - carried

    def difference(self, event: QualifyingEvent, net: int) -> int:
        """What is to be given back; below 0, to be taken back."""
        difference = self.goal(event, net) - self.standing()
        return difference if difference <= 0 else max(difference - self.waived(), 0)

    def goal(self, event: QualifyingEvent, net: int) -> int:
        assert event.amount is not None
        base, began_with = issued_from(self.root, event)
        if base is not None:
            return share(base, net, began_with) if began_with else 0
        if self.parent is not None:
            return self._rest_of(self.parent, event, net)
        return share(self.root.earned_amount, net, event.amount) if event.amount else 0

    def _rest_of(self, parent: Reward, event: QualifyingEvent, net: int) -> int:
        """What is left of both, less what is left of the issued part: so that nothing is lost to a second rounding."""
        issued, began_with = issued_from(parent, event)
        if issued is None:
            return share(self.root.earned_amount, net, event.amount) if event.amount else 0
        both = issued + self.root.earned_amount
        return share(both, net, began_with) - share(issued, net, began_with) if began_with else 0


def issued_from(reward: Reward, event: QualifyingEvent) -> tuple[int | None, int]:
    """(what was issued, of which net amount): what deductions are reckoned from. None where nothing was issued of it.

    A part was issued with its aggregate, or taken off a negative one; `issued_base` says how much of it. So it does of
    what fell below its netted part while its money had come back.
    """
    if reward.status == RewardStatus.AVAILABLE:
        base = reward.amount if reward.issued_base is None else reward.issued_base
        return base, (event.amount or 0) if reward.issued_net is None else reward.issued_net
    if reward.status == RewardStatus.AGGREGATED and reward.issued_net is not None:
        return reward.issued_base or 0, reward.issued_net
    return None, 0


def refunded(reward: Reward) -> bool:
    """Whether it was canceled here. A person's reason may be any word, but leaves an amount that no refund took."""
    return reward.status == RewardStatus.CANCELED and reward.refunded_amount >= reward.earned_amount


def taken(deduction: Reward) -> int:
    if deduction.status == RewardStatus.CANCELED:
        return deduction.remainder_amount
    return deduction.amount + deduction.remainder_amount


@dataclass
class Holding:
    """An event's rewards and the aggregates that they are parts of, all locked. `begun` are those being issued."""

    rewards: list[Reward]
    aggregates: dict[UUID, Reward]
    begun: set[UUID]

    def is_open(self, aggregate: Reward) -> bool:
        """Whether the aggregate still is the sum of its parts, and follows them."""
        return aggregate.status in _UNSETTLED and aggregate.pk not in self.begun

    def aggregate_of(self, reward: Reward) -> Reward | None:
        """The aggregate that the reward is a part of."""
        return None if reward.aggregate_id is None else self.aggregates[reward.aggregate_id]

    def families(self) -> list[Family]:
        by_id = {each.pk: each for each in self.rewards}
        families: dict[UUID, Family] = {}
        home: dict[UUID, Family] = {}
        for each in self.rewards:
            if each.deducts_id is None and self._restored_by(each, by_id) is None:
                parent = None if each.carried_from_id is None else by_id.get(each.carried_from_id)
                families[each.pk] = home[each.pk] = Family(each, parent)
        for each in self.rewards:
            restored = self._restored_by(each, by_id) if each.deducts_id is None else None
            if restored is not None:
                home[each.pk] = families[restored]
                families[restored].restorations.append(each)
        for each in self.rewards:
            if each.deducts_id is not None:
                home[each.pk] = home[each.deducts_part_id or each.deducts_id]
                home[each.pk].deductions.append(each)
        for each in self.rewards:
            if each.pk in self.begun or each.aggregate_id in self.begun:
                home[each.pk].being_issued.add(each.pk)
        return list(families.values())

    def by_event(self, events: Sequence[QualifyingEvent]) -> Iterator["Holding"]:
        """The same for each event alone, in that order. Aggregates go with the events whose parts they are."""
        of_event: dict[UUID | None, list[Reward]] = defaultdict(list)
        for reward in self.rewards:
            of_event[reward.event_id].append(reward)
        for event in events:
            rewards = of_event[event.pk]
            aggregates = {each.aggregate_id for each in rewards}
            yield Holding(rewards, {pk: each for pk, each in self.aggregates.items() if pk in aggregates}, self.begun)

    @staticmethod
    def _restored_by(reward: Reward, by_id: dict[UUID, Reward]) -> UUID | None:
        """What the reward restores; what was carried over from one that restores belongs there too."""
        while reward.restores_id is None and reward.carried_from_id in by_id:
            reward = by_id[reward.carried_from_id]
        return reward.restores_id


def hold(events: Sequence[QualifyingEvent]) -> Holding:
    """Lock the events' rewards and their aggregates in key order. The caller holds the events' rows."""
    known = list(Reward.objects.filter(event__in=events).values_list("pk", "aggregate"))
    wanted = {each for pair in known for each in pair if each is not None}
    # Locked first and read afterwards: what is left of a deduction taken in part is a row that its transaction made,
    # and a statement that waited for that transaction doesn't see it.
    list(Reward.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk").values_list("pk"))
    rewards = list(_locked().filter(event__in=events).order_by("pk"))
    # An aggregate that was made meanwhile has a later key than all that is held already.
    aggregates = {
        each.pk: each
        for each in _locked()
        .filter(pk__in={reward.aggregate_id for reward in rewards if reward.aggregate_id})
        .order_by("pk")
    }
    return Holding(rewards, aggregates, issuing_begun([*(each.pk for each in rewards), *aggregates]))


def _locked() -> QuerySet[Reward]:
    return Reward.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign")


def issuing_begun(reward_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the rewards whose issuing has begun and isn't over: the provider or the tenant may have acted.

    The caller holds the rewards' rows, which the runner also locks before it begins with one.
    """
    by_batch = BatchItem.objects.filter(reward__in=reward_ids, claim__closed_at__isnull=True, claim__isnull=False)
    begun = by_batch.exclude(outcome=ItemOutcome.QUEUED, in_doubt=False, tries=0).values_list("reward", flat=True)
    ordered = Claim.objects.filter(reward__in=reward_ids, closed_at__isnull=True, started_at__isnull=False)
    return {*begun, *ordered.values_list("reward", flat=True)}
