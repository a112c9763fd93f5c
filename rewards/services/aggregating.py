"""Earning timing: what waited becomes one aggregate, at the close of a statement period or some days after it was earned.

Up to 500 customers are one transaction, whose parts never come into memory as rewards; between two of them nothing is
half done. Killed anywhere, the next run goes on: what is part of an aggregate waits no more, and a statement period
counts as closed (`Campaign.closed_until`) only after its last customer. Two runs at once take turns by an advisory lock
for each campaign; the second finds nothing left. The unique index on campaign, customer, currency and period is the
last word: nobody gets two statements of one period.

A period is closed by what was ready before its end. What is ready later, or was committed only after its customer's
statement was made, waits for the next one.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Min, Q
from django.db.models.functions import Greatest

from campaigns.models import Campaign, EarningTiming
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7, uuid7_many
from rewards.aggregates import Candidate, Group, delayed_groups, statement_groups
from rewards.models import Reward
from rewards.periods import first_close_after
from rewards.services.budgets import budget_holders, budget_returns
from rewards.services.claims import claimed
from rewards.services.door import rewards_move, totals_last
from rewards.services.door.aggregates import NewAggregate, Part, aggregates_make, parts_join
from rewards.states import RewardStatus, RewardType, WaitingFor

ACTOR = "system:release"
CUSTOMERS = 500
NET_ZERO = "net_zero"
_COUNTED = (WaitingFor.AGGREGATION, WaitingFor.HOLDING)
_JOINING = (RewardStatus.EARNED, RewardStatus.PENDING_DEDUCTION)

_PERIOD = """
INSERT INTO rewards_statementperiod AS period (
    id, organization_id, campaign_id, currency, ends_at, closed_at, customers, parts, to_issue, to_deduct)
VALUES (%(id)s, %(organization)s, %(campaign)s, %(currency)s, %(ends_at)s, %(closed_at)s, %(customers)s, %(parts)s,
    %(to_issue)s, %(to_deduct)s)
ON CONFLICT (campaign_id, currency, ends_at) DO UPDATE SET
    closed_at = excluded.closed_at, customers = period.customers + excluded.customers,
    parts = period.parts + excluded.parts, to_issue = period.to_issue + excluded.to_issue,
    to_deduct = period.to_deduct + excluded.to_deduct
"""


def aggregate(*, organization: Organization, moment: datetime) -> int:
    """Make every aggregate of the organization that is due at `moment`; how many. Outside `tenant()`."""
    made = 0
    with tenant(organization):
        waiting = Reward.objects.filter(waiting_for=WaitingFor.AGGREGATION).values("campaign").distinct()
        campaigns = list(
            Campaign.objects.filter(pk__in=waiting)
            .exclude(earning_timing=EarningTiming.IMMEDIATE)
            .order_by("pk")
            .values_list("pk", "earning_timing")
        )
    for campaign_id, timing in campaigns:
        if timing == EarningTiming.STATEMENT:
            made += _close_statements(organization, campaign_id, moment)
        else:
            made += _make_delayed(organization, campaign_id, moment)
    return made


def next_close(campaign: Campaign) -> datetime | None:
    """When the first of what waits now is totalled; None where nothing waits or nothing is totalled by statement."""
    if campaign.earning_timing != EarningTiming.STATEMENT:
        return None
    first = Reward.objects.filter(campaign=campaign, waiting_for=WaitingFor.AGGREGATION).aggregate(
        first=Min("ready_at")
    )["first"]
    if first is None:
        return None
    return first_close_after(max(campaign.closed_until, first), campaign.statement_day, campaign.organization.zone)


def _close_statements(organization: Organization, campaign_id: UUID, moment: datetime) -> int:
    """Make up the closes that are over one by one, the oldest first."""
    made = 0
    while True:
        with tenant(organization):
            campaign = _taken(campaign_id)
            close = next_close(campaign)
        if close is None or close > moment or campaign.earning_timing != EarningTiming.STATEMENT:
            return made
        made += _by_customers(organization, campaign_id, _statements(close))
        with tenant(organization):
            # Never back: a change of the timing meanwhile has put it later.
            Campaign.objects.filter(pk=campaign_id).update(closed_until=Greatest("closed_until", close))


def _make_delayed(organization: Organization, campaign_id: UUID, moment: datetime) -> int:
    return _by_customers(organization, campaign_id, _days(moment))


class _Round:
    """What one pass over a campaign's customers looks for, and how their rewards are totalled."""

    def __init__(
        self,
        kind: str,
        timing: str,
        held: Callable[[Sequence[UUID]], Q],
        waiting: Callable[[Campaign], Q],
        groups: Callable[[Campaign, Iterable[Candidate]], list[Group]],
    ) -> None:
        self.kind = kind
        self.timing = timing
        # What is looked at of so many people, who come in the order of their keys.
        self.held = held
        self.waiting = waiting
        self.groups = groups


def _statements(close: datetime) -> _Round:
    return _Round(
        RewardType.STATEMENT,
        EarningTiming.STATEMENT,
        # Whoever has such rewards between the first and the last of them is one of them.
        lambda people: Q(
            participant__gte=people[0],
            participant__lte=people[-1],
            waiting_for=WaitingFor.AGGREGATION,
            ready_at__lt=close,
        ),
        lambda campaign: Q(ready_at__lt=close),
        lambda campaign, candidates: statement_groups(candidates, close),
    )


def _days(moment: datetime) -> _Round:
    def delay(campaign: Campaign) -> timedelta:
        return timedelta(days=campaign.delay_days or 0)

    return _Round(
        RewardType.DELAYED,
        EarningTiming.DELAYED,
        # A day waits for what is still held of it.
        lambda people: Q(participant__in=people, waiting_for__in=_COUNTED),
        lambda campaign: Q(occurred_at__lte=moment - delay(campaign), ready_at__lte=moment),
        lambda campaign, candidates: delayed_groups(
            candidates, delay=delay(campaign), zone=campaign.organization.zone, moment=moment
        ),
    )


def _by_customers(organization: Organization, campaign_id: UUID, wanted: _Round) -> int:
    made, last = 0, None
    while True:
        with tenant(organization):
            campaign = _taken(campaign_id)
            if campaign.earning_timing != wanted.timing:
                # Somebody changed it since: the next sweep goes by what it is now.
                return made
            waiting = Reward.objects.filter(
                wanted.waiting(campaign), campaign=campaign, waiting_for=WaitingFor.AGGREGATION
            )
            # On from the last customer: those before are done, and their old index entries would be read again.
            page = waiting.filter(participant__gt=last) if last else waiting
            people = list(page.order_by("participant").values_list("participant", flat=True).distinct()[:CUSTOMERS])
            if people:
                made += _total(organization, campaign, people, wanted)
        if len(people) < CUSTOMERS:
            return made
        last = people[-1]


def _taken(campaign_id: UUID) -> Campaign:
    """The campaign as it is now, once nobody else makes aggregates in it: until the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"aggregating:{campaign_id}"])
    return Campaign.objects.select_related("organization").get(pk=campaign_id)


def _total(organization: Organization, campaign: Campaign, people: Sequence[UUID], wanted: _Round) -> int:
    candidates = _held(campaign, people, wanted)
    groups = _not_made_yet(campaign, wanted.groups(campaign, candidates))
    now = clock.now(organization)
    with totals_last(organization):
        _write(organization, campaign, groups, wanted.kind, now)
    return len(groups)


def _write(organization: Organization, campaign: Campaign, groups: Sequence[Group], kind: str, now: datetime) -> None:
    reason = "statement closed" if kind == RewardType.STATEMENT else "a day's total is due"
    for currency in sorted({group.currency for group in groups}):
        mine = [group for group in groups if group.currency == currency]
        here = [(group, _aggregate(group, pk)) for group, pk in zip(mine, uuid7_many(len(mine)), strict=True)]
        if kind == RewardType.STATEMENT:
            _note_period(campaign, currency, mine, now)
        # What is taken off a total is as good as taken back: the budget has it again (a negative total is still open).
        netted = [
            (part.reward_id, part.amount)
            for group in mine
            if group.deducts and group.net >= 0
            for part in group.parts
            if part.is_deduction
        ]
        rewards_move(organization=organization, moves=budget_returns(netted), actor=ACTOR, reason="taken off a total")
        aggregates_make(
            organization=organization,
            model=_model(organization, campaign, kind, currency, now),
            aggregates=[made for _, made in here],
            actor=ACTOR,
            reason=reason,
        )
        parts_join(
            organization=organization,
            campaign_id=campaign.pk,
            currency=currency,
            parts=[
                Part(part.reward_id, made.id, part.status, part.amount, part.target_amount)
                for group, made in here
                for part in group.parts
            ],
            actor=ACTOR,
            reason=reason,
        )


def _held(campaign: Campaign, people: Sequence[UUID], wanted: _Round) -> list[Candidate]:
    """What waits or is held of these people, locked in key order with what deductions among it give back to."""
    waiting = Q(wanted.held(people), campaign=campaign)
    deductions = list(
        Reward.objects.filter(waiting, status=RewardStatus.PENDING_DEDUCTION).values_list("pk", flat=True)
    )
    holders = budget_holders(deductions)
    rows = (
        Reward.objects.select_for_update(no_key=True)
        .filter(waiting & Q(status__in=_JOINING) | Q(pk__in=holders) if holders else waiting & Q(status__in=_JOINING))
        .order_by("pk")
        .values_list(
            "pk", "participant_id", "customer_id", "currency", "status", "waiting_for", "amount", "target_amount",
            "occurred_at", "ready_at", "restores_id",
        )
    )  # fmt: skip
    # What deductions give back to may wait for something else.
    candidates = [each for each in map(Candidate._make, rows) if each.waiting_for in _COUNTED]
    # A deduction that is only here since: what it gives back to isn't locked. It waits for the next aggregate.
    known = set(deductions) - (claimed(deductions) if deductions else set())
    return [each for each in candidates if each.reward_id in known or not each.is_deduction]


def _not_made_yet(campaign: Campaign, groups: Sequence[Group]) -> list[Group]:
    """Without those whose statement of this period a run that was ended early has made: they wait for the next."""
    if not groups or campaign.earning_timing != EarningTiming.STATEMENT:
        return list(groups)
    made = set(
        Reward.objects.filter(
            campaign=campaign,
            participant__gte=min(group.participant_id for group in groups),
            participant__lte=max(group.participant_id for group in groups),
            type=RewardType.STATEMENT,
            period_ends_at__in={group.period_ends_at for group in groups},
        ).values_list("participant", "currency", "period_ends_at")
    )
    return [group for group in groups if (group.participant_id, group.currency, group.period_ends_at) not in made]


def _aggregate(group: Group, pk: UUID) -> NewAggregate:
    net = group.net
    status = RewardStatus.PENDING if net > 0 else RewardStatus.PENDING_DEDUCTION if net < 0 else RewardStatus.CANCELED
    return NewAggregate(
        id=pk,
        participant_id=group.participant_id,
        customer_id=group.customer_id,
        status=str(status),
        amount=abs(net),
        # What was earned is never nothing; where deductions took all of it, that is what it came to before them.
        earned_amount=abs(net) or sum(part.amount for part in group.parts if not part.is_deduction),
        reason=None if net else NET_ZERO,
        parts_count=len(group.parts),
        period_ends_at=group.period_ends_at,
        moment=group.due_at,
    )


def _model(organization: Organization, campaign: Campaign, kind: str, currency: str, now: datetime) -> Reward:
    """What the aggregates have in common, the campaign's fulfilment of this moment included."""
    return Reward(
        organization=organization,
        campaign=campaign,
        type=kind,
        target_amount=0,
        currency=currency,
        fulfilment_kind=campaign.fulfilment_kind,
        fulfilment_method=campaign.fulfilment_method,
        fulfilment_endpoint_id=campaign.fulfilment_endpoint_id,
        created_at=now,
        updated_at=now,
    )


def _note_period(campaign: Campaign, currency: str, groups: Sequence[Group], now: datetime) -> None:
    nets = [group.net for group in groups]
    with connection.cursor() as cursor:
        cursor.execute(
            _PERIOD,
            {
                "id": uuid7(),
                "organization": campaign.organization_id,
                "campaign": campaign.pk,
                "currency": currency,
                "ends_at": groups[0].period_ends_at,
                "closed_at": now,
                "customers": len(groups),
                "parts": sum(len(group.parts) for group in groups),
                "to_issue": sum(net for net in nets if net > 0),
                "to_deduct": -sum(net for net in nets if net < 0),
            },
        )
