"""People join campaigns, are found again, and are changed."""

import pytest

from tests.api.client import problem
from tests.api.conftest import CAMPAIGN, Scene


def test_it_works(scene: Scene) -> None:
    body = {
        "email": "Cid@Example.com",
        "name": "Cid",
        "external_id": "u_17",
        "referral_code": scene.ann["referral_code"].lower(),
        "provider_ids": {"stripe": "cus_1"},
    }
    cid = scene.api.post(scene.participants, body)
    assert cid == {
        "participant_id": cid["participant_id"],
        "customer_id": cid["customer_id"],
        "campaign_id": scene.campaign["campaign_id"],
        "email": "Cid@Example.com",
        "name": "Cid",
        "external_id": "u_17",
        "referral_code": cid["referral_code"],
        "share_url": f"http://localhost:8000/r/{cid['referral_code']}",
        "referred_by": {
            "participant_id": scene.ann["participant_id"],
            "referral_code": scene.ann["referral_code"],
        },
        "joined_at": cid["joined_at"],
    }
    assert len(cid["referral_code"]) == 8
    assert scene.api.get(f"/participants/{cid['participant_id']}") == cid
    assert scene.api.get(f"/customers/{cid['customer_id']}")["provider_ids"] == {"stripe": "cus_1"}


def test_a_known_address_is_answered_unchanged(scene: Scene) -> None:
    body = {"email": " BEN@EXAMPLE.com", "name": "Benjamin", "external_id": "u_2", "referral_code": "NOBODYS1"}
    assert scene.api.post(scene.participants, body, expect=200) == scene.ben
    assert scene.api.get(f"/participants/{scene.ben['participant_id']}") == scene.ben


def test_one_customer_may_be_in_several_campaigns(scene: Scene) -> None:
    other = scene.api.post("/campaigns", CAMPAIGN)
    again = scene.api.post(f"/campaigns/{other['campaign_id']}/participants", {"email": "ann@example.com"})
    assert again["customer_id"] == scene.ann["customer_id"]
    assert again["participant_id"] != scene.ann["participant_id"]
    assert again["referral_code"] != scene.ann["referral_code"]


@pytest.mark.parametrize(
    ("change", "status", "expected"),
    [
        ({"email": "nobody"}, 400, ("invalid", ("email", "invalid"))),
        ({"email": ""}, 400, ("invalid", ("email", "blank"))),
        ({"email": None}, 400, ("invalid", ("email", "null"))),
        ({"email": "a" * 320 + "@example.com"}, 400, ("invalid", ("email", "max_length"))),
        ({"external_id": 17}, 400, ("invalid", ("external_id", "invalid"))),
        ({"provider_ids": {"acme": "1"}}, 400, ("invalid", ("provider_ids.acme", "unknown_field"))),
        ({"provider_ids": {"stripe": 1}}, 400, ("invalid", ("provider_ids", "not_text"))),
        ({"referral_code": "NOBODYS1"}, 422, ("unknown_referral_code",)),
        ({"joined_at": "2026-01-01T00:00:00Z"}, 400, ("invalid", ("joined_at", "unknown_field"))),
    ],
)
def test_a_refusal_names_its_reason_and_adds_nobody(
    scene: Scene, change: dict[str, object], status: int, expected: tuple[object, ...]
) -> None:
    answer = scene.api.post(scene.participants, {"email": "new@example.com", **change}, expect=status)
    assert problem(answer) == expected
    assert len(scene.api.get(scene.participants)["data"]) == 2


def test_an_external_id_of_somebody_else_is_taken(scene: Scene) -> None:
    scene.api.post(scene.participants, {"email": "c@example.com", "external_id": "u_1"})
    answer = scene.api.post(scene.participants, {"email": "d@example.com", "external_id": "u_1"}, expect=409)
    assert problem(answer) == ("id_taken",)
    assert len(scene.api.get(scene.participants)["data"]) == 3


def test_ones_own_code_refers_nobody(scene: Scene) -> None:
    other = scene.api.post("/campaigns", CAMPAIGN)
    path = f"/campaigns/{other['campaign_id']}/participants"
    code = scene.api.post(path, {"email": "eve@example.com"})["referral_code"]
    assert problem(scene.api.post(path, {"email": "x@example.com", "referral_code": scene.ann["referral_code"]}, 422))
    participant = scene.api.get(path)["data"][0]
    answer = scene.api.patch(f"/participants/{participant['participant_id']}", {"referral_code": code}, expect=422)
    assert problem(answer) == ("self_referral",)
    joins = {"email": "Eve@example.com", "referral_code": code.lower()}
    assert problem(scene.api.post(path, joins, expect=422)) == ("self_referral",)
    assert scene.api.get(path)["data"] == [participant]


def test_a_list_is_filtered(scene: Scene) -> None:
    api, ann = scene.api, scene.ann
    api.patch(f"/participants/{ann['participant_id']}", {"external_id": "u_1"})
    ann = api.get(f"/participants/{ann['participant_id']}")
    for query in (
        "email=ANN@example.com",
        f"referral_code={ann['referral_code'].lower()}",
        "external_id=u_1",
        f"customer_id={ann['customer_id']}",
    ):
        assert api.get(f"{scene.participants}?{query}")["data"] == [ann], query
    assert api.get(f"{scene.participants}?external_id=u_2")["data"] == []
    assert api.get(scene.participants)["data"] == [scene.ben, ann]
    assert problem(api.get(f"{scene.participants}?email=ann", expect=400)) == ("invalid", ("email", "invalid"))


def test_a_referrer_is_set_once(scene: Scene) -> None:
    cid = scene.api.post(scene.participants, {"email": "cid@example.com"})
    path = f"/participants/{cid['participant_id']}"
    changed = scene.api.patch(path, {"name": "Cid", "referral_code": scene.ann["referral_code"]})
    assert changed["name"] == "Cid"
    assert changed["referred_by"]["participant_id"] == scene.ann["participant_id"]

    answer = scene.api.patch(path, {"name": "Other", "referral_code": scene.ben["referral_code"]}, expect=409)
    assert problem(answer) == ("referral_refused",)
    assert scene.api.get(path) == changed
