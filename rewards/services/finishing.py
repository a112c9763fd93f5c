"""The end of a batch, and what the world outside is told of it."""

from collections.abc import Sequence
from uuid import UUID

from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from rewards.models import BatchItem, BatchSlice, RewardBatch
from rewards.payloads import batch_data
from rewards.selectors import batch_counts
from rewards.states import BatchStatus, ItemOutcome

_OPEN = (BatchStatus.AWAITING_APPROVAL, BatchStatus.QUEUED, BatchStatus.RUNNING)


def finish_if_done(batch_ids: Sequence[UUID]) -> None:
    """End the batches in which nothing is queued or still to be frozen. The batch rows are locked in key order."""
    batches = (
        RewardBatch.objects.select_for_update(no_key=True).filter(pk__in=batch_ids, status__in=_OPEN).order_by("pk")
    )
    for batch in batches:
        if BatchItem.objects.filter(batch=batch, outcome=ItemOutcome.QUEUED).exists():
            continue
        if BatchSlice.objects.filter(batch=batch).exists():
            continue
        batch.status, batch.finished_at = BatchStatus.FINISHED, clock.wall()
        batch.save(update_fields=["status", "finished_at"])
        record(
            organization=batch.organization,
            actor=batch.actor,
            happenings=[
                Happening(
                    "batch.finished",
                    "batch",
                    batch.pk,
                    batch.campaign_id,
                    {"method": batch.method},
                    as_told(batch, "FINISHED"),
                )
            ],
        )


def as_told(batch: RewardBatch, change: str) -> dict[str, object]:
    """The batch and its counts as they are now, for webhooks."""
    return batch_data(batch, change, batch_counts([batch])[batch.pk])
