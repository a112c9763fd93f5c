"""Issuing by a file: downloaded, paid by a person, marked by the provider's result file."""

import csv
import io
from typing import Any

import pytest

from referral_rocket.accounts.scoping import tenant
from rewards.models import IssueAttempt
from tests.api.client import problem
from tests.api.conftest import Scene

NONE = {"total": 0, "queued": 0, "succeeded": 0, "failed": 0, "unknown": 0, "waiting": 0}


def batch_of(scene: Scene, method: str = "PAYPAL_FILE", rewards: int = 2) -> tuple[str, list[str]]:
    """Its path, and its rewards."""
    ids = [scene.earn(f"ord_{number}")["reward_id"] for number in range(rewards)]
    made = scene.api.post("/reward-batches", {"method": method, "reward_ids": ids}, expect=202)
    assert (made["status"], made["counts"]) == ("QUEUED", {**NONE, "total": rewards, "queued": rewards})
    return f"/reward-batches/{made['batch_id']}", ids


def download(scene: Scene, path: str, accept: str = "*/*") -> list[list[str]]:
    answer = scene.api.call("GET", f"{path}/file", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/csv")
    assert answer["Content-Disposition"].startswith('attachment; filename="')
    return list(csv.reader(io.StringIO(answer.content.decode())))


def outcomes(scene: Scene, path: str) -> dict[str, Any]:
    items = scene.api.get(f"{path}/items")["data"]
    return {item["reward_id"]: (item["outcome"], item["code"], item["provider_reference"]) for item in items}


def attempts(scene: Scene) -> int:
    with tenant(scene.api.organization):
        return IssueAttempt.objects.count()


def test_it_works(scene: Scene) -> None:
    path, (first, second) = batch_of(scene)
    lines = download(scene, path)
    assert [line[:3] for line in lines] == [["ann@example.com", "12.00", "USD"]] * 2
    assert scene.api.get(path)["status"] == "RUNNING"
    for accept in ("text/csv", "application/octet-stream", "application/json"):
        assert download(scene, path, accept) == lines
    assert attempts(scene) == 2

    paid, failed = (line[3] for line in lines)
    report = f"Customer ID,Status,Transaction ID\n{paid},Completed,9XT1\n{failed},Blocked,9XT2\n"
    assert scene.api.post(f"{path}/results", {"content": report}, expect=200) == {"told": 2, "contradictions": []}
    assert outcomes(scene, path)[first] == ("SUCCEEDED", None, "9XT1")
    assert scene.api.get(f"/rewards/{first}")["status"] == "AVAILABLE"
    assert scene.api.get(f"/rewards/{first}")["method"] == "PAYPAL_FILE"
    assert scene.api.get(f"/rewards/{second}")["status"] == "PENDING"
    assert scene.api.post(f"{path}/results", {"content": report}, expect=200)["contradictions"] == []
    assert outcomes(scene, path)[first] == ("SUCCEEDED", None, "9XT1")


def test_by_wise(scene: Scene) -> None:
    path, (reward_id,) = batch_of(scene, "WISE_FILE", rewards=1)
    # Wise pays a person by first and last name.
    answer = scene.api.call("GET", f"{path}/file")
    assert problem(answer.json()) == ("invalid_transition",)
    assert outcomes(scene, path) == {reward_id: ("WAITING", "invalid_recipient", None)}

    scene.api.patch(f"/participants/{scene.ann['participant_id']}", {"name": "Ann Other"})
    body = {"method": "WISE_FILE", "reward_ids": [reward_id]}
    path = f"/reward-batches/{scene.api.post('/reward-batches', body, expect=202)['batch_id']}"
    header, line = download(scene, path)
    assert (header[0], line[0]) == ("name", "Ann Other")
    statement = "ID,Status,Target name,Target amount,Target currency\nTRANSFER-41,Completed,Ann Other,12.00,USD\n"
    assert scene.api.post(f"{path}/results", {"content": statement}, expect=200)["told"] == 1
    assert scene.api.get(path)["status"] == "FINISHED"
    assert outcomes(scene, path) == {reward_id: ("SUCCEEDED", None, "41")}


def test_results_before_the_file(scene: Scene) -> None:
    path, _ = batch_of(scene)
    answer = scene.api.post(f"{path}/results", {"content": "Status\nCompleted\n"}, expect=409)
    assert problem(answer) == ("invalid_transition",)
    assert set(outcomes(scene, path).values()) == {("QUEUED", None, None)}


def test_a_file_of_something_else(scene: Scene) -> None:
    path, _ = batch_of(scene)
    download(scene, path)
    answer = scene.api.post(f"{path}/results", {"content": "hello"}, expect=400)
    assert problem(answer) == ("invalid", ("content", "unreadable_results"))
    assert scene.api.get(path)["counts"] == {**NONE, "total": 2, "queued": 2}


@pytest.mark.parametrize("call", [("GET", "file"), ("POST", "results")])
def test_a_batch_that_works_by_no_file(scene: Scene, call: tuple[str, str]) -> None:
    path, _ = batch_of(scene, "MANUAL")
    method, what = call
    answer = scene.api.call(method, f"{path}/{what}", {"content": "x"} if method == "POST" else None)
    assert (answer.status_code, problem(answer.json())) == (404, ("not_found",))


def test_canceling_after_the_download_needs_a_word(scene: Scene) -> None:
    path, ids = batch_of(scene)
    download(scene, path)
    assert problem(scene.api.post(f"{path}/cancel", expect=409)) == ("file_downloaded",)
    assert scene.api.get(path)["status"] == "RUNNING"

    assert scene.api.post(f"{path}/cancel", {"not_paid": True}, expect=200)["status"] == "CANCELED"
    assert {scene.api.get(f"/rewards/{reward_id}")["status"] for reward_id in ids} == {"PENDING"}
    assert scene.api.call("GET", f"{path}/file").status_code == 409
