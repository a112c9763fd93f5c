"""Asking a provider for what its webhook left out (`Provider.completion`), outside any transaction.

An event that left something out gets a time (`ask_at`) when it is worked off. A worker asks then, and stores the answer as
an event of its own, once (listing.py), which the pipeline works off like any other: what another message has told
meanwhile changes nothing. Killed before that commit, it asks again a minute later. What can't be asked within a day is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from integrations.base import Access, PastMessage
from integrations.errors import ProviderError, ProviderRetryable
from integrations.models import ConnectionStatus
from integrations.reading import said
from integrations.registry import provider_of
from integrations.selectors import access_of
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from webhooks.inbound.listing import LISTED, body_of
from webhooks.inbound.models import InboundEvent

CLAIM = 20
LEASE = timedelta(minutes=1)
RETRY = timedelta(minutes=10)
GIVE_UP = timedelta(days=1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Claimed:
    """An event that is ours to ask about until `until`."""

    organization: Organization
    event: InboundEvent
    access: Access
    until: datetime


def run() -> int:
    """Ask about what is due; how many events that were."""
    claimed = _claim()
    for each in claimed:
        if each.event.connection.status != ConnectionStatus.ACTIVE:
            _write(each, ())
            continue
        completion = provider_of(each.access.provider).completion
        assert completion is not None
        try:
            facts = completion.ask(each.access, said(bytes(each.event.body)))
        except ProviderError as error:
            _put_off(each, error)
            continue
        occurred_at = each.event.received_at
        _write(each, [PastMessage(f"asked:{each.event.provider_event_id}", occurred_at, facts)] if facts else ())
    return len(claimed)


def _claim() -> list[_Claimed]:
    now = clock.wall()
    until = now + LEASE
    with every_organization("claiming events to ask about"):
        events = list(
            InboundEvent.objects.filter(ask_at__lte=now)
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("connection", "organization")
            .order_by("ask_at")[:CLAIM]
        )
        InboundEvent.objects.filter(pk__in=[event.pk for event in events]).update(ask_at=until)
        claimed = []
        for event in events:
            access = access_of(event.connection, event.organization)
            claimed.append(_Claimed(event.organization, event, access, until))
    return claimed


def _write(claimed: _Claimed, answers: Sequence[PastMessage]) -> None:
    now = clock.wall()
    with tenant(claimed.organization):
        held = InboundEvent.objects.select_for_update().filter(pk=claimed.event.pk, ask_at=claimed.until)
        if not held.exists():
            return
        held.update(ask_at=None)
        InboundEvent.objects.bulk_create(
            (
                InboundEvent(
                    organization=claimed.organization,
                    connection=claimed.event.connection,
                    provider_event_id=answer.key[:255],
                    event_type=LISTED,
                    body=body_of(answer),
                    received_at=now,
                    next_attempt_at=now,
                )
                for answer in answers
            ),
            ignore_conflicts=True,
        )


def _put_off(claimed: _Claimed, error: ProviderError) -> None:
    now = clock.wall()
    wait = RETRY
    if isinstance(error, ProviderRetryable) and error.retry_after is not None:
        wait = max(wait, timedelta(seconds=error.retry_after))
    again = now + wait if now - claimed.event.received_at < GIVE_UP else None
    if again is None:
        log.warning("inbound_not_completed", inbound_event=str(claimed.event.pk), message=error.message)
    with tenant(claimed.organization):
        InboundEvent.objects.filter(pk=claimed.event.pk, ask_at=claimed.until).update(ask_at=again)
