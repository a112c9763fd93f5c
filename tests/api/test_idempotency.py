"""Idempotency-Key: a repeat is answered as the first request was, and done once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from referral_rocket.accounts.models import Scope
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.api import idempotency
from referral_rocket.api.models import IdempotentRequest
from referral_rocket.api.tasks import forget_old_answers
from referral_rocket.kit.clock import wall
from tests.api.client import Caller, problem
from tests.api.conftest import CAMPAIGN, Scene, caller_of

KEY = {"Idempotency-Key": "k-1"}


def test_it_works(api: Caller) -> None:
    first = api.call("POST", "/campaigns", CAMPAIGN, headers=KEY)
    again = api.call("POST", "/campaigns", dict(reversed(CAMPAIGN.items())), headers=KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert len(api.get("/campaigns")["data"]) == 1


def test_without_a_key_it_is_done_again(api: Caller) -> None:
    api.post("/campaigns", CAMPAIGN)
    api.post("/campaigns", CAMPAIGN)
    assert len(api.get("/campaigns")["data"]) == 2
    with tenant(api.organization):
        assert not IdempotentRequest.objects.exists()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/campaigns", {**CAMPAIGN, "name": "Other"}),
        ("PATCH", "/organization", CAMPAIGN),
        ("POST", "/rewards", CAMPAIGN),
    ],
)
def test_another_request_with_the_same_key_is_422(api: Caller, method: str, path: str, body: Any) -> None:
    api.post("/campaigns", CAMPAIGN, headers=KEY)
    assert problem(api.said(method, path, body, 422, headers=KEY)) == ("idempotency_key_reused",)
    assert len(api.get("/campaigns")["data"]) == 1


def test_a_patch_is_replayed_too(scene: Scene) -> None:
    path = f"/rewards/{scene.earn()['reward_id']}"
    body = {"status": "AVAILABLE", "amount": 1000}
    issued = scene.api.patch(path, body, headers=KEY)
    assert scene.api.patch(path, body, headers=KEY) == issued
    assert len(scene.api.get(f"{path}/history")["data"]) == 2


def test_a_refusal_is_stored_with_what_it_did_taken_back(scene: Scene) -> None:
    cid = scene.api.post(scene.participants, {"email": "cid@example.com"})
    path = f"/participants/{cid['participant_id']}"
    body = {"name": "Changed", "referral_code": "NOBODYS1"}
    first = scene.api.patch(path, body, expect=422, headers=KEY)
    again = scene.api.call("PATCH", path, body, headers=KEY)

    assert problem(first) == ("unknown_referral_code",)
    assert (again.status_code, again.json()) == (422, first)
    assert again["Content-Type"] == "application/problem+json"
    assert again["Idempotent-Replayed"] == "true"
    assert scene.api.get(path) == cid


def test_a_refusal_stays_the_answer_when_it_would_go_by_now(scene: Scene) -> None:
    body = scene.purchase(participant={"email": "new@example.com"})
    first = scene.api.post(scene.events, body, expect=422, headers=KEY)
    scene.api.post(scene.participants, {"email": "new@example.com"})
    assert scene.api.post(scene.events, body, expect=422, headers=KEY) == first
    assert scene.api.post(scene.events, body)["outcome"] == "NOT_QUALIFIED"


def test_what_depends_on_the_moment_is_not_stored(api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = caller_of(api.organization, Scope.READ)
    reader.post("/campaigns", CAMPAIGN, expect=403, headers=KEY)
    Caller(api.organization, "rr_live_none").post("/campaigns", CAMPAIGN, expect=401, headers=KEY)
    with monkeypatch.context() as patched:
        patched.setattr("referral_rocket.api.resources.campaigns.campaign_create", _breaks)
        api.post("/campaigns", CAMPAIGN, expect=500, headers=KEY)
    made = api.call("POST", "/campaigns", CAMPAIGN, headers=KEY)
    assert made.status_code == 201
    assert "Idempotent-Replayed" not in made


def _breaks(**given: Any) -> None:
    raise ZeroDivisionError


def test_a_key_is_its_organizations(api: Caller, stranger: Caller, test_api: Caller) -> None:
    names = {each.post("/campaigns", CAMPAIGN, headers=KEY)["campaign_id"] for each in (api, stranger, test_api)}
    assert len(names) == 3


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9"])
def test_a_key_that_is_none_is_refused(api: Caller, key: str) -> None:
    answer = api.post("/campaigns", CAMPAIGN, expect=400, headers={"Idempotency-Key": key})
    assert problem(answer) == ("invalid", ("Idempotency-Key", "invalid"))
    assert api.get("/campaigns")["data"] == []


def test_the_longest_key_is_taken(api: Caller) -> None:
    key = {"Idempotency-Key": "x" * 255}
    made = api.post("/campaigns", CAMPAIGN, headers=key)
    assert api.post("/campaigns", CAMPAIGN, headers=key) == made


def test_after_a_day_it_is_forgotten(api: Caller) -> None:
    first = api.post("/campaigns", CAMPAIGN, headers=KEY)
    age(api, timedelta(hours=23, minutes=59))
    assert api.post("/campaigns", CAMPAIGN, headers=KEY) == first
    age(api, timedelta(hours=24, seconds=1))
    assert api.post("/campaigns", {**CAMPAIGN, "name": "Other"}, headers=KEY)["campaign_id"] != first["campaign_id"]
    with tenant(api.organization):
        assert IdempotentRequest.objects.count() == 1


def test_the_sweep_deletes_what_is_replayed_no_more(api: Caller, stranger: Caller) -> None:
    api.post("/campaigns", CAMPAIGN, headers=KEY)
    stranger.post("/campaigns", CAMPAIGN, headers=KEY)
    age(api, timedelta(hours=26))
    assert forget_old_answers() == 1
    with every_organization("test"):
        assert [row.organization for row in IdempotentRequest.objects.all()] == [stranger.organization]


def age(api: Caller, by: timedelta) -> None:
    with tenant(api.organization), connection.cursor() as cursor:
        cursor.execute("UPDATE api_idempotentrequest SET created_at = %s", [wall() - by])


def test_a_secret_is_not_kept() -> None:
    body = {"secret": "whsec_1", "inner": [{"secret": "whsec_2", "url": "u"}], "secretary": "s"}
    assert idempotency.without_secrets(body) == {
        "secret": None,
        "inner": [{"secret": None, "url": "u"}],
        "secretary": "s",
    }
