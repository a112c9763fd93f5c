"""What isn't a request of this API is refused with a problem, whatever is wrong with it."""

import io
import json
from collections.abc import Iterable
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application
from django.test import Client, RequestFactory

from tests.api.client import Caller, one_connection, problem
from tests.api.conftest import CAMPAIGN


def test_it_works(api: Caller) -> None:
    response = api.call("POST", "/campaigns", json.dumps(CAMPAIGN).encode())
    assert response.status_code == 201
    assert response["X-Request-ID"]
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b'{"name": "\xff"}',
        b"\xff\xfe{}",
        b'{"name": "a", "name": "b"}',
        b'{"name": NaN}',
        b'{"name": 1e999}',
        b'{"name": ' + b"9" * 5000 + b"}",
        b'{"name": "a\\u0000b"}',
        b'{"name": "\\ud800"}',
        b'{"\\u0000": 1}',
        b'{"a":' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    ],
)
def test_what_is_no_json_object_is_malformed(api: Caller, body: bytes) -> None:
    response = api.call("POST", "/campaigns", body)
    assert response.status_code == 400
    assert problem(response.json()) == ("malformed",)
    assert api.get("/campaigns")["data"] == []


def test_a_body_over_1_mb_is_413(api: Caller) -> None:
    response = api.call("POST", "/campaigns", b" " * 1_000_001)
    assert response.status_code == 413
    assert problem(response.json()) == ("too_large",)


def test_a_body_of_1_mb_is_read(api: Caller) -> None:
    body = json.dumps(CAMPAIGN).encode()
    assert api.call("POST", "/campaigns", body + b" " * (1_000_000 - len(body))).status_code == 201


class Counted(io.BytesIO):
    """A stream that knows how much of it was read."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        self.taken += len(found)
        return found


def served(api: Caller, stream: Counted, **environ: Any) -> str:
    """The status line that a WSGI server would get for a POST whose body is `stream`."""
    request = {
        **RequestFactory()._base_environ(),  # type: ignore[attr-defined]
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/v1/campaigns",
        "CONTENT_TYPE": "application/json",
        "HTTP_AUTHORIZATION": f"Bearer {api.token}",
        "wsgi.input": stream,
        **environ,
    }
    lines = []

    def started(line: str, headers: Iterable[tuple[str, str]], *rest: Any) -> None:
        lines.append(line)

    with one_connection():
        get_wsgi_application()(request, started)  # type: ignore[arg-type]
    return lines[0]


@pytest.mark.parametrize(
    ("told", "status"), [("10000000", "413 Request Entity Too Large"), ("900000", "400 Bad Request")]
)
def test_10_mb_are_refused_without_being_read(api: Caller, told: str, status: str) -> None:
    stream = Counted(b"x" * 10_000_000)
    assert served(api, stream, CONTENT_LENGTH=told) == status
    assert stream.taken <= 1_000_001


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}


def test_a_body_in_chunks_is_read_to_its_end_or_1_mb(api: Caller) -> None:
    terminated = {**CHUNKED, "wsgi.input_terminated": True}
    assert served(api, Counted(json.dumps(CAMPAIGN).encode()), **terminated) == "201 Created"
    stream = Counted(b"x" * 10_000_000)
    assert served(api, stream, **terminated) == "413 Request Entity Too Large"
    assert stream.taken <= 1_000_001
    assert served(api, Counted(b"{}"), **CHUNKED) == "400 Bad Request"


@pytest.mark.parametrize("length", ["x", "-1", "1.5", "\u0661"])
def test_a_length_that_is_none_is_malformed(api: Caller, length: str) -> None:
    response = Client(raise_request_exception=False).generic(
        "POST",
        "/api/v1/campaigns",
        b"{}",
        content_type="application/json",
        headers={"Authorization": f"Bearer {api.token}"},
        CONTENT_LENGTH=length,
    )
    assert response.status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_another_content_type_is_415(api: Caller, kind: str) -> None:
    response = Client().generic(
        "POST",
        "/api/v1/campaigns",
        json.dumps(CAMPAIGN).encode(),
        content_type=kind,
        headers={"Authorization": f"Bearer {api.token}"},
    )
    assert response.status_code == 415
    assert problem(response.json()) == ("unsupported_media_type",)
    assert api.get("/campaigns")["data"] == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE"])
def test_a_method_that_the_address_has_not_is_405(api: Caller, method: str) -> None:
    response = api.call(method, "/campaigns")
    assert response.status_code == 405
    assert problem(response.json()) == ("method_not_allowed",)
    assert response["Allow"] == "GET, HEAD, POST"


def test_an_answer_that_is_not_json_is_406(api: Caller) -> None:
    response = api.call("GET", "/campaigns", headers={"Accept": "text/html"})
    assert response.status_code == 406
    assert problem(response.json()) == ("not_acceptable",)


@pytest.mark.parametrize("path", ["/", "/nothing", "/campaigns/", "/statements", "/campaigns/x/y/z"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_that_there_is_not_is_404(api: Caller, method: str, path: str) -> None:
    response = Client(enforce_csrf_checks=True).generic(method, f"/api/v1{path}")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert problem(response.json()) == ("not_found",)


def test_an_unknown_field_is_refused_and_named(api: Caller) -> None:
    answer = api.post("/campaigns", {**CAMPAIGN, "colour": "red", "name": 5}, expect=400)
    assert problem(answer) == ("invalid", ("name", "invalid"), ("colour", "unknown_field"))


def test_a_body_where_none_is_taken_is_refused(api: Caller) -> None:
    answer = api.post("/connections/01a1fdaf-15e7-71f0-a520-1af081a50180/check", {"x": 1}, expect=400)
    assert problem(answer) == ("invalid", ("x", "unknown_field"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?colour=red", ("colour", "unknown_filter")),
        ("?limit=0", ("limit", "invalid")),
        ("?limit=201", ("limit", "invalid")),
        ("?limit=ten", ("limit", "invalid")),
        ("?limit=1&limit=2", ("limit", "repeated")),
        ("?cursor=nonsense", ("cursor", "invalid")),
        ("?cursor=", ("cursor", "blank")),
        ("?status=LOST", ("status", "invalid_choice")),
        ("?type=GIFT", ("type", "invalid_choice")),
        ("?waiting_for=GODOT", ("waiting_for", "invalid_choice")),
        ("?campaign_id=7", ("campaign_id", "invalid")),
        ("?created_after=yesterday", ("created_after", "invalid")),
        ("?transaction_id=%00", ("transaction_id", "null_characters_not_allowed")),
    ],
)
def test_an_unknown_filter_or_value_is_refused(api: Caller, query: str, expected: tuple[str, str]) -> None:
    assert problem(api.get(f"/rewards{query}", expect=400)) == ("invalid", expected)
