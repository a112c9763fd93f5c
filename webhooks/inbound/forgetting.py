"""Emptying what payment systems told of somebody who was erased (ADR 7): stored bodies, and payments of nobody.

No row says whom a body names, so a sweep looks through what was there when it was asked, page by page, each page in a
transaction that also notes how far it came: killed anywhere, the next sweep goes on there; two at once, the row's lock
lets one through. An event that is still to be worked on is waited for, since its body is all that there is of it.
"""

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db.models import F, Q

from integrations.registry import provider_of
from participants.attribution import InvalidEmail, email_key
from participants.models import Forgetting, Payment
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from referral_rocket.kit.rows import rows_update
from webhooks.inbound.models import InboundEvent, InboundStatus

PAGE = 200
PAYMENTS_PAGE = 2000
RUN_SECONDS = 20
# Rows get their keys before they are committed: only after so long is nothing older still on its way.
SETTLED = timedelta(minutes=1)
# A shorter id would be found in anything, such as a quantity of 1.
SHORTEST_ID = 8
# How many are looked at in one sweep: those behind wait for the next.
CLAIM = 50
_FAILED = "It failed, and what it said was emptied when the person whom it names was erased."

log = structlog.get_logger(__name__)


def run(*, seconds: float = RUN_SECONDS) -> int:
    """Go on with what is unfinished, for at most about `seconds`; how many rows were emptied."""
    deadline, emptied = time.monotonic() + seconds, 0
    with every_organization("sweep of forgettings"):
        waiting = list(
            Forgetting.objects.filter(finished_at__isnull=True, requested_at__lte=clock.wall() - SETTLED)
            .order_by("requested_at")
            .values_list("pk", "organization")[:CLAIM]
        )
        organizations = Organization.objects.in_bulk([organization for _, organization in waiting])
    for pk, organization in waiting:
        try:
            emptied += _go_on(organizations[organization], pk, deadline)
        except Exception:
            log.exception("forgetting_failed", forgetting=str(pk))
    return emptied


def _go_on(organization: Organization, pk: UUID, deadline: float) -> int:
    emptied = 0
    while time.monotonic() < deadline:
        with tenant(organization):
            held = (
                Forgetting.objects.select_for_update(skip_locked=True).filter(pk=pk, finished_at__isnull=True).first()
            )
            if held is None:
                break
            marks = _Marks.of(held.marks or {})
            page = _events_page(held, marks) or _payments_page(held, marks)
            Forgetting.objects.filter(pk=pk).update(
                events_seen=page.events_seen,
                payments_seen=page.payments_seen,
                emptied=F("emptied") + page.emptied,
                **({"marks": None, "finished_at": clock.wall()} if page.is_last else {}),
            )
        emptied += page.emptied
        if page.is_last or page.waits:
            break
    return emptied


@dataclass(frozen=True)
class _Page:
    """How far it came. `waits`: the next event has to be worked on first."""

    events_seen: UUID | None
    payments_seen: UUID | None
    emptied: int
    waits: bool = False
    is_last: bool = False


@dataclass(frozen=True)
class _Marks:
    """What to look for."""

    emails: frozenset[str]
    ids: Mapping[str, frozenset[str]]
    all_of: UUID | None
    patterns: Mapping[str, re.Pattern[str]]
    everywhere: re.Pattern[str] | None

    @classmethod
    def of(cls, marks: Mapping[str, Any]) -> "_Marks":
        emails = frozenset(marks.get("emails", ()))
        ids = {key: frozenset(found) for key, found in marks.get("ids", {}).items()}
        # A whole address, not the end of a longer one; case is folded by the reader.
        addresses = [
            rf"(?<![a-z0-9.!#$%&'*+/=?^_`{{|}}~-]){re.escape(each)}(?![a-z0-9-]|\.[a-z0-9])" for each in emails
        ]
        patterns = {}
        for key, found in ids.items():
            long = [
                rf"(?<![a-z0-9_-]){re.escape(each.lower())}(?![a-z0-9_-])" for each in found if len(each) >= SHORTEST_ID
            ]
            if long or addresses:
                patterns[key] = re.compile("|".join([*addresses, *long]))
        everywhere = re.compile("|".join(addresses)) if addresses else None
        all_of = marks.get("all_of")
        return cls(emails, ids, UUID(all_of) if all_of else None, patterns, everywhere)

    def name(self, event: InboundEvent) -> bool:
        """Whether the event tells of whom they mark."""
        if self.all_of is not None:
            return event.connection_id == self.all_of
        pattern = self.patterns.get(provider_of(event.connection.provider).person_key, self.everywhere)
        return pattern is not None and pattern.search(_readable(bytes(event.body))) is not None

    def name_payment(self, payment: Payment) -> bool:
        if self.all_of is not None:
            return payment.connection_id == self.all_of
        key = provider_of(payment.connection.provider).person_key
        if payment.provider_customer_id and payment.provider_customer_id in self.ids.get(key, ()):
            return True
        try:
            return bool(self.emails and payment.email) and email_key(payment.email or "") in self.emails
        except InvalidEmail:
            return False


def _readable(body: bytes) -> str:
    """In lower case, with what JSON had written as escapes."""
    text = body.decode(errors="replace")
    if "\\" in text:
        # What isn't JSON is looked through as it is.
        with suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), ensure_ascii=False)
    return text.lower()


def _events_page(held: Forgetting, marks: _Marks) -> _Page | None:
    """None where no event is left to look at."""
    rows = InboundEvent.objects.filter(received_at__lte=held.requested_at, body_hash__isnull=True)
    if held.events_seen is not None:
        rows = rows.filter(pk__gt=held.events_seen)
    page = list(rows.select_related("connection").order_by("pk")[:PAGE])
    if not page:
        return None
    named = [event.pk for event in page if marks.name(event)]
    # Held, so that nobody starts to work on one again (a replay) while its body goes.
    locked = list(InboundEvent.objects.select_for_update(of=("self",)).filter(pk__in=named).order_by("pk"))
    first = next((event.pk for event in locked if event.status == InboundStatus.RECEIVED), None)
    ready = [event for event in locked if first is None or event.pk < first]
    for event in ready:
        event.body_hash = hashlib.sha256(bytes(event.body)).hexdigest()
        event.body, event.ask_at = b"", None
        if event.status == InboundStatus.FAILED:
            # The error's own words may name the person.
            event.reason = _FAILED
    rows_update(ready, ["body", "body_hash", "ask_at", "reason"])
    seen = page[-1].pk if first is None else _before(page, first, held.events_seen)
    return _Page(seen, held.payments_seen, len(ready), waits=first is not None)


def _before(page: Sequence[InboundEvent], first: UUID, so_far: UUID | None) -> UUID | None:
    earlier = [event.pk for event in page if event.pk < first]
    return earlier[-1] if earlier else so_far


def _payments_page(held: Forgetting, marks: _Marks) -> _Page:
    """Payments that are somebody's are emptied with that person; of an account that is gone, theirs are too."""
    rows = Payment.objects.select_related("connection").filter(Q(customer__isnull=True, email__isnull=False))
    if held.payments_seen is not None:
        rows = rows.filter(pk__gt=held.payments_seen)
    page = list(rows.order_by("pk")[:PAYMENTS_PAGE])
    named = [payment.pk for payment in page if marks.name_payment(payment)]
    Payment.objects.filter(pk__in=named).update(email=None, provider_customer_id=None, metadata={})
    seen = page[-1].pk if page else held.payments_seen
    return _Page(held.events_seen, seen, len(named), is_last=len(page) < PAYMENTS_PAGE)
