"""A customer over all campaigns: who it is, its rewards, its balance."""

from collections.abc import Callable

from tests.api.conftest import Scene, set_up


def test_it_works(scene: Scene) -> None:
    customer_id = scene.ann["customer_id"]
    found = scene.api.get(f"/customers/{customer_id}")
    assert found == {
        "customer_id": customer_id,
        "email": "ann@example.com",
        "name": "Ann",
        "external_id": None,
        "provider_ids": {},
        "created_at": found["created_at"],
        "erased_at": None,
    }


def test_its_rewards_are_those_of_all_campaigns(scene: Scene) -> None:
    other = set_up(scene.api, name="More friends")
    first, second = scene.earn("ord_1"), other.earn("ord_1")
    path = f"/customers/{scene.ann['customer_id']}/rewards"
    assert scene.api.get(path)["data"] == [second, first]
    assert scene.api.get(f"{path}?status=AVAILABLE")["data"] == []
    assert scene.api.get(f"/customers/{scene.ben['customer_id']}/rewards")["data"] == []


def test_the_balance_adds_up_by_currency(scene_with: Callable[..., Scene]) -> None:
    dollars = scene_with()
    yen = scene_with(name="Yen", currency="JPY", review_above=1)
    path = f"/customers/{dollars.ann['customer_id']}/balance"
    assert dollars.api.get(path)["balances"] == []

    for number in range(4):
        dollars.earn(f"ord_{number}")
    one, two, *_ = [each["reward_id"] for each in dollars.api.get("/rewards")["data"]]
    dollars.api.patch(f"/rewards/{one}", {"status": "AVAILABLE", "amount": 1000})
    dollars.api.patch(f"/rewards/{two}", {"status": "CANCELED", "reason": "no"})
    yen.earn("ord_1", currency="JPY")

    assert dollars.api.get(path) == {
        "customer_id": dollars.ann["customer_id"],
        "balances": [
            {"currency": "JPY", "earned": 1200, "due": 0, "issued": 0, "deducted": 0, "to_deduct": 0},
            {"currency": "USD", "earned": 0, "due": 2400, "issued": 1000, "deducted": 0, "to_deduct": 0},
        ],
    }
