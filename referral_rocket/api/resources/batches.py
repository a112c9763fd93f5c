"""`/reward-batches`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from rest_framework.request import Request

from referral_rocket.accounts.models import Scope
from referral_rocket.api.answers import Answer
from referral_rocket.api.fields import Paging
from referral_rocket.api.operations import operation
from referral_rocket.api.pagination import page
from referral_rocket.api.payloads import batches as payloads
from referral_rocket.api.problems import answer_of, conflict
from referral_rocket.api.resources.lookup import campaign_of, one
from referral_rocket.api.shapes.batches import (
    BatchCancel,
    BatchNew,
    BatchShape,
    DryRunShape,
    ItemShape,
    ResultsNew,
    ResultsShape,
)
from referral_rocket.api.views import ApiView
from referral_rocket.kit.nudges import nudge
from rewards.models import BatchItem, RewardBatch
from rewards.selectors import batch_counts, to_freeze
from rewards.services.batches import batch_approve, batch_cancel, batch_create
from rewards.services.files import NOTHING_PAYABLE, batch_file, batch_results
from rewards.services.selecting import Selection, batch_plan
from rewards.tasks import run_batches


class BatchesView(ApiView):
    @operation(
        "batches_list",
        "Batches, newest first",
        scope=Scope.READ,
        filters=Paging,
        answers={200: BatchShape},
        listed=True,
    )
    def get(self, request: Request) -> Answer:
        return page(RewardBatch.objects.all(), self.query, _shown)

    @operation(
        "batch_create",
        "Issue rewards",
        scope=Scope.ISSUE,
        takes=BatchNew,
        answers={202: BatchShape, 200: DryRunShape},
        refuses={404: ["not_found"], 422: ["connection_required"]},
        about="Claims what is due of the rewards named and issues it in the background: each reward at most once, whoever "
        "else asks for it. Of more than 1,000 rewards the selection is fixed at once and claimed in the background "
        "(`preparing`). A `dry_run` answers 200 and stores nothing.",
    )
    def post(self, request: Request) -> Answer:
        campaign_id = self.given.get("campaign_id")
        if campaign_id is not None:
            campaign_of(campaign_id)
        selection = Selection(reward_ids=self.given.get("reward_ids", ()), campaign_id=campaign_id)
        method, connection_id = self.given["method"], self.given.get("connection_id")
        if self.given.get("dry_run"):
            return Answer(
                200, payloads.plan(batch_plan(method=method, selection=selection, connection_id=connection_id))
            )
        batch = batch_create(
            organization=self.organization,
            method=method,
            selection=selection,
            connection_id=connection_id,
            note=self.given.get("note", ""),
            reference=self.given.get("reference", ""),
            actor=self.actor,
            person=self.key.created_by_id if self.key else None,
        )
        nudge(run_batches)
        return Answer(202, _shown([batch])[0])


class BatchView(ApiView):
    @operation("batch_get", "One batch", scope=Scope.READ, answers={200: BatchShape})
    def get(self, request: Request, batch_id: UUID) -> Answer:
        return Answer(200, _shown([_batch(batch_id)])[0])


class BatchItemsView(ApiView):
    @operation(
        "batch_items",
        "What became of each reward of a batch",
        scope=Scope.READ,
        filters=Paging,
        answers={200: ItemShape},
        listed=True,
    )
    def get(self, request: Request, batch_id: UUID) -> Answer:
        return page(BatchItem.objects.filter(batch=_batch(batch_id)), self.query, payloads.items)


class BatchApproveView(ApiView):
    @operation(
        "batch_approve",
        "Let a batch go that waits for a second person",
        scope=Scope.ISSUE,
        answers={200: BatchShape},
        refuses={409: ["invalid_transition", "needs_another_person"]},
        about="Another user than the batch's maker; a key counts as the user who made it.",
    )
    def post(self, request: Request, batch_id: UUID) -> Answer:
        batch = batch_approve(
            organization=self.organization,
            batch=_batch(batch_id),
            actor=self.actor,
            person=self.key.created_by_id if self.key else None,
        )
        nudge(run_batches)
        return Answer(200, _shown([batch])[0])


class BatchCancelView(ApiView):
    @operation(
        "batch_cancel",
        "Free what nobody has started to issue",
        scope=Scope.ISSUE,
        takes=BatchCancel,
        answers={200: BatchShape},
        refuses={409: ["invalid_transition", "file_downloaded"]},
    )
    def post(self, request: Request, batch_id: UUID) -> Answer:
        batch = batch_cancel(
            organization=self.organization,
            batch=_batch(batch_id),
            actor=self.actor,
            not_paid=self.given.get("not_paid", False),
        )
        return Answer(200, _shown([batch])[0])


class BatchFileView(ApiView):
    @operation(
        "batch_file",
        "The file to upload at the provider",
        scope=Scope.ISSUE,
        answers={200: None},
        refuses={409: ["invalid_transition"]},
        about="For methods that work by a file. The first download begins the issuing and fixes the file; several files"
        " come as a zip archive.",
        file=True,
    )
    def get(self, request: Request, batch_id: UUID) -> Answer:
        file = batch_file(organization=self.organization, batch=_batch(batch_id), actor=self.actor)
        if file is None:
            # Answered and not raised, so that the reasons that were written down stay.
            return answer_of(conflict("invalid_transition", NOTHING_PAYABLE))
        headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
        return Answer(200, file.content, file.content_type, headers)


class BatchResultsView(ApiView):
    @operation(
        "batch_results",
        "What the provider's result file says",
        scope=Scope.ISSUE,
        takes=ResultsNew,
        answers={200: ResultsShape},
        refuses={409: ["invalid_transition"]},
        about="Marks each reward of the batch. The same file again changes nothing.",
    )
    def post(self, request: Request, batch_id: UUID) -> Answer:
        results = batch_results(
            organization=self.organization,
            batch=_batch(batch_id),
            content=self.given["content"].encode(),
            actor=self.actor,
        )
        return Answer(200, {"told": results.told, "contradictions": list(results.contradictions)})


def _batch(batch_id: UUID) -> RewardBatch:
    return one(RewardBatch.objects.all(), batch_id, "batch")


def _shown(found: Sequence[RewardBatch]) -> list[dict[str, Any]]:
    return payloads.batches(found, batch_counts(found), to_freeze(found))
