"""What is another organization's isn't there: each address of the API is asked for with a stranger's key."""

import re
from typing import Any

import pytest
from django.urls import URLPattern

from referral_rocket.api.urls import urlpatterns
from referral_rocket.api.views import ApiView
from tests.api.client import Caller, problem
from tests.api.conftest import Scene

KEY = "sk_live_" + "a" * 24
SEARCHED = {"campaigns", "events", "rewards", "reward-batches", "connections", "webhook-endpoints"}


def views() -> list[tuple[str, type[ApiView]]]:
    """(path, view) of each address, as the URLconf has them."""
    found = []
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        view = getattr(pattern.callback, "cls", None)
        if isinstance(view, type) and issubclass(view, ApiView):
            found.append((str(pattern.pattern), view))
    return found


def calls() -> list[tuple[str, str]]:
    return [
        (method.upper(), path)
        for path, view in views()
        for method in ("get", "post", "patch", "delete")
        if hasattr(view, method) and "<" in path
    ]


@pytest.fixture
def ids(scene: Scene) -> dict[str, str]:
    """Something of each kind, for the names in the addresses."""
    api = scene.api
    reward = scene.earn()
    batch = api.post("/reward-batches", {"method": "MANUAL", "reward_ids": [reward["reward_id"]]}, expect=202)
    connection = api.post("/connections", {"provider": "stripe", "credentials": {"api_key": KEY}})
    endpoint = api.post("/webhook-endpoints", {"url": "https://example.com/hook"})
    delivery = api.post(f"/webhook-endpoints/{endpoint['endpoint_id']}/test", expect=202)
    return {
        "endpoint_id": endpoint["endpoint_id"],
        "delivery_id": delivery["delivery_id"],
        "campaign_id": scene.campaign["campaign_id"],
        "participant_id": scene.ann["participant_id"],
        "customer_id": scene.ann["customer_id"],
        "event_id": reward["event_id"],
        "reward_id": reward["reward_id"],
        "batch_id": batch["batch_id"],
        "connection_id": connection["connection_id"],
    }


# Enough of a body that the call gets as far as looking the object up.
BODIES: dict[str, Any] = {
    "POST campaigns/<str:campaign_id>/participants": {"email": "x@example.com"},
    "POST campaigns/<str:campaign_id>/events": {"participant": {"email": "ben@example.com"}, "type": "signup"},
    "POST campaigns/<str:campaign_id>/dry-run": {"since": "2026-11-21T09:00:00Z"},
    "POST campaigns/<str:campaign_id>/refunds": {"transaction_id": "ord_1", "refund_id": "re_1"},
    "POST events/<str:event_id>/refunds": {"refund_id": "re_1"},
    "PATCH rewards/<str:reward_id>": {"status": "AVAILABLE"},
    "POST webhook-endpoints/<str:endpoint_id>/replay": {"since": "2026-11-21T09:00:00Z"},
    "POST rewards/<str:reward_id>/reject": {"reason": "no"},
    "POST reward-batches/<str:batch_id>/results": {"content": "paid"},
}


def test_it_works(ids: dict[str, str], api: Caller) -> None:
    for method, path in calls():
        # A batch by hand has no file.
        if method == "GET" and not path.endswith("/file"):
            api.get(f"/{filled(path, ids)}")


def filled(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"<str:(\w+)>", lambda match: ids[match[1]], path)


def test_each_address_is_404_to_a_stranger(ids: dict[str, str], stranger: Caller) -> None:
    asked = calls()
    assert len(asked) > 20
    for method, path in asked:
        answer = stranger.said(method, f"/{filled(path, ids)}", BODIES.get(f"{method} {path}"), 404)
        assert problem(answer) == ("not_found",), (method, path)


def test_nothing_that_a_stranger_asked_for_happened(ids: dict[str, str], scene: Scene, stranger: Caller) -> None:
    before = everything(scene.api)
    for method, path in calls():
        stranger.call(method, f"/{filled(path, ids)}", BODIES.get(f"{method} {path}"))
    assert everything(scene.api) == before


def is_list(view: type[ApiView]) -> bool:
    return hasattr(view, "get") and view.get.operation.listed


def everything(api: Caller) -> list[Any]:
    return [api.get(f"/{name}") for name in sorted(SEARCHED)]


def test_a_strangers_lists_are_empty(ids: dict[str, str], stranger: Caller) -> None:
    lists = [path for path, view in views() if "<" not in path and is_list(view)]
    assert set(lists) == SEARCHED
    for path in lists:
        assert stranger.get(f"/{path}") == {"data": [], "next_cursor": None}


def test_an_id_of_another_organization_in_a_body_is_refused(ids: dict[str, str], stranger: Caller) -> None:
    chosen = {"method": "MANUAL", "reward_ids": [ids["reward_id"]]}
    assert problem(stranger.post("/reward-batches", chosen, expect=404)) == ("not_found",)
    all_due = {"method": "MANUAL", "campaign_id": ids["campaign_id"], "all_due": True}
    assert problem(stranger.post("/reward-batches", all_due, expect=404)) == ("not_found",)
    gift = {"participant_id": ids["participant_id"], "amount": 5, "reason": "mine"}
    assert problem(stranger.post("/rewards", gift, expect=422))[0] == "unknown_participant"


def test_an_id_that_is_none_is_404(api: Caller, ids: dict[str, str]) -> None:
    for method, path in calls():
        for broken in ("1", "x" * 300, "%00", ids["reward_id"][:-1]):
            url = re.sub(r"<str:\w+>", broken, path)
            assert problem(api.said(method, f"/{url}", BODIES.get(f"{method} {path}"), 404)) == ("not_found",)
