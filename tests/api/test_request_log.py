"""Each call that came with a key has its line in the log, without what it carried."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.api import request_log
from referral_rocket.api.models import ApiRequest
from referral_rocket.api.tasks import LOG_KEPT, first_id_of, forget_old_log
from referral_rocket.kit.clock import wall
from tests.api.client import Caller
from tests.api.conftest import Scene


def lines(api: Caller) -> list[ApiRequest]:
    with tenant(api.organization):
        return list(ApiRequest.objects.order_by("id"))


def test_it_works(scene: Scene) -> None:
    api = scene.api
    response = api.call("GET", f"{scene.participants}?email=ann@example.com")
    line = lines(api)[-1]
    assert (line.method, line.path, line.status, line.code) == ("GET", f"/api/v1{scene.participants}", 200, "")
    assert line.request_id == response["X-Request-ID"]
    assert line.duration_ms >= 0


def test_a_refusal_has_its_code(api: Caller) -> None:
    answer = api.post("/campaigns", {}, expect=400)
    line = lines(api)[-1]
    assert (line.status, line.code, line.request_id) == (400, "invalid", answer["request_id"])


def test_a_call_without_a_key_has_none(db: None) -> None:
    Client().get("/api/v1/campaigns", headers={"Authorization": "Bearer rr_live_x"})
    with every_organization("test"):
        assert not ApiRequest.objects.exists()


def test_a_caller_does_not_choose_the_id(api: Caller) -> None:
    # A caller that sent one id again and again would hide its calls from whoever looks for one in the logs.
    response = api.call("GET", "/campaigns", headers={"X-Request-ID": "caller-7"})
    assert response["X-Request-ID"] != "caller-7"


def test_a_log_that_can_not_be_written_fails_no_call(api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def cursor(self) -> Any:
            raise DatabaseError("no")

    before = request_log.unwritten._value.get()
    monkeypatch.setattr(request_log, "connection", Broken())
    api.get("/campaigns")
    assert request_log.unwritten._value.get() - before == 1


def test_old_lines_are_forgotten(api: Caller, stranger: Caller) -> None:
    for caller in (api, stranger):
        caller.get("/campaigns")
    (line,) = lines(api)
    with tenant(api.organization):
        ApiRequest.objects.filter(pk=line.pk).delete()
        line.pk = first_id_of(wall() - LOG_KEPT - timedelta(minutes=1))
        line.save(force_insert=True)
        line.pk = first_id_of(wall() - LOG_KEPT + timedelta(minutes=1))
        line.save(force_insert=True)
    assert forget_old_log() == 1
    assert [each.pk for each in lines(api)] == [line.pk]
    assert len(lines(stranger)) == 1
