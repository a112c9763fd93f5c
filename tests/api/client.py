"""A caller of the API, as a test needs one: a key, JSON in, JSON out."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client

from referral_rocket.accounts.models import Organization


@dataclass
class Caller:
    """Calls `/api/v1` with `token`."""

    organization: Organization
    token: str
    # Kept, since each new one sets the whole middleware up again.
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """The raw answer. `body` is sent as JSON; bytes as they are."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(
            method,
            f"/api/v1{path}",
            content,
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.token}", **(headers or {})},
        )

    def get(self, path: str, expect: int = 200) -> Any:
        return self.said("GET", path, None, expect)

    def post(self, path: str, body: Any = None, expect: int = 201, headers: Mapping[str, str] | None = None) -> Any:
        return self.said("POST", path, body, expect, headers)

    def patch(self, path: str, body: Any, expect: int = 200, headers: Mapping[str, str] | None = None) -> Any:
        return self.said("PATCH", path, body, expect, headers)

    def said(self, method: str, path: str, body: Any, expect: int, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON of the answer, whose status has to be `expect`."""
        response = self.call(method, path, body, headers)
        assert response.status_code == expect, (response.status_code, response.content)
        kind = "application/problem+json" if expect >= 400 else "application/json"
        assert response["Content-Type"] == kind
        return json.loads(response.content)


def problem(answer: Any) -> tuple[Any, ...]:
    """`(code, (field, code), …)` of a problem."""
    assert set(answer) - {"errors"} == {"type", "title", "status", "detail", "code", "request_id"}
    return answer["code"], *((each["field"], each["code"]) for each in answer.get("errors", []))


@contextmanager
def one_connection() -> Iterator[None]:
    """For requests made without Django's own client: they would close the connection, and with it the transaction.

    Django's client connects the signals again after each of its calls, so none may be made inside.
    """
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)
