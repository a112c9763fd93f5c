"""Deductions that are taken back where their rewards were issued, if that provider can: before they are netted.

The sweep makes batches of them that the runner works off like any other: claimed, on record before the call, looked up
where the outcome is unknown. A deduction is tried once, whole or not at all; what the provider can't take back any more
is netted from the next rewards, or left to a person.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

import structlog
from django.db.models import Exists, OuterRef, QuerySet

from campaigns.models import FulfilmentKind
from integrations import registry
from integrations.models import Connection, ConnectionStatus
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, Claim, Reward, RewardBatch
from rewards.services.claims import claims_open
from rewards.states import ClaimKind, ItemOutcome, RewardStatus

ACTOR = "system:taking-back"
CLAIM = 500

log = structlog.get_logger(__name__)


def methods_that_return() -> list[str]:
    """The methods whose adapters can take back what they issued (`integrations.base.ReturnsMoney`)."""
    return [method.slug for method in registry.methods() if hasattr(method.adapter, "take_back")]


def can_be_taken_back(deductions: Sequence[Reward]) -> dict[UUID, Connection]:
    """Those that haven't been tried and can be, by the connection that issued their rewards. Three queries at most.

    `deducts` is loaded. One that is more than what the provider was sent can't be taken back whole.
    """
    returning = set(methods_that_return())
    issued = [
        each
        for each in deductions
        if each.deducts is not None
        and each.deducts.status == RewardStatus.AVAILABLE
        and each.deducts.method in returning
        and each.deducts.provider_reference
        and each.amount <= each.deducts.amount - each.deducts.netted_amount
    ]
    if not issued:
        return {}
    tried = set(BatchItem.objects.filter(reward__in=[each.pk for each in issued]).values_list("reward", flat=True))
    through = {
        item.reward_id: item.connection
        for item in BatchItem.objects.filter(
            reward__in=[each.deducts_id for each in issued], outcome=ItemOutcome.SUCCEEDED
        ).select_related("connection")
        if item.connection is not None and item.connection.status == ConnectionStatus.ACTIVE
    }
    return {
        each.pk: through[each.deducts_id]
        for each in issued
        if each.pk not in tried and each.deducts_id is not None and each.deducts_id in through
    }


def take_backs_everywhere() -> int:
    """Queue what can be taken back, organization by organization; how many deductions."""
    with every_organization("sweep of deductions"):
        organizations = list(
            Organization.objects.filter(pk__in=_untried().order_by().values("organization").distinct()).order_by("pk")
        )
    queued = 0
    for organization in organizations:
        try:
            queued += take_backs(organization=organization)
        except Exception:
            # It stops only itself.
            log.exception("taking_back_failed", organization=str(organization.pk))
    return queued


def _untried() -> QuerySet[Reward]:
    claims = Claim.objects.filter(reward=OuterRef("pk"), closed_at__isnull=True)
    return Reward.objects.filter(
        ~Exists(claims),
        ~Exists(BatchItem.objects.filter(reward=OuterRef("pk"))),
        status=RewardStatus.PENDING_DEDUCTION,
        fulfilment_kind=FulfilmentKind.METHOD,
        waiting_for__isnull=True,
        deducts__method__in=methods_that_return(),
    ).order_by("pk")


def take_backs(*, organization: Organization) -> int:
    """One transaction for each 500: killed before its commit, the next sweep queues them. Outside `tenant()`."""
    queued, after = 0, None
    while True:
        with tenant(organization):
            found = _untried().filter(pk__gt=after) if after else _untried()
            some = list(
                found.select_for_update(skip_locked=True, no_key=True, of=("self",)).select_related("deducts")[:CLAIM]
            )
            queued += _queue(organization, some)
        if len(some) < CLAIM:
            return queued
        after = some[-1].pk


def _queue(organization: Organization, deductions: Sequence[Reward]) -> int:
    possible = can_be_taken_back(deductions)
    by_way: dict[tuple[UUID, str], list[Reward]] = defaultdict(list)
    for each in deductions:
        if each.pk in possible and each.deducts is not None and each.deducts.method:
            by_way[possible[each.pk].pk, each.deducts.method].append(each)
    return sum(
        _batch(organization, connection_id, method, each) for (connection_id, method), each in sorted(by_way.items())
    )


def _batch(organization: Organization, connection_id: UUID, method: str, deductions: Sequence[Reward]) -> int:
    claims = claims_open(organization=organization, rewards=deductions, kind=ClaimKind.BATCH)
    held = [each for each in deductions if each.pk in claims]
    if not held:
        return 0
    now = clock.wall()
    campaigns = {each.campaign_id for each in held}
    batch = RewardBatch.objects.create(
        organization=organization,
        campaign_id=campaigns.pop() if len(campaigns) == 1 else None,
        method=method,
        connection_id=connection_id,
        takes_back=True,
        note="Deductions, taken back where their rewards were issued",
        actor=ACTOR,
        created_at=now,
    )
    BatchItem.objects.bulk_create(
        BatchItem(
            organization=organization,
            batch=batch,
            reward=each,
            claim=claims[each.pk],
            connection_id=connection_id,
            amount=each.amount,
            currency=each.currency,
            next_attempt_at=now,
            updated_at=now,
        )
        for each in held
    )
    return len(held)


def issued_items(deductions: Iterable[Reward]) -> dict[UUID, BatchItem]:
    """The item by which the reward of each deduction was issued, with its attempts, by that reward. Two queries."""
    items = BatchItem.objects.filter(
        reward__in=[each.deducts_id for each in deductions if each.deducts_id], outcome=ItemOutcome.SUCCEEDED
    ).prefetch_related("attempts")
    return {item.reward_id: item for item in items.order_by("pk")}
