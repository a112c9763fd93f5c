"""Reconciliation: what was left unknown is looked up, and our totals, history and the providers are held together.

Looking up changes an item only if it is still UNKNOWN when the answer is written; killed in between, the next run asks
again. Nothing is ever sent from here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection as database
from django.db.models import QuerySet

from campaigns.services import MANUAL
from integrations.base import IssueOutcome, IssueResult
from integrations.errors import ProviderError
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, IssueAttempt
from rewards.services.calls import ProviderCall, earlier_attempts, provider_call
from rewards.services.claims import claims_close
from rewards.services.door import Move, rewards_move
from rewards.states import AttemptOutcome, ItemOutcome, RewardStatus

ACTOR = "system:reconcile"
CLAIM = 100


@dataclass(frozen=True)
class Finding:
    """Something that doesn't agree, in words that say where to look."""

    organization: Organization
    message: str

    def __str__(self) -> str:
        return f"{self.organization.slug}: {self.message}"


def reconcile(*, days: int) -> Iterator[Finding]:
    """Everything that doesn't agree, organization by organization; issued rewards of the last `days` are looked up."""
    for organization in Organization.objects.order_by("pk"):
        yield from unknown_look_up(organization=organization)
        with tenant(organization):
            findings = [*_totals(organization), *_history(organization), *_claims(organization)]
        yield from findings
        yield from _at_providers(organization, days)


# Unknown outcomes ---------------------------------------------------------------------------------------------------


def unknown_look_up(*, organization: Organization) -> Iterator[Finding]:
    """Ask the providers about every item whose outcome is unknown; what stays so is a finding."""
    with tenant(organization):
        items = _with_calls(_items().filter(outcome=ItemOutcome.UNKNOWN), organization)
    for item, call in items:
        answer = _ask(call)
        if isinstance(answer, ProviderError):
            yield Finding(organization, f"reward {item.reward_id}: still unknown. {answer.message}")
            continue
        if answer is not None and answer.outcome != IssueOutcome.SUCCEEDED:
            yield Finding(organization, f"reward {item.reward_id}: waits at the provider. {answer.message}")
            continue
        with tenant(organization):
            _settle(organization, item, answer)


def unknown_look_up_everywhere() -> int:
    """The sweep of unknown outcomes, so that a connection that was mended settles what it left; how many stay unknown."""
    with every_organization("sweep of unknown outcomes"):
        unknown = BatchItem.objects.filter(outcome=ItemOutcome.UNKNOWN).values("organization").distinct()
        organizations = list(Organization.objects.filter(pk__in=unknown).order_by("pk"))
    return sum(1 for organization in organizations for _ in unknown_look_up(organization=organization))


def _items() -> QuerySet[BatchItem]:
    return (
        BatchItem.objects.select_related("batch", "connection", "reward__customer", "reward__campaign")
        .prefetch_related("reward__customer__provider_customers")
        .exclude(batch__method=MANUAL)
        .order_by("pk")
    )


def _with_calls(items: Iterable[BatchItem], organization: Organization) -> list[tuple[BatchItem, ProviderCall]]:
    found = list(items)
    earlier = earlier_attempts(found)
    return [
        (item, provider_call(organization, item.connection, item, earlier[item.reward_id]))
        for item in found
        if item.connection is not None and item.connection.is_active
    ]


def _ask(call: ProviderCall) -> IssueResult | ProviderError | None:
    try:
        return call.adapter.look_up(call.access, call.order)
    except ProviderError as error:
        return error


def _settle(organization: Organization, item: BatchItem, answer: IssueResult | None) -> None:
    """Write what the look-up showed: issued, or not done and due again."""
    held = (
        BatchItem.objects.select_for_update(no_key=True, of=("self",)).select_related("reward", "batch").get(pk=item.pk)
    )
    if held.outcome != ItemOutcome.UNKNOWN:
        return
    attempt = IssueAttempt.objects.filter(item=held).order_by("-pk").first()
    if answer is not None:
        held.outcome, held.code, held.message = ItemOutcome.SUCCEEDED, "", "Found at the provider by reconciliation."
        held.provider_reference = answer.provider_reference
        move = Move(
            held.reward,
            RewardStatus.AVAILABLE,
            method=held.batch.method,
            provider_reference=answer.provider_reference,
            issued_at=clock.now(organization),
        )
        rewards_move(organization=organization, moves=[move], actor=ACTOR, reason="found at the provider")
    else:
        held.outcome, held.code = ItemOutcome.FAILED, "outcome_unknown"
        held.message = "The provider shows that this was not done. The reward is still due: issue it again."
    held.in_doubt, held.updated_at = False, clock.wall()
    held.save(update_fields=["outcome", "code", "message", "provider_reference", "in_doubt", "updated_at"])
    if attempt is not None:
        attempt.outcome = AttemptOutcome.SUCCEEDED if answer is not None else AttemptOutcome.NOT_DONE
        attempt.save(update_fields=["outcome"])
    claims_close([held.claim_id] if held.claim_id else [])


# Our own books ------------------------------------------------------------------------------------------------------

_TOTALS = """
SELECT coalesce(kept.campaign_id, counted.campaign_id), coalesce(kept.status, counted.status),
       coalesce(kept.count, 0), coalesce(counted.count, 0), coalesce(kept.amount, 0), coalesce(counted.amount, 0),
       coalesce(kept.target, 0), coalesce(counted.target, 0)
FROM (SELECT * FROM rewards_rewardtotals WHERE organization_id = %(organization)s) AS kept
FULL JOIN (
    SELECT campaign_id, currency, status, count(*), sum(amount) AS amount, sum(target_amount) AS target
    FROM rewards_reward WHERE organization_id = %(organization)s GROUP BY 1, 2, 3
) AS counted USING (campaign_id, currency, status)
WHERE (coalesce(kept.count, 0), coalesce(kept.amount, 0), coalesce(kept.target, 0))
    IS DISTINCT FROM (coalesce(counted.count, 0), coalesce(counted.amount, 0), coalesce(counted.target, 0))
"""

# Each transition begins where the one before it ended, the first from nothing, and the last ends where the reward is.
_HISTORY = """
SELECT reward.id, 'its history ends elsewhere than it stands'
FROM rewards_reward AS reward
LEFT JOIN LATERAL (
    SELECT to_status, amount_after FROM rewards_rewardtransition
    WHERE reward_id = reward.id ORDER BY id DESC LIMIT 1
) AS last ON true
WHERE reward.organization_id = %(organization)s
    AND (last.to_status, last.amount_after) IS DISTINCT FROM (reward.status, reward.amount)
UNION ALL
SELECT reward_id, 'its history has a gap'
FROM (
    SELECT reward_id, from_status, amount_before,
           lag(to_status) OVER steps AS came_from, lag(amount_after, 1, 0::bigint) OVER steps AS amount_then
    FROM rewards_rewardtransition WHERE organization_id = %(organization)s
    WINDOW steps AS (PARTITION BY reward_id ORDER BY id)
) AS step
WHERE (from_status, amount_before) IS DISTINCT FROM (came_from, amount_then)
"""

_CLAIMS = """
SELECT item.reward_id, item.outcome
FROM rewards_batchitem AS item JOIN rewards_claim AS claim ON claim.id = item.claim_id
WHERE item.organization_id = %(organization)s AND claim.closed_at IS NULL AND item.outcome IN ('SUCCEEDED', 'FAILED')
UNION ALL
SELECT item.reward_id, 'QUEUED without a claim'
FROM rewards_batchitem AS item JOIN rewards_claim AS claim ON claim.id = item.claim_id
WHERE item.organization_id = %(organization)s AND claim.closed_at IS NOT NULL
    AND item.outcome IN ('QUEUED', 'UNKNOWN')
"""


def _rows(statement: str, organization: Organization) -> list[tuple[object, ...]]:
    with database.cursor() as cursor:
        cursor.execute(statement, {"organization": organization.pk})
        return list(cursor.fetchall())


def _totals(organization: Organization) -> list[Finding]:
    return [
        Finding(
            organization,
            f"campaign {campaign}, {status}: the totals say {kept_count} rewards, {kept} and targets of {kept_target};"
            f" the rows say {count}, {amount} and {target}",
        )
        for campaign, status, kept_count, count, kept, amount, kept_target, target in _rows(_TOTALS, organization)
    ]


def _history(organization: Organization) -> list[Finding]:
    return [Finding(organization, f"reward {reward}: {what}") for reward, what in _rows(_HISTORY, organization)]


def _claims(organization: Organization) -> list[Finding]:
    return [
        Finding(organization, f"reward {reward}: its claim doesn't fit its batch item ({outcome})")
        for reward, outcome in _rows(_CLAIMS, organization)
    ]


# The providers ------------------------------------------------------------------------------------------------------


def _at_providers(organization: Organization, days: int) -> Iterator[Finding]:
    """Rewards that we hold for issued and the provider doesn't, or under another reference."""
    since = clock.wall() - timedelta(days=days)
    last = None
    while True:
        with tenant(organization):
            some = _items().filter(outcome=ItemOutcome.SUCCEEDED, updated_at__gte=since)
            page = list((some.filter(pk__gt=last) if last else some)[:CLAIM])
            calls = _with_calls(page, organization)
        for item, call in calls:
            finding = _compare(organization, item, _ask(call))
            if finding is not None:
                yield finding
        if len(page) < CLAIM:
            return
        last = page[-1].pk


def _compare(organization: Organization, item: BatchItem, answer: IssueResult | ProviderError | None) -> Finding | None:
    if isinstance(answer, ProviderError):
        return Finding(organization, f"reward {item.reward_id}: could not be looked up. {answer.message}")
    if answer is None:
        return Finding(organization, f"reward {item.reward_id}: issued here, but the provider has nothing of it")
    if answer.provider_reference != item.provider_reference:
        return Finding(
            organization,
            f"reward {item.reward_id}: issued as {item.provider_reference}, but the provider has"
            f" {answer.provider_reference}",
        )
    return None
