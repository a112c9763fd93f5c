"""Each key has so many calls a second and a burst; without Redis nobody is limited."""

import socket
from typing import Any

import pytest

from referral_rocket.api import rate_limit
from referral_rocket.kit import shared_state
from tests.api.client import Caller, problem
from tests.api.conftest import caller_of


@pytest.fixture(autouse=True)
def _slow(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.API_RATE_LIMIT = 1
    settings.API_RATE_BURST_SECONDS = 5
    monkeypatch.setattr(shared_state._Pause, "until", 0.0)


def test_it_works(api: Caller) -> None:
    for _ in range(5):
        api.get("/organization")
    response = api.call("GET", "/organization")
    assert response.status_code == 429
    assert problem(response.json()) == ("rate_limited",)
    assert response["Retry-After"] == "1"


def test_tokens_come_back(api: Caller, settings: Any) -> None:
    settings.API_RATE_LIMIT = 50
    settings.API_RATE_BURST_SECONDS = 0.02
    answers = [api.call("GET", "/organization").status_code for _ in range(2)]
    assert answers[0] == 200
    for _ in range(100):
        if api.call("GET", "/organization").status_code == 200:
            return
    pytest.fail("no token came back")


def test_each_key_has_its_own_bucket(api: Caller) -> None:
    for _ in range(6):
        api.call("GET", "/organization")
    api.get("/organization", expect=429)
    caller_of(api.organization).get("/organization")


def test_a_limited_call_does_nothing(api: Caller) -> None:
    for _ in range(5):
        api.get("/organization")
    api.patch("/organization", {"name": "Changed"}, expect=429)
    assert caller_of(api.organization).get("/organization")["name"] == "Acme"


def test_without_redis_nobody_is_limited(api: Caller, settings: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.REDIS_URL = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
    before = rate_limit.unlimited._value.get()
    for _ in range(8):
        api.get("/organization")
    assert rate_limit.unlimited._value.get() - before == 8
