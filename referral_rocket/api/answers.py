"""What a call answers with, before it becomes bytes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """A status, a JSON body (None for an empty one; bytes are a file) and further headers."""

    status: int
    body: Mapping[str, Any] | bytes | None = None
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def response_of(answer: Answer) -> HttpResponse:
    if answer.body is None:
        response = HttpResponse(status=answer.status)
        del response["Content-Type"]
    elif isinstance(answer.body, bytes):
        response = HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)
    else:
        response = HttpResponse(dumped(answer.body), status=answer.status, content_type=answer.content_type)
    for name, value in answer.headers.items():
        response[name] = value
    return response


def dumped(body: Mapping[str, Any]) -> str:
    # Infinity and NaN are no JSON: a body that had one would be a defect here, and has to show as one.
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
