"""A defect of ours is answered as a problem that says nothing of it, and is logged with its trace."""

from typing import Any

import pytest
from django.db import OperationalError

from tests.api.client import Caller, problem
from tests.api.conftest import CAMPAIGN, Scene


def _breaks(**given: Any) -> None:
    raise ZeroDivisionError("secret detail")


def test_it_works(api: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("referral_rocket.api.resources.campaigns.campaign_create", _breaks)
    answer = api.post("/campaigns", CAMPAIGN, expect=500)
    assert problem(answer) == ("internal_error",)
    assert answer["request_id"]
    assert "secret detail" not in str(answer)
    defect = next(record for record in caplog.records if "api_defect" in str(record.msg))
    assert "ZeroDivisionError" in str(defect.msg)
    assert answer["request_id"] in str(defect.msg)


def test_what_the_call_did_is_taken_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("referral_rocket.api.resources.events.payloads.result", lambda found: 1 / 0)
    scene.api.post(scene.events, scene.purchase(), expect=500)
    assert scene.api.get("/events")["data"] == []
    assert scene.api.get("/rewards")["data"] == []


def test_a_database_that_does_not_answer_is_503(api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**given: Any) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("referral_rocket.api.resources.campaigns.campaign_create", away)
    response = api.call("POST", "/campaigns", CAMPAIGN)
    assert response.status_code == 503
    assert problem(response.json()) == ("unavailable",)
    assert response["Retry-After"] == "1"
