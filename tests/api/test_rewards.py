"""Rewards are listed, filtered, shown with their history, and given."""

from collections.abc import Callable

import pytest

from tests.api.client import problem
from tests.api.conftest import Scene


def test_it_works(scene: Scene) -> None:
    reward = scene.earn("ord_991")
    assert reward == {
        "reward_id": reward["reward_id"],
        "customer_id": scene.ann["customer_id"],
        "participant_id": scene.ann["participant_id"],
        "campaign_id": scene.campaign["campaign_id"],
        "rule_id": scene.campaign["rules"][0]["rule_id"],
        "event_id": reward["event_id"],
        "transaction_id": "ord_991",
        "type": "REFERRAL",
        "status": "PENDING",
        "amount": 1200,
        "earned_amount": 1200,
        "currency": "USD",
        "remainder_amount": 0,
        "refunded_amount": 0,
        "pending_reduction": 0,
        "netted_amount": 0,
        "deducts": None,
        "restores": None,
        "carried_from": None,
        "aggregate_id": None,
        "fulfilment": {"kind": "METHOD", "method": "MANUAL", "endpoint_id": None},
        "method": None,
        "provider_reference": None,
        "reason": None,
        "settled_by": None,
        "deducts_part": None,
        "uncut_amount": None,
        "waiting_for": None,
        "external_ref": None,
        "earned_at": reward["earned_at"],
        "due_at": reward["due_at"],
        "issued_at": None,
        "created_at": reward["created_at"],
        "updated_at": reward["updated_at"],
    }
    assert reward["due_at"] == reward["earned_at"]
    assert scene.api.get(f"/rewards/{reward['reward_id']}") == reward
    assert scene.api.get("/rewards") == {"data": [reward], "next_cursor": None}


def test_a_list_is_filtered(scene: Scene) -> None:
    first, second = scene.earn("ord_1"), scene.earn("ord_2")
    scene.api.patch(f"/rewards/{second['reward_id']}", {"status": "AVAILABLE"})

    def found(query: str) -> list[str]:
        return [each["reward_id"] for each in scene.api.get(f"/rewards?{query}")["data"]]

    one, two = first["reward_id"], second["reward_id"]
    assert found("status=PENDING") == [one]
    assert found("status=AVAILABLE") == [two]
    assert found("transaction_id=ord_1") == [one]
    assert found(f"event_id={second['event_id']}") == [two]
    assert found(f"campaign_id={scene.campaign['campaign_id']}") == [two, one]
    assert found(f"participant_id={scene.ann['participant_id']}") == [two, one]
    assert found(f"customer_id={scene.ben['customer_id']}") == []
    assert found("type=REFERRAL") == [two, one]
    assert found("type=STATEMENT") == []
    assert found("waiting_for=REVIEW") == []
    assert found(f"created_after={second['created_at']}") == [two]
    assert found(f"created_before={second['created_at']}") == [one]
    assert found("status=PENDING&transaction_id=ord_2") == []


def test_the_history_has_every_step_newest_first(scene: Scene) -> None:
    reward = scene.earn()
    path = f"/rewards/{reward['reward_id']}"
    scene.api.patch(path, {"status": "AVAILABLE", "amount": 1000})
    issued, earned = scene.api.get(f"{path}/history")["data"]

    assert set(issued) == {"at", "from", "to", "actor", "reason", "amount_before", "amount_after"}
    assert (earned["from"], earned["to"], earned["amount_after"]) == (None, "PENDING", 1200)
    assert (issued["from"], issued["to"]) == ("PENDING", "AVAILABLE")
    assert (issued["amount_before"], issued["amount_after"]) == (1200, 1000)
    assert issued["actor"].startswith("api_key:")


def test_a_one_time_reward_is_given(scene: Scene) -> None:
    body = {"participant_id": scene.ben["participant_id"], "amount": 500, "reason": "sorry", "external_ref": "t_9"}
    given = scene.api.post("/rewards", body)
    assert (given["type"], given["status"], given["amount"]) == ("ONE_TIME", "PENDING", 500)
    assert (given["reason"], given["external_ref"], given["rule_id"], given["event_id"]) == ("sorry", "t_9", None, None)
    assert scene.api.get("/rewards")["data"] == [given]


@pytest.mark.parametrize(
    ("change", "status", "expected"),
    [
        ({"amount": 0}, 400, ("invalid", ("amount", "min_value"))),
        ({"amount": 1.5}, 400, ("invalid", ("amount", "invalid"))),
        ({"reason": " "}, 400, ("invalid", ("reason", "blank"))),
        ({"reason": "x" * 501}, 400, ("invalid", ("reason", "max_length"))),
        ({"participant_id": "ann"}, 400, ("invalid", ("participant_id", "invalid"))),
        (
            {"participant_id": "01a1fdaf-15e7-71f0-a520-1af081a50180"},
            422,
            ("unknown_participant", ("participant_id", "unknown_participant")),
        ),
    ],
)
def test_a_gift_that_is_wrong_is_not_given(
    scene: Scene, change: dict[str, object], status: int, expected: tuple[object, ...]
) -> None:
    body = {"participant_id": scene.ben["participant_id"], "amount": 500, "reason": "sorry", **change}
    assert problem(scene.api.post("/rewards", body, expect=status)) == expected
    assert scene.api.get("/rewards")["data"] == []


def test_a_gift_to_somebody_who_was_erased_is_impossible(scene: Scene) -> None:
    participant_id = scene.ben["participant_id"]
    assert scene.api.call("DELETE", f"/participants/{participant_id}").status_code == 204

    answer = scene.api.post(
        "/rewards", {"participant_id": participant_id, "amount": 500, "reason": "sorry"}, expect=422
    )
    assert problem(answer) == ("earns_nothing",)
    assert scene.api.get("/rewards")["data"] == []


def test_an_external_ref_is_given_once(scene: Scene) -> None:
    body = {"participant_id": scene.ben["participant_id"], "amount": 500, "reason": "sorry", "external_ref": "t_9"}
    given = scene.api.post("/rewards", body)

    assert scene.api.post("/rewards", {**body, "reason": "again"}, expect=200) == given
    for change in ({"amount": 501}, {"participant_id": scene.ann["participant_id"]}):
        answer = scene.api.post("/rewards", {**body, **change}, expect=409)
        assert problem(answer) == ("external_ref_conflict",)
    assert scene.api.get("/rewards")["data"] == [given]
    other = scene.api.post("/rewards", {**body, "external_ref": "t_10"})
    assert other["reward_id"] != given["reward_id"]


def test_a_cut_gift_is_recognised_by_what_was_asked_for(scene_with: Callable[..., Scene]) -> None:
    scene = scene_with(budget=300)
    body = {"participant_id": scene.ben["participant_id"], "amount": 500, "reason": "sorry", "external_ref": "t_9"}
    given = scene.api.post("/rewards", body)
    assert (given["amount"], given["uncut_amount"]) == (300, 500)

    assert scene.api.post("/rewards", body, expect=200) == given


def test_a_gift_counts_against_the_budget(scene_with: Callable[..., Scene]) -> None:
    scene = scene_with(budget=600)
    body = {"participant_id": scene.ben["participant_id"], "amount": 400, "reason": "sorry"}
    scene.api.post("/rewards", body)
    cut = scene.api.post("/rewards", body)
    assert (cut["amount"], cut["uncut_amount"]) == (200, 400)
    assert problem(scene.api.post("/rewards", body, expect=422)) == ("budget_exhausted",)
    assert len(scene.api.get("/rewards")["data"]) == 2


def test_review_lets_a_reward_out_or_not(scene_with: Callable[..., Scene]) -> None:
    scene = scene_with(review_above=1000)
    kept, refused = scene.earn("ord_1"), scene.earn("ord_2")
    assert (kept["status"], kept["waiting_for"]) == ("EARNED", "REVIEW")
    assert len(scene.api.get("/rewards?waiting_for=REVIEW")["data"]) == 2

    approved = scene.api.post(f"/rewards/{kept['reward_id']}/approve", expect=200)
    assert (approved["status"], approved["waiting_for"]) == ("PENDING", None)
    rejected = scene.api.post(f"/rewards/{refused['reward_id']}/reject", {"reason": "fraud"}, expect=200)
    assert (rejected["status"], rejected["reason"]) == ("CANCELED", "fraud")

    for path, body in (("approve", None), ("reject", {"reason": "late"})):
        answer = scene.api.post(f"/rewards/{kept['reward_id']}/{path}", body, expect=409)
        assert problem(answer) == ("invalid_transition",)
    answer = scene.api.post(f"/rewards/{refused['reward_id']}/reject", {}, expect=400)
    assert problem(answer) == ("invalid", ("reason", "required"))
