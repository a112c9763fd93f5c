"""The organization, and the clock of its test twin."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from referral_rocket.kit.clock import rfc3339, wall
from tests.api.client import Caller, problem
from tests.api.conftest import set_up


def test_it_works(api: Caller, test_api: Caller) -> None:
    answer = api.patch("/organization", {"name": "Acme & Co", "time_zone": "Europe/Berlin"})
    assert answer == {
        "organization_id": str(api.organization.pk),
        "name": "Acme & Co",
        "time_zone": "Europe/Berlin",
        "mode": "LIVE",
        "now": answer["now"],
    }
    assert abs(datetime.fromisoformat(answer["now"]) - wall()) < timedelta(minutes=1)
    assert test_api.get("/organization")["name"] == "Acme & Co"
    assert api.patch("/organization", {})["name"] == "Acme & Co"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": ""}, ("name", "blank")),
        ({"name": None}, ("name", "null")),
        ({"time_zone": "Mars/Olympus"}, ("time_zone", "unknown_time_zone")),
        ({"mode": "TEST"}, ("mode", "unknown_field")),
    ],
)
def test_a_wrong_field_changes_nothing(api: Caller, body: dict[str, Any], expected: tuple[str, str]) -> None:
    assert problem(api.patch("/organization", body, expect=400)) == ("invalid", expected)
    assert api.get("/organization")["name"] == "Acme"


def test_the_test_clock_makes_due_what_becomes_due(test_api: Caller) -> None:
    scene = set_up(test_api, holding_days=30)
    reward = scene.earn()
    assert (reward["status"], reward["waiting_for"]) == ("EARNED", "HOLDING")

    later = wall() + timedelta(days=31)
    answer = test_api.post("/test-clock", {"now": rfc3339(later)}, expect=200)
    assert datetime.fromisoformat(answer["now"]) >= later.replace(microsecond=0)
    assert test_api.get(f"/rewards/{reward['reward_id']}")["status"] == "PENDING"


def test_it_goes_forward_only(test_api: Caller) -> None:
    answer = test_api.post("/test-clock", {"now": rfc3339(wall() - timedelta(hours=1))}, expect=422)
    assert problem(answer) == ("clock_moves_forward_only",)


def test_a_live_organization_has_none(api: Caller) -> None:
    answer = api.post("/test-clock", {"now": rfc3339(wall() + timedelta(hours=1))}, expect=403)
    assert problem(answer) == ("test_key_required",)


@pytest.mark.parametrize("now", ["tomorrow", "9999-12-31T23:59:59Z", 5, None])
def test_a_time_that_is_none_is_refused(test_api: Caller, now: Any) -> None:
    answer = test_api.post("/test-clock", {"now": now}, expect=400)
    assert problem(answer)[1][0] == "now"
