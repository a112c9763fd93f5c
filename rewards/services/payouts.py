"""What providers tell of rewards that were sent: it makes the runner look them up soon, and decides nothing by itself."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from integrations.base import PayoutChanged
from integrations.models import Connection
from referral_rocket.kit import clock
from rewards.models import BatchItem
from rewards.states import ItemOutcome


def payouts_changed(told: Iterable[tuple[Connection, PayoutChanged]]) -> set[tuple[UUID, PayoutChanged]]:
    """Have the items that the messages are of looked up; which messages (by connection) were of one.

    One that is being sent or looked up right now is looked up by that, and again if it stays open. Items are locked in
    key order, before anything else of the transaction that locks rewards.
    """
    known, wanted = set(), set[UUID]()
    for connection, fact in told:
        found = list(_items_of(connection, fact).values_list("pk", flat=True))
        if found:
            known.add((connection.pk, fact))
            wanted |= set(found)
    held = BatchItem.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk")
    due = [item.pk for item in held if item.outcome != ItemOutcome.QUEUED]
    BatchItem.objects.filter(pk__in=due).update(next_attempt_at=clock.wall())
    return known


def _items_of(connection: Connection, fact: PayoutChanged) -> QuerySet[BatchItem]:
    """Those of the connection that were sent and haven't come to nothing."""
    open_or_issued = Q(outcome__in=[ItemOutcome.QUEUED, ItemOutcome.UNKNOWN, ItemOutcome.SUCCEEDED]) | Q(
        outcome=ItemOutcome.WAITING, claim__closed_at__isnull=True
    )
    items = BatchItem.objects.filter(open_or_issued, connection=connection)
    if fact.reward_id is not None:
        return items.filter(reward=fact.reward_id)
    return items.filter(provider_reference=fact.provider_reference) if fact.provider_reference else items.none()
