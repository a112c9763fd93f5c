"""The claim: the right to issue a reward. At most one is open per reward, by a unique index."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from participants.models import QualifyingEvent
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from rewards.models import Claim, Reward
from rewards.states import ClaimKind


def claims_open(
    *, organization: Organization, rewards: Sequence[Reward], kind: str, started: bool = False
) -> dict[UUID, Claim]:
    """Claim what nobody else has; the claims by reward. Of two callers at once the later one finds the reward taken.

    `started`: from now on the reward counts as being issued.
    """
    now = clock.wall()
    wanted = [
        Claim(organization=organization, reward=reward, kind=kind, opened_at=now, started_at=now if started else None)
        for reward in rewards
    ]
    Claim.objects.bulk_create(wanted, ignore_conflicts=True)
    held = Claim.objects.filter(pk__in=[claim.pk for claim in wanted])
    return {claim.reward_id: claim for claim in held}


def issuing_begins(reward_ids: Iterable[UUID]) -> None:
    """Note what was left of each reward's payment at this moment: deductions are reckoned from it (reversing.py).

    Where a refund still waits for an earlier issuing that came to nothing, the amount is from before that refund, and
    so is what was noted then: it stays. So does what was noted with a base of its own (reversing.families.issued_from).
    The caller holds the rewards' rows.
    """
    net_now = QualifyingEvent.objects.filter(pk=OuterRef("event")).values("net_amount")
    fresh = Reward.objects.filter(
        pk__in=list(reward_ids), event__isnull=False, pending_reduction=0, issued_base__isnull=True
    )
    fresh.update(issued_net=Subquery(net_now))


def claims_close(claim_ids: Iterable[UUID]) -> None:
    Claim.objects.filter(pk__in=list(claim_ids), closed_at__isnull=True).update(closed_at=clock.wall())


def order_end(reward: Reward) -> bool:
    """Close the claim of the reward's order, whose outcome is known now; whether its issuing had begun.

    The caller holds the reward's row.
    """
    claim = Claim.objects.filter(reward=reward, kind=ClaimKind.ORDER, closed_at__isnull=True).first()
    if claim is None:
        return False
    claims_close([claim.pk])
    return claim.started_at is not None


def claimed(reward_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the rewards that somebody has claimed."""
    return set(_open(reward_ids).values_list("reward", flat=True))


def held_from_here(reward_ids: Iterable[UUID]) -> set[UUID]:
    """Those that are being issued from here. An order isn't: the tenant's system says itself what became of it."""
    return set(_open(reward_ids).exclude(kind=ClaimKind.ORDER).values_list("reward", flat=True))


def _open(reward_ids: Iterable[UUID]) -> QuerySet[Claim]:
    return Claim.objects.filter(reward__in=list(reward_ids), closed_at__isnull=True)
