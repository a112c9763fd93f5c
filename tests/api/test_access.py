"""A key opens its organization, as far as its scopes go."""

from datetime import timedelta

import pytest
from django.test import Client

from referral_rocket.accounts.models import ApiKey, Scope
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.services import api_key_revoke
from referral_rocket.kit.clock import wall
from tests.api.client import Caller, problem
from tests.api.conftest import Scene, caller_of


def test_it_works(api: Caller) -> None:
    answer = api.get("/organization")
    assert answer["organization_id"] == str(api.organization.pk)
    assert answer["mode"] == "LIVE"


def test_a_test_key_opens_the_twin(api: Caller, test_api: Caller) -> None:
    answer = test_api.get("/organization")
    assert answer["organization_id"] == str(test_api.organization.pk) != str(api.organization.pk)
    assert answer["mode"] == "TEST"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "no_api_key"),
        ("", "no_api_key"),
        ("Bearer ", "no_api_key"),
        ("Basic YTpi", "no_api_key"),
        ("Bearer rr_live_0000", "invalid_api_key"),
        ("Bearer \u00fc\u00df", "invalid_api_key"),
    ],
)
def test_without_a_good_key_it_is_401(db: None, header: str | None, code: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = Client().get("/api/v1/campaigns", headers=headers)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert problem(response.json()) == (code,)


@pytest.mark.parametrize("ended", ["revoked", "expired"])
def test_a_key_that_has_ended_is_401(api: Caller, ended: str) -> None:
    with tenant(api.organization):
        key = ApiKey.objects.get()
        if ended == "revoked":
            api_key_revoke(key=key)
        else:
            ApiKey.objects.filter(pk=key.pk).update(expires_at=wall() - timedelta(seconds=1))
    assert problem(api.get("/campaigns", expect=401)) == ("invalid_api_key",)


SOME_ID = "01a1fdaf-15e7-71f0-a520-1af081a50180"


@pytest.mark.parametrize(
    ("scopes", "method", "path"),
    [
        ([Scope.WRITE, Scope.ISSUE], "GET", "/campaigns"),
        ([Scope.READ, Scope.ISSUE], "POST", "/campaigns"),
        ([Scope.READ, Scope.ISSUE], "PATCH", f"/campaigns/{SOME_ID}"),
        ([Scope.READ, Scope.ISSUE], "POST", "/rewards"),
        ([Scope.READ, Scope.ISSUE], "DELETE", f"/connections/{SOME_ID}"),
        ([Scope.READ, Scope.WRITE], "PATCH", f"/rewards/{SOME_ID}"),
        ([Scope.READ, Scope.WRITE], "POST", f"/rewards/{SOME_ID}/approve"),
        ([Scope.READ, Scope.WRITE], "POST", f"/rewards/{SOME_ID}/reject"),
        ([Scope.READ, Scope.WRITE], "POST", "/reward-batches"),
        ([Scope.READ, Scope.WRITE], "POST", f"/reward-batches/{SOME_ID}/cancel"),
    ],
)
def test_without_the_scope_it_is_403(api: Caller, scopes: list[str], method: str, path: str) -> None:
    answer = caller_of(api.organization, *scopes).said(method, path, {}, 403)
    assert problem(answer) == ("missing_scope",)


def test_a_key_that_only_reads_changes_nothing(scene: Scene) -> None:
    reader = caller_of(scene.api.organization, Scope.READ)
    reader.post(scene.events, scene.purchase(), expect=403)
    assert reader.get("/events")["data"] == []


def test_the_use_of_a_key_is_noted(api: Caller) -> None:
    api.get("/organization")
    with tenant(api.organization):
        used = ApiKey.objects.get().last_used_at
    assert used is not None
    assert wall() - used < timedelta(minutes=1)
