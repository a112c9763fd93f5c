"""The OpenAPI document, made of what the views declare (`operations.Operation`) and of what every call has in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_basic_type
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from referral_rocket.api.fields import NoFilters, Strict
from referral_rocket.api.idempotency import HEADER, MAXIMUM_LENGTH
from referral_rocket.api.operations import Operation, Shape
from referral_rocket.api.problems import CONTENT_TYPE
from referral_rocket.api.shapes.problem import ProblemShape

_WRITES = ("POST", "PATCH")
_BODIES = ("POST", "PATCH")

# What every call may be refused with: status -> (what it means, codes).
_ALWAYS: Mapping[int, tuple[str, Sequence[str]]] = {
    400: ("Malformed: the fields that are to blame are named.", ["invalid", "malformed"]),
    401: ("No valid API key.", ["no_api_key", "invalid_api_key"]),
    403: ("The key may not do this.", ["missing_scope"]),
    406: ("Only JSON is answered.", ["not_acceptable"]),
    429: ("Too many requests with this key; wait for Retry-After.", ["rate_limited"]),
    500: ("A defect of ours, logged under the request_id.", ["internal_error"]),
    503: (
        "The database doesn't answer, or something that this names was removed at the same moment; nothing was done.",
        ["unavailable"],
    ),
}
_WITH_PATH: Mapping[int, tuple[str, Sequence[str]]] = {404: ("There is no such object.", ["not_found"])}
_WITH_BODY: Mapping[int, tuple[str, Sequence[str]]] = {
    409: ("A state that doesn't fit, or the same Idempotency-Key still at work.", ["idempotency_key_in_use"]),
    413: ("The body is larger than 1 MB.", ["too_large"]),
    415: ("The body isn't application/json.", ["unsupported_media_type"]),
    422: ("Understood, and impossible.", ["idempotency_key_reused"]),
}
_MEANINGS = {status: meaning for each in (_ALWAYS, _WITH_PATH, _WITH_BODY) for status, (meaning, _) in each.items()}

_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "X-Request-ID": {
        "description": "Under this id the request is in the logs.",
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "`true` where this is the stored answer of an earlier request with the same Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
}


class BearerKey(OpenApiAuthenticationExtension):
    target_class = "referral_rocket.api.keys.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key: `rr_live_…`, or `rr_test_…` for the test organization. Its scopes are `read`, "
            "`write` and `issue`.",
        }


class Schema(AutoSchema):
    """An operation's part of the document."""

    @property
    def operation(self) -> Operation:
        found: Operation = getattr(self.view, self.method.lower()).operation
        return found

    def is_excluded(self) -> bool:
        return not hasattr(getattr(self.view, self.method.lower()), "operation")

    def get_operation_id(self) -> str:
        return self.operation.id

    def get_summary(self) -> str:
        return self.operation.summary

    def get_description(self) -> str:  # type: ignore[override]
        scope = f"Needs the scope `{self.operation.scope}`."
        return f"{self.operation.about}\n\n{scope}" if self.operation.about else scope

    def get_request_serializer(self) -> Any:
        return self.operation.takes

    def get_response_serializers(self) -> Any:
        return self.operation.answers

    def get_override_parameters(self) -> list[Any]:
        found: list[Any] = []
        if self.operation.filters is not NoFilters:
            found.append(self.operation.filters)
        if self.method in _WRITES:
            found.append(
                OpenApiParameter(
                    HEADER,
                    {"type": "string", "minLength": 1, "maxLength": MAXIMUM_LENGTH, "pattern": "^[ -~]+$"},
                    OpenApiParameter.HEADER,
                    description="Makes a repeat of this request safe: it is answered as the first one was, for 24 h.",
                )
            )
        return found

    def _resolve_path_parameters(self, variables: Sequence[str]) -> list[dict[str, Any]]:
        # Addresses take any text there, so that what is no id is a 404 like an id that nobody has.
        return [
            {"in": "path", "name": name, "required": True, "schema": build_basic_type(OpenApiTypes.UUID)}
            for name in variables
        ]

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        found: dict[str, Any] = super()._map_basic_serializer(serializer, direction)
        if isinstance(serializer, Strict) or (isinstance(serializer, type) and issubclass(serializer, Strict)):
            found["additionalProperties"] = False
        return found

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        found = {str(status): self._success(status) for status in self.operation.answers}
        for status, codes in sorted(self._refusals().items()):
            found[str(status)] = self._refusal(status, codes)
        return found

    def _success(self, status: int) -> dict[str, Any]:
        headers = ["X-Request-ID", *(["Idempotent-Replayed"] if self.method in _WRITES else [])]
        found: dict[str, Any] = {
            "description": _SUCCESSES[status],
            "headers": {each: _HEADERS[each] for each in headers},
        }
        if self.operation.file:
            return {**found, "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
        shape = self.operation.answers[status]
        if shape is None:
            return found
        schema = self._reference(shape)
        if self.operation.listed:
            schema = _page_of(schema)
        return {**found, "content": {"application/json": {"schema": schema}}}

    def _refusals(self) -> dict[int, list[str]]:
        groups = [_ALWAYS]
        if "{" in self.path:
            groups.append(_WITH_PATH)
        if self.method in _BODIES:
            groups.append(_WITH_BODY)
        found = {status: list(codes) for group in groups for status, (_, codes) in group.items()}
        if self.operation.file:
            # It is what it is, whatever is asked for.
            del found[406]
        for status, codes in self.operation.refuses.items():
            known = found.setdefault(status, [])
            known.extend(code for code in codes if code not in known)
        return found

    def _refusal(self, status: int, codes: Sequence[str]) -> dict[str, Any]:
        code = {"type": "object", "properties": {"code": {"type": "string", "enum": list(codes)}}}
        headers = ["X-Request-ID"]
        if status in (409, 429, 503):
            headers.append("Retry-After")
        return {
            "description": _MEANINGS[status],
            "headers": {each: _HEADERS[each] for each in headers},
            "content": {CONTENT_TYPE: {"schema": {"allOf": [self._reference(ProblemShape), code]}}},
        }

    def _reference(self, shape: Shape) -> dict[str, Any]:
        found: dict[str, Any] = self.resolve_serializer(shape, "response").ref
        return found


_SUCCESSES = {
    200: "Done, or as it stands.",
    201: "Made.",
    202: "Accepted: it goes on in the background.",
    204: "Done; there is nothing to say.",
}


def _page_of(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["data", "next_cursor"],
        "properties": {
            "data": {"type": "array", "items": item},
            "next_cursor": {"type": "string", "nullable": True, "description": "null on the last page."},
        },
    }
