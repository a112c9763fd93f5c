"""Replaying many stored events of a connection: all that failed, or all that a filter of the page shows.

Its row is the queue, and remembers how far it came: a worker lets the next some hundred be worked on again, each time in
one transaction that also moves `seen` ahead. Killed anywhere, the next sweep goes on there; two at once, the row's lock
lets one through. An event is taken once, however it ends, since `seen` only goes up; and what it is about counts once,
however often it is worked on. Not more than MOST_WAITING of them wait at a time, so that what arrives meanwhile isn't
kept behind a hundred thousand old ones.
"""

import time
from collections.abc import Sequence
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Count, F, QuerySet

from integrations.models import Connection
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from webhooks.inbound.models import InboundEvent, InboundStatus, Replay
from webhooks.inbound.services import REPLAYABLE, let_again

CHUNK = 500
MOST_WAITING = 1000
RUN_SECONDS = 20

log = structlog.get_logger(__name__)


class ReplayRefused(Exception):
    """It can't be begun now. `message` is for the person who asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@transaction.atomic
def inbound_replay_many(*, connection: Connection, status: str, event_type: str, actor: str) -> Replay:
    """Queue the replay of what is there now of that status and type; "" is each. Raises ReplayRefused."""
    if status and status not in REPLAYABLE:
        raise ReplayRefused("Only events that failed or were ignored can be replayed.")
    now = clock.wall()
    replay = Replay(
        organization=connection.organization,
        connection=connection,
        of_status=status,
        of_type=event_type,
        actor=actor,
        created_at=now,
    )
    replay.total = _wanted(replay).count()
    if not replay.total:
        raise ReplayRefused("There is nothing to replay: no such event failed or was ignored.")
    try:
        with transaction.atomic():
            replay.save(force_insert=True)
    except IntegrityError as error:
        raise ReplayRefused("One is under way already. Wait until it has finished.") from error
    data = {"status": status, "type": event_type, "number": replay.total}
    happening = Happening("inbound.replayed_many", "connection", connection.pk, data=data)
    record(organization=connection.organization, actor=actor, happenings=[happening])
    return replay


def _wanted(replay: Replay) -> QuerySet[InboundEvent]:
    rows = InboundEvent.objects.filter(
        connection=replay.connection_id,
        status__in=[replay.of_status] if replay.of_status else REPLAYABLE,
        received_at__lte=replay.created_at,
        body_hash__isnull=True,
    )
    if replay.of_type:
        rows = rows.filter(event_type=replay.of_type)
    return rows if replay.seen is None else rows.filter(pk__gt=replay.seen)


def run(*, seconds: float = RUN_SECONDS) -> int:
    """Go on with what is unfinished, for at most about `seconds`; how many events are worked on again."""
    deadline, again = time.monotonic() + seconds, 0
    with every_organization("sweep of replays"):
        waiting = list(
            Replay.objects.filter(finished_at__isnull=True).select_related("organization").order_by("created_at")
        )
    for replay in waiting:
        try:
            again += _go_on(replay.organization, replay.pk, deadline)
        except Exception:
            log.exception("replay_failed", replay=str(replay.pk))
    return again


def _go_on(organization: Organization, pk: UUID, deadline: float) -> int:
    again = 0
    while time.monotonic() < deadline:
        with tenant(organization):
            held = Replay.objects.select_for_update(skip_locked=True).filter(pk=pk, finished_at__isnull=True).first()
            if held is None:
                break
            events = InboundEvent.objects.filter(replay=held, status=InboundStatus.RECEIVED)
            if events.count() > MOST_WAITING - CHUNK:
                break
            taken = list(_wanted(held).defer("body").select_for_update(of=("self",)).order_by("pk")[:CHUNK])
            let_again(taken, replay=held)
            is_last = len(taken) < CHUNK
            Replay.objects.filter(pk=pk).update(
                taken=F("taken") + len(taken),
                seen=taken[-1].pk if taken else held.seen,
                finished_at=clock.wall() if is_last else None,
            )
        again += len(taken)
        if is_last:
            break
    return again


def progress(replays: Sequence[Replay]) -> dict[UUID, dict[str, int]]:
    """What became of the events of each, by status. One query."""
    counts: dict[UUID, dict[str, int]] = {each.pk: dict.fromkeys(InboundStatus.values, 0) for each in replays}
    rows = InboundEvent.objects.filter(replay__in=replays).values_list("replay", "status").annotate(Count("pk"))
    for replay, status, number in rows.order_by():
        counts[replay][status] = number
    return counts
