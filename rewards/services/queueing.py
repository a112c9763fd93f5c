"""Queueing: rewards that wait until an earlier discount of their customer is used up (api.md: `unredeemed_discount`).

A queued reward is put into a batch of its own method again each day, and as soon as a payment of its customer was seen
since the last try, which is when a discount is used up. What is still not possible waits on; what was issued, canceled or
moved to another method meanwhile is let go. The next try's time and the batch are one transaction: killed before its
commit, nothing happened; after it, the batch's items are the runner's. The batch claims each reward, as any other does, so
a person who issues it at the same moment, or a second sweep, can't issue it twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from participants.models import Payment
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from rewards.errors import RewardsError
from rewards.models import BatchItem, QueuedReward, Reward
from rewards.services.batches import batch_create
from rewards.services.selecting import Selection
from rewards.states import RewardStatus

CODE = "unredeemed_discount"
ACTOR = "system:queue"
EVERY = timedelta(days=1)
CLAIM = 500

log = structlog.get_logger(__name__)


class NotQueueable(Exception):
    """It isn't waiting for a discount any more. `message` is for the person who asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@transaction.atomic
def rewards_queue(*, organization: Organization, items: Iterable[BatchItem], actor: str) -> int:
    """Let the rewards of batches' items wait; how many wait now that didn't. Asked twice, a reward waits once.

    Raises NotQueueable where none of them waits for an earlier discount.
    """
    wanted = {
        item.reward_id: (item.batch.method, item.connection_id)
        for item in items
        if item.code == CODE and item.connection_id is not None
    }
    locked = Reward.objects.select_for_update(no_key=True).filter(pk__in=wanted, status=RewardStatus.PENDING)
    rewards = list(locked.order_by("pk"))
    if not rewards:
        raise NotQueueable("No reward is waiting for an earlier discount here.")
    waiting = queued_among([reward.pk for reward in rewards])
    now = clock.wall()
    rows = [
        QueuedReward(
            organization=organization,
            reward=reward,
            method=wanted[reward.pk][0],
            connection_id=wanted[reward.pk][1],
            actor=actor,
            created_at=now,
            tried_at=now,
            next_attempt_at=now + EVERY,
        )
        for reward in rewards
        if reward.pk not in waiting
    ]
    QueuedReward.objects.bulk_create(rows)
    _record(organization, rows, actor, "reward.queued")
    return len(rows)


@transaction.atomic
def reward_unqueue(*, organization: Organization, reward_id: UUID, actor: str) -> None:
    """It doesn't wait any more; it stays due. One that didn't wait stays as it is."""
    queued = QueuedReward.objects.select_for_update().filter(reward=reward_id).first()
    if queued is None:
        return
    _record(organization, [queued], actor, "reward.unqueued")
    queued.delete()


def queued_among(reward_ids: Sequence[UUID]) -> set[UUID]:
    return set(QueuedReward.objects.filter(reward__in=reward_ids).values_list("reward", flat=True))


def queued_issue_everywhere() -> int:
    """The sweep: try again what is due for it; how many rewards were tried."""
    with every_organization("sweep of queued rewards"):
        organizations = list(
            Organization.objects.filter(pk__in=_due().values("organization").distinct()).order_by("pk")
        )
    tried = 0
    for organization in organizations:
        try:
            with tenant(organization):
                tried += queued_issue(organization=organization)
        except RewardsError as error:
            # Its connection doesn't work, say: it is tried again tomorrow, and stops nobody else.
            log.warning("queued_rewards_not_tried", organization=str(organization.pk), message=error.message)
            with tenant(organization):
                _put_off(list(_due()[:CLAIM]))
    return tried


@transaction.atomic
def queued_issue(*, organization: Organization) -> int:
    """Make a batch for each method and connection of what is to be tried again. Raises RewardsError."""
    rows = list(_due().select_for_update(skip_locked=True, of=("self",)).order_by("pk")[:CLAIM])
    rewards = Reward.objects.in_bulk([row.reward_id for row in rows])
    gone = [row.pk for row in rows if rewards[row.reward_id].status != RewardStatus.PENDING]
    QueuedReward.objects.filter(pk__in=gone).delete()
    groups: dict[tuple[str, UUID], list[QueuedReward]] = defaultdict(list)
    for row in rows:
        if row.pk not in gone:
            groups[row.method, row.connection_id].append(row)
    for (method, connection_id), waiting in sorted(groups.items(), key=lambda group: (group[0][0], str(group[0][1]))):
        batch_create(
            organization=organization,
            method=method,
            connection_id=connection_id,
            selection=Selection(reward_ids=[row.reward_id for row in waiting]),
            actor=ACTOR,
            note="Queued until an earlier discount was used.",
        )
        _put_off(waiting)
    return sum(map(len, groups.values()))


def _due() -> QuerySet[QueuedReward]:
    """Those whose day is over, and those whose customer has paid since the last try."""
    paid = Payment.objects.filter(customer=OuterRef("reward__customer"), occurred_at__gt=OuterRef("tried_at"))
    now = clock.wall()
    # A payment seen within the last minute may be of an invoice whose discount Stripe is still taking off.
    settled = Q(tried_at__lte=now - timedelta(minutes=1))
    return QueuedReward.objects.filter(Q(next_attempt_at__lte=now) | (settled & Exists(paid)))


def _put_off(rows: Sequence[QueuedReward]) -> None:
    now = clock.wall()
    QueuedReward.objects.filter(pk__in=[row.pk for row in rows]).update(tried_at=now, next_attempt_at=now + EVERY)


def _record(organization: Organization, rows: Sequence[QueuedReward], actor: str, kind: str) -> None:
    happenings = [
        Happening(kind, "reward", row.reward_id, row.reward.campaign_id, {"method": row.method}) for row in rows
    ]
    record(organization=organization, actor=actor, happenings=happenings)
