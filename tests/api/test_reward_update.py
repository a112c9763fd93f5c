"""Update a reward: it was issued, whole or in part, or it won't be."""

from typing import Any

import pytest

from tests.api.client import problem
from tests.api.conftest import Scene

KEY = "sk_live_" + "a" * 24


def test_it_works(scene: Scene) -> None:
    reward = scene.earn()
    path = f"/rewards/{reward['reward_id']}"
    issued = scene.api.patch(path, {"status": "AVAILABLE", "amount": 1000})

    assert (issued["status"], issued["amount"], issued["earned_amount"]) == ("AVAILABLE", 1000, 1200)
    assert (issued["remainder_amount"], issued["method"]) == (200, "MANUAL")
    assert issued["issued_at"] is not None
    assert scene.api.get(path) == issued


@pytest.mark.parametrize("again", [{"status": "AVAILABLE", "amount": 1000}, {"status": "AVAILABLE"}])
def test_the_same_confirmation_again_changes_nothing(scene: Scene, again: dict[str, Any]) -> None:
    path = f"/rewards/{scene.earn()['reward_id']}"
    issued = scene.api.patch(path, {"status": "AVAILABLE", "amount": 1000})
    assert scene.api.patch(path, again) == issued
    assert len(scene.api.get(f"{path}/history")["data"]) == 2


def test_it_is_canceled_with_a_reason(scene: Scene) -> None:
    path = f"/rewards/{scene.earn()['reward_id']}"
    canceled = scene.api.patch(path, {"status": "CANCELED", "reason": "left"})
    assert (canceled["status"], canceled["reason"]) == ("CANCELED", "left")
    answer = scene.api.patch(path, {"status": "AVAILABLE"}, expect=409)
    assert problem(answer) == ("invalid_transition",)


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ({}, 400, ("invalid", ("status", "required"))),
        ({"status": "PAID"}, 400, ("invalid", ("status", "invalid_choice"))),
        ({"status": "AVAILABLE", "amount": 0}, 400, ("invalid", ("amount", "min_value"))),
        ({"status": "AVAILABLE", "amount": -1}, 400, ("invalid", ("amount", "min_value"))),
        ({"status": "AVAILABLE", "amount": 10.5}, 400, ("invalid", ("amount", "invalid"))),
        ({"status": "AVAILABLE", "amount": 1201}, 422, ("amount_exceeds_owed",)),
        ({"status": "AVAILABLE", "reason": "x"}, 400, ("invalid", ("reason", "not_applicable"))),
        ({"status": "CANCELED"}, 400, ("invalid", ("reason", "required"))),
        ({"status": "CANCELED", "reason": "x", "amount": 5}, 400, ("invalid", ("amount", "not_applicable"))),
        ({"status": "PENDING"}, 409, ("invalid_transition",)),
        ({"status": "EARNED"}, 409, ("invalid_transition",)),
        ({"status": "DEDUCTED"}, 409, ("invalid_transition",)),
        ({"status": "AGGREGATED"}, 409, ("invalid_transition",)),
    ],
)
def test_what_can_not_be_said_changes_nothing(
    scene: Scene, body: dict[str, Any], status: int, expected: tuple[Any, ...]
) -> None:
    reward = scene.earn()
    path = f"/rewards/{reward['reward_id']}"
    assert problem(scene.api.patch(path, body, expect=status)) == expected
    assert scene.api.get(path) == reward


def test_what_a_provider_issues_is_not_confirmed_by_hand(scene: Scene) -> None:
    scene.api.patch(f"/campaigns/{scene.campaign['campaign_id']}", {"fulfilment": {"method": "STRIPE_CREDIT"}})
    path = f"/rewards/{scene.earn()['reward_id']}"
    for body in ({"status": "AVAILABLE"}, {"status": "CANCELED", "reason": "x"}):
        assert problem(scene.api.patch(path, body, expect=409)) == ("fulfilled_by_method",)
    assert scene.api.get(path)["status"] == "PENDING"


def test_what_a_batch_is_issuing_is_not_confirmed(scene: Scene) -> None:
    reward_id = scene.earn()["reward_id"]
    scene.api.post("/reward-batches", {"method": "MANUAL", "reward_ids": [reward_id]}, expect=202)
    answer = scene.api.patch(f"/rewards/{reward_id}", {"status": "AVAILABLE"}, expect=409)
    assert problem(answer) == ("being_issued",)
    assert scene.api.get(f"/rewards/{reward_id}")["status"] == "PENDING"
