"""The same thing asked for many times at once, by real threads, is done once."""

from collections import Counter
from typing import Any

import pytest
from django.db import connection

from referral_rocket.accounts.scoping import tenant
from referral_rocket.api import idempotency
from referral_rocket.api.models import IdempotentRequest
from tests.api.client import Caller, problem
from tests.api.conftest import CAMPAIGN, Scene
from tests.concurrency import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_works(transactional_db: None, scene: Scene) -> None:
    answers: list[Any] = at_once(20, lambda number: scene.api.call("POST", scene.events, scene.purchase()))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 19}
    assert Counter(answer.json()["outcome"] for answer in answers) == {"QUALIFIED": 1, "DUPLICATE": 19}
    assert len({answer.json()["rewards"][0]["reward_id"] for answer in answers}) == 1
    assert len(scene.api.get("/events")["data"]) == 1
    assert [each["amount"] for each in scene.api.get("/rewards")["data"]] == [1200]


def test_a_batch_of_the_same_rewards_issues_each_once(transactional_db: None, scene: Scene) -> None:
    body = {"method": "MANUAL", "reward_ids": [scene.earn(f"ord_{number}")["reward_id"] for number in range(5)]}
    answers: list[Any] = at_once(20, lambda number: scene.api.call("POST", "/reward-batches", body))

    assert {answer.status_code for answer in answers} == {202}
    queued = [answer.json()["counts"]["queued"] for answer in answers]
    assert sum(queued) == 5


def test_a_key_at_work_is_409_and_done_once(transactional_db: None, api: Caller) -> None:
    answers: list[Any] = at_once(
        20, lambda number: api.call("POST", "/campaigns", CAMPAIGN, headers={"Idempotency-Key": "k-1"})
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    for answer in answers:
        if answer.status_code == 409:
            assert problem(answer.json()) == ("idempotency_key_in_use",)
            assert answer["Retry-After"] == "1"
    made = {answer.json()["campaign_id"] for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert [each["campaign_id"] for each in api.get("/campaigns")["data"]] == list(made)
    with tenant(api.organization):
        assert IdempotentRequest.objects.count() == 1


def test_a_key_that_another_session_holds_is_409(transactional_db: None, api: Caller) -> None:
    def ask(number: int) -> int:
        return int(api.call("POST", "/campaigns", CAMPAIGN, headers={"Idempotency-Key": "k-1"}).status_code)

    with tenant(api.organization):
        assert idempotency._lock(api.organization, "k-1")
        assert at_once(1, ask) == [409]
        assert connection.in_atomic_block
    assert at_once(1, ask) == [201]


def test_a_reward_is_confirmed_once(transactional_db: None, scene: Scene) -> None:
    path = f"/rewards/{scene.earn()['reward_id']}"
    answers: list[Any] = at_once(
        10, lambda number: scene.api.call("PATCH", path, {"status": "AVAILABLE", "amount": 1000})
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len(scene.api.get(f"{path}/history")["data"]) == 2


def test_of_fifty_confirmations_with_different_amounts_one_counts(transactional_db: None, scene: Scene) -> None:
    path = f"/rewards/{scene.earn()['reward_id']}"
    answers: list[Any] = at_once(
        50, lambda number: scene.api.call("PATCH", path, {"status": "AVAILABLE", "amount": 1000 + number})
    )

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 49}
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    refused = {problem(answer.json()) for answer in answers if answer.status_code == 409}
    assert refused <= {("invalid_transition",), ("being_issued",)}
    reward = scene.api.get(path)
    assert (reward["status"], reward["amount"]) == ("AVAILABLE", won["amount"])
    assert reward["amount"] + reward["remainder_amount"] == 1200
    assert [step["amount_after"] for step in scene.api.get(f"{path}/history")["data"]] == [won["amount"], 1200]


def test_a_gift_under_one_reference_is_given_once(transactional_db: None, scene: Scene) -> None:
    body = {"participant_id": scene.ben["participant_id"], "amount": 500, "reason": "sorry", "external_ref": "t_9"}
    answers: list[Any] = at_once(20, lambda number: scene.api.call("POST", "/rewards", body))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 19}
    assert len({answer.json()["reward_id"] for answer in answers}) == 1
    assert len(scene.api.get("/rewards")["data"]) == 1


def test_the_same_person_joins_once(transactional_db: None, scene: Scene) -> None:
    body = {"email": "new@example.com"}
    answers: list[Any] = at_once(10, lambda number: scene.api.call("POST", scene.participants, body))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 9}
    assert len({answer.json()["participant_id"] for answer in answers}) == 1
