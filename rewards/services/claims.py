"""The claim: the right to issue a reward. At most one is open per reward, by a unique index."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import OuterRef, Subquery

from participants.models import QualifyingEvent
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from rewards.models import Claim, Reward


def claims_open(*, organization: Organization, rewards: Sequence[Reward], kind: str) -> dict[UUID, Claim]:
    """Claim what nobody else has; the claims by reward. Of two callers at once the later one finds the reward taken."""
    now = clock.wall()
    wanted = [Claim(organization=organization, reward=reward, kind=kind, opened_at=now) for reward in rewards]
    Claim.objects.bulk_create(wanted, ignore_conflicts=True)
    held = Claim.objects.filter(pk__in=[claim.pk for claim in wanted])
    return {claim.reward_id: claim for claim in held}


def issuing_begins(reward_ids: Iterable[UUID]) -> None:
    """Note what was left of each reward's payment at this moment: deductions are reckoned from it (reversing.py).

    The caller holds the rewards' rows.
    """
    net_now = QualifyingEvent.objects.filter(pk=OuterRef("event")).values("net_amount")
    Reward.objects.filter(pk__in=list(reward_ids), event__isnull=False).update(issued_net=Subquery(net_now))


def claims_close(claim_ids: Iterable[UUID]) -> None:
    Claim.objects.filter(pk__in=list(claim_ids), closed_at__isnull=True).update(closed_at=clock.wall())


def claimed(reward_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the rewards that somebody has claimed."""
    return set(
        Claim.objects.filter(reward__in=list(reward_ids), closed_at__isnull=True).values_list("reward", flat=True)
    )
