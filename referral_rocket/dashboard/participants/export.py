"""Participants as a CSV file, streamed: memory stays the same however many there are."""

from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from django.views.decorators.http import require_safe

from participants.models import Participant
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.dashboard.csv_lines import csv_line
from referral_rocket.dashboard.participants.listing import matching, rows_of
from referral_rocket.kit import clock
from referral_rocket.kit.money import plain

CHUNK = 500
COLUMNS = (
    "participant_id",
    "customer_id",
    "external_id",
    "name",
    "email",
    "campaign",
    "referral_code",
    "referred_by",
    "joined_at",
    "referrals",
    "events",
    "earned",
    "banned_at",
)


@require_safe
def participant_export(request: Any) -> StreamingHttpResponse:
    """What the list's filters find, in order of joining."""
    # The filters are read inside the request's own tenant; the rows are fetched after it has closed.
    found = matching(request.GET)
    name = f"participants-{request.organization.slug}-{clock.now(request.organization):%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        _lines(request.organization, found),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _lines(organization: Organization, found: Any) -> Iterator[str]:
    yield csv_line(COLUMNS)
    last = None
    while True:
        with tenant(organization):
            rows = found if last is None else found.filter(pk__gt=last)
            chunk: list[Participant] = list(rows.order_by("pk")[:CHUNK])
            lines = [csv_line(_cells(row)) for row in rows_of(chunk)]
        yield from lines
        if len(chunk) < CHUNK:
            return
        last = chunk[-1].pk


def _cells(row: Any) -> list[str]:
    participant = row.participant
    customer = participant.customer
    return [
        str(participant.pk),
        str(customer.pk),
        customer.external_id or "",
        customer.pseudonym or customer.name,
        customer.email or "",
        participant.campaign.name,
        participant.referral_code,
        participant.referred_by.referral_code if participant.referred_by else "",
        clock.rfc3339(participant.joined_at) or "",
        str(row.referrals),
        str(row.events),
        "; ".join(f"{plain(amount, currency)} {currency}" for currency, amount in row.earned),
        clock.rfc3339(participant.banned_at) or "",
    ]
