"""Stored events become payments, qualifying events and rewards.

One organization at a time is worked on by one worker (an advisory lock that ends with the transaction), up to 100
events in one transaction: killed before its commit, the events are still waiting, and the next sweep takes them;
after it, all that they caused is there. If the transaction fails, its events are worked on one by one, so that a bad
event stops only itself: it is tried again with growing pauses, then marked FAILED for a person to see. Messages about
privacy are carried out one by one, after the others of their claim (privacy.py).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog
from django.db import connection as database
from django.db import transaction
from django.db.models import Min

from integrations import registry
from integrations.base import (
    CustomerSeen,
    Fact,
    Ignored,
    PaymentJoined,
    PaymentSeen,
    PayoutChanged,
    ReadsByType,
    ReversalSeen,
)
from integrations.errors import UnreadableEvent
from integrations.models import Connection, ConnectionStatus
from integrations.reading import said
from integrations.services import connection_heard
from participants.attributing import customer_seen
from participants.models import Payment
from participants.payments import Ledger
from participants.reversals import ReversalReport, foreign_reversals
from referral_rocket.accounts.models import Mode, Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from referral_rocket.kit.rows import rows_update
from rewards.services.paying import PaymentReversed, payments_count
from rewards.services.payouts import payouts_changed
from webhooks.inbound import privacy
from webhooks.inbound.listing import LISTED, facts_of
from webhooks.inbound.models import InboundEvent, InboundStatus

CLAIM = 100
# What a message leaves out is asked for after so long: another one usually tells it within seconds.
PATIENCE = timedelta(minutes=1)
RUN_SECONDS = 20
RETRY_SECONDS = (5, 30, 120, 600, 3600, 6 * 3600)

_FOREIGN = (
    "{what} {id} is in {currency}, another currency than its payment: it takes nothing from the reward, since nothing is"
    " converted here. Correct the reward by hand."
)

log = structlog.get_logger(__name__)


def run(*, seconds: float = RUN_SECONDS) -> int:
    """Work off what is waiting, for at most about `seconds`; how many events were dealt with."""
    deadline = time.monotonic() + seconds
    done, passed_over = 0, set[UUID]()
    while time.monotonic() < deadline:
        organization = _next_organization(passed_over)
        if organization is None:
            break
        count = _work_off(organization)
        if count is None:
            passed_over.add(organization.pk)
        done += count or 0
    return done


def _next_organization(passed_over: set[UUID]) -> Organization | None:
    """The organization whose event has waited longest."""
    with every_organization("sweep of inbound events"):
        row = (
            InboundEvent.objects.filter(status=InboundStatus.RECEIVED, next_attempt_at__lte=clock.wall())
            .exclude(organization__in=passed_over)
            .values("organization")
            .annotate(first=Min("next_attempt_at"))
            .order_by("first")
            .first()
        )
        return Organization.objects.get(pk=row["organization"]) if row else None


def _work_off(organization: Organization) -> int | None:
    """How many events of the organization were dealt with; None where another worker is at it."""
    try:
        with tenant(organization):
            if not _lock(organization):
                return None
            events = _claim(CLAIM)
            apart = [event for event in events if privacy.reader_of(event) is not None]
            process(organization, [event for event in events if event not in apart])
        # Another worker has begun in between: it finds what is left of them.
        return len(events) if all(_by_itself(organization, event) for event in apart) else None
    except Exception:
        log.exception("inbound_claim_failed", organization=str(organization.pk))
    return _one_by_one(organization)


def _by_itself(organization: Organization, event: InboundEvent) -> bool:
    """A message about privacy, in a transaction of its own; False where another worker is at the organization."""
    failure = None
    try:
        privacy.pass_on(event)
    except Exception as error:
        log.exception("inbound_event_failed", inbound_event=str(event.pk))
        failure = error
    with tenant(organization):
        if not _lock(organization):
            return False
        held = (
            InboundEvent.objects.select_for_update(of=("self",))
            .select_related("connection")
            .filter(pk=event.pk, status=InboundStatus.RECEIVED)
            .first()
        )
        if held is not None and failure is not None:
            _put_off(held, failure)
        elif held is not None:
            _carry_out(held, partial(privacy.carry_out, organization, held))
    return True


def _carry_out(event: InboundEvent, work: Callable[[], None]) -> None:
    """In a savepoint, so that what goes wrong with one event is on record with it."""
    try:
        with transaction.atomic():
            work()
    except Exception as error:
        log.exception("inbound_event_failed", inbound_event=str(event.pk))
        _put_off(event, error)


def _lock(organization: Organization) -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"inbound:{organization.pk}"])
        return bool(cursor.fetchone()[0])


def lock_waiting(organization: Organization) -> None:
    """The same lock, waited for: for a caller whose work is short and can't be put off."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"inbound:{organization.pk}"])


def _claim(limit: int) -> list[InboundEvent]:
    return list(
        InboundEvent.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("connection")
        .filter(status=InboundStatus.RECEIVED, next_attempt_at__lte=clock.wall())
        .order_by("next_attempt_at", "id")[:limit]
    )


def _one_by_one(organization: Organization) -> int | None:
    """Each in a transaction of its own: what one has locked, the next one must not hold (docs/locking.md)."""
    for done in range(CLAIM):
        with tenant(organization):
            if not _lock(organization):
                return done or None
            events = _claim(1)
            if not events:
                return done
            if privacy.reader_of(events[0]) is None:
                _carry_out(events[0], partial(process, organization, events))
        if privacy.reader_of(events[0]) is not None:
            _by_itself(organization, events[0])
    return CLAIM


def _put_off(event: InboundEvent, error: Exception) -> None:
    event.attempts += 1
    event.reason = f"{type(error).__name__}: {error}"[:500]
    # Whatever it said of itself when the error came was taken back with all the rest.
    event.status = InboundStatus.RECEIVED
    if event.attempts > len(RETRY_SECONDS):
        event.status = InboundStatus.FAILED
    else:
        event.next_attempt_at = clock.wall() + timedelta(seconds=RETRY_SECONDS[event.attempts - 1])
    event.save(update_fields=["attempts", "reason", "status", "next_attempt_at"])


@dataclass
class _Reading:
    """One event and what came of it."""

    event: InboundEvent
    facts: Sequence[Fact] = ()
    payments: list[Payment] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    used: bool = False
    leaves_out: bool = False

    def take(self, payment: Payment) -> None:
        self.used = True
        self.payments.append(payment)


def process(organization: Organization, events: Sequence[InboundEvent]) -> None:
    """All messages are put together first, then the payments are counted: a code in the last message counts too."""
    if not events:
        return
    readings = [_read(organization, event) for event in events]
    ledger, reversals = _put_together(organization, readings)
    touched = {payment.pk: ledger.payment_of(payment) for reading in readings for payment in reading.payments}
    payments = list({payment.pk: payment for payment in touched.values()}.values())
    # Before the totals, which are the last that is locked (docs/locking.md).
    for connection in {reading.event.connection for reading in readings}:
        heard = [reading.event.received_at for reading in readings if reading.event.connection_id == connection.pk]
        connection_heard(connection=connection, at=max(heard))
    counted = payments_count(organization=organization, payments=payments, reversals=reversals)
    foreign = foreign_reversals(payments)
    now = clock.wall()
    for reading in readings:
        for payment in reading.payments:
            reading.said += counted.get(touched[payment.pk].pk, [])
            for each in foreign.get(touched[payment.pk].pk, ()):
                reading.said.append(
                    _FOREIGN.format(what=each.get_kind_display(), id=each.refund_id, currency=each.currency)
                )
        event = reading.event
        event.status = InboundStatus.PROCESSED if reading.used else InboundStatus.IGNORED
        told = {fact.refund_id for fact in reading.facts if isinstance(fact, ReversalSeen)}
        if any(
            each.refund_id in told for payment in reading.payments for each in foreign.get(touched[payment.pk].pk, ())
        ):
            # So that a person sees that something went back of which the product makes nothing.
            event.status = InboundStatus.FAILED
        event.reason = " ".join(dict.fromkeys(reading.said))[:500]
        event.processed_at = now
        if reading.leaves_out and reading.used:
            event.ask_at = now + PATIENCE
    rows_update([reading.event for reading in readings], ["status", "reason", "processed_at", "ask_at"])


def _put_together(organization: Organization, readings: Sequence[_Reading]) -> tuple[Ledger, Sequence[PaymentReversed]]:
    """Payments and customers' ids of the messages, written, and what the messages say was reversed."""
    ledger = Ledger(organization)
    facts = [fact for reading in readings for fact in reading.facts]
    ledger.load(
        {reading.event.connection for reading in readings},
        [fact for fact in facts if isinstance(fact, PaymentSeen)],
        [ref for fact in facts if isinstance(fact, PaymentJoined | ReversalSeen) for ref in fact.references],
    )
    reversals: list[tuple[Payment, ReversalReport]] = []
    for reading in readings:
        for fact in reading.facts:
            _apply(organization, ledger, reading, fact, reversals)
    _look_up_payouts(readings)
    ledger.write()
    return ledger, [PaymentReversed(ledger.payment_of(payment), report) for payment, report in reversals]


def _look_up_payouts(readings: Sequence[_Reading]) -> None:
    told = [
        (reading, fact)
        for reading in readings
        if reading.event.connection.status != ConnectionStatus.DISCONNECTED
        for fact in reading.facts
        if isinstance(fact, PayoutChanged)
    ]
    known = payouts_changed((reading.event.connection, fact) for reading, fact in told)
    for reading, fact in told:
        reading.used = reading.used or (reading.event.connection_id, fact) in known
        reading.said.append(
            "The reward is looked up at the provider."
            if (reading.event.connection_id, fact) in known
            else "It is of nothing that was sent from here."
        )


def _read(organization: Organization, event: InboundEvent) -> _Reading:
    reading = _Reading(event)
    if event.livemode is not None and event.livemode != (organization.mode == Mode.LIVE):
        reading.said.append(f"It is a {'live' if event.livemode else 'test'} event, and this is the other mode.")
        return reading
    inbound = registry.provider_of(event.connection.provider).inbound
    assert inbound is not None
    try:
        payload = said(bytes(event.body))
        if event.event_type == LISTED:
            reading.facts = facts_of(payload)
        elif isinstance(inbound, ReadsByType):
            reading.facts = inbound.read_type(event.event_type, payload)
        else:
            reading.facts = inbound.read(payload)
        completion = registry.provider_of(event.connection.provider).completion
        reading.leaves_out = event.event_type != LISTED and completion is not None and completion.leaves_out(payload)
    except UnreadableEvent as error:
        reading.said.append(str(error))
    return reading


def _apply(
    organization: Organization,
    ledger: Ledger,
    reading: _Reading,
    fact: Fact,
    reversals: list[tuple[Payment, ReversalReport]],
) -> None:
    connection: Connection = reading.event.connection
    if connection.status == ConnectionStatus.DISCONNECTED and not isinstance(fact, Ignored | ReversalSeen):
        reading.said.append("The connection is disconnected: only refunds and disputes still count.")
    elif isinstance(fact, Ignored):
        reading.said.append(fact.reason)
    elif isinstance(fact, PaymentSeen):
        reading.take(ledger.seen(connection, fact))
    elif isinstance(fact, PaymentJoined):
        reading.take(ledger.referred_to(connection, fact.references))
    elif isinstance(fact, CustomerSeen):
        found = customer_seen(organization=organization, connection=connection, fact=fact)
        reading.used = found is not None
        reading.said.append("The customer's id was noted." if found else "No customer here has this e-mail.")
    elif isinstance(fact, ReversalSeen):
        payment = ledger.referred_to(connection, fact.references)
        reading.take(payment)
        reversals.append((payment, _reversal(fact)))
        reading.said.append(f"{fact.kind.capitalize()} {fact.refund_id}: {fact.status.lower()}.")


def _reversal(fact: ReversalSeen) -> ReversalReport:
    return ReversalReport(
        refund_id=fact.refund_id,
        kind=fact.kind,
        status=fact.status,
        amount=fact.amount,
        currency=fact.currency,
        cumulative=fact.cumulative,
        occurred_at=fact.occurred_at,
    )
