"""Rules asked once more about what has happened: pure, the same `rules.decide`, one thing after the other.

A replay keeps its own `Standing` and moves it on as the database would have: a refund lowers what its event and its
rewards count, a reward that a person canceled frees its place, a gift uses up budget.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from uuid import UUID

from campaigns.models import Campaign, RewardRule
from referral_rocket.kit.money import share
from rewards.rules import Occurrence, Person, Standing, Verdict, decide, month_of


@dataclass
class _Given:
    """A reward that the rules gave, with what of it still counts (`target`), as rewards.models.Reward has it."""

    rule: RewardRule
    person: Person
    occurred_at: datetime
    beneficiary_id: UUID
    month: str
    earned: int
    target: int


@dataclass
class _Told:
    person: Person
    occurrence: Occurrence
    net: int
    given: list[_Given] = field(default_factory=list)


class Replay:
    """A campaign's events under some rules. `budget_used` is what was used before the first event."""

    def __init__(self, campaign: Campaign, rules: Sequence[RewardRule], zone: tzinfo, *, budget_used: int = 0) -> None:
        self.campaign = campaign
        self.zone = zone
        self.rules = list(rules)
        self.standing = Standing(budget_used=budget_used)
        self._thresholds = sorted({rule.min_purchase for rule in rules})
        self._told: dict[UUID, _Told] = {}
        self._gifts: dict[UUID, int] = {}
        # How many of the replay's events make a participant a referral that counts.
        self._referring: dict[UUID, int] = defaultdict(int)
        self._rewarded: dict[tuple[UUID, UUID], list[_Given]] = defaultdict(list)
        self._rewarded_before: dict[tuple[UUID, UUID], datetime] = {}
        self._referred_before: dict[UUID, set[UUID]] = defaultdict(set)

    def add_before(self, standing: Standing) -> None:
        """What counted of further people before the first event of the replay."""
        ours = self.standing
        ours.paid.update(standing.paid)
        ours.spent.update(standing.spent)
        ours.reward_count.update(standing.reward_count)
        ours.month_sum.update(standing.month_sum)
        ours.first_rewarded.update(standing.first_rewarded)
        self._rewarded_before.update(standing.first_rewarded)
        for referrer, people in standing.referrals.items():
            ours.referrals[referrer] |= people
            self._referred_before[referrer] |= people

    def event(self, event_id: UUID, person: Person, occurrence: Occurrence) -> list[tuple[RewardRule, Verdict]]:
        """What the rules make of an event, in their order."""
        told = self._told[event_id] = _Told(person, occurrence, occurrence.amount or 0)
        verdicts = decide(
            campaign=self.campaign,
            rules=self.rules,
            person=person,
            occurrence=occurrence,
            standing=self.standing,
            zone=self.zone,
        )
        if self._counts(told) and person.referrer_id is not None:
            self._referring[person.participant_id] += 1
        for rule, verdict in verdicts:
            if verdict.rewarded:
                assert verdict.beneficiary_id is not None
                given = _Given(
                    rule,
                    person,
                    occurrence.occurred_at,
                    verdict.beneficiary_id,
                    month_of(occurrence.occurred_at, self.zone),
                    verdict.amount,
                    verdict.amount,
                )
                told.given.append(given)
                self._rewarded[rule.rule_id, person.participant_id].append(given)
        return verdicts

    def _counts(self, told: _Told) -> bool:
        """Whether the event is one that counts, apart from refunds (Standing.add_event)."""
        occurrence, currency = told.occurrence, self.campaign.currency
        return (
            occurrence.type == self.campaign.qualifying_event
            and occurrence.amount != 0
            and (occurrence.currency or currency) == currency
        )

    def net(self, event_id: UUID, net: int) -> None:
        """So much is left of an event's payment, after refunds or again."""
        told = self._told.get(event_id)
        if told is None or told.occurrence.amount is None or told.net == net:
            return
        before, told.net = told.net, net
        if self._counts(told):
            self.standing.spent[told.person.participant_id] += net - before
            if (before == 0) != (net == 0):
                self._recount(told, 1 if net else -1)
        for given in told.given:
            self._retarget(given, share(given.earned, net, told.occurrence.amount))

    def undone(self, event_id: UUID) -> None:
        """The event was taken back, with all that it earned."""
        told = self._told.get(event_id)
        if told is None:
            return
        if told.occurrence.amount is not None:
            self.net(event_id, 0)
        elif self._counts(told):
            self._recount(told, -1)
        for given in told.given:
            self._retarget(given, 0)

    def canceled(self, event_id: UUID, rule_id: UUID) -> None:
        """A person canceled or rejected what this rule gave for the event."""
        told = self._told.get(event_id)
        for given in told.given if told else ():
            if given.rule.rule_id == rule_id:
                self._retarget(given, 0)

    def gift(self, reward_id: UUID, asked: int) -> None:
        """A one-time reward: it uses up what is left of the budget, and nothing else."""
        left = asked if self.campaign.budget is None else max(self.campaign.budget - self.standing.budget_used, 0)
        self._gifts[reward_id] = min(asked, left)
        self.standing.budget_used += self._gifts[reward_id]

    def gift_canceled(self, reward_id: UUID) -> None:
        self.standing.budget_used -= self._gifts.pop(reward_id, 0)

    def _recount(self, told: _Told, step: int) -> None:
        person, amount = told.person, told.occurrence.amount or 0
        for threshold in self._thresholds:
            if amount >= threshold:
                self.standing.paid[person.participant_id, threshold] += step
        if person.referrer_id is None:
            return
        self._referring[person.participant_id] += step
        referrals = self.standing.referrals[person.referrer_id]
        if self._referring[person.participant_id] > 0:
            referrals.add(person.participant_id)
        elif person.participant_id not in self._referred_before[person.referrer_id]:
            referrals.discard(person.participant_id)

    def _retarget(self, given: _Given, target: int) -> None:
        before, given.target = given.target, target
        if before == target:
            return
        standing, rule_id = self.standing, given.rule.rule_id
        standing.budget_used += target - before
        standing.month_sum[rule_id, given.beneficiary_id, given.month] += target - before
        if (before == 0) == (target == 0):
            return
        standing.reward_count[rule_id, given.beneficiary_id] += 1 if target else -1
        key = (rule_id, given.person.participant_id)
        moments = [each.occurred_at for each in self._rewarded[key] if each.target]
        if key in self._rewarded_before:
            moments.append(self._rewarded_before[key])
        if moments:
            standing.first_rewarded[key] = min(moments)
        else:
            standing.first_rewarded.pop(key, None)
