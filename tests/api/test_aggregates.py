"""Aggregates by API: the test clock makes them, their parts are listed, and no balance counts both."""

from datetime import timedelta

from referral_rocket.kit.clock import rfc3339, wall
from tests.api.client import Caller, problem
from tests.api.conftest import set_up


def test_it_works(test_api: Caller) -> None:
    scene = set_up(test_api, earning_timing="STATEMENT")
    first, second = scene.earn("ord_1"), scene.earn("ord_2")
    assert (first["status"], first["waiting_for"], first["due_at"]) == ("EARNED", "AGGREGATION", None)
    assert {each["reward_id"] for each in test_api.get("/rewards?waiting_for=AGGREGATION")["data"]} == {
        first["reward_id"],
        second["reward_id"],
    }

    test_api.post("/test-clock", {"now": rfc3339(wall() + timedelta(days=32))}, expect=200)
    (statement,) = test_api.get("/rewards?type=STATEMENT")["data"]
    assert (statement["status"], statement["amount"], statement["earned_amount"]) == ("PENDING", 2400, 2400)
    assert (statement["event_id"], statement["transaction_id"], statement["rule_id"]) == (None, None, None)
    listed = test_api.get(f"/rewards/{statement['reward_id']}/parts")
    assert listed["next_cursor"] is None
    assert [(each["reward_id"], each["status"], each["aggregate_id"], each["amount"]) for each in listed["data"]] == [
        (second["reward_id"], "AGGREGATED", statement["reward_id"], 1200),
        (first["reward_id"], "AGGREGATED", statement["reward_id"], 1200),
    ]
    assert test_api.get(f"/rewards/{first['reward_id']}/parts")["data"] == []
    balance = test_api.get(f"/customers/{scene.ann['customer_id']}/balance")["balances"]
    assert balance == [{"currency": "USD", "earned": 0, "due": 2400, "issued": 0, "deducted": 0, "to_deduct": 0}]
    history = test_api.get(f"/rewards/{first['reward_id']}/history")["data"]
    assert [(each["from"], each["to"]) for each in history] == [("EARNED", "AGGREGATED"), (None, "EARNED")]


def test_a_part_cannot_be_issued_by_itself(test_api: Caller) -> None:
    scene = set_up(test_api, earning_timing="DELAYED", delay_days=2)
    part = scene.earn()
    test_api.post("/test-clock", {"now": rfc3339(wall() + timedelta(days=4))}, expect=200)
    (total,) = test_api.get("/rewards?type=DELAYED")["data"]
    answer = test_api.patch(f"/rewards/{part['reward_id']}", {"status": "AVAILABLE"}, expect=409)
    assert problem(answer) == ("invalid_transition",)
    assert test_api.get(f"/rewards/{part['reward_id']}")["status"] == "AGGREGATED"
    test_api.patch(f"/rewards/{total['reward_id']}", {"status": "AVAILABLE"}, expect=200)
    balance = test_api.get(f"/customers/{scene.ann['customer_id']}/balance")["balances"]
    assert balance == [{"currency": "USD", "earned": 0, "due": 0, "issued": 1200, "deducted": 0, "to_deduct": 0}]
