"""Endpoints and deliveries by the API: what is said, what is refused, and the secret that is said once."""

import json
from typing import Any

import pytest

from integrations.models import Endpoint
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.clock import wall
from tests.api.client import Caller, problem
from webhooks.outbound import claiming
from webhooks.outbound.models import Delivery
from webhooks.outbound.results import Result, results_write

URL = "https://example.com/hook"


@pytest.fixture
def endpoint(api: Caller) -> Any:
    return api.post("/webhook-endpoints", {"url": URL, "event_types": ["EVENT", "REWARD"]})


def attempt(status_code: int) -> None:
    """Everything that is due is attempted, and answered like this."""
    shipments = claiming.claim(token=claiming.new_token(), room=100, rooms={}, usual_room=100)
    results_write([Result(each, wall(), 7, status_code) for each in shipments])


def test_it_works(api: Caller) -> None:
    made = api.post("/webhook-endpoints", {"url": URL})
    secret = made.pop("secret")

    assert secret.startswith("whsec_")
    assert made == {
        "endpoint_id": made["endpoint_id"],
        "url": URL,
        "description": "",
        "status_mode": "PENDING",
        "event_types": ["REWARD"],
        "status": "ENABLED",
        "disabled_reason": None,
        "failing_since": None,
        "last_success_at": None,
        "created_at": made["created_at"],
    }
    path = f"/webhook-endpoints/{made['endpoint_id']}"
    assert api.get(path) == made
    assert api.get("/webhook-endpoints") == {"data": [made], "next_cursor": None}
    assert api.call("DELETE", path).status_code == 204
    assert problem(api.said("GET", path, None, 404)) == ("not_found",)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "url"),
        ({"url": "example.com"}, 400, "url"),
        ({"url": URL, "event_types": []}, 400, "event_types"),
        ({"url": URL, "event_types": ["REWARDS"]}, 400, "event_types"),
        ({"url": URL, "status_mode": "SENT"}, 400, "status_mode"),
        ({"url": URL, "colour": "red"}, 400, "colour"),
        ({"url": "http://example.com/hook"}, 422, "address_not_allowed"),
        ({"url": "https://127.0.0.1/hook"}, 422, "address_not_allowed"),
        ({"url": "https://2130706433/hook"}, 422, "address_not_allowed"),
        ({"url": "https://[::ffff:10.0.0.1]/hook"}, 422, "address_not_allowed"),
        ({"url": "https://user:pass@example.com/hook"}, 422, "address_not_allowed"),
    ],
)
def test_what_is_refused_makes_nothing(api: Caller, body: dict[str, Any], status: int, code: str) -> None:
    answer = api.post("/webhook-endpoints", body, expect=status)

    assert code in (answer["code"], *(error["field"].partition(".")[0] for error in answer.get("errors", [])))
    assert api.get("/webhook-endpoints")["data"] == []


def test_a_secret_is_said_once(api: Caller, endpoint: Any) -> None:
    path = f"/webhook-endpoints/{endpoint['endpoint_id']}"
    rotated = api.post(f"{path}/rotate-secret", {"overlap_hours": 168}, expect=200)

    assert rotated["secret"] not in ("", None, endpoint["secret"])
    said = json.dumps([api.get(path), api.get("/webhook-endpoints"), api.patch(path, {"description": "Loyalty"})])
    assert endpoint["secret"] not in said
    assert rotated["secret"] not in said
    with tenant(api.organization):
        stored = Endpoint.objects.get().secrets
    assert (stored["current"], stored["previous"]) == (rotated["secret"], endpoint["secret"])
    api.post(f"{path}/rotate-secret", {"overlap_hours": 169}, expect=400)


def test_a_test_event_and_its_log(api: Caller, endpoint: Any) -> None:
    path = f"/webhook-endpoints/{endpoint['endpoint_id']}"
    queued = api.post(f"{path}/test", expect=202)

    assert (queued["status"], queued["event_type"], queued["attempts"]) == ("PENDING", "TEST", [])
    attempt(500)
    logged = api.get(f"/deliveries/{queued['delivery_id']}")
    assert logged["webhook_id"] == queued["webhook_id"]
    assert [(each["status_code"], each["duration_ms"]) for each in logged["attempts"]] == [(500, 7)]
    assert logged["next_attempt_at"] is not None
    assert api.get(f"{path}/deliveries?status=PENDING&event_type=TEST")["data"] == [logged]
    assert api.get(f"{path}/deliveries?status=FAILED")["data"] == []
    api.get(f"{path}/deliveries?status=GONE", expect=400)

    again = api.post(f"/deliveries/{queued['delivery_id']}/retry", expect=202)
    assert again["webhook_id"] == queued["webhook_id"]
    attempt(200)
    done = api.get(f"/deliveries/{queued['delivery_id']}")
    assert (done["status"], [each["status_code"] for each in done["attempts"]]) == ("DELIVERED", [500, 200])


def test_disabling_keeps_and_enabling_sends(api: Caller, endpoint: Any) -> None:
    path = f"/webhook-endpoints/{endpoint['endpoint_id']}"
    api.post(f"{path}/test", expect=202)
    disabled = api.patch(path, {"status": "DISABLED"})

    assert (disabled["status"], disabled["disabled_reason"]) == ("DISABLED", "by_person")
    assert problem(api.said("POST", f"{path}/test", None, 409)) == ("endpoint_disabled",)
    attempt(200)
    with tenant(api.organization):
        assert Delivery.objects.get().status == "PENDING"

    assert api.patch(path, {"status": "ENABLED"})["disabled_reason"] is None
    attempt(200)
    with tenant(api.organization):
        assert Delivery.objects.get().status == "DELIVERED"


def test_replay_sends_what_failed_and_no_test_events(api: Caller, endpoint: Any) -> None:
    path = f"/webhook-endpoints/{endpoint['endpoint_id']}"
    made = api.post(f"{path}/test", expect=202)
    with tenant(api.organization):
        found = Delivery.objects.get()
        for status in ("FAILED", "DELIVERED"):
            found.pk, found.status, found.event_type = None, status, "EVENT"
            found.id = claiming.new_token()
            found.save(force_insert=True)

    since = made["created_at"]
    assert api.post(f"{path}/replay", {"since": since, "only_failed": True}, expect=202) == {"count": 1}
    assert api.post(f"{path}/replay", {"since": since, "until": since}, expect=202) == {"count": 0}
    assert api.post(f"{path}/replay", {"since": since}, expect=202) == {"count": 2}
    api.post(f"{path}/replay", {}, expect=400)
