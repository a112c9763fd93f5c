"""Lists come in pages, newest first, by key; none costs more queries for more rows."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.client import Caller
from tests.api.conftest import CAMPAIGN, Scene


def pages(api: Caller, path: str, limit: int) -> list[list[Any]]:
    found, cursor = [], ""
    while True:
        answer = api.get(f"{path}?limit={limit}{cursor}")
        found.append(answer["data"])
        if answer["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer['next_cursor']}"


def test_it_works(api: Caller) -> None:
    made = [api.post("/campaigns", CAMPAIGN) for _ in range(5)]
    newest = made[::-1]
    assert pages(api, "/campaigns", 2) == [newest[:2], newest[2:4], newest[4:]]
    assert pages(api, "/campaigns", 5) == [newest]
    assert pages(api, "/campaigns", 200) == [newest]


def test_an_empty_list_is_one_page(api: Caller) -> None:
    assert api.get("/events") == {"data": [], "next_cursor": None}


def test_what_comes_meanwhile_does_not_shift_a_page(api: Caller) -> None:
    made = [api.post("/campaigns", CAMPAIGN) for _ in range(3)]
    first = api.get("/campaigns?limit=2")
    api.post("/campaigns", CAMPAIGN)
    second = api.get(f"/campaigns?limit=2&cursor={first['next_cursor']}")
    assert first["data"] + second["data"] == made[::-1]


def test_fifty_are_the_default(scene: Scene) -> None:
    for number in range(51):
        scene.api.post(scene.participants, {"email": f"p{number}@example.com"})
    answer = scene.api.get(scene.participants)
    assert len(answer["data"]) == 50
    assert answer["next_cursor"] is not None


def campaigns(scene: Scene, number: int) -> None:
    scene.api.post("/campaigns", CAMPAIGN)


def participants(scene: Scene, number: int) -> None:
    body = {"email": f"x{number}@example.com", "referral_code": scene.ann["referral_code"]}
    scene.api.post(scene.participants, body)


def purchases(scene: Scene, number: int) -> None:
    scene.earn(f"ord_{number}")


def batches(scene: Scene, number: int) -> None:
    reward = scene.earn(f"ord_{number}")
    scene.api.post("/reward-batches", {"method": "MANUAL", "reward_ids": [reward["reward_id"]]}, expect=202)


def connections(scene: Scene, number: int) -> None:
    credentials = {"api_key": "sk_live_" + "a" * 24}
    scene.api.post("/connections", {"provider": "stripe", "credentials": credentials})


LISTS: list[tuple[str, Callable[[Scene, int], None]]] = [
    ("/campaigns", campaigns),
    ("/campaigns/{campaign}/participants", participants),
    ("/events", purchases),
    ("/rewards", purchases),
    ("/customers/{customer}/rewards", purchases),
    ("/reward-batches", batches),
    ("/connections", connections),
]


@pytest.mark.parametrize(("path", "add"), LISTS)
def test_a_list_costs_the_same_queries_for_more_rows(
    scene: Scene, path: str, add: Callable[[Scene, int], None]
) -> None:
    address = path.format(campaign=scene.campaign["campaign_id"], customer=scene.ann["customer_id"])
    add(scene, 0)
    add(scene, 1)
    scene.api.get(address)
    with CaptureQueriesContext(connection) as few:
        rows = len(scene.api.get(address)["data"])
    for number in range(2, 7):
        add(scene, number)
    with CaptureQueriesContext(connection) as many:
        assert len(scene.api.get(address)["data"]) == rows + 5
    assert len(many) == len(few)
    assert len(few) < 25


def test_items_of_a_batch_cost_the_same_queries_for_more_rows(scene: Scene) -> None:
    counts = []
    for size in (2, 7):
        ids = [scene.earn(f"ord_{size}_{number}")["reward_id"] for number in range(size)]
        batch = scene.api.post("/reward-batches", {"method": "MANUAL", "reward_ids": ids}, expect=202)
        with CaptureQueriesContext(connection) as queries:
            assert len(scene.api.get(f"/reward-batches/{batch['batch_id']}/items")["data"]) == size
        counts.append(len(queries))
    assert counts[0] == counts[1]
