"""Issuing by batch: made, looked at, tried dry, canceled."""

from typing import Any

import pytest

from rewards.services import freezing, issuing
from tests.api.client import problem
from tests.api.conftest import Scene

KEY = "sk_live_" + "a" * 24
NOBODY = "01a1fdaf-15e7-71f0-a520-1af081a50180"
NONE = {"total": 0, "queued": 0, "succeeded": 0, "failed": 0, "unknown": 0, "waiting": 0}


def test_it_works(scene: Scene) -> None:
    reward_id = scene.earn()["reward_id"]
    body = {"method": "MANUAL", "reward_ids": [reward_id], "note": "bank", "reference": "wire 7"}
    made = scene.api.post("/reward-batches", body, expect=202)
    assert made == {
        "batch_id": made["batch_id"],
        "method": "MANUAL",
        "status": "QUEUED",
        "counts": {**NONE, "total": 1, "queued": 1},
        "preparing": None,
        "campaign_id": scene.campaign["campaign_id"],
        "connection_id": None,
        "note": "bank",
        "reference": "wire 7",
        "created_at": made["created_at"],
        "finished_at": None,
    }
    path = f"/reward-batches/{made['batch_id']}"
    assert scene.api.get(path) == made
    assert scene.api.get("/reward-batches") == {"data": [made], "next_cursor": None}

    issuing.run(seconds=5)

    done = scene.api.get(path)
    assert (done["status"], done["counts"]) == ("FINISHED", {**NONE, "total": 1, "succeeded": 1})
    (item,) = scene.api.get(f"{path}/items")["data"]
    assert item == {
        "reward_id": reward_id,
        "outcome": "SUCCEEDED",
        "code": None,
        "message": item["message"],
        "provider_reference": item["provider_reference"],
        "amount": 1200,
        "currency": "USD",
    }
    assert scene.api.get(f"/rewards/{reward_id}")["status"] == "AVAILABLE"


def test_all_that_is_due_is_fixed_at_that_moment(scene: Scene) -> None:
    due = {scene.earn(f"ord_{number}")["reward_id"] for number in range(3)}
    body = {"method": "MANUAL", "campaign_id": scene.campaign["campaign_id"], "all_due": True}
    batch = scene.api.post("/reward-batches", body, expect=202)
    scene.earn("ord_later")
    items = scene.api.get(f"/reward-batches/{batch['batch_id']}/items")["data"]
    assert {item["reward_id"] for item in items} == due


def test_a_big_batch_is_prepared_in_the_background(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezing, "SLICE", 2)
    monkeypatch.setattr(freezing, "FROZEN_AT_ONCE", 2)
    for number in range(3):
        scene.earn(f"ord_{number}")
    body = {"method": "MANUAL", "campaign_id": scene.campaign["campaign_id"], "all_due": True}
    batch = scene.api.post("/reward-batches", body, expect=202)
    assert (batch["status"], batch["counts"]) == ("QUEUED", {**NONE, "total": 3, "queued": 3})
    assert batch["preparing"] == {"done": 0, "total": 3}
    path = f"/reward-batches/{batch['batch_id']}"
    assert scene.api.get(f"{path}/items")["data"] == []

    freezing.freeze_everywhere()
    issuing.run(seconds=5)

    done = scene.api.get(path)
    assert (done["status"], done["counts"], done["preparing"]) == (
        "FINISHED",
        {**NONE, "total": 3, "succeeded": 3},
        None,
    )


def test_a_dry_run_says_what_would_happen_and_stores_nothing(scene: Scene) -> None:
    due, issued = scene.earn("ord_1")["reward_id"], scene.earn("ord_2")["reward_id"]
    scene.api.patch(f"/rewards/{issued}", {"status": "AVAILABLE"})
    body = {"method": "MANUAL", "reward_ids": [due, issued, due], "dry_run": True}
    plan = scene.api.post("/reward-batches", body, expect=200)

    assert plan["counts"] == {**NONE, "total": 2, "queued": 1, "failed": 1}
    assert plan["totals"] == [{"currency": "USD", "amount": 1200, "netted": 0}]
    assert plan["problems"] == [{"code": "not_due", "count": 1}]
    assert {(item["reward_id"], item["outcome"], item["code"]) for item in plan["items"]} == {
        (due, "QUEUED", None),
        (issued, "FAILED", "not_due"),
    }
    assert scene.api.get("/reward-batches")["data"] == []
    assert scene.api.patch(f"/rewards/{due}", {"status": "AVAILABLE"})["status"] == "AVAILABLE"


def test_a_reward_that_another_batch_has_is_listed_as_not_issued(scene: Scene) -> None:
    body = {"method": "MANUAL", "reward_ids": [scene.earn()["reward_id"]]}
    scene.api.post("/reward-batches", body, expect=202)
    second = scene.api.post("/reward-batches", body, expect=202)
    assert (second["status"], second["counts"]) == ("FINISHED", {**NONE, "total": 1, "failed": 1})
    (item,) = scene.api.get(f"/reward-batches/{second['batch_id']}/items")["data"]
    assert (item["outcome"], item["code"]) == ("FAILED", "being_issued")


def test_canceling_frees_what_nobody_started(scene: Scene) -> None:
    reward_id = scene.earn()["reward_id"]
    batch = scene.api.post("/reward-batches", {"method": "MANUAL", "reward_ids": [reward_id]}, expect=202)
    path = f"/reward-batches/{batch['batch_id']}"
    assert scene.api.post(f"{path}/cancel", expect=200)["status"] == "CANCELED"
    assert scene.api.post(f"{path}/cancel", expect=200)["status"] == "CANCELED"
    assert scene.api.patch(f"/rewards/{reward_id}", {"status": "AVAILABLE"})["status"] == "AVAILABLE"


def test_a_finished_batch_is_not_canceled(scene: Scene) -> None:
    batch = scene.api.post("/reward-batches", {"method": "MANUAL", "reward_ids": [scene.earn()["reward_id"]]}, 202)
    issuing.run(seconds=5)
    answer = scene.api.post(f"/reward-batches/{batch['batch_id']}/cancel", expect=409)
    assert problem(answer) == ("invalid_transition",)


@pytest.mark.parametrize(
    ("change", "status", "expected"),
    [
        ({"method": "CASH"}, 400, ("invalid", ("method", "invalid_choice"))),
        ({"method": "STRIPE_CREDIT"}, 422, ("connection_required",)),
        ({"method": "STRIPE_CREDIT", "connection_id": NOBODY}, 422, ("connection_required",)),
        ({"reward_ids": [NOBODY]}, 404, ("not_found",)),
        ({"reward_ids": []}, 400, ("invalid", ("reward_ids", "empty"))),
        ({"reward_ids": "all"}, 400, ("invalid", ("reward_ids", "not_a_list"))),
        ({"reward_ids": ["x"]}, 400, ("invalid", ("reward_ids.0", "invalid"))),
        ({"reward_ids": [NOBODY] * 10_001}, 400, ("invalid", ("reward_ids", "max_length"))),
        ({"campaign_id": NOBODY, "all_due": True}, 400, ("invalid", ("", "exactly_one"))),
        ({"all_due": True}, 400, ("invalid", ("all_due", "invalid"))),
        ({"dry_run": "yes"}, 400, ("invalid", ("dry_run", "invalid"))),
    ],
)
def test_what_can_not_be_asked_makes_no_batch(
    scene: Scene, change: dict[str, Any], status: int, expected: tuple[Any, ...]
) -> None:
    body = {"method": "MANUAL", "reward_ids": [scene.earn()["reward_id"]], **change}
    assert problem(scene.api.post("/reward-batches", body, expect=status)) == expected
    assert scene.api.get("/reward-batches")["data"] == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"campaign_id": NOBODY}, ("invalid", ("all_due", "invalid"))),
        ({"campaign_id": NOBODY, "all_due": False}, ("invalid", ("all_due", "invalid"))),
        ({}, ("invalid", ("", "exactly_one"))),
    ],
)
def test_it_says_which_rewards(scene: Scene, body: dict[str, Any], expected: tuple[Any, ...]) -> None:
    assert problem(scene.api.post("/reward-batches", {"method": "MANUAL", **body}, expect=400)) == expected


def test_an_unknown_campaign_is_404(scene: Scene) -> None:
    body = {"method": "MANUAL", "campaign_id": NOBODY, "all_due": True}
    assert problem(scene.api.post("/reward-batches", body, expect=404)) == ("not_found",)


def test_several_connections_have_to_be_told_apart(scene: Scene) -> None:
    made = [
        scene.api.post("/connections", {"provider": "stripe", "credentials": {"api_key": KEY}})["connection_id"]
        for _ in range(2)
    ]
    body = {"method": "STRIPE_CREDIT", "reward_ids": [scene.earn()["reward_id"]]}
    assert problem(scene.api.post("/reward-batches", body, expect=422)) == ("connection_required",)
    batch = scene.api.post("/reward-batches", {**body, "connection_id": made[0]}, expect=202)
    assert batch["connection_id"] == made[0]
