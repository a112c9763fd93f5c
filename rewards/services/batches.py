"""Batches: some due rewards, one method, one result per reward. Making one claims its rewards; issuing.py does the rest.

Making a batch is one transaction. Killed before its commit, no reward is claimed; after it, the sweep finds the items,
whether the nudge arrived or not. The same rewards in two batches at once: each reward's claim goes to one of them, the
other has the item as `FAILED`, `being_issued`. A big batch is only written down as what was selected (freezing.py).
"""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from campaigns.models import Campaign
from integrations import registry
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7
from rewards.errors import BatchNotCancelable, BatchNotReady, FileWasDownloaded, SamePerson
from rewards.models import BatchItem, BatchSlice, IssueAttempt, RewardBatch
from rewards.services.claims import claims_close
from rewards.services.finishing import as_told, finish_if_done
from rewards.services.freezing import Chosen, choose, freeze, is_big, store
from rewards.services.netting import nettings_end, nettings_of
from rewards.services.selecting import Selection, connection_of, selected
from rewards.states import AttemptOutcome, BatchStatus, ItemOutcome


@transaction.atomic
def batch_create(
    *,
    organization: Organization,
    method: str,
    selection: Selection,
    actor: str,
    connection_id: UUID | None = None,
    note: str = "",
    reference: str = "",
    batch_id: UUID | None = None,
    person: UUID | None = None,
    at_once: bool = False,
) -> RewardBatch:
    """Claim what is due of the selection and queue it. Raises UnknownRewards, ConnectionRequired, InvalidReward.

    Of more than freezing.FROZEN_AT_ONCE rewards only the selection is stored, and the worker claims them (freezing.py);
    `at_once` is for callers that are workers themselves and rest on the claims.
    `batch_id` is chosen by a caller who may ask twice: the second time raises IntegrityError, and nothing is made.
    `person` is the user who stands behind `actor`: another one has to approve what is more than a campaign lets go.
    """
    connection = connection_of(method, connection_id)
    found = selected(selection)
    batch = RewardBatch.objects.create(
        id=batch_id or uuid7(),
        organization=organization,
        method=method,
        connection=connection,
        note=note,
        reference=reference,
        actor=actor,
        person_id=person,
        created_at=clock.wall(),
    )
    slices: list[Chosen] = []
    if at_once or not is_big(found):
        slices, asked = choose(found)
    else:
        asked = store(batch, found)
    batch.campaign_id = next(iter(asked.campaigns)) if len(asked.campaigns) == 1 else None
    batch.asked = [list(total) for total in asked.totals]
    if needs_approval(asked.by_campaign):
        batch.status = BatchStatus.AWAITING_APPROVAL
    batch.save(update_fields=["campaign", "asked", "status"])
    for chosen in slices:
        freeze(batch, chosen)
    record(
        organization=organization,
        actor=actor,
        happenings=[
            Happening(
                "batch.created",
                "batch",
                batch.pk,
                batch.campaign_id,
                {"method": method, "total": asked.number},
                as_told(batch, "CREATED"),
            )
        ],
    )
    finish_if_done([batch.pk])
    batch.refresh_from_db()
    return batch


def needs_approval(by_campaign: Mapping[UUID, int]) -> bool:
    """Whether so much of each campaign is more than one of them lets go without a second person.

    A campaign has one currency.
    """
    limits = Campaign.objects.filter(pk__in=by_campaign).values_list("pk", "auto_issue_approve_above")
    return any(limit is not None and by_campaign[pk] > limit for pk, limit in limits)


@transaction.atomic
def batch_approve(*, organization: Organization, batch: RewardBatch, actor: str, person: UUID | None) -> RewardBatch:
    """Let a batch go that waited for a second person. `person` is the user who stands behind `actor`.

    Approved twice at once, the second finds it done. Raises BatchNotReady where it doesn't wait (any more), and
    SamePerson for whoever made it, by page or by key.
    """
    # Before the batch, as cancelling does (docs/locking.md).
    queued = BatchItem.objects.filter(batch=batch, outcome=ItemOutcome.QUEUED)
    list(queued.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    held = RewardBatch.objects.select_for_update(no_key=True).get(pk=batch.pk)
    if held.approved_by == actor:
        return held
    if held.status != BatchStatus.AWAITING_APPROVAL:
        raise BatchNotReady(f"The batch is {held.status}; it doesn't wait for approval.")
    if actor == held.actor or (person is not None and person == held.person_id):
        raise SamePerson("Another person than the one who made the batch has to approve it.")
    held.status, held.approved_by, held.approved_at = BatchStatus.QUEUED, actor, clock.wall()
    held.save(update_fields=["status", "approved_by", "approved_at"])
    if registry.file_of(held.method) is None:
        queued.update(next_attempt_at=clock.wall())
    record(
        organization=organization,
        actor=actor,
        happenings=[
            Happening(
                "batch.approved",
                "batch",
                held.pk,
                held.campaign_id,
                {"method": held.method},
                as_told(held, "APPROVED"),
            )
        ],
    )
    return held


@transaction.atomic
def batch_cancel(*, organization: Organization, batch: RewardBatch, actor: str, not_paid: bool = False) -> RewardBatch:
    """Free what nobody has started; what is under way ends first. Raises BatchNotCancelable once finished.

    An item that has been tried is left to the runner, whatever came of the try: the provider may have acted. Once a
    batch's file was downloaded only the person who cancels knows: `not_paid` says that nothing of it was paid, without
    it FileWasDownloaded is raised.
    """
    # First of all: what is being frozen right now is waited for, and is among the items then.
    unfrozen = sum(BatchSlice.objects.filter(batch=batch).select_for_update().values_list("number", flat=True))
    BatchSlice.objects.filter(batch=batch).delete()
    untouched = list(_cancelable(batch, not_paid).select_for_update(skip_locked=True, no_key=True, of=("self",)))
    held = RewardBatch.objects.select_for_update(no_key=True).get(pk=batch.pk)
    if held.status == BatchStatus.CANCELED:
        return held
    if held.status == BatchStatus.FINISHED:
        raise BatchNotCancelable("The batch is finished; there is nothing left to cancel.")
    if held.file_at is not None and not not_paid:
        raise FileWasDownloaded(
            "The batch's file was downloaded. Cancel it only if nothing of it was paid, and say so (not_paid)."
        )
    BatchItem.objects.filter(pk__in=[item.pk for item in untouched]).update(
        outcome=ItemOutcome.FAILED,
        code="canceled",
        message="The batch was canceled before this reward was sent. It is still due.",
        in_doubt=False,
        next_attempt_at=None,
        updated_at=clock.wall(),
    )
    IssueAttempt.objects.filter(item__in=untouched, outcome=AttemptOutcome.STARTED).update(
        outcome=AttemptOutcome.NOT_DONE, message=f"{actor} says that nothing was paid."
    )
    claims_close(item.claim_id for item in untouched if item.claim_id)
    nettings_end([], [each for nettings in nettings_of(untouched).values() for each in nettings])
    if not BatchItem.objects.filter(batch=held, outcome=ItemOutcome.QUEUED).exists():
        held.status, held.finished_at = BatchStatus.CANCELED, clock.wall()
        held.save(update_fields=["status", "finished_at"])
    record(
        organization=organization,
        actor=actor,
        happenings=[
            Happening(
                "batch.canceled",
                "batch",
                held.pk,
                held.campaign_id,
                {"freed": len(untouched) + unfrozen, "not_paid": not_paid},
                as_told(held, "CANCELED"),
            )
        ],
    )
    return held


def _cancelable(batch: RewardBatch, not_paid: bool) -> QuerySet[BatchItem]:
    queued = BatchItem.objects.filter(batch=batch, outcome=ItemOutcome.QUEUED).order_by("pk")
    by_file = registry.file_of(batch.method) is not None
    return queued if by_file and not_paid else queued.filter(tries=0, in_doubt=False)
