"""What a provider lists, held against our rows: things that aren't on record here, and rewards paid twice there.

The caller holds the connection's lease, so that nothing is being sent through it: what was sent is written down, or in
doubt and so known as open.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models import Q

from integrations.listing import Listed, Listing
from integrations.models import Connection
from referral_rocket.kit.ids import first_id_at
from referral_rocket.kit.money import format_money
from rewards.models import BatchItem, IssueAttempt, Reward
from rewards.reconciliations import Finding, FindingKind
from rewards.services.reconciling.comparing import LONGEST_ISSUING, Compared
from rewards.services.reconciling.findings import OF_LISTED, listed_key
from rewards.states import ItemOutcome

# What the provider has of these isn't a surprise: how they end is being found out.
_OPEN = (ItemOutcome.QUEUED, ItemOutcome.UNKNOWN, ItemOutcome.WAITING)
_AT_ONCE = 500


def hold_against(connection: Connection, listing: Listing, rows: Sequence[Listed]) -> Compared:
    """One page of a provider's list. Inside `tenant()`; a fixed number of queries, but where something isn't known."""
    standing = [row for row in rows if row.stands]
    by_reference = _by_reference(connection, standing)
    unknown = [row for row in standing if row.own_id and row.reference not in by_reference]
    made_of = _rewards_of_own_ids(connection, listing, unknown) if unknown else {}
    rewards_named = {id(row): _reward_of(row, by_reference, made_of) for row in standing}
    wanted = {reward_id for reward_id in rewards_named.values() if reward_id is not None}
    items = _items_of(wanted)
    there = set(Reward.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    findings, agreed = [], []
    for row in standing:
        reward_id = rewards_named[id(row)]
        found = _judge(connection, listing, row, reward_id, items.get(reward_id, []), reward_id in there)
        keys = {listed_key(kind, connection.pk, row.reference) for kind in OF_LISTED}
        if found is not None:
            findings.append(found)
            keys.discard(found.key)
        agreed += sorted(keys)
    return Compared(findings, agreed)


def _by_reference(connection: Connection, rows: Iterable[Listed]) -> dict[str, BatchItem]:
    references = [row.reference for row in rows if row.reward_id is None]
    # What takes something back goes by the reference of what it takes back.
    items = BatchItem.objects.filter(connection=connection, provider_reference__in=references, batch__takes_back=False)
    return {item.provider_reference: item for item in items.order_by("pk") if item.provider_reference}


def _items_of(rewards: Iterable[UUID]) -> dict[UUID | None, list[BatchItem]]:
    found: dict[UUID | None, list[BatchItem]] = defaultdict(list)
    for item in BatchItem.objects.filter(reward__in=list(rewards)).select_related("batch", "claim").order_by("pk"):
        found[item.reward_id].append(item)
    return found


def _reward_of(row: Listed, by_reference: dict[str, BatchItem], made_of: dict[str, UUID]) -> UUID | None:
    if row.reward_id is not None:
        return row.reward_id
    if row.reference in by_reference:
        return by_reference[row.reference].reward_id
    return made_of.get(row.own_id)


def _rewards_of_own_ids(connection: Connection, listing: Listing, rows: Sequence[Listed]) -> dict[str, UUID]:
    """The rewards from whose keys these ids were made, among those that were sent until they appeared."""
    assert listing.own_id is not None
    wanted = {row.own_id for row in rows}
    found: dict[str, UUID] = {}
    after = first_id_at(min(row.made_at for row in rows) - LONGEST_ISSUING)
    last = first_id_at(max(row.made_at for row in rows) + timedelta(days=1))
    while len(found) < len(wanted):
        page = list(
            BatchItem.objects.filter(connection=connection, pk__gt=after, pk__lt=last)
            .order_by("pk")
            .values_list("pk", flat=True)[:_AT_ONCE]
        )
        attempts = IssueAttempt.objects.filter(item__in=page).values_list("reward", "idempotency_key", "group_key")
        for reward_id, key, group_key in attempts:
            own_id = listing.own_id(key, group_key or "")
            if own_id in wanted:
                found[own_id] = reward_id
        if len(page) < _AT_ONCE:
            break
        after = page[-1]
    return found


def _judge(
    connection: Connection,
    listing: Listing,
    row: Listed,
    reward_id: UUID | None,
    items: Sequence[BatchItem],
    here: bool,
) -> Finding | None:
    if not here:
        name = f"reward {reward_id}" if reward_id else "a reward that can't be told any more"
        return _of(connection, listing, row, FindingKind.ORPHAN, f"{_said(row)} for {name}, which isn't on record here")
    ours = next((item for item in items if item.provider_reference == row.reference), None)
    if ours is not None and ours.outcome != ItemOutcome.FAILED:
        return _other_amount(connection, listing, row, ours)
    if any(_is_open(item) for item in items):
        return None
    issued = next((item for item in reversed(items) if item.outcome == ItemOutcome.SUCCEEDED), None)
    if issued is not None:
        other = issued.provider_reference or f"by {issued.batch.method.replace('_', ' ').lower()}"
        words = f"{_said(row)} for reward {reward_id}, which is issued here as {other}"
        return _of(connection, listing, row, FindingKind.DOUBLE_THERE, words, reward_id)
    words = f"{_said(row)} for reward {reward_id}, which isn't issued here"
    return _of(connection, listing, row, FindingKind.NOT_ISSUED_HERE, words, reward_id)


def _is_open(item: BatchItem) -> bool:
    return item.outcome in _OPEN and item.claim is not None and item.claim.closed_at is None


def _other_amount(connection: Connection, listing: Listing, row: Listed, ours: BatchItem) -> Finding | None:
    if row.amount is None or (row.amount, row.currency) == (ours.sent_amount, ours.currency):
        return None
    here = format_money(ours.sent_amount, ours.currency)
    words = f"{_said(row)} for reward {ours.reward_id}; here it is {here}"
    return _of(connection, listing, row, FindingKind.OTHER_AMOUNT, words, ours.reward_id, ours)


def _said(row: Listed) -> str:
    amount = f" over {format_money(row.amount, row.currency)}" if row.amount and row.currency else ""
    return f"the provider has {row.reference}{amount}"


def _of(
    connection: Connection,
    listing: Listing,
    row: Listed,
    kind: str,
    words: str,
    reward_id: UUID | None = None,
    item: BatchItem | None = None,
) -> Finding:
    return Finding(
        kind=kind,
        key=listed_key(kind, connection.pk, row.reference),
        message=words[:1].upper() + words[1:] + ".",
        connection=connection,
        reward_id=reward_id,
        item=item,
        named_reward=row.reward_id or reward_id,
        method=listing.methods[0] if len(listing.methods) == 1 else "",
        amount=row.amount,
        currency=row.currency or "",
        provider_reference=row.reference,
    )


def people_of(connection: Connection, listing: Listing, items: Sequence[UUID]) -> list[str]:
    """The provider's ids of those whom these items went to, each once. One query."""
    attempts = IssueAttempt.objects.filter(
        Q(item__in=list(items)), recipient_provider_id__isnull=False, item__batch__method__in=listing.methods
    )
    return sorted({str(each) for each in attempts.values_list("recipient_provider_id", flat=True)})
