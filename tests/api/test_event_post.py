"""An event is reported, judged and answered with its decisions and rewards."""

from datetime import timedelta

import pytest

from referral_rocket.kit.clock import wall
from tests.api.client import problem
from tests.api.conftest import Scene


def test_it_works(scene: Scene) -> None:
    answer = scene.api.post(scene.events, scene.purchase())

    assert answer["outcome"] == "QUALIFIED"
    assert answer["transaction_id"] == "ord_1"
    assert answer["differs"] is False
    assert answer["net_amount"] == 12000
    (decision,) = answer["decisions"]
    (reward,) = answer["rewards"]
    rule_id = scene.campaign["rules"][0]["rule_id"]
    assert decision == {
        "rule_id": rule_id,
        "outcome": "REWARDED",
        "code": "rewarded",
        "message": decision["message"],
        "reward_id": reward["reward_id"],
    }
    assert (reward["status"], reward["amount"], reward["currency"]) == ("PENDING", 1200, "USD")
    assert reward["participant_id"] == scene.ann["participant_id"]
    assert reward["rule_id"] == rule_id
    assert reward["event_id"] == answer["event_id"]


def test_a_repeat_is_answered_with_the_first_ones_rewards(scene: Scene) -> None:
    first = scene.api.post(scene.events, scene.purchase())
    again = scene.api.post(scene.events, scene.purchase(), expect=200)
    other_amount = scene.api.post(scene.events, scene.purchase(amount=1), expect=200)

    assert again == {**first, "outcome": "DUPLICATE"}
    assert other_amount["differs"] is True
    assert other_amount["net_amount"] == 12000
    assert len(scene.api.get("/events")["data"]) == 1


def test_an_event_that_earns_nothing_is_kept_too(scene: Scene) -> None:
    body = scene.purchase(currency="EUR")
    answer = scene.api.post(scene.events, body)

    assert answer["outcome"] == "NOT_QUALIFIED"
    assert answer["rewards"] == []
    assert [each["code"] for each in answer["decisions"]] == ["currency_mismatch"]


@pytest.mark.parametrize(
    ("told", "kept"), [("", ""), (".5", ".500"), (".123456789", ".123"), (".9999999999999", ".999")]
)
def test_a_time_of_any_fineness(scene: Scene, told: str, kept: str) -> None:
    soon = f"{wall() + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}"
    made = scene.api.post(scene.events, scene.purchase(occurred_at=f"{soon}{told}Z"))
    assert made["occurred_at"] == f"{soon}{kept}Z"


@pytest.mark.parametrize("name", ["customer_id", "participant_id", "email", "external_id"])
def test_the_participant_is_named_in_one_of_four_ways(scene: Scene, name: str) -> None:
    scene.api.patch(f"/participants/{scene.ben['participant_id']}", {"external_id": "u_1"})
    who = {**scene.ben, "external_id": "u_1", "email": " BEN@example.COM "}[name]
    answer = scene.api.post(scene.events, scene.purchase(participant={name: who}))
    assert answer["participant_id"] == scene.ben["participant_id"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"amount": -5}, ("amount", "min_value")),
        ({"amount": 0}, ("amount", "min_value")),
        ({"amount": 10**15 + 1}, ("amount", "max_value")),
        ({"amount": 10**400}, ("amount", "max_value")),
        ({"amount": 12.5}, ("amount", "invalid")),
        ({"amount": 12.0}, ("amount", "invalid")),
        ({"amount": "12000"}, ("amount", "invalid")),
        ({"amount": True}, ("amount", "invalid")),
        ({"amount": None}, ("amount", "required")),
        ({"currency": None}, ("currency", "required")),
        ({"currency": "usd"}, ("currency", "unknown_currency")),
        ({"currency": "XAU"}, ("currency", "unknown_currency")),
        ({"transaction_id": None}, ("transaction_id", "required")),
        ({"transaction_id": " "}, ("transaction_id", "blank")),
        ({"transaction_id": "x" * 201}, ("transaction_id", "max_length")),
        ({"transaction_id": 991}, ("transaction_id", "invalid")),
        ({"occurred_at": "yesterday"}, ("occurred_at", "invalid")),
        ({"occurred_at": "2026-11-21T09:00:00"}, ("occurred_at", "invalid")),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, ("occurred_at", "out_of_range")),
        ({"occurred_at": "2150-01-01T00:00:00Z"}, ("occurred_at", "occurred_in_future")),
        ({"country": "Germany"}, ("country", "unknown_country")),
        ({"country": "d1"}, ("country", "unknown_country")),
        ({"tax": -1}, ("tax", "min_value")),
        ({"metadata": []}, ("metadata", "invalid")),
        ({"items": [{"product": "a"}, {"product": "b", "quantity": 0}]}, ("items.1.quantity", "min_value")),
        ({"items": [{"product": "a", "colour": "red"}]}, ("items.0.colour", "unknown_field")),
        ({"participant": {}}, ("participant", "exactly_one")),
        ({"participant": {"email": "a@b.cc", "external_id": "1"}}, ("participant", "exactly_one")),
        ({"participant": "ben"}, ("participant", "invalid")),
        ({"participant": {"participant_id": 7}}, ("participant.participant_id", "invalid")),
        ({"participant": {"email": "nobody"}}, ("participant.email", "invalid")),
        ({"type": ""}, ("type", "blank")),
        ({"colour": "red"}, ("colour", "unknown_field")),
    ],
)
def test_a_malformed_field_is_named_and_nothing_is_kept(
    scene: Scene, change: dict[str, object], expected: tuple[str, str]
) -> None:
    answer = scene.api.post(scene.events, {**scene.purchase(), **change}, expect=400)

    assert problem(answer) == ("invalid", expected)
    assert scene.api.get("/events")["data"] == []


def test_somebody_who_is_not_in_the_campaign_is_unknown(scene: Scene) -> None:
    answer = scene.api.post(scene.events, scene.purchase(participant={"email": "new@example.com"}), expect=422)
    assert problem(answer) == ("unknown_participant", ("participant", "unknown_participant"))


def test_the_transaction_of_another_participant_is_a_conflict(scene: Scene) -> None:
    scene.earn("ord_1")
    who = {"participant_id": scene.ann["participant_id"]}
    answer = scene.api.post(scene.events, scene.purchase("ord_1", participant=who), expect=409)
    assert problem(answer) == ("transaction_conflict",)
    assert len(scene.api.get("/events")["data"]) == 1


@pytest.mark.parametrize("status", ["PAUSED", "ENDED"])
def test_a_campaign_that_is_not_active_takes_none(scene: Scene, status: str) -> None:
    scene.api.patch(f"/campaigns/{scene.campaign['campaign_id']}", {"status": status})
    answer = scene.api.post(scene.events, scene.purchase(), expect=422)
    assert problem(answer) == ("campaign_not_active",)
    assert answer["detail"].endswith(f": it was {status} then.")
    assert scene.api.get("/events")["data"] == []


def test_an_event_of_before_the_campaign_is_refused(scene: Scene) -> None:
    answer = scene.api.post(scene.events, scene.purchase(occurred_at="2020-01-01T00:00:00Z"), expect=422)
    assert problem(answer) == ("campaign_not_active",)
    assert answer["detail"] == "The campaign was not active at 2020-01-01T00:00:00Z: it was made after that."


def test_an_event_without_money_needs_none(scene: Scene) -> None:
    body = {"participant": {"email": "ben@example.com"}, "type": "signup"}
    first = scene.api.post(scene.events, body)
    assert (first["outcome"], first["decisions"][0]["code"]) == ("NOT_QUALIFIED", "other_event_type")
    assert scene.api.post(scene.events, body, expect=200)["outcome"] == "DUPLICATE"
