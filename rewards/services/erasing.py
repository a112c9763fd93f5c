"""Erasing a person (product.md, People leaving; what becomes of which data: ADR 7).

One transaction ends what is open and empties the identity. Killed before its commit nothing happened, and asking again
does it; asked twice, at once or later, the second finds it done. What is being issued at that moment ends first: the
reward keeps its claim, and the provider or the tenant's system may have acted. `erasures_finish` looks until that is
over, cancels what came to nothing, lets what was issued stay, and empties the rest. Killed there, it looks again.

Locks (docs/locking.md): the person's participants, the customer, then rewards. An event, a gift and a batch take the
first or the last of these too, so each is either seen here or sees the person erased.
"""

from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from participants.erasing import customer_lock, identity_erase
from participants.models import Customer, Erasure, Participant
from participants.payloads import participant_data
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from rewards.models import Claim, IssueAttempt, Reward
from rewards.services.claims import claimed, claims_close
from rewards.services.leaving import end
from rewards.services.reversing import issuing_begun
from rewards.states import OPEN_STATUSES, ClaimKind

ACTOR = "system:erasing"

log = structlog.get_logger(__name__)


@transaction.atomic
def person_erase(*, organization: Organization, customer_id: UUID, actor: str) -> Customer:
    """Erase a customer in all campaigns. Erasing an erased one changes nothing.

    Unissued rewards are CANCELED (`participant_erased`), open deductions written off; issued and taken-back ones stay,
    and so does what others earned through this person.
    """
    customer = customer_lock(customer_id)
    if customer.erased_at is not None:
        return customer
    _end_what_is_open(organization, customer.pk, actor)
    identity_erase(organization=organization, customer=customer, actor=actor)
    participants = list(Participant.objects.filter(customer=customer).order_by("pk"))
    record(
        organization=organization,
        actor=actor,
        happenings=[
            Happening(
                "participant.erased",
                "participant",
                each.pk,
                each.campaign_id,
                snapshot=participant_data(each, customer, "ERASED"),
            )
            for each in participants
        ],
    )
    _finish(customer.pk)
    return customer


def _end_what_is_open(organization: Organization, customer_id: UUID, actor: str) -> None:
    """End what is open and isn't being issued."""
    # Locked first and read afterwards: a refund that held a reward may have made rows that the first statement missed.
    locked = Reward.objects.select_for_update(no_key=True).filter(customer=customer_id).order_by("pk")
    list(locked.values_list("pk", flat=True))
    still_open = list(locked.filter(status__in=OPEN_STATUSES))
    begun = issuing_begun([reward.pk for reward in still_open])
    ending = [reward for reward in still_open if reward.pk not in begun]
    end(organization=organization, rewards=ending, actor=actor)
    _close_unstarted_orders(ending)


def _close_unstarted_orders(rewards: list[Reward]) -> None:
    """Orders that were never sent end with their reward; a batch's item is ended by the runner, which finds it."""
    claims = Claim.objects.filter(
        reward__in=[reward.pk for reward in rewards], kind=ClaimKind.ORDER, closed_at__isnull=True
    )
    claims_close(list(claims.values_list("pk", flat=True)))


def _finish(customer_id: UUID) -> bool:
    """Empty what was held back, once nothing of the person is being issued; whether that is so."""
    rewards = Reward.objects.filter(customer=customer_id)
    if claimed(rewards.values_list("pk", flat=True)):
        return False
    _forget_exchanges(rewards)
    Erasure.objects.filter(customer=customer_id).update(held=None, finished_at=clock.wall())
    return True


def _forget_exchanges(rewards: QuerySet[Reward]) -> None:
    """Requests and answers name the recipient; the key, the outcome and the provider's reference explain the money."""
    # By their ids: with a join the planner may read all attempts to find a person's few.
    theirs = IssueAttempt.objects.filter(reward__in=list(rewards.values_list("pk", flat=True)))
    theirs.update(exchanges=[], recipient_provider_id=None)


def erasures_finish_everywhere() -> int:
    """Finish what waited for an issuing to end, in every organization; how many people. Safe twice at once."""
    with every_organization("sweep of erasures"):
        waiting = Erasure.objects.filter(finished_at__isnull=True).values("organization").distinct()
        organizations = list(Organization.objects.filter(pk__in=waiting).order_by("pk"))
    return sum(erasures_finish(organization=organization) for organization in organizations)


def erasures_finish(*, organization: Organization) -> int:
    """Each person is a transaction; one that can't be finished stops only itself."""
    with tenant(organization):
        waiting = list(
            Erasure.objects.filter(finished_at__isnull=True).order_by("pk").values_list("customer", flat=True)
        )
    finished = 0
    for customer_id in waiting:
        try:
            with tenant(organization):
                customer_lock(customer_id)
                _end_what_is_open(organization, customer_id, ACTOR)
                finished += _finish(customer_id)
        except Exception:
            log.exception("erasing_failed", customer=str(customer_id))
    return finished
