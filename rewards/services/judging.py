"""What the rules make of events: loads and locks the facts of a call, asks, and makes decisions and rewards of it.

Locks, in this order (docs/locking.md): campaigns with a budget, participants and their referrers, each in key order.
They make counts, caps, once-per rules and budgets exact under concurrency.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from campaigns.models import Beneficiary, Campaign, CampaignStatus, CampaignStatusChange, RewardRule, RuleType
from participants.fraud import suspicion
from participants.models import EventOutcome, Participant, QualifyingEvent
from participants.payloads import event_data
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from referral_rocket.kit.money import MAXIMUM_AMOUNT, is_currency
from rewards.errors import EventRefused
from rewards.models import Decision, Reward
from rewards.rules import Occurrence, Person, Standing, Verdict, decide
from rewards.services.door import rewards_create
from rewards.services.standing import Scene, load
from rewards.states import RewardStatus, WaitingFor

# Clocks of honest senders differ by seconds; five minutes is the limit of product.md, Events.
MAXIMUM_AHEAD = timedelta(minutes=5)
NOT_ACTIVE = "campaign_not_active"
# What a decision says, besides which rule and event it is about.
_SAID = ("outcome", "code", "message", "reward", "uncut_amount")
_SECOND = timedelta(seconds=1, microseconds=-1)


@dataclass(frozen=True)
class EventReport:
    """One occurrence as a source reports it. Amounts in minor units; `occurred_at` None means now."""

    campaign_id: UUID
    participant_id: UUID
    source: str
    type: str
    transaction_id: str | None = None
    amount: int | None = None
    currency: str | None = None
    occurred_at: datetime | None = None
    country: str | None = None
    tax: int = 0
    shipping: int = 0
    discount: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    items: Sequence[Mapping[str, Any]] = ()
    payment_id: UUID | None = None
    own_code: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two reports the same occurrence."""
        if self.transaction_id is not None:
            return (self.campaign_id, self.transaction_id)
        return (self.campaign_id, self.participant_id, self.type)


@dataclass
class EventResult:
    """The event as it stands, with its decisions and rewards. `outcome` is QUALIFIED, NOT_QUALIFIED or DUPLICATE."""

    event: QualifyingEvent
    outcome: str
    differs: bool
    decisions: list[Decision]
    rewards: list[Reward]


class Judge:
    """The facts behind one call, loaded and locked in a fixed number of queries."""

    def __init__(self, organization: Organization, actor: str, now: datetime) -> None:
        self.organization = organization
        self.actor = actor
        self.now = now
        self.campaigns: dict[UUID, Campaign] = {}
        self.participants: dict[UUID, Participant] = {}
        self.rules: dict[UUID, list[RewardRule]] = defaultdict(list)
        self.statuses: dict[UUID, list[CampaignStatusChange]] = defaultdict(list)
        self.barred: frozenset[UUID] = frozenset()
        self.erased: frozenset[UUID] = frozenset()

    def load(self, *, campaign_ids: set[UUID], participant_ids: set[UUID]) -> None:
        self.campaigns = Campaign.objects.in_bulk(campaign_ids)
        if any(campaign.budget is not None for campaign in self.campaigns.values()):
            held = Campaign.objects.select_for_update(no_key=True).filter(pk__in=campaign_ids, budget__isnull=False)
            self.campaigns |= {campaign.pk: campaign for campaign in held.order_by("pk")}
        self._lock_people(participant_ids)
        for rule in RewardRule.objects.filter(campaign__in=campaign_ids):
            self.rules[rule.campaign_id].append(rule)
        for change in CampaignStatusChange.objects.filter(campaign__in=campaign_ids).order_by("at", "id"):
            self.statuses[change.campaign_id].append(change)

    def _lock_people(self, ids: set[UUID]) -> None:
        # `referred_by` is read before the locks, so that one statement takes them all in key order. The read under the
        # lock is the one that is used: who was set in between is locked afterwards.
        referrers = Participant.objects.filter(pk__in=ids, referred_by__isnull=False).values_list(
            "referred_by", flat=True
        )
        self._lock(ids | {each for each in referrers if each is not None})
        if not ids <= self.participants.keys():
            # Undoing an import held them, and has removed them.
            raise Participant.DoesNotExist("A participant was removed at the same moment.")
        late = {person.referred_by_id for person in self.participants.values() if person.pk in ids}
        self._lock(each for each in late if each is not None and each not in self.participants)
        # Read once more under the locks: what a statement that waited for a lock joins to the row is older than it.
        self.erased = frozenset(
            Participant.objects.filter(pk__in=self.participants, customer__erased_at__isnull=False).values_list(
                "pk", flat=True
            )
        )
        self.barred = self.erased | {person.pk for person in self.participants.values() if person.banned_at}

    def _lock(self, ids: Iterable[UUID]) -> None:
        people = (
            Participant.objects.select_for_update(no_key=True, of=("self",))
            .select_related("customer")
            .filter(pk__in=list(ids))
            .order_by("pk")
        )
        self.participants |= {person.pk: person for person in people}

    def check(self, report: EventReport) -> None:
        """Raises EventRefused, with the code of api.md."""
        campaign = self.campaigns[report.campaign_id]
        occurred_at = report.occurred_at or self.now
        if occurred_at > self.now + MAXIMUM_AHEAD:
            raise EventRefused("occurred_in_future", "It would occur more than 5 minutes from now.", "occurred_at")
        if report.amount is not None:
            _check_amount(report)
        status = self._status_at(campaign, self._moment(campaign, occurred_at))
        if status != CampaignStatus.ACTIVE:
            # As it was then: it may be active now, and say nothing of why this is refused.
            was = f"it was {status} then" if status else "it was made after that"
            raise EventRefused(NOT_ACTIVE, f"The campaign was not active at {clock.rfc3339(occurred_at)}: {was}.")

    def _moment(self, campaign: Campaign, occurred_at: datetime) -> datetime:
        """When to look at the campaign and its rules.

        A time in whole seconds (Stripe has no others) stands for all of that second: what was begun or changed within it
        holds.
        """
        ending = occurred_at + _SECOND
        whole = occurred_at.microsecond == 0
        return ending if whole and self._status_at(campaign, ending) == CampaignStatus.ACTIVE else occurred_at

    def _status_at(self, campaign: Campaign, moment: datetime) -> str | None:
        before = [change.status for change in self.statuses[campaign.pk] if change.at <= moment]
        if before:
            return before[-1]
        return None

    def new_event(self, report: EventReport) -> QualifyingEvent:
        return QualifyingEvent(
            organization=self.organization,
            campaign=self.campaigns[report.campaign_id],
            participant=self.participants[report.participant_id],
            payment_id=report.payment_id,
            source=report.source,
            type=report.type,
            transaction_id=report.transaction_id,
            amount=report.amount,
            net_amount=report.amount,
            currency=report.currency,
            occurred_at=report.occurred_at or self.now,
            country=report.country,
            tax=report.tax,
            shipping=report.shipping,
            discount=report.discount,
            metadata=dict(report.metadata),
            items=list(report.items),
            actor=self.actor,
            created_at=self.now,
        )

    def judge(self, fresh: Mapping[int, tuple[EventReport, QualifyingEvent]]) -> dict[int, EventResult]:
        """Ask the rules about the new events, in order, and write what they say."""
        events = [event for _, event in fresh.values()]
        standings = {campaign_id: self._standing(campaign_id, events) for campaign_id in self.campaigns}
        results: dict[int, EventResult] = {}
        for position, (report, event) in fresh.items():
            rules = self._rules_at(event.campaign, self._moment(event.campaign, event.occurred_at))
            verdicts = self._ask(event, rules, standings[event.campaign_id], own_code=report.own_code)
            results[position] = self._result(event, verdicts)
        rewards = [reward for result in results.values() for reward in result.rewards]
        rewards_create(organization=self.organization, rewards=rewards, actor=self.actor, reason="earned")
        Decision.objects.bulk_create(decision for result in results.values() for decision in result.decisions)
        qualified = [result.event.pk for result in results.values() if result.outcome == EventOutcome.QUALIFIED]
        if qualified:
            QualifyingEvent.objects.filter(pk__in=qualified).update(outcome=EventOutcome.QUALIFIED)
        record(
            organization=self.organization,
            actor=self.actor,
            at=self.now,
            happenings=[_happening(result) for result in results.values()],
        )
        return results

    def judge_again(self, event: QualifyingEvent, decisions: Sequence[Decision]) -> list[Reward]:
        """Ask the rules of these decisions anew about an event on record, and put what they say in their place.

        None of the decisions may have a reward.
        """
        event.campaign, event.participant = self.campaigns[event.campaign_id], self.participants[event.participant_id]
        rules = [decision.rule for decision in decisions]
        verdicts = self._ask(event, rules, self._standing(event.campaign_id, [event]), own_code=False)
        result = self._result(event, verdicts)
        rewards_create(
            organization=self.organization, rewards=result.rewards, actor=self.actor, reason="earned by a late referral"
        )
        for decision, fresh in zip(decisions, result.decisions, strict=True):
            for name in _SAID:
                setattr(decision, name, getattr(fresh, name))
        Decision.objects.bulk_update(decisions, _SAID)
        QualifyingEvent.objects.filter(pk=event.pk).update(outcome=result.outcome)
        record(organization=self.organization, actor=self.actor, at=self.now, happenings=[_happening(result)])
        return result.rewards

    def _ask(
        self, event: QualifyingEvent, rules: Sequence[RewardRule], standing: Standing, *, own_code: bool
    ) -> list[tuple[RewardRule, Verdict]]:
        return decide(
            campaign=event.campaign,
            rules=rules,
            person=self._person(event.participant, own_code=own_code),
            occurrence=occurrence_of(event),
            standing=standing,
            zone=self.organization.zone,
        )

    def _standing(self, campaign_id: UUID, events: Sequence[QualifyingEvent]) -> Standing:
        here = [event for event in events if event.campaign_id == campaign_id]
        people = {event.participant_id: event.participant for event in here}
        scene = Scene(
            campaign=self.campaigns[campaign_id],
            rules=self.rules[campaign_id],
            participants=list(people.values()),
            new_events=[event.pk for event in here],
        )
        return load(scene, self.organization.zone)

    def _rules_at(self, campaign: Campaign, moment: datetime) -> list[RewardRule]:
        return [
            rule
            for rule in self.rules[campaign.pk]
            if rule.valid_from <= moment and (rule.valid_until is None or moment < rule.valid_until)
        ]

    def _person(self, participant: Participant, *, own_code: bool) -> Person:
        return Person(
            participant_id=participant.pk,
            referrer_id=participant.referred_by_id,
            attributed_at=participant.attributed_at,
            own_code=own_code,
            barred=self.barred,
            erased=participant.pk in self.erased,
        )

    def _result(self, event: QualifyingEvent, verdicts: Sequence[tuple[RewardRule, Verdict]]) -> EventResult:
        decisions, rewards = [], []
        for rule, verdict in verdicts:
            doubt = self._doubt(event, rule) if verdict.rewarded else None
            reward = self._reward(event, rule, verdict, held=doubt is not None) if verdict.rewarded else None
            if reward is not None:
                rewards.append(reward)
            decisions.append(self._decision(event, rule, verdict, reward, doubt))
        if rewards:
            event.outcome = EventOutcome.QUALIFIED
        return EventResult(event, event.outcome, differs=False, decisions=decisions, rewards=rewards)

    def _doubt(self, event: QualifyingEvent, rule: RewardRule) -> str | None:
        """What speaks against the referral that this rule rewards."""
        referrer_id = event.participant.referred_by_id
        if referrer_id is None or (rule.type != RuleType.REFERRAL and rule.beneficiary == Beneficiary.BUYER):
            return None
        referrer = self.participants[referrer_id]
        return suspicion(referred_key=event.participant.customer.email_key, referrer_key=referrer.customer.email_key)

    def _decision(
        self,
        event: QualifyingEvent,
        rule: RewardRule,
        verdict: Verdict,
        reward: Reward | None,
        doubt: str | None,
    ) -> Decision:
        code, message = verdict.code, verdict.message
        if doubt is not None:
            code, message = "held_for_fraud", f"{message} {doubt} It waits for a person's review."
        elif reward is not None and reward.waiting_for == WaitingFor.REVIEW and code == "rewarded":
            code, message = "in_review", f"{message} It waits for a person's review."
        return Decision(
            organization=self.organization,
            event=event,
            rule=rule,
            outcome=verdict.outcome,
            code=code,
            message=message,
            reward=reward,
            uncut_amount=verdict.uncut_amount,
            created_at=self.now,
        )

    def _reward(self, event: QualifyingEvent, rule: RewardRule, verdict: Verdict, *, held: bool) -> Reward:
        assert verdict.beneficiary_id is not None
        campaign, beneficiary = event.campaign, self.participants[verdict.beneficiary_id]
        reward = Reward(
            organization=self.organization,
            campaign=campaign,
            participant=beneficiary,
            customer=beneficiary.customer,
            rule=rule,
            event=event,
            beneficiary=rule.beneficiary,
            transaction_id=event.transaction_id,
            type=rule.type,
            amount=verdict.amount,
            earned_amount=verdict.amount,
            target_amount=verdict.amount,
            uncut_amount=verdict.uncut_amount,
            currency=campaign.currency,
            fulfilment_kind=campaign.fulfilment_kind,
            fulfilment_method=campaign.fulfilment_method,
            earned_at=self.now,
            releases_at=event.occurred_at + timedelta(days=campaign.holding_days),
            occurred_at=event.occurred_at,
            created_at=self.now,
            updated_at=self.now,
        )
        begin(reward, self.now, held=held)
        return reward


def begin(reward: Reward, now: datetime, *, held: bool = False) -> None:
    """Set what a new reward begins as: waiting for review, its holding period or its aggregate, else due at once.

    `held`: something speaks against it, so it is reviewed whatever its amount.
    """
    campaign = reward.campaign
    if held or (campaign.review_above is not None and reward.amount > campaign.review_above):
        reward.status, reward.waiting_for = RewardStatus.EARNED, WaitingFor.REVIEW
    elif reward.releases_at is not None and reward.releases_at > now:
        reward.status, reward.waiting_for = RewardStatus.EARNED, WaitingFor.HOLDING
    elif campaign.aggregates:
        reward.status, reward.waiting_for, reward.ready_at = RewardStatus.EARNED, WaitingFor.AGGREGATION, now
    else:
        reward.status, reward.due_at = RewardStatus.PENDING, now
        # Not earlier: what becomes due later is fixed by what the campaign says then.
        reward.fulfilment_endpoint_id = campaign.fulfilment_endpoint_id


def occurrence_of(event: QualifyingEvent) -> Occurrence:
    return Occurrence(
        type=event.type,
        occurred_at=event.occurred_at,
        amount=event.amount,
        currency=event.currency,
        tax=event.tax,
        shipping=event.shipping,
        discount=event.discount,
        country=event.country,
        products=frozenset(str(item["product"]) for item in event.items if "product" in item),
        metadata=event.metadata,
    )


def _check_amount(report: EventReport) -> None:
    if report.transaction_id is None:
        raise EventRefused("required", "An event with an amount needs a transaction_id.", "transaction_id")
    if report.currency is None or not is_currency(report.currency):
        raise EventRefused("unknown_currency", f"{report.currency} is no ISO 4217 currency.", "currency")
    if not 0 <= (report.amount or 0) <= MAXIMUM_AMOUNT:
        raise EventRefused("out_of_range", f"An amount is from 0 to {MAXIMUM_AMOUNT}.", "amount")


def _happening(result: EventResult) -> Happening:
    event = result.event
    return Happening(
        "event.recorded",
        "event",
        event.pk,
        event.campaign_id,
        {"outcome": event.outcome, "participant_id": str(event.participant_id), "rewards": len(result.rewards)},
        event_data(event, event.participant.customer, "RECORDED"),
    )
