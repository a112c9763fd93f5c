"""Batches that are paid by a file: downloaded, uploaded by a person, and marked by the file that comes back."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from integrations import registry
from integrations.base import FileRow, IssueOutcome, IssueResult, Recipient, UnknownLine
from integrations.errors import ProviderError, ProviderRejected, UnreadableFile
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.ids import uuid7
from rewards.errors import BatchHasNoFile, BatchNotReady, FileWasDownloaded, InvalidResults
from rewards.models import BatchItem, Claim, Reward, RewardBatch
from rewards.services import files, issuing
from rewards.services.batches import batch_cancel
from rewards.services.files import File, Results, batch_file, batch_results
from rewards.services.reversing import issuing_begun
from rewards.states import RewardStatus
from tests import factories
from tests.concurrency import at_once
from tests.rewards import pigeons
from tests.rewards.books import assert_books_agree
from tests.rewards.owing import deduction, due, now


class Letters:
    """A line for each row: key, address, amount, currency. Results: key and a word."""

    extension, content_type = "txt", "text/plain"
    maximum_rows, one_currency = 2, True

    def refusal(self, row: FileRow) -> IssueResult | ProviderError | None:
        if row.recipient.email is None or "nowhere" in row.recipient.email:
            return IssueResult(IssueOutcome.WAITING, sent=False, code="invalid_recipient", message="No address.")
        return None

    def write(self, rows: Sequence[FileRow]) -> bytes:
        return "".join(f"{row.key} {row.recipient.email} {row.amount} {row.currency}\n" for row in rows).encode()

    def read_results(self, content: bytes, rows: Sequence[FileRow]) -> Mapping[str, IssueResult | ProviderError]:
        words: Mapping[str, IssueResult | ProviderError] = {
            "paid": pigeons.sent("letter_1"),
            "no": ProviderRejected("Refused.", code="invalid_recipient"),
            "waits": pigeons.waits("letter_1"),
            "back": pigeons.RETURNED,
        }
        lines = [line.split() for line in content.decode().splitlines()]
        if any(len(line) != 2 for line in lines):
            raise UnreadableFile("A line has a key and a word.")
        return {key: words[word] for key, word in lines}

    def unknown_lines(self, content: bytes, rows: Sequence[FileRow]) -> Sequence[UnknownLine]:
        keys = {row.key for row in rows}
        lines = enumerate(content.decode().splitlines(), start=1)
        return [UnknownLine(number, line) for number, line in lines if line.split()[0] not in keys]


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch, organization: Any) -> RewardBatch:
    """Of two rewards of $12.00."""
    pigeons.register(monkeypatch, file=Letters())
    rewards = factories.due_rewards(factories.campaign(organization), 2)
    return factories.batch(organization, rewards, method="PIGEON_FILE")


def download(batch: RewardBatch) -> File:
    with tenant(batch.organization):
        file = batch_file(organization=batch.organization, batch=batch, actor=factories.ACTOR)
    assert file is not None
    return file


def upload(batch: RewardBatch, *lines: str) -> Results:
    with tenant(batch.organization):
        return batch_results(
            organization=batch.organization, batch=batch, content="\n".join(lines).encode(), actor=factories.ACTOR
        )


def keys(file: File) -> list[str]:
    return [line.split()[0] for line in file.content.decode().splitlines()]


def outcomes(batch: RewardBatch) -> list[tuple[str, str, str]]:
    with tenant(batch.organization):
        items = BatchItem.objects.filter(batch=batch).select_related("reward").order_by("pk")
        return [(item.outcome, item.code, item.reward.status) for item in items]


def status(batch: RewardBatch) -> str:
    with tenant(batch.organization):
        return RewardBatch.objects.get(pk=batch.pk).status


@pytest.mark.django_db
def test_it_works(batch: RewardBatch) -> None:
    assert issuing.run(seconds=1) == 0
    file = download(batch)

    assert (file.content_type, file.name.endswith(".txt"), len(keys(file))) == ("text/plain", True, 2)
    assert {len(key) for key in keys(file)} == {26}
    assert status(batch) == "RUNNING"
    with tenant(batch.organization):
        rewards = list(Reward.objects.values_list("pk", flat=True))
        assert issuing_begun(rewards) == set(rewards)
    assert download(batch) == file
    assert issuing.run(seconds=1) == 0

    first, second = keys(file)
    assert upload(batch, f"{first} paid", f"{second} no") == Results(told=2, contradictions=[])

    assert outcomes(batch) == [("SUCCEEDED", "", "AVAILABLE"), ("FAILED", "invalid_recipient", "PENDING")]
    assert status(batch) == "FINISHED"
    assert upload(batch, f"{first} paid", f"{second} no") == Results(told=2, contradictions=[])
    with tenant(batch.organization):
        assert not Claim.objects.filter(closed_at__isnull=True).exists()
    assert_books_agree(batch.organization)


@pytest.mark.django_db
def test_what_waits_is_told_by_the_next_results(batch: RewardBatch) -> None:
    first, second = keys(download(batch))
    upload(batch, f"{first} waits", f"{second} waits")
    assert [outcome for outcome, _, _ in outcomes(batch)] == ["WAITING", "WAITING"]
    assert issuing.run(seconds=1) == 0

    upload(batch, f"{first} paid", f"{second} back")

    assert outcomes(batch) == [
        ("SUCCEEDED", "", "AVAILABLE"),
        ("FAILED", "returned_by_provider", "PENDING"),
    ]
    assert_books_agree(batch.organization)


@pytest.mark.django_db
def test_results_that_contradict_what_is_settled_are_told_and_not_written(batch: RewardBatch) -> None:
    first, second = keys(download(batch))
    upload(batch, f"{first} paid", f"{second} no")
    before = outcomes(batch)

    results = upload(batch, f"{first} no", f"{second} paid")

    assert len(results.contradictions) == 2
    assert outcomes(batch) == before


@pytest.mark.django_db
def test_other_peoples_keys_and_unreadable_files_change_nothing(batch: RewardBatch) -> None:
    with pytest.raises(BatchNotReady):
        upload(batch, "abc paid")
    download(batch)
    before = outcomes(batch)

    told = upload(batch, f"{'a' * 26} paid")
    assert (told.contradictions, told.unknown) == ([], (UnknownLine(1, f"{'a' * 26} paid"),))
    with pytest.raises(InvalidResults):
        upload(batch, "what is this file")

    assert outcomes(batch) == before


@pytest.mark.django_db
def test_cancelling_after_the_download_needs_a_word(batch: RewardBatch) -> None:
    download(batch)
    with tenant(batch.organization), pytest.raises(FileWasDownloaded):
        batch_cancel(organization=batch.organization, batch=batch, actor=factories.ACTOR)
    assert [outcome for outcome, _, _ in outcomes(batch)] == ["QUEUED", "QUEUED"]

    with tenant(batch.organization):
        batch_cancel(organization=batch.organization, batch=batch, actor=factories.ACTOR, not_paid=True)

    assert outcomes(batch) == [("FAILED", "canceled", "PENDING")] * 2
    assert status(batch) == "CANCELED"
    with pytest.raises(BatchNotReady):
        download(batch)


@pytest.mark.django_db
def test_files_are_split_by_rows_and_currency_and_leave_out_who_can_not_be_paid(
    monkeypatch: pytest.MonkeyPatch, organization: Any
) -> None:
    pigeons.register(monkeypatch, file=Letters())
    dollars = factories.due_rewards(factories.campaign(organization), 3)
    yen = factories.due_rewards(factories.campaign(organization, currency="JPY"), 1)
    nobody = due(factories.participant(factories.campaign(organization), "nowhere@example.com"))
    batch = factories.batch(organization, [*dollars, *yen, nobody], method="PIGEON_FILE")

    file = download(batch)

    assert file.content_type == "application/zip"
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        parts = [archive.read(name).decode().splitlines() for name in sorted(archive.namelist())]
    assert [[line.split()[3] for line in part] for part in parts] == [["JPY"], ["USD", "USD"], ["USD"]]
    assert ("WAITING", "invalid_recipient", "PENDING") in outcomes(batch)
    assert download(batch) == file


@pytest.mark.django_db
def test_deductions_are_netted_with_the_download(monkeypatch: pytest.MonkeyPatch, organization: Any) -> None:
    pigeons.register(monkeypatch, file=Letters())
    sharer = factories.participant(factories.campaign(organization))
    owed, reward = deduction(sharer, 500), due(sharer)
    batch = factories.batch(organization, [reward], method="PIGEON_FILE")

    (line,) = download(batch).content.decode().splitlines()
    assert line.split()[2] == "700"
    assert now(owed).status == RewardStatus.PENDING_DEDUCTION
    upload(batch, f"{line.split()[0]} paid")

    assert (now(reward).netted_amount, now(owed).status) == (500, "DEDUCTED")
    assert_books_agree(organization)


@pytest.mark.django_db
def test_other_methods_have_no_file(organization: Any, campaign: Any) -> None:
    batch = factories.batch(organization, factories.due_rewards(campaign, 1))

    with pytest.raises(BatchHasNoFile):
        download(batch)

    assert [outcome for outcome, _, _ in outcomes(batch)] == ["QUEUED"]


@pytest.mark.django_db(transaction=True)
def test_two_first_downloads_at_once(batch: RewardBatch) -> None:
    first, second = at_once(2, lambda _: download(batch))

    assert first == second
    with tenant(batch.organization):
        assert [item.attempts.count() for item in BatchItem.objects.filter(batch=batch)] == [1, 1]


def rows_of(count: int, currency: str = "USD") -> list[FileRow]:
    return [
        FileRow(f"{number:026}", uuid7(), 1200, currency, Recipient("friend@example.com", "A Friend"), "Reward")
        for number in range(count)
    ]


def test_files_are_split_at_the_providers_limits() -> None:
    paypal, wise = registry.file_of("PAYPAL_FILE"), registry.file_of("WISE_FILE")
    assert paypal is not None
    assert wise is not None
    mixed = [*rows_of(5001), *rows_of(2, "EUR"), *rows_of(1, "GBP")]

    assert [(len(part), {row.currency for row in part}) for part in files._parts(paypal, mixed)] == [
        (2, {"EUR"}), (1, {"GBP"}), (5000, {"USD"}), (1, {"USD"}),
    ]  # fmt: skip
    assert [len(part) for part in files._parts(wise, mixed)] == [1000] * 5 + [4]
