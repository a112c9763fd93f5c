"""Time passes: holding periods end. Safe to run twice and at once, and after days of downtime."""

from datetime import datetime

import structlog
from django.db.models import Q

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from rewards.models import Reward
from rewards.services.confirming import becomes_due
from rewards.services.door import rewards_move
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
            Q(status=RewardStatus.EARNED, waiting_for=WaitingFor.HOLDING) | ~Q(pending_reduction=0)
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
    """Make due the rewards of one organization whose holding period is over at `at` (its now).

    A claim of 500 is one transaction; killed in the middle, what was committed is due and the next run does the rest.
    Two runs at once skip each other's rows.
    """
    moment = at or clock.now(organization)
    settle_what_waited(organization=organization, actor=ACTOR)
    released = 0
    while True:
        with tenant(organization):
            count = _release_some(organization, moment)
        released += count
        if count < CLAIM:
            return released


def _release_some(organization: Organization, moment: datetime) -> int:
    rewards = list(
        Reward.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .select_related("campaign")
        .filter(status=RewardStatus.EARNED, waiting_for=WaitingFor.HOLDING, releases_at__lte=moment)
        .order_by("releases_at", "pk")[:CLAIM]
    )
    moves = [becomes_due(reward, moment) for reward in rewards]
    rewards_move(organization=organization, moves=moves, actor=ACTOR, reason="holding period over")
    return len(moves)
