"""A batch above its campaign's amount waits for somebody else than its maker."""

from collections.abc import Callable

import pytest

from rewards.services import issuing
from tests.api.client import problem
from tests.api.conftest import Scene, caller_of

AUTO = {"when": "OFF", "minimum": 0, "limit_per_run": None, "approve_above": 1000}


@pytest.fixture
def scene(scene_with: Callable[..., Scene]) -> Scene:
    return scene_with(auto_issue=AUTO)


def batch_of(scene: Scene) -> str:
    body = {"method": "MANUAL", "reward_ids": [scene.earn()["reward_id"]]}
    made = scene.api.post("/reward-batches", body, expect=202)
    assert (made["status"], made["counts"]["queued"]) == ("AWAITING_APPROVAL", 1)
    return f"/reward-batches/{made['batch_id']}"


def test_it_works(scene: Scene) -> None:
    path = batch_of(scene)
    assert issuing.run(seconds=1) == 0
    second = caller_of(scene.api.organization)

    approved = second.post(f"{path}/approve", expect=200)
    assert (approved["status"], approved["counts"]["queued"]) == ("QUEUED", 1)
    assert second.post(f"{path}/approve", expect=200) == approved
    issuing.run(seconds=5)
    assert scene.api.get(path)["status"] == "FINISHED"


def test_not_by_its_maker(scene: Scene) -> None:
    path = batch_of(scene)
    assert problem(scene.api.post(f"{path}/approve", expect=409)) == ("needs_another_person",)
    assert scene.api.get(path)["status"] == "AWAITING_APPROVAL"
    assert issuing.run(seconds=1) == 0


def test_not_what_does_not_wait(scene: Scene) -> None:
    path = batch_of(scene)
    scene.api.post(f"{path}/cancel", expect=200)
    answer = caller_of(scene.api.organization).post(f"{path}/approve", expect=409)
    assert problem(answer) == ("invalid_transition",)
    assert scene.api.get(path)["status"] == "CANCELED"
