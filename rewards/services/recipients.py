"""Rewards that wait for their recipient: due, but the provider couldn't pay the person as things stood.

They wait no more once something is heard that may have changed that (`Customer.reachable_at`): the customer appeared or
changed at the provider, or their data changed here. Then the reward is simply due, and automatic issuing takes it with
the next run where it is on. Nothing is issued from here, so nothing twice.

What was heard is held against when the provider was last asked, not against when its answer was written: a webhook that
arrives while the question is under way isn't lost. Each step is one transaction; killed before its commit, the next
sweep makes it. Two sweeps at once: the second skips what the first holds, or finds that it waits no more.
"""

from collections.abc import Sequence

import structlog
from django.db.models import F, OuterRef, QuerySet, Subquery

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from rewards.models import IssueAttempt, Reward
from rewards.services.door import Move, rewards_move
from rewards.states import RewardStatus, WaitingFor

ACTOR = "system:recipients"
REASON = "recipient_changed"
CLAIM = 500

log = structlog.get_logger(__name__)


def recipients_retry_everywhere() -> int:
    """The sweep; how many rewards wait no more."""
    with every_organization("sweep of rewards that wait for their recipient"):
        waiting = _changed().order_by().values("organization").distinct()
        organizations = list(Organization.objects.filter(pk__in=waiting).order_by("pk"))
    freed = 0
    for organization in organizations:
        try:
            freed += recipients_retry(organization=organization)
        except Exception:
            # It stops only itself.
            log.exception("recipients_not_retried", organization=str(organization.pk))
    return freed


def recipients_retry(*, organization: Organization) -> int:
    """Outside `tenant()`: a transaction for each 500."""
    freed = 0
    while True:
        with tenant(organization):
            rewards: Sequence[Reward] = list(
                _changed().select_for_update(skip_locked=True, no_key=True, of=("self",)).order_by("pk")[:CLAIM]
            )
            rewards_move(
                organization=organization,
                moves=[Move(reward, reward.status) for reward in rewards],
                actor=ACTOR,
                reason=REASON,
            )
        freed += len(rewards)
        if len(rewards) < CLAIM:
            return freed


def _changed() -> QuerySet[Reward]:
    asked = IssueAttempt.objects.filter(reward=OuterRef("pk")).order_by("-pk").values("started_at")[:1]
    return Reward.objects.annotate(asked_at=Subquery(asked)).filter(
        status=RewardStatus.PENDING, waiting_for=WaitingFor.RECIPIENT, customer__reachable_at__gt=F("asked_at")
    )
