"""Errors as RFC 9457 problem details: `type, title, status, detail, code, request_id`, and `errors` for bad fields."""

import math
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from referral_rocket.api.answers import Answer, response_of

CONTENT_TYPE = "application/problem+json"
# What DRF calls it -> what this API does.
_CODES = {"parse_error": "malformed", "authentication_failed": "invalid_api_key", "not_authenticated": "no_api_key"}


class Problem(Exception):
    """An answer that isn't a success. `errors` are (field, code, message)."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[tuple[str, str, str]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after


class TooLarge(Problem):
    def __init__(self) -> None:
        super().__init__(413, "too_large", "A body has at most 1 MB.")


def not_found(what: str = "object") -> Problem:
    return Problem(404, "not_found", f"There is no such {what}.")


def invalid(errors: Sequence[tuple[str, str, str]]) -> Problem:
    """400 with the fields that are malformed."""
    return Problem(400, "invalid", "Some fields are not as they should be.", errors)


def conflict(code: str, detail: str) -> Problem:
    return Problem(409, code, detail)


def impossible(code: str, detail: str, field: str | None = None) -> Problem:
    """422: understood, and impossible. `field` where one is to blame."""
    return Problem(422, code, detail, [(field, code, detail)] if field else ())


def problem_of(error: Exception) -> Problem | None:
    """The problem for what the framework or a view raises; None for anything else."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, exceptions.ValidationError):
        return invalid(list(_fields(error.detail, "")))
    if isinstance(error, exceptions.APIException):
        code = str(error.default_code)
        return Problem(error.status_code, _CODES.get(code, code), str(error.detail))
    if isinstance(error, Http404):
        return not_found()
    if isinstance(error, PermissionDenied):
        return Problem(403, "forbidden", "This isn't allowed.")
    return None


def _fields(detail: Any, prefix: str) -> Iterable[tuple[str, str, str]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            here = prefix if name == "non_field_errors" else f"{prefix}.{name}" if prefix else str(name)
            yield from _fields(inner, here)
    elif isinstance(detail, list) and any(isinstance(each, Mapping | list) for each in detail):
        for position, inner in enumerate(detail):
            yield from _fields(inner, f"{prefix}.{position}" if prefix else str(position))
    elif isinstance(detail, list):
        for inner in detail:
            yield prefix, str(getattr(inner, "code", "invalid")), str(inner)


def request_id() -> str:
    """The id under which the logs have this request."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def body(problem: Problem) -> dict[str, Any]:
    found = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id(),
    }
    if problem.errors:
        found["errors"] = [
            {"field": field, "code": code, "message": message} for field, code, message in problem.errors
        ]
    return found


def answer_of(problem: Problem, headers: Mapping[str, str] | None = None) -> Answer:
    found = dict(headers or {})
    if problem.retry_after is not None:
        found["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        found["WWW-Authenticate"] = "Bearer"
    return Answer(problem.status, body(problem), CONTENT_TYPE, found)


def answer(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler, for the views that serve the document. Raises again what is a defect of ours."""
    problem = problem_of(error)
    if problem is None:
        raise error
    return Response(body(problem), status=problem.status, content_type=CONTENT_TYPE)


@csrf_exempt
def unknown_path(request: HttpRequest, path: str = "") -> HttpResponse:
    """404 for every address under the API that isn't one, whatever the method."""
    response = response_of(answer_of(not_found("address in this API")))
    response["X-Request-ID"] = request_id()
    return response
