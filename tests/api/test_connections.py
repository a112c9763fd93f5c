"""Connections: credentials go in and never come out."""

import json
from typing import Any

import pytest

from integrations.models import Connection
from referral_rocket.accounts.scoping import tenant
from tests.api.client import Caller, problem

LIVE, TEST = "sk_live_" + "a" * 24, "sk_test_" + "a" * 24
SECRET = "whsec_" + "b" * 24


def new(api: Caller) -> Any:
    body = {"provider": "stripe", "credentials": {"api_key": LIVE}, "webhook_secret": SECRET}
    return api.post("/connections", body)


def test_it_works(api: Caller) -> None:
    made = new(api)
    assert made == {
        "connection_id": made["connection_id"],
        "provider": "stripe",
        "status": "ACTIVE",
        "settings": {},
        "webhook_url": f"http://localhost:8000/webhooks/in/stripe/{made['connection_id']}",
        "last_event_at": None,
        "account": None,
        "attention_reason": None,
        "check_pending": False,
        "check_message": None,
        "checked_at": None,
        "created_at": made["created_at"],
    }
    path = f"/connections/{made['connection_id']}"
    assert api.get(path) == made
    assert api.get("/connections") == {"data": [made], "next_cursor": None}
    with tenant(api.organization):
        stored = Connection.objects.get()
    assert stored.credentials == {"api_key": LIVE}
    assert stored.webhook_secrets["current"] == SECRET


def test_no_answer_has_a_secret(api: Caller) -> None:
    path = f"/connections/{new(api)['connection_id']}"
    other = "whsec_" + "c" * 24
    answers = [
        api.get(path),
        api.get("/connections"),
        api.patch(path, {"credentials": {"api_key": "sk_live_" + "d" * 24}, "webhook_secret": other}),
        api.post(f"{path}/check", expect=202),
        api.post("/connections", {"provider": "stripe", "credentials": {"api_key": TEST}}, expect=422),
    ]
    said = json.dumps(answers)
    for secret in (LIVE, TEST, SECRET, other, "sk_live_", "d" * 24):
        assert secret not in said


def test_a_check_is_queued(api: Caller) -> None:
    path = f"/connections/{new(api)['connection_id']}"
    assert api.post(f"{path}/check", expect=202)["check_pending"] is True
    assert api.get(path)["check_pending"] is True


def test_deleting_disconnects_and_forgets(api: Caller) -> None:
    path = f"/connections/{new(api)['connection_id']}"
    for _ in range(2):
        response = api.call("DELETE", path)
        assert (response.status_code, response.content) == (204, b"")
    assert api.get(path)["status"] == "DISCONNECTED"
    with tenant(api.organization):
        assert Connection.objects.get().credentials == {}
    assert api.patch(path, {"credentials": {"api_key": LIVE}})["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("change", "status", "expected"),
    [
        ({"provider": "acme"}, 400, ("invalid", ("provider", "invalid_choice"))),
        (
            {"provider": "razorpay", "credentials": {"key_id": "rzp_live_1"}},
            400,
            ("invalid", ("credentials.key_secret", "required")),
        ),
        ({"credentials": {}}, 400, ("invalid", ("credentials.api_key", "required"))),
        ({"credentials": {"api_key": 5}}, 400, ("invalid", ("credentials", "not_text"))),
        ({"credentials": "key"}, 400, ("invalid", ("credentials", "invalid"))),
        ({"credentials": {"api_key": LIVE, "x": "y"}}, 400, ("invalid", ("credentials.x", "unknown"))),
        ({"credentials": {"api_key": TEST}}, 422, ("mode_mismatch",)),
        ({"settings": {"colour": "red"}}, 400, ("invalid", ("settings.colour", "unknown"))),
        ({"settings": []}, 400, ("invalid", ("settings", "invalid"))),
        ({"webhook_secret": ""}, 400, ("invalid", ("webhook_secret", "blank"))),
    ],
)
def test_what_can_not_be_connected_is_not(
    api: Caller, change: dict[str, Any], status: int, expected: tuple[Any, ...]
) -> None:
    body = {"provider": "stripe", "credentials": {"api_key": LIVE}, **change}
    assert problem(api.post("/connections", body, expect=status)) == expected
    assert api.get("/connections")["data"] == []


def test_test_credentials_belong_to_the_test_organization(test_api: Caller) -> None:
    body = {"provider": "stripe", "credentials": {"api_key": TEST}}
    assert test_api.post("/connections", body)["status"] == "ACTIVE"
    live = {"provider": "stripe", "credentials": {"api_key": LIVE}}
    assert problem(test_api.post("/connections", live, expect=422)) == ("mode_mismatch",)
