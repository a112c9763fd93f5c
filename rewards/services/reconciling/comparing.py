"""Our rewards looked up at the provider, one by one: whether what is issued here is there, under the same reference.

Also what a person settled as not issued: should the provider show it after all, that is a finding, and nothing else.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from integrations.base import Access, IssueOutcome, IssueResult
from integrations.errors import ConnectionNeedsAttention, ProviderError, ProviderRetryable
from integrations.models import Connection
from referral_rocket.kit.ids import first_id_at
from rewards.models import BatchItem, IssueAttempt
from rewards.reconciliations import Finding, FindingKind
from rewards.services.calls import ProviderCall, earlier_attempts, provider_call
from rewards.services.reconciling.findings import OF_ITEM, item_key
from rewards.states import AttemptOutcome, ItemOutcome

# An item may be issued long after it was made, and not much longer than a provider holds money back.
LONGEST_ISSUING = timedelta(days=60)


@dataclass(frozen=True)
class Compared:
    """What came of some items: what doesn't agree, and the keys of what does."""

    findings: Sequence[Finding]
    agreed: Sequence[str]


def to_compare(connection: Connection, since: datetime) -> QuerySet[BatchItem]:
    """The items that were issued through a connection since then, or settled as not issued, in key order."""
    settled = IssueAttempt.objects.filter(item=OuterRef("pk"), outcome=AttemptOutcome.SETTLED)
    # What the provider shows then is this one.
    since_then = BatchItem.objects.filter(
        reward=OuterRef("reward"), connection=connection, outcome=ItemOutcome.SUCCEEDED, pk__gt=OuterRef("pk")
    )
    return BatchItem.objects.filter(
        Q(outcome=ItemOutcome.SUCCEEDED) | Q(Exists(settled) & ~Exists(since_then), outcome=ItemOutcome.FAILED),
        connection=connection,
        pk__gt=first_id_at(since - LONGEST_ISSUING),
        updated_at__gte=since,
        batch__takes_back=False,
    ).order_by("pk")


def calls_for(
    connection: Connection, since: datetime, after: UUID | None, access: Access, limit: int
) -> list[tuple[BatchItem, ProviderCall]]:
    """The next items and what is to be asked about each. Inside `tenant()`; a fixed number of queries."""
    items = to_compare(connection, since)
    if after is not None:
        items = items.filter(pk__gt=after)
    page = list(
        items.select_related("batch", "reward__customer", "reward__campaign").prefetch_related(
            "reward__customer__provider_customers"
        )[:limit]
    )
    earlier = earlier_attempts(page)
    return [(item, provider_call(access, item, earlier[item.reward_id])) for item in page]


def compare(asked: Iterable[tuple[BatchItem, ProviderCall]], *, between: Callable[[], None]) -> Compared:
    """Ask about each; outside any transaction. Raises ProviderRetryable and ConnectionNeedsAttention.

    `between` is called after each: whoever asks has leases to hold on to.
    """
    findings, agreed = [], []
    for item, call in asked:
        finding = _finding(item, _ask(call))
        between()
        keys = {item_key(kind, item.pk) for kind in OF_ITEM}
        if finding is not None:
            findings.append(finding)
            keys.discard(finding.key)
        agreed += sorted(keys)
    return Compared(findings, agreed)


def _ask(call: ProviderCall) -> IssueResult | ProviderError | None:
    try:
        return call.ask()
    except (ProviderRetryable, ConnectionNeedsAttention):
        raise
    except ProviderError as error:
        return error


def _finding(item: BatchItem, answer: IssueResult | ProviderError | None) -> Finding | None:
    if item.outcome == ItemOutcome.FAILED:
        return _settled_as_not_issued(item, answer)
    if isinstance(answer, ProviderError):
        return _of(item, FindingKind.NOT_SHOWN, f"could not be looked up. {answer.message}")
    if answer is None:
        return _of(item, FindingKind.MISSING, "issued here, but the provider has nothing of it")
    if answer.outcome == IssueOutcome.RETURNED:
        return _of(item, FindingKind.MISSING, "issued here, but the provider gave the money back")
    if answer.provider_reference != item.provider_reference:
        theirs = f"issued as {item.provider_reference}, but the provider has {answer.provider_reference}"
        return _of(item, FindingKind.OTHER_REFERENCE, theirs, provider_reference=answer.provider_reference or "")
    return None


def _settled_as_not_issued(item: BatchItem, answer: IssueResult | ProviderError | None) -> Finding | None:
    if not isinstance(answer, IssueResult) or answer.outcome == IssueOutcome.RETURNED:
        return None
    words = f"a person said that it was not issued, but the provider has {answer.provider_reference}"
    return _of(item, FindingKind.NOT_ISSUED_HERE, words, provider_reference=answer.provider_reference or "")


def _of(item: BatchItem, kind: str, words: str, provider_reference: str | None = None) -> Finding:
    return Finding(
        kind=kind,
        key=item_key(kind, item.pk),
        message=f"reward {item.reward_id}: {words}",
        connection_id=item.connection_id,
        reward_id=item.reward_id,
        item=item,
        named_reward=item.reward_id,
        method=item.batch.method,
        amount=item.sent_amount,
        currency=item.currency,
        provider_reference=(item.provider_reference or "") if provider_reference is None else provider_reference,
    )
