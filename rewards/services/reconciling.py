"""Reconciliation: what was left unknown is looked up, and our totals, history and the providers are held together.

Unknown outcomes are looked up by the runner, under its lease. Nothing is ever sent from here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection as database
from django.db.models import QuerySet

from integrations.base import IssueResult
from integrations.errors import ProviderError
from integrations.selectors import access_of
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem
from rewards.services.calls import ProviderCall, earlier_attempts, provider_call
from rewards.services.issuing import look_up_unknown
from rewards.states import ItemOutcome

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
    for item in look_up_unknown(organization=organization):
        yield Finding(organization, f"reward {item.reward_id}: still unknown. {item.message}")


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


def _items() -> QuerySet[BatchItem]:
    return (
        BatchItem.objects.select_related("batch", "connection", "reward__customer", "reward__campaign")
        .prefetch_related("reward__customer__provider_customers")
        .filter(connection__isnull=False, batch__takes_back=False)
        .order_by("pk")
    )


def _with_calls(items: Iterable[BatchItem], organization: Organization) -> list[tuple[BatchItem, ProviderCall]]:
    found = [item for item in items if item.connection is not None and item.connection.is_active]
    earlier = earlier_attempts(found)
    return [
        (item, provider_call(access_of(item.connection, organization), item, earlier[item.reward_id]))
        for item in found
        if item.connection is not None
    ]


def _ask(call: ProviderCall) -> IssueResult | ProviderError | None:
    try:
        return call.ask()
    except ProviderError as error:
        return error


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
