"""Our rewards looked up at the provider, one by one: whether what is issued here is there, under the same reference.

Also what was settled as not issued, by a person or a look-up: should the provider show it after all, that is a finding,
and nothing else.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from integrations.base import Access, IssueOutcome, IssueResult
from integrations.errors import ConnectionNeedsAttention, ProviderError, ProviderRetryable
from integrations.models import Connection
from referral_rocket.kit.ids import first_id_at
from rewards.models import BatchItem
from rewards.reconciliations import Finding, FindingKind
from rewards.services.calls import ProviderCall, earlier_attempts, provider_call
from rewards.services.lanes import asked
from rewards.services.reconciling.findings import OF_ITEM, item_key
from rewards.states import ItemOutcome

# An item may be issued long after it was made, and not much longer than a provider holds money back.
LONGEST_ISSUING = timedelta(days=60)


@dataclass(frozen=True)
class Compared:
    """What came of some items: what doesn't agree, and the keys of what does."""

    findings: Sequence[Finding]
    agreed: Sequence[str]


def to_compare(connection: Connection, since: datetime) -> QuerySet[BatchItem]:
    """The items that were issued through a connection since then, or settled as not issued, in key order."""
    return BatchItem.objects.filter(
        Q(outcome=ItemOutcome.SUCCEEDED) | Q(outcome=ItemOutcome.FAILED, code="outcome_unknown"),
        connection=connection,
        pk__gt=first_id_at(since - LONGEST_ISSUING),
        updated_at__gte=since,
        batch__takes_back=False,
    ).order_by("pk")


@dataclass(frozen=True)
class Page:
    """Some items in key order, and what is to be asked about those of them that say how their rewards stand."""

    items: Sequence[BatchItem]
    asked: Sequence[tuple[BatchItem, ProviderCall]]


def next_page(connection: Connection, since: datetime, after: UUID | None, access: Access, limit: int) -> Page:
    """The next items. Inside `tenant()`; a fixed number of queries."""
    found = to_compare(connection, since)
    if after is not None:
        found = found.filter(pk__gt=after)
    items = list(
        found.select_related("batch", "reward__customer", "reward__campaign").prefetch_related(
            "reward__customer__provider_customers"
        )[:limit]
    )
    failed = [item.reward_id for item in items if item.outcome == ItemOutcome.FAILED]
    # What the provider shows of these is what was issued by another try.
    issued = set(
        BatchItem.objects.filter(reward__in=failed, connection=connection, outcome=ItemOutcome.SUCCEEDED).values_list(
            "reward", flat=True
        )
    )
    telling = [item for item in items if item.outcome != ItemOutcome.FAILED or item.reward_id not in issued]
    earlier = earlier_attempts(telling)
    return Page(items, [(item, provider_call(access, item, earlier[item.reward_id])) for item in telling])


def compare(page: Iterable[tuple[BatchItem, ProviderCall]], *, hold_on: Callable[[], None]) -> Compared:
    """Ask about each; outside any transaction. Raises ProviderRetryable and ConnectionNeedsAttention.

    `hold_on` is called while it asks and after each: whoever asks has leases to hold on to.
    """
    findings, agreed = [], []
    for item, call in page:
        finding = _finding(item, _ask(call, hold_on))
        hold_on()
        keys = {item_key(kind, item.pk) for kind in OF_ITEM}
        if finding is not None:
            findings.append(finding)
            keys.discard(finding.key)
        agreed += sorted(keys)
    return Compared(findings, agreed)


def _ask(call: ProviderCall, hold_on: Callable[[], None]) -> IssueResult | ProviderError | None:
    try:
        return asked(call.ask, hold_on=hold_on)
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
    words = f"settled as not issued, but the provider has {answer.provider_reference}"
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
