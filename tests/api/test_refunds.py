"""Refunds and disputes, by transaction and by event, also before their payment."""

from typing import Any

import pytest

from tests.api.client import problem
from tests.api.conftest import Scene


def refunds(scene: Scene) -> str:
    return f"/campaigns/{scene.campaign['campaign_id']}/refunds"


def body(amount: int | None = 6000, **more: Any) -> dict[str, Any]:
    whole = {} if amount is None else {"amount": amount}
    return {"transaction_id": "ord_1", "refund_id": "re_1", **whole, **more}


def test_it_works(scene: Scene) -> None:
    reward = scene.earn("ord_1")
    answer = scene.api.post(refunds(scene), body())
    assert answer == {
        "refund_id": "re_1",
        "event_id": reward["event_id"],
        "net_amount": 6000,
        "capped": False,
        "rewards": [scene.api.get(f"/rewards/{reward['reward_id']}")],
    }
    (lowered,) = answer["rewards"]
    assert (lowered["status"], lowered["amount"], lowered["refunded_amount"]) == ("PENDING", 600, 600)
    assert lowered["earned_amount"] == 1200


def test_a_repeat_counts_once(scene: Scene) -> None:
    reward_id = scene.earn("ord_1")["reward_id"]
    scene.api.post(refunds(scene), body())
    again = scene.api.post(refunds(scene), body(), expect=200)
    assert (again["net_amount"], again["rewards"]) == (6000, [])
    assert scene.api.get(f"/rewards/{reward_id}")["amount"] == 600


def test_all_of_it_is_the_default(scene: Scene) -> None:
    event_id = scene.earn("ord_1")["event_id"]
    answer = scene.api.post(f"/events/{event_id}/refunds", {"refund_id": "re_1"})
    assert (answer["net_amount"], answer["capped"]) == (0, False)
    assert [each["status"] for each in answer["rewards"]] == ["CANCELED"]


def test_more_than_was_paid_counts_up_to_it(scene: Scene) -> None:
    scene.earn("ord_1")
    answer = scene.api.post(refunds(scene), body(12001))
    assert (answer["net_amount"], answer["capped"]) == (0, True)


def test_a_refund_before_its_payment_waits_for_it(scene: Scene) -> None:
    answer = scene.api.post(refunds(scene), body())
    assert answer == {"refund_id": "re_1", "event_id": None, "net_amount": None, "capped": False, "rewards": []}
    event = scene.api.post(scene.events, scene.purchase("ord_1"))
    assert event["net_amount"] == 6000
    assert [each["amount"] for each in scene.api.get("/rewards")["data"]] == [600]


def test_what_is_issued_gets_a_deduction_which_is_confirmed(scene: Scene) -> None:
    reward = scene.earn("ord_1")
    scene.api.patch(f"/rewards/{reward['reward_id']}", {"status": "AVAILABLE", "amount": 1000})
    (deduction,) = scene.api.post(refunds(scene), body())["rewards"]
    assert (deduction["status"], deduction["amount"], deduction["deducts"]) == (
        "PENDING_DEDUCTION",
        500,
        reward["reward_id"],
    )
    path = f"/rewards/{deduction['reward_id']}"
    assert problem(scene.api.patch(path, {"status": "AVAILABLE"}, expect=409)) == ("invalid_transition",)
    assert problem(scene.api.patch(path, {"status": "DEDUCTED", "amount": 501}, expect=422)) == ("amount_exceeds_owed",)
    taken = scene.api.patch(path, {"status": "DEDUCTED", "amount": 300})
    assert (taken["status"], taken["amount"]) == ("DEDUCTED", 300)
    assert scene.api.patch(path, {"status": "DEDUCTED", "amount": 300}) == taken
    (rest,) = scene.api.get("/rewards?status=PENDING_DEDUCTION")["data"]
    assert (rest["amount"], rest["carried_from"]) == (200, deduction["reward_id"])
    scene.api.patch(f"/rewards/{rest['reward_id']}", {"status": "DEDUCTED", "amount": 1, "forgive": True})
    assert scene.api.get("/rewards?status=PENDING_DEDUCTION")["data"] == []
    (balance,) = scene.api.get(f"/customers/{scene.ann['customer_id']}/balance")["balances"]
    assert (balance["issued"], balance["deducted"], balance["to_deduct"]) == (1000, 301, 0)


def test_a_dispute_that_is_won_gives_back(scene: Scene) -> None:
    reward_id = scene.earn("ord_1")["reward_id"]
    scene.api.post(refunds(scene), body(None, kind="DISPUTE", status="OPEN"))
    assert scene.api.get(f"/rewards/{reward_id}")["status"] == "CANCELED"
    answer = scene.api.post(refunds(scene), body(None, kind="DISPUTE", status="WON"), expect=200)
    assert answer["net_amount"] == 12000
    due = scene.api.get("/rewards?status=PENDING")["data"]
    assert [each["amount"] for each in due] == [1200]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"refund_id": None}, ("refund_id", "null")),
        ({"transaction_id": ""}, ("transaction_id", "blank")),
        ({"amount": 0}, ("amount", "min_value")),
        ({"amount": -5}, ("amount", "min_value")),
        ({"amount": 1.5}, ("amount", "invalid")),
        ({"kind": "CHARGEBACK"}, ("kind", "invalid_choice")),
        ({"status": "MAYBE"}, ("status", "invalid_choice")),
        ({"currency": "USD"}, ("currency", "unknown_field")),
    ],
)
def test_a_malformed_one_changes_nothing(scene: Scene, change: dict[str, Any], expected: tuple[str, str]) -> None:
    reward = scene.earn("ord_1")
    answer = scene.api.post(refunds(scene), body(**change), expect=400)
    assert problem(answer) == ("invalid", expected)
    assert scene.api.get(f"/rewards/{reward['reward_id']}") == reward


def test_an_event_without_a_payment_has_nothing_to_refund(scene: Scene) -> None:
    signup = scene.api.post(scene.events, {"participant": {"email": "ben@example.com"}, "type": "signup"})
    answer = scene.api.post(f"/events/{signup['event_id']}/refunds", {"refund_id": "re_1"}, expect=422)
    assert problem(answer) == ("not_refundable",)
    event_id = scene.earn("ord_1")["event_id"]
    other = {"refund_id": "re_1", "transaction_id": "ord_2"}
    answer = scene.api.post(f"/events/{event_id}/refunds", other, expect=422)
    assert problem(answer) == ("transaction_mismatch", ("transaction_id", "transaction_mismatch"))
