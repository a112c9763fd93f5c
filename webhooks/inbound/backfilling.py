"""Backfill: the last days of payments of a connected account, first as a dry run, then for good.

A worker asks the provider (`Provider.payments_since`), outside any transaction. An import stores what it lists as events,
once for each key, and the ordinary pipeline works them off (dispatch.py): killed anywhere, the next worker lists anew and
what is stored already isn't stored twice; a payment that a webhook told of as well counts once, as ever.

A dry run stores the same events in a transaction, lets the same pipeline work them off, notes what came of it, and takes
everything back. It does so some customers at a time, with all payments of a customer together: what one person earns is
exact, a cap or budget that several share is reckoned for each part alone. The figures say "about".

Its row is the queue: `next_attempt_at` says from when on, the lease who is at it, and every write checks that lease.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Count, Sum

from integrations.base import Access, PastMessage, PaymentSeen, Reference
from integrations.errors import ConnectionNeedsAttention, ProviderError, ProviderRetryable
from integrations.models import Connection
from integrations.registry import provider_of
from integrations.selectors import access_of
from integrations.services import connection_needs_attention
from participants.models import Payment, PaymentReference
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7
from referral_rocket.kit.leases import Lease, LeaseLost, free
from rewards.models import Reward
from rewards.states import RewardStatus
from webhooks.inbound import dispatch
from webhooks.inbound.listing import LISTED, body_of
from webhooks.inbound.models import Backfill, BackfillStatus, InboundEvent, InboundStatus

DAYS = (7, 30, 90, 180, 365)
# More than this is no backfill of some days any more, and would be held in memory.
MOST_MESSAGES = 50_000
# So many messages are stored, or judged, in one transaction.
CHUNK = 200
RETRY_SECONDS = (10, 60, 300)
RENEW_SECONDS = 10
ACTOR = "system:backfill"

log = structlog.get_logger(__name__)


class BackfillRefused(Exception):
    """It can't be begun now. `message` is for the person who asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


# What a person asks for ------------------------------------------------------------------------------------------


@transaction.atomic
def backfill_dry_run(*, connection: Connection, days: int, actor: str) -> Backfill:
    """Queue a dry run over the last `days`. Raises BackfillRefused."""
    since = clock.wall() - timedelta(days=days)
    return _queue(connection, Backfill(days=days, since=since, dry_run=True), actor)


@transaction.atomic
def backfill_import(*, dry_run: Backfill, actor: str) -> Backfill:
    """Queue the import of what a finished dry run has shown. Raises BackfillRefused."""
    if not dry_run.dry_run or dry_run.status != BackfillStatus.FINISHED:
        raise BackfillRefused("Do a dry run first, and look at what it shows.")
    return _queue(dry_run.connection, Backfill(days=dry_run.days, since=dry_run.since, dry_run=False), actor)


def _queue(connection: Connection, backfill: Backfill, actor: str) -> Backfill:
    if not connection.is_active:
        raise BackfillRefused("The connection doesn't work at the moment, so nothing can be asked.")
    if provider_of(connection.provider).payments_since is None:
        raise BackfillRefused(f"{connection.provider_name} can't be asked about past payments.")
    if backfill.days not in DAYS:
        raise BackfillRefused(f"Choose {', '.join(map(str, DAYS))} days.")
    backfill.organization, backfill.connection, backfill.actor = connection.organization, connection, actor
    backfill.created_at = backfill.next_attempt_at = clock.wall()
    try:
        with transaction.atomic():
            backfill.save(force_insert=True)
    except IntegrityError as error:
        raise BackfillRefused("One is under way already. Wait until it has finished.") from error
    _record(backfill, actor, "backfill.queued")
    return backfill


def _record(backfill: Backfill, actor: str, kind: str) -> None:
    data = {"days": backfill.days, "dry_run": backfill.dry_run}
    happening = Happening(kind, "connection", backfill.connection_id, data=data)
    record(organization=backfill.organization, actor=actor, happenings=[happening])


# What a worker does ----------------------------------------------------------------------------------------------


def run() -> int:
    """Deal with the backfill that has waited longest; 1 if there was one."""
    work = _claim()
    if work is None:
        return 0
    try:
        _carry_out(work)
    except LeaseLost:
        log.warning("backfill_lease_lost", backfill=str(work.backfill.pk))
    except ProviderError as error:
        _give_up_or_wait(work, error)
    except Exception:
        log.exception("backfill_failed", backfill=str(work.backfill.pk))
        _end(work, BackfillStatus.FAILED, "It broke off unexpectedly; nothing is lost. Try again.")
    return 1


@dataclass
class _Work:
    organization: Organization
    backfill: Backfill
    connection: Connection
    access: Access
    lease: Lease

    def write(self, **values: Any) -> None:
        """Inside `tenant()`. Raises LeaseLost where another worker has taken it over."""
        self.lease = self.lease.renewed()
        rows = Backfill.objects.filter(pk=self.backfill.pk, lease_token=self.lease.token)
        if not rows.update(leased_until=self.lease.until, **values):
            raise LeaseLost


def _claim() -> _Work | None:
    with every_organization("sweep of backfills"):
        now = clock.wall()
        backfill = (
            Backfill.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("organization", "connection")
            .filter(free(now), next_attempt_at__lte=now)
            .order_by("next_attempt_at")
            .first()
        )
        if backfill is None:
            return None
        lease = Lease.new()
        # Whatever an earlier try had counted is counted anew.
        Backfill.objects.filter(pk=backfill.pk).update(
            leased_until=lease.until, lease_token=lease.token, status=BackfillStatus.READING, read=0, judged=0
        )
        organization, connection = backfill.organization, backfill.connection
        access = access_of(connection, organization)
    return _Work(organization, backfill, connection, access, lease)


def _carry_out(work: _Work) -> None:
    if not work.connection.is_active:
        raise ConnectionNeedsAttention("The connection doesn't work any more. Mend it, and try again.")
    messages = _listed(work)
    if work.backfill.dry_run:
        _judge(work, messages)
        return
    for start in range(0, len(messages), CHUNK):
        with tenant(work.organization):
            _store(work, messages[start : start + CHUNK])
            work.write(judged=min(start + CHUNK, len(messages)))
    _end(work, BackfillStatus.FINISHED, "")


def _listed(work: _Work) -> list[PastMessage]:
    """Everything that the provider lists, oldest first."""
    payments_since = provider_of(work.connection.provider).payments_since
    assert payments_since is not None
    found: dict[str, PastMessage] = {}
    renewed = time.monotonic()
    for message in payments_since(work.access, work.backfill.since):
        found[message.key] = message
        if len(found) > MOST_MESSAGES:
            raise ProviderError(f"There is more than {MOST_MESSAGES:,} of it: choose fewer days.", code="too_many")
        # A provider that lets us ask slowly takes longer for a hundred than the lease lasts.
        if len(found) % 100 == 0 or time.monotonic() - renewed > RENEW_SECONDS:
            renewed = time.monotonic()
            with tenant(work.organization):
                work.write(read=len(found))
    with tenant(work.organization):
        work.write(read=len(found), status=BackfillStatus.JUDGING)
    return sorted(found.values(), key=lambda message: (message.occurred_at, message.key))


def _store(work: _Work, messages: Sequence[PastMessage]) -> list[InboundEvent]:
    now = clock.wall()
    events = [
        InboundEvent(
            organization=work.organization,
            connection=work.connection,
            provider_event_id=f"listed:{message.key}"[:255],
            event_type=LISTED,
            livemode=None,
            body=body_of(message),
            received_at=now,
            next_attempt_at=now,
            backfill=work.backfill,
        )
        for message in messages
    ]
    return InboundEvent.objects.bulk_create(events, ignore_conflicts=True)


# A dry run -------------------------------------------------------------------------------------------------------


@dataclass
class _Figures:
    found: int = 0
    known: int = 0
    attributed: int = 0
    unreadable: int = 0
    sums: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    earned: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    def shown(self) -> dict[str, Any]:
        return {
            "found": self.found,
            "known": self.known,
            "attributed": self.attributed,
            "unreadable": self.unreadable,
            "sums": _by_currency(self.sums),
            "would_earn": _by_currency(self.earned),
        }


def _by_currency(sums: dict[str, list[int]]) -> list[dict[str, Any]]:
    return [
        {"currency": currency, "number": number, "amount": amount}
        for currency, (number, amount) in sorted(sums.items())
    ]


class _TakeBack(Exception):
    """Ends a dry run's transaction, so that nothing of it stays."""


def _judge(work: _Work, messages: Sequence[PastMessage]) -> None:
    figures, judged = _Figures(), 0
    for chunk in _by_customer(messages):
        try:
            with tenant(work.organization):
                _try(work, chunk, figures)
                raise _TakeBack
        except _TakeBack:
            pass
        except LeaseLost:
            raise
        except Exception:
            # A bad one spoils its part of the figures, and says so; an import would set it apart by itself.
            log.exception("backfill_part_failed", backfill=str(work.backfill.pk))
            figures.unreadable += len(chunk)
        judged += len(chunk)
        with tenant(work.organization):
            work.write(judged=judged)
    _end(work, BackfillStatus.FINISHED, "", **figures.shown())


def _by_customer(messages: Iterable[PastMessage]) -> Iterator[list[PastMessage]]:
    """Parts of about CHUNK messages; all that may be of one person, or of one payment, is in one part."""
    groups: dict[str, list[PastMessage]] = {}
    of_mark: dict[str, str] = {}
    for message in messages:
        marks = _marks(message)
        names = {of_mark[mark] for mark in marks if mark in of_mark} or {message.key}
        name, *others = sorted(names)
        group = groups.setdefault(name, [])
        for other in others:
            group += groups.pop(other)
            of_mark |= {mark: name for mark, owner in of_mark.items() if owner == other}
        group.append(message)
        of_mark |= dict.fromkeys(marks, name)
    part: list[PastMessage] = []
    for group in groups.values():
        part += group
        if len(part) >= CHUNK:
            yield part
            part = []
    if part:
        yield part


def _marks(message: PastMessage) -> set[str]:
    marks = set()
    for fact in message.facts:
        marks |= {reference.value for reference in getattr(fact, "references", ())}
        if isinstance(fact, PaymentSeen):
            marks |= {mark for mark in (fact.provider_customer_id, (fact.email or "").lower()) if mark}
    return marks


def _try(work: _Work, messages: Sequence[PastMessage], figures: _Figures) -> None:
    """Inside a transaction that will be taken back: store, work off, and count what came of it."""
    dispatch.lock_waiting(work.organization)
    references = {reference for message in messages for reference in _references(message)}
    before = set(_payments(work, references).values_list("pk", flat=True))
    mark = uuid7()
    _store(work, messages)
    events = list(
        InboundEvent.objects.filter(
            connection=work.connection,
            provider_event_id__in=[f"listed:{message.key}"[:255] for message in messages],
        )
        .select_related("connection")
        .order_by("pk")
    )
    dispatch.process(work.organization, events)
    payments = _payments(work, references)
    for payment in payments:
        if payment.amount is None:
            continue
        figures.found += 1
        figures.known += payment.pk in before
        figures.attributed += payment.customer_id is not None
        if payment.currency and payment.pk not in before:
            figures.sums[payment.currency][0] += 1
            figures.sums[payment.currency][1] += payment.amount
    made = (
        Reward.objects.filter(event__payment__in=[payment.pk for payment in payments], pk__gt=mark)
        .exclude(status__in=[RewardStatus.CANCELED, RewardStatus.PENDING_DEDUCTION])
        .values_list("currency")
        .annotate(number=Count("pk"), total=Sum("amount"))
        .order_by()
    )
    for currency, number, amount in made:
        figures.earned[currency][0] += number
        figures.earned[currency][1] += amount


def _references(message: PastMessage) -> Iterator[Reference]:
    for fact in message.facts:
        yield from getattr(fact, "references", ())


def _payments(work: _Work, references: Iterable[Reference]) -> Any:
    """The payments known under these ids, each once."""
    rows = PaymentReference.objects.filter(
        connection=work.connection, value__in={reference.value for reference in references}
    )
    return Payment.objects.filter(pk__in=rows.values("payment"), same_as__isnull=True)


# How it ends -----------------------------------------------------------------------------------------------------


def _give_up_or_wait(work: _Work, error: ProviderError) -> None:
    attempts = work.backfill.attempts
    if isinstance(error, ProviderRetryable) and attempts < len(RETRY_SECONDS):
        seconds = max(RETRY_SECONDS[attempts], error.retry_after or 0)
        again = clock.wall() + timedelta(seconds=seconds)
        with tenant(work.organization):
            Backfill.objects.filter(pk=work.backfill.pk, lease_token=work.lease.token).update(
                status=BackfillStatus.QUEUED, attempts=attempts + 1, next_attempt_at=again, message=error.message[:500],
                leased_until=None, lease_token=None,
            )  # fmt: skip
        return
    _end(work, BackfillStatus.FAILED, error.message)
    if isinstance(error, ConnectionNeedsAttention):
        with tenant(work.organization):
            connection_needs_attention(connection=work.connection, reason=error.message, actor=ACTOR)


def _end(work: _Work, status: str, message: str, **figures: Any) -> None:
    with tenant(work.organization):
        ended = Backfill.objects.filter(pk=work.backfill.pk, lease_token=work.lease.token).update(
            status=status, message=message[:500], next_attempt_at=None, leased_until=None, lease_token=None,
            finished_at=clock.wall(), **figures,
        )  # fmt: skip
        if ended:
            _record(work.backfill, ACTOR, "backfill.ended")


def progress(backfills: Sequence[Backfill]) -> dict[Any, dict[str, int]]:
    """How far the stored events of imports are, by backfill: numbers by status. One query."""
    rows = (
        InboundEvent.objects.filter(backfill__in=[each.pk for each in backfills])
        .values_list("backfill", "status")
        .annotate(Count("pk"))
        .order_by()
    )
    counts: dict[Any, dict[str, int]] = {each.pk: dict.fromkeys(InboundStatus.values, 0) for each in backfills}
    for backfill_id, status, number in rows:
        counts[backfill_id][status] = number
    return counts
