"""Our own books: totals against rows, history against rewards, claims against items, and what is on record twice.

Read in one statement each, inside `tenant()`; nothing is changed but findings.
"""

from typing import Any

from django.db import connection as database

from referral_rocket.accounts.models import Organization
from rewards.reconciliations import Finding, FindingKind
from rewards.services.reconciling.findings import book_key

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

# A reward whose money came back has no item that succeeded any more; so two that did are two payments.
_TWICE = """
SELECT item.reward_id, count(*), string_agg(coalesce(item.provider_reference, 'by hand'), ' and ' ORDER BY item.id)
FROM rewards_batchitem AS item
WHERE item.organization_id = %(organization)s AND item.outcome = 'SUCCEEDED'
GROUP BY item.reward_id HAVING count(*) > 1
"""

# What takes something back goes by the reference of what it takes back.
_SHARED = """
SELECT item.connection_id, item.provider_reference, string_agg(item.reward_id::text, ' and ' ORDER BY item.id)
FROM rewards_batchitem AS item JOIN rewards_rewardbatch AS batch ON batch.id = item.batch_id
WHERE item.organization_id = %(organization)s AND item.outcome = 'SUCCEEDED'
    AND item.connection_id IS NOT NULL AND item.provider_reference IS NOT NULL
GROUP BY item.connection_id, item.provider_reference, batch.takes_back HAVING count(DISTINCT item.reward_id) > 1
"""


def book_findings(organization: Organization) -> list[Finding]:
    """Everything in our own books that doesn't agree."""
    return [*_totals(organization), *_history(organization), *_claims(organization), *_doubles(organization)]


def _rows(statement: str, organization: Organization) -> list[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(statement, {"organization": organization.pk})
        return list(cursor.fetchall())


def _finding(message: str, what: str, **fields: Any) -> Finding:
    return Finding(kind=FindingKind.BOOKS, key=book_key(FindingKind.BOOKS, what), message=message, **fields)


def _totals(organization: Organization) -> list[Finding]:
    return [
        _finding(
            f"campaign {campaign}, {status}: the totals say {kept_count} rewards, {kept} and targets of {kept_target};"
            f" the rows say {count}, {amount} and {target}",
            f"totals:{campaign}:{status}",
        )
        for campaign, status, kept_count, count, kept, amount, kept_target, target in _rows(_TOTALS, organization)
    ]


def _history(organization: Organization) -> list[Finding]:
    return [
        _finding(f"reward {reward}: {what}", f"history:{reward}:{what}", reward_id=reward)
        for reward, what in _rows(_HISTORY, organization)
    ]


def _claims(organization: Organization) -> list[Finding]:
    return [
        _finding(
            f"reward {reward}: its claim doesn't fit its batch item ({outcome})", f"claim:{reward}", reward_id=reward
        )
        for reward, outcome in _rows(_CLAIMS, organization)
    ]


def _doubles(organization: Organization) -> list[Finding]:
    kind = FindingKind.DOUBLE_HERE
    twice = [
        Finding(
            kind=kind,
            key=book_key(kind, f"reward:{reward}"),
            message=f"reward {reward}: issued {count} times here, as {references}",
            reward_id=reward,
        )
        for reward, count, references in _rows(_TWICE, organization)
    ]
    shared = [
        Finding(
            kind=kind,
            key=book_key(kind, f"reference:{connection}:{reference}"),
            message=f"{reference} stands here for several rewards: {rewards}",
            connection_id=connection,
            provider_reference=str(reference),
        )
        for connection, reference, rewards in _rows(_SHARED, organization)
    ]
    return [*twice, *shared]
