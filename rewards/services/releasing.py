"""Time passes: holding periods end, aggregates are made, what was carried over adds up.

Safe to run twice and at once, and after days of downtime: what is made up has the dates that it would have had.
"""

from collections.abc import Callable
from datetime import datetime

import structlog
from django.db.models import Q

from campaigns.models import EarningTiming, FulfilmentKind
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from rewards.models import Reward
from rewards.services.aggregating import aggregate
from rewards.services.becoming_due import becomes_due, waits_no_more
from rewards.services.door import Move, rewards_move
from rewards.services.remainders import carried_release_everybody
from rewards.services.reversing import settle_what_waited
from rewards.states import RewardStatus, WaitingFor

ACTOR = "system:release"
CLAIM = 500

log = structlog.get_logger(__name__)


def release_everywhere(*, at: datetime | None = None) -> int:
    """Make due what is over in every organization; answers how many rewards. `at` stands for now in live ones."""
    with every_organization("sweep of holding periods"):
        # A test clock runs ahead of wall time, so its rewards aren't found by comparing with that.
        waiting = Reward.objects.filter(
            Q(status=RewardStatus.EARNED, waiting_for=WaitingFor.HOLDING)
            # One by one: an index that holds only the one isn't used for a choice of both.
            | Q(waiting_for=WaitingFor.AGGREGATION)
            | Q(waiting_for=WaitingFor.CARRY)
            | ~Q(pending_reduction=0)
        )
        organizations = list(
            Organization.objects.filter(pk__in=waiting.values("organization").distinct()).order_by("pk")
        )
    released, errors = 0, []
    for organization in organizations:
        try:
            released += release(organization=organization, at=None if organization.is_test else at)
        except Exception as error:
            # It stops only itself: the others' rewards become due. Whoever called hears of it at the end.
            log.exception("release_failed", organization=str(organization.pk))
            errors.append(error)
    if errors:
        raise errors[0]
    return released


def release(*, organization: Organization, at: datetime | None = None) -> int:
    """Make due what is over in one organization at `at` (its now): holding periods, closes, delays; how many rewards.

    A claim of 500 is one transaction; killed in the middle, what was committed is done and the next run does the rest.
    Two runs at once skip each other's rows.
    """
    moment = at or clock.now(organization)
    settle_what_waited(organization=organization, actor=ACTOR)
    # In this order: what is held until then has to be ready when its statement closes.
    released = _in_claims(organization, lambda: _end_holding(organization, moment))
    released += _in_claims(organization, lambda: _stop_waiting(organization, moment))
    released += aggregate(organization=organization, moment=moment)
    return released + carried_release_everybody(organization=organization, moment=moment, actor=ACTOR)


def _in_claims(organization: Organization, step: Callable[[], tuple[int, int]]) -> int:
    """Repeat a step that answers how many rewards it took and how many of them are due, until it takes fewer."""
    due = 0
    while True:
        with tenant(organization):
            taken, became_due = step()
        due += became_due
        if taken < CLAIM:
            return due


def _end_holding(organization: Organization, moment: datetime) -> tuple[int, int]:
    rewards = list(
        Reward.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .select_related("campaign")
        .filter(status=RewardStatus.EARNED, waiting_for=WaitingFor.HOLDING, releases_at__lte=moment)
        .order_by("releases_at", "pk")[:CLAIM]
    )
    moves = [waits_no_more(reward, ready_at=reward.releases_at or moment) for reward in rewards]
    rewards_move(organization=organization, moves=moves, actor=ACTOR, reason="holding period over")
    return len(moves), sum(move.to == RewardStatus.PENDING for move in moves)


def _stop_waiting(organization: Organization, moment: datetime) -> tuple[int, int]:
    """What waited for an aggregate of a campaign that makes none any more is due by itself."""
    rewards = list(
        Reward.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .select_related("campaign")
        .filter(waiting_for=WaitingFor.AGGREGATION, campaign__earning_timing=EarningTiming.IMMEDIATE)
        .order_by("pk")[:CLAIM]
    )
    moves = [
        becomes_due(reward, moment) if reward.status == RewardStatus.EARNED else _stands_alone(reward)
        for reward in rewards
    ]
    rewards_move(
        organization=organization, moves=moves, actor=ACTOR, reason="the campaign makes no aggregates any more"
    )
    return len(moves), sum(move.to == RewardStatus.PENDING for move in moves)


def _stands_alone(deduction: Reward) -> Move:
    # The sweep of orders takes what has no endpoint yet; so it is ordered where the tenant's system takes it back.
    by_webhook = deduction.fulfilment_kind == FulfilmentKind.WEBHOOK
    return Move(deduction, deduction.status, waiting_for=WaitingFor.NO_ENDPOINT if by_webhook else None)
