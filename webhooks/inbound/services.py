"""What a person does about stored events. The edge nudges `webhooks.inbound.tasks.work_off` afterwards."""

from collections.abc import Sequence

from django.db import transaction

from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from webhooks.inbound.models import InboundEvent, InboundStatus, Replay

REPLAYABLE = (InboundStatus.FAILED, InboundStatus.IGNORED)


class NotReplayable(Exception):
    """The event counted already, or waits to be worked on. `message` is for the person who asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def let_again(events: Sequence[InboundEvent], *, replay: Replay | None = None) -> None:
    """Have events that the caller holds worked on once more, with all their tries."""
    now = clock.wall()
    for event in events:
        event.status, event.attempts, event.reason = InboundStatus.RECEIVED, 0, ""
        event.processed_at, event.next_attempt_at, event.replay = None, now, replay
    InboundEvent.objects.filter(pk__in=[event.pk for event in events]).update(
        status=InboundStatus.RECEIVED, attempts=0, reason="", processed_at=None, next_attempt_at=now, replay=replay
    )


@transaction.atomic
def inbound_replay(*, organization: Organization, event: InboundEvent, actor: str) -> InboundEvent:
    """Let a failed or ignored event be worked on once more, from its stored body, with all its tries.

    What it is about counts once all the same: payments and transactions have unique keys. Two replays at once: the
    second one waits for the first one's row and then finds it waiting. Raises NotReplayable.
    """
    held = InboundEvent.objects.select_for_update(of=("self",)).get(pk=event.pk)
    if held.body_hash is not None:
        raise NotReplayable("What it said was emptied when the person whom it names was erased.")
    if held.status not in REPLAYABLE:
        raise NotReplayable("Only events that failed or were ignored can be replayed.")
    before = held.status
    let_again([held])
    happening = Happening(
        "inbound.replayed", "connection", held.connection_id, data={"event": str(held.pk), "was": before}
    )
    record(organization=organization, actor=actor, happenings=[happening])
    return held
