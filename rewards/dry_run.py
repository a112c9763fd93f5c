"""A dry run: what rules would have given for the events on record, beside what was given. It only reads.

The campaign's events since a time are replayed (replay.py) in the order in which they were recorded, with the refunds,
undone events, rejected rewards and gifts that came between them; what counted before that time stands as it is. So the
present rules over a campaign's whole life give exactly what was given, as long as they, and the campaign's other terms,
were the ones in force. Two things a replay can't know: which rewards it gave would have been issued before a refund
(a refund frees its part of budget and caps at once here, and in life only when the deduction is done), and that
somebody's referrer was entered after their first event (here the referrer is known from the first event on).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from campaigns.models import Campaign, RewardRule
from participants.models import Participant, QualifyingEvent
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.models import Activity
from rewards.models import Reward, RewardTransition
from rewards.replay import Replay
from rewards.rules import Person
from rewards.services.judging import occurrence_of
from rewards.services.standing import Scene, budget_used, load
from rewards.states import RewardStatus, RewardType

# A page that somebody waits for: a longer time has to be looked at in parts.
MOST_EVENTS = 20_000
CHUNK = 1_000
MOST_LISTED = 20


class TooManyEvents(Exception):
    """More events than one dry run looks at. `message` is for the person who asked."""

    code = "too_many_events"

    def __init__(self) -> None:
        self.message = f"There are more than {MOST_EVENTS:,} events since then. Choose a later time."
        super().__init__(self.message)


@dataclass
class Sums:
    """Number and sum of rewards, in minor units."""

    count: int = 0
    amount: int = 0

    def add(self, amount: int) -> None:
        self.count += 1
        self.amount += amount


@dataclass
class Compared:
    """What was given and what would have been."""

    given: Sums = field(default_factory=Sums)
    would: Sums = field(default_factory=Sums)

    @property
    def difference(self) -> int:
        return self.would.amount - self.given.amount


@dataclass(frozen=True)
class RuleCompared:
    """`rule` None: a rule that isn't among those asked about, and gave something. `is_new`: one that isn't stored."""

    rule_id: UUID
    rule: RewardRule | None
    is_new: bool
    compared: Compared


@dataclass(frozen=True)
class DryRun:
    """Amounts as they were or would have been earned, before refunds, in the campaign's currency. Undone events are out.

    `participants` and `events` are those that differ most; `differing_*` count all that differ. `codes` count why the
    rules would have said yes or no.
    """

    since: datetime
    currency: str
    events_replayed: int
    total: Compared
    rules: Sequence[RuleCompared]
    participants: Sequence[tuple[Participant, Compared]]
    differing_participants: int
    events: Sequence[tuple[QualifyingEvent, Compared]]
    differing_events: int
    codes: Sequence[tuple[str, int]]


def dry_run(*, organization: Organization, campaign: Campaign, rules: Sequence[RewardRule], since: datetime) -> DryRun:
    """Inside `tenant()`. `rules` needn't be stored; one with the `rule_id` of a rule of the campaign is its new version.

    Raises TooManyEvents.
    """
    replayed = QualifyingEvent.objects.filter(campaign=campaign, occurred_at__gte=since)
    keys = list(replayed.order_by("pk").values_list("pk", flat=True)[: MOST_EVENTS + 1])
    if len(keys) > MOST_EVENTS:
        raise TooManyEvents()
    return _Comparison(organization, campaign, rules, since, keys).run()


@dataclass(frozen=True)
class _Step:
    """Something besides an event: `net`, `undone`, `canceled`, `gift` or `gift_canceled`.

    `key` is the id of the row that records it: ids sort by the time at which they were made, under the locks that keep
    what depends on each other apart.
    """

    key: UUID
    what: str
    subject: UUID
    value: int = 0
    rule_id: UUID | None = None


class _Comparison:
    def __init__(
        self,
        organization: Organization,
        campaign: Campaign,
        rules: Sequence[RewardRule],
        since: datetime,
        keys: Sequence[UUID],
    ) -> None:
        self.organization = organization
        self.campaign = campaign
        self.rules = list(rules)
        self.since = since
        self.keys = keys
        self.people: dict[UUID, Participant] = {}
        self.total = Compared()
        self.by_rule: dict[UUID, Compared] = defaultdict(Compared)
        self.by_person: dict[UUID, Compared] = defaultdict(Compared)
        self.by_event: dict[UUID, Compared] = defaultdict(Compared)
        self.codes: Counter[str] = Counter()

    def run(self) -> DryRun:
        given = [reward for chunk in self._chunks() for reward in self._given(chunk)]
        gifts = list(
            Reward.objects.filter(
                campaign=self.campaign, type=RewardType.ONE_TIME, earned_at__gte=self.since, carried_from__isnull=True
            )
        )
        replay = Replay(
            self.campaign, self.rules, self.organization.zone, budget_used=self._budget_before([*given, *gifts])
        )
        steps = iter(self._steps(given, gifts))
        step = next(steps, None)
        for chunk in self._chunks():
            for event in self._load(replay, chunk):
                while step is not None and step.key < event.pk:
                    _take(replay, step)
                    step = next(steps, None)
                self._ask(replay, event)
        undone = self._undone()
        for reward in given:
            assert reward.rule is not None
            if reward.event_id not in undone:
                self._count(reward.event_id, reward.rule.rule_id, reward.participant_id, given=reward.earned_amount)
        return self._result()

    def _chunks(self) -> Iterator[Sequence[UUID]]:
        for start in range(0, len(self.keys), CHUNK):
            yield self.keys[start : start + CHUNK]

    def _given(self, chunk: Sequence[UUID]) -> list[Reward]:
        roots = Q(deducts__isnull=True, restores__isnull=True, carried_from__isnull=True, rule__isnull=False)
        return list(Reward.objects.filter(roots, event__in=chunk).select_related("rule"))

    def _budget_before(self, rewards: Sequence[Reward]) -> int:
        if self.campaign.budget is None:
            return 0
        return budget_used(self.campaign.pk) - sum(reward.target_amount for reward in rewards)

    def _steps(self, given: Sequence[Reward], gifts: Sequence[Reward]) -> list[_Step]:
        """In the order in which they happened."""
        canceled = _canceled([reward.pk for reward in (*given, *gifts) if _by_a_person(reward)])
        steps = [_Step(gift.pk, "gift", gift.pk, gift.uncut_amount or gift.earned_amount) for gift in gifts]
        steps += [_Step(canceled[gift.pk], "gift_canceled", gift.pk) for gift in gifts if gift.pk in canceled]
        steps += [
            _Step(canceled[reward.pk], "canceled", reward.event_id, rule_id=reward.rule.rule_id)
            for reward in given
            if reward.event_id is not None and reward.rule is not None and reward.pk in canceled
        ]
        for chunk in self._chunks():
            told = Activity.objects.filter(subject_id__in=chunk, kind__in=("event.net_changed", "event.undone"))
            for activity in told.order_by("pk"):
                if activity.kind == "event.undone":
                    steps.append(_Step(activity.pk, "undone", activity.subject_id))
                else:
                    steps.append(_Step(activity.pk, "net", activity.subject_id, activity.data["net_amount"]))
        return sorted(steps, key=lambda step: step.key)

    def _load(self, replay: Replay, chunk: Sequence[UUID]) -> list[QualifyingEvent]:
        """A chunk of events, after what counted of their people before the first of all events."""
        events = list(QualifyingEvent.objects.filter(pk__in=chunk).order_by("pk"))
        new = {event.participant_id for event in events} - self.people.keys()
        found = Participant.objects.select_related("customer", "referred_by__customer").in_bulk(new)
        referrers = [each.referred_by for each in found.values() if each.referred_by_id not in self.people]
        self.people |= found
        scene = Scene(self.campaign, self.rules, list(found.values()), [], before=self.since)
        replay.add_before(load(scene, self.organization.zone))
        self.people |= {each.pk: each for each in referrers if each is not None and each.pk not in self.people}
        return events

    def _ask(self, replay: Replay, event: QualifyingEvent) -> None:
        participant = self.people[event.participant_id]
        verdicts = replay.event(event.pk, self._person(participant, event), occurrence_of(event))
        if event.undone_at is not None:
            return
        for rule, verdict in verdicts:
            self.codes[verdict.code] += 1
            if verdict.rewarded:
                assert verdict.beneficiary_id is not None
                self._count(event.pk, rule.rule_id, verdict.beneficiary_id, would=verdict.amount)

    def _person(self, participant: Participant, event: QualifyingEvent) -> Person:
        referrer = self.people.get(participant.referred_by_id) if participant.referred_by_id else None
        barred = {
            each.pk
            for each in (participant, referrer)
            if each is not None and (_before(each.banned_at, event) or _before(each.customer.erased_at, event))
        }
        return Person(
            participant_id=participant.pk,
            referrer_id=participant.referred_by_id,
            attributed_at=participant.attributed_at,
            barred=frozenset(barred),
            erased=_before(participant.customer.erased_at, event),
        )

    def _undone(self) -> set[UUID]:
        undone: set[UUID] = set()
        for chunk in self._chunks():
            undone |= set(
                QualifyingEvent.objects.filter(pk__in=chunk, undone_at__isnull=False).values_list("pk", flat=True)
            )
        return undone

    def _count(
        self,
        event_id: UUID | None,
        rule_id: UUID,
        participant_id: UUID,
        *,
        given: int | None = None,
        would: int | None = None,
    ) -> None:
        assert event_id is not None
        for compared in (self.total, self.by_rule[rule_id], self.by_person[participant_id], self.by_event[event_id]):
            if given is not None:
                compared.given.add(given)
            if would is not None:
                compared.would.add(would)

    def _result(self) -> DryRun:
        asked = {rule.rule_id: rule for rule in self.rules}
        stored = set(RewardRule.objects.filter(campaign=self.campaign).values_list("rule_id", flat=True))
        others = [rule_id for rule_id in self.by_rule if rule_id not in asked]
        people, differing_people = _most(self.by_person)
        events, differing_events = _most(self.by_event)
        participants = Participant.objects.select_related("customer").in_bulk(people)
        found = QualifyingEvent.objects.select_related("participant__customer").in_bulk(events)
        return DryRun(
            since=self.since,
            currency=self.campaign.currency,
            events_replayed=len(self.keys),
            total=self.total,
            rules=[
                *(
                    RuleCompared(rule_id, rule, rule_id not in stored, self.by_rule[rule_id])
                    for rule_id, rule in asked.items()
                ),
                *(RuleCompared(rule_id, None, False, self.by_rule[rule_id]) for rule_id in others),
            ],
            participants=[(participants[pk], self.by_person[pk]) for pk in people],
            differing_participants=differing_people,
            events=[(found[pk], self.by_event[pk]) for pk in events],
            differing_events=differing_events,
            codes=self.codes.most_common(),
        )


def _by_a_person(reward: Reward) -> bool:
    """Whether it was canceled otherwise than by a refund: that came from outside the rules, and frees its place."""
    return reward.status == RewardStatus.CANCELED and reward.refunded_amount < reward.earned_amount


def _canceled(reward_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The step in which each of these rewards was canceled."""
    found: dict[UUID, UUID] = {}
    for start in range(0, len(reward_ids), CHUNK):
        steps = RewardTransition.objects.filter(
            reward__in=reward_ids[start : start + CHUNK], to_status=RewardStatus.CANCELED
        )
        found |= dict(steps.values_list("reward", "pk"))
    return found


def _before(moment: datetime | None, event: QualifyingEvent) -> bool:
    return moment is not None and moment <= event.created_at


def _take(replay: Replay, step: _Step) -> None:
    if step.what == "net":
        replay.net(step.subject, step.value)
    elif step.what == "undone":
        replay.undone(step.subject)
    elif step.what == "canceled":
        assert step.rule_id is not None
        replay.canceled(step.subject, step.rule_id)
    elif step.what == "gift":
        replay.gift(step.subject, step.value)
    else:
        replay.gift_canceled(step.subject)


def _most(compared: dict[UUID, Compared]) -> tuple[list[UUID], int]:
    """The keys of those that differ most, and how many differ."""
    differing = [(pk, each) for pk, each in compared.items() if each.given != each.would]
    differing.sort(key=lambda pair: (-abs(pair[1].difference), pair[0]))
    return [pk for pk, _ in differing[:MOST_LISTED]], len(differing)
