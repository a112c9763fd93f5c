"""`DELETE /participants/{participant_id}`."""

import pytest

from referral_rocket.accounts.models import Scope
from tests.api.client import problem
from tests.api.conftest import Scene, caller_of


def purchase(scene: Scene, participant_id: str, transaction_id: str, expect: int = 201):
    body = {
        "participant": {"participant_id": participant_id},
        "type": "purchase",
        "transaction_id": transaction_id,
        "amount": 12000,
        "currency": "USD",
    }
    return scene.api.post(f"/campaigns/{scene.campaign['campaign_id']}/events", body, expect=expect)


def erase(scene: Scene, person) -> None:
    answer = scene.api.call("DELETE", f"/participants/{person['participant_id']}")
    assert (answer.status_code, answer.content) == (204, b"")


def test_it_works(scene: Scene) -> None:
    (reward,) = purchase(scene, scene.ben["participant_id"], "o1")["rewards"]
    assert reward["status"] == "PENDING"

    erase(scene, scene.ann)

    found = scene.api.get(f"/participants/{scene.ann['participant_id']}")
    assert (found["email"], found["external_id"], found["referral_code"]) == (None, None, scene.ann["referral_code"])
    assert found["name"].startswith("Erased person ")
    after = scene.api.get(f"/rewards/{reward['reward_id']}")
    assert (after["status"], after["reason"], after["amount"]) == ("CANCELED", "participant_erased", reward["amount"])
    customer = scene.api.get(f"/customers/{scene.ann['customer_id']}")
    assert (customer["email"], customer["provider_ids"]) == (None, {})
    assert customer["erased_at"] is not None
    found = scene.api.get(f"{scene.participants}?email=ann@example.com")
    assert found == {"data": [], "next_cursor": None}


def test_again_changes_nothing(scene: Scene) -> None:
    erase(scene, scene.ann)
    before = scene.api.get(f"/customers/{scene.ann['customer_id']}")

    erase(scene, scene.ann)

    assert scene.api.get(f"/customers/{scene.ann['customer_id']}") == before


def test_a_later_event_earns_nothing(scene: Scene) -> None:
    erase(scene, scene.ben)

    event = purchase(scene, scene.ben["participant_id"], "o2")

    assert (event["outcome"], event["rewards"]) == ("NOT_QUALIFIED", [])
    assert {decision["code"] for decision in event["decisions"]} == {"condition_not_met"}


def test_a_re_referral_is_stopped(scene: Scene) -> None:
    erase(scene, scene.ben)
    body = {"email": "BEN@example.com", "referral_code": scene.ann["referral_code"]}

    back = scene.api.post(scene.participants, body)

    assert back["customer_id"] != scene.ben["customer_id"]
    assert back["referred_by"] is None
    refused = scene.api.patch(
        f"/participants/{back['participant_id']}", {"referral_code": scene.ann["referral_code"]}, expect=409
    )
    assert problem(refused) == ("referral_refused",)


@pytest.mark.parametrize("change", [{"name": "Ann"}, {"external_id": "u_1"}, {"provider_ids": {"stripe": "cus_1"}}])
def test_nothing_about_an_erased_person_is_changed(scene: Scene, change) -> None:
    erase(scene, scene.ann)
    before = scene.api.get(f"/customers/{scene.ann['customer_id']}")

    answer = scene.api.patch(f"/participants/{scene.ann['participant_id']}", change, expect=409)

    assert problem(answer) == ("participant_erased",)
    assert scene.api.get(f"/customers/{scene.ann['customer_id']}") == before


def test_the_share_link_and_the_code_are_gone(scene: Scene, client) -> None:
    erase(scene, scene.ann)

    assert client.get(f"/r/{scene.ann['referral_code']}").status_code == 404
    answer = scene.api.post(
        scene.participants, {"email": "new@example.com", "referral_code": scene.ann["referral_code"]}, expect=422
    )
    assert problem(answer) == ("unknown_referral_code",)


def test_it_needs_the_scope_write(scene: Scene) -> None:
    reader = caller_of(scene.api.organization, Scope.READ)

    answer = reader.call("DELETE", f"/participants/{scene.ann['participant_id']}")

    assert answer.status_code == 403
    assert scene.api.get(f"/participants/{scene.ann['participant_id']}") == scene.ann
