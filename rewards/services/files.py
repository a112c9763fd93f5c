"""Batches of methods that work by a file: a person uploads it at the provider, and its result file here.

Being issued begins with the first download, in one transaction: amounts and nettings are fixed, and each row's attempt
is on record. Killed before its commit, nothing was downloaded; after it, the same file can be downloaded again, since
its rows are those on record. Two first downloads at once: the second waits for the first one's rows and gets the same
file. From then on every row keeps its claim until a result file tells its outcome, or somebody who says that nothing
was paid cancels the batch.
"""

import io
import zipfile
from base64 import b32encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.db import transaction
from django.db.models import QuerySet

from integrations import registry
from integrations.base import FileFormat, FileRow, IssueOutcome, IssueResult, UnknownLine
from integrations.errors import ProviderError, UnreadableFile
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from rewards.errors import BatchHasNoFile, BatchNotReady, InvalidResults
from rewards.models import BatchItem, BatchSlice, IssueAttempt, RewardBatch
from rewards.services.beginning import items_begin
from rewards.services.calls import idempotency_key, recipient_of
from rewards.services.conclusions import Answered, Conclusion, conclude
from rewards.services.door import totals_last
from rewards.services.finishing import finish_if_done
from rewards.services.outcomes import conclusions_write
from rewards.states import AttemptOutcome, BatchStatus, ItemOutcome

_ZIP = "application/zip"
NOTHING_PAYABLE = "Nothing in this batch can be paid by a file: its page says why."


@dataclass(frozen=True)
class File:
    """What is downloaded: the provider's file, or several in a zip archive."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Results:
    """What a result file said: how many rows it told of, and in words what in it doesn't fit what is on record.

    `unknown` are its lines that are of no reward of the batch.
    """

    told: int
    contradictions: Sequence[str]
    unknown: Sequence[UnknownLine] = ()


def batch_file(*, organization: Organization, batch: RewardBatch, actor: str) -> File | None:
    """The batch's file; the first download begins the issuing. Raises BatchHasNoFile, BatchNotReady.

    None, with NOTHING_PAYABLE to say, where nothing in it can be paid by a file: each reward's reason is written down then,
    which an error would undo.
    """
    file = _format(batch)
    rows = _frozen_rows(organization, batch, file, actor)
    return _packed(batch, file, rows) if rows else None


@transaction.atomic
def _frozen_rows(organization: Organization, batch: RewardBatch, file: FileFormat, actor: str) -> list[FileRow]:
    fresh = list(
        _items(batch)
        .select_for_update(no_key=True, of=("self",))
        .filter(outcome=ItemOutcome.QUEUED, tries=0, in_doubt=False)
    )
    held = RewardBatch.objects.get(pk=batch.pk)
    if held.status in (BatchStatus.AWAITING_APPROVAL, BatchStatus.CANCELED):
        raise BatchNotReady(f"The batch is {held.status}; there is no file of it.")
    if BatchSlice.objects.filter(batch=held).exists():
        raise BatchNotReady("The batch is still being prepared. Its file is there in a moment.")
    if held.file_at is None:
        with totals_last(organization):
            _begin(organization, held, fresh, file, actor)
    return [_row(item) for item in _items(batch).filter(attempts__group_key=str(batch.pk)).distinct()]


def _format(batch: RewardBatch) -> FileFormat:
    file = registry.file_of(batch.method)
    if file is None:
        raise BatchHasNoFile("This batch's method doesn't work by a file.")
    return file


def _begin(
    organization: Organization, batch: RewardBatch, items: Sequence[BatchItem], file: FileFormat, actor: str
) -> None:
    due = items_begin(organization=organization, items=items, actor=actor)
    now = clock.wall()
    attempts, refused = [], []
    for item in due:
        refusal = file.refusal(_row(item))
        attempt = IssueAttempt(
            organization=organization,
            item=item,
            reward=item.reward,
            idempotency_key=idempotency_key(item),
            group_key=str(batch.pk) if refusal is None else None,
            started_at=now,
        )
        attempts.append(attempt)
        if refusal is not None:
            refused.append(Answered(item, attempt, refusal, was_in_doubt=False))
        item.in_doubt = refusal is None
    IssueAttempt.objects.bulk_create(attempts)
    BatchItem.objects.bulk_update(due, ["in_doubt"])
    conclusions_write(organization=organization, concluded=[(each, _conclusion(each)) for each in refused], actor=actor)
    RewardBatch.objects.filter(pk=batch.pk).update(file_at=now)
    RewardBatch.objects.filter(pk=batch.pk, status=BatchStatus.QUEUED).update(status=BatchStatus.RUNNING)
    finish_if_done([batch.pk])


def _items(batch: RewardBatch) -> QuerySet[BatchItem]:
    return (
        BatchItem.objects.filter(batch=batch)
        .select_related("batch", "reward__customer", "reward__campaign")
        .prefetch_related("reward__customer__provider_customers")
        .order_by("pk")
    )


def _row(item: BatchItem) -> FileRow:
    return FileRow(
        # 16 bytes are 26 letters and digits, the rest is padding.
        key=b32encode(item.pk.bytes).decode().rstrip("=").lower(),
        reward_id=item.reward_id,
        amount=item.sent_amount,
        currency=item.currency,
        recipient=recipient_of(item),
        note=f"Reward from {item.reward.campaign.name}",
    )


def _packed(batch: RewardBatch, file: FileFormat, rows: Sequence[FileRow]) -> File:
    name = f"{batch.method.lower().replace('_', '-')}-{batch.created_at:%Y-%m-%d}-{str(batch.pk)[-6:]}"
    parts = [file.write(part) for part in _parts(file, rows)]
    if len(parts) == 1:
        return File(f"{name}.{file.extension}", file.content_type, parts[0])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for number, content in enumerate(parts, start=1):
            # With a fixed date, so that the same rows give the same archive.
            entry = zipfile.ZipInfo(f"{name}-{number}-of-{len(parts)}.{file.extension}", (1980, 1, 1, 0, 0, 0))
            packed.writestr(entry, content)
    return File(f"{name}.zip", _ZIP, archive.getvalue())


def _parts(file: FileFormat, rows: Sequence[FileRow]) -> Iterator[Sequence[FileRow]]:
    ordered = sorted(rows, key=lambda row: row.currency) if file.one_currency else rows
    for _, same in groupby(ordered, key=lambda row: row.currency if file.one_currency else ""):
        together = list(same)
        for start in range(0, len(together), file.maximum_rows):
            yield together[start : start + file.maximum_rows]


@transaction.atomic
def batch_results(*, organization: Organization, batch: RewardBatch, content: bytes, actor: str) -> Results:
    """Mark each row by what the result file says. The same file again changes nothing.

    What it says of a row that is settled differently is not written, but told. Raises BatchHasNoFile, BatchNotReady
    before the file was downloaded, InvalidResults.
    """
    file = _format(batch)
    items = list(
        _items(batch)
        .select_for_update(no_key=True, of=("self",))
        .filter(pk__in=BatchItem.objects.filter(batch=batch, attempts__group_key=str(batch.pk)).values("pk"))
    )
    if not items:
        raise BatchNotReady("The batch's file hasn't been downloaded yet, so there can be no results.")
    rows = {item.pk: _row(item) for item in items}
    try:
        said = file.read_results(content, list(rows.values()))
        unknown = file.unknown_lines(content, list(rows.values()))
    except UnreadableFile as error:
        raise InvalidResults("content", error.message) from error
    attempts = {
        attempt.item_id: attempt for attempt in IssueAttempt.objects.filter(item__in=items, group_key=str(batch.pk))
    }
    concluded, contradictions = [], []
    for item in items:
        answer = said.get(rows[item.pk].key)
        if answer is None:
            continue
        contradiction = _contradiction(item, answer)
        if contradiction:
            contradictions.append(contradiction)
        elif not _is_known(item, answer):
            answered = Answered(item, attempts[item.pk], answer, was_in_doubt=False)
            concluded.append((answered, _conclusion(answered)))
    conclusions_write(organization=organization, concluded=concluded, actor=actor)
    return Results(told=len(said), contradictions=contradictions, unknown=tuple(unknown))


def _conclusion(answered: Answered) -> Conclusion:
    """Like a provider's answer, but that nothing is ever asked: the next result file tells."""
    answer = answered.answer
    if isinstance(answer, ProviderError):
        return Conclusion(ItemOutcome.FAILED, AttemptOutcome.REJECTED, answer.code, answer.message)
    found = conclude(answered, clock.wall())
    return Conclusion(
        found.outcome,
        found.attempt,
        found.code,
        found.message,
        in_doubt=found.in_doubt,
        keeps_claim=found.keeps_claim,
        returned=found.returned,
    )


def _is_known(item: BatchItem, answer: IssueResult | ProviderError) -> bool:
    if isinstance(answer, ProviderError):
        return item.outcome == ItemOutcome.FAILED
    if answer.outcome == IssueOutcome.RETURNED:
        return item.outcome == ItemOutcome.FAILED
    return answer.outcome == IssueOutcome.SUCCEEDED and item.outcome == ItemOutcome.SUCCEEDED


def _contradiction(item: BatchItem, answer: IssueResult | ProviderError) -> str:
    """Why a result can't be written: its claim is closed, and the reward may have gone another way since."""
    paid = isinstance(answer, IssueResult) and answer.outcome != IssueOutcome.RETURNED
    if item.outcome == ItemOutcome.FAILED and paid:
        return f"Reward {item.reward_id}: the file says that it was sent, but it was settled as not paid before."
    if item.outcome == ItemOutcome.SUCCEEDED and isinstance(answer, ProviderError):
        return f"Reward {item.reward_id}: the file says that it was not paid, but it was settled as paid before."
    if item.outcome == ItemOutcome.SUCCEEDED and isinstance(answer, IssueResult) and answer.outcome == "WAITING":
        return f"Reward {item.reward_id}: the file says that it waits, but it was settled as paid before."
    return ""
