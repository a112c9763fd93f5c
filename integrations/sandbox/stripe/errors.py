"""Stripe's error answers."""

from typing import Any


def error_body(kind: str, code: str | None, message: str, parameter: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"type": kind, "message": message}
    if code:
        error["code"] = code
    if parameter:
        error["param"] = parameter
    return {"error": error}


class Refused(Exception):
    """An error answer. `kept` tells whether it is replayed under the request's idempotency key.

    Stripe keeps an answer once the request has begun to execute; what is refused before (a parameter, the key itself)
    is not kept.
    """

    def __init__(
        self, status: int, kind: str, code: str | None, message: str, parameter: str | None = None, *, kept: bool = True
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(kind, code, message, parameter)
        self.kept = kept
