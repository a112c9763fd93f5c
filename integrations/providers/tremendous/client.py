"""Tremendous's API over our own HTTP class, and its errors in our words.

Amounts are JSON numbers in major units there; they are written from, and read as, decimals. What a recipient could
redeem by (`link`, `token`) stays out of the exchanges that are kept.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from integrations.base import Access, Exchange
from integrations.errors import OutcomeUnknown, ProviderError, ProviderRejected, ProviderRetryable, error_of_failure
from integrations.errors import error_of_status as error_of_other_status
from integrations.providers.tremendous import words
from integrations.providers.tremendous.keys import ADDRESSES
from referral_rocket.kit.http import REDACTED, Answer, Caller, HttpFailure

_caller = Caller()
Json = dict[str, Any]
PATH = "/api/v2"
_HIDDEN = frozenset({"link", "token"})
# A refusal's `payload` mirrors the request and is filled where something is wrong: which of ours that is, by its path.
# https://developers.tremendous.com/reference/error-handling
REFUSALS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("reward", "recipient"), "invalid_recipient", words.INVALID_RECIPIENT),
    (("payment", "funding_source_id"), "rejected_by_provider", words.FUNDING_REFUSED),
    (("reward", "products"), "product_unavailable", words.UNAVAILABLE),
    (("reward", "campaign_id"), "product_unavailable", words.UNAVAILABLE),
    (("reward", "value"), "product_unavailable", words.UNAVAILABLE),
)


class Conversation:
    """One adapter call: requests, and the exchanges that they were."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.exchanges: list[Exchange] = []

    def get(self, *parts: str, **query: str) -> Json | None:
        """A resource; None where there is none. It changes nothing, so whatever happens to it it can be repeated."""
        answer = self._send("GET", parts, query, None)
        if answer.status == 404:
            return None
        return self._body(answer, writes=False)

    def post(self, *parts: str, body: Mapping[str, Any] | None = None, amount: str | None = None) -> Json:
        """Make or change something: what can't be told is OutcomeUnknown. `amount` stands where the body has AMOUNT."""
        return self._body(self._send("POST", parts, {}, _encoded(body, amount)), writes=True)

    def unreadable(self, *, writes: bool) -> ProviderError:
        """The error for an answer that isn't what Tremendous documents."""
        if writes:
            return OutcomeUnknown(words.UNREADABLE, exchanges=self.exchanges)
        return ProviderRetryable(words.UNREADABLE_READ, sent=True, exchanges=self.exchanges)

    def _send(self, method: str, parts: tuple[str, ...], query: Mapping[str, str], body: str | None) -> Answer:
        base = (self._access.api_base or ADDRESSES[self._access.mode]).rstrip("/")
        url = f"{base}{PATH}/" + "/".join(quote(part, safe="") for part in parts)
        headers = {"Authorization": f"Bearer {self._access.credentials['api_key']}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._access.pace()
        asked: list[Exchange] = []
        try:
            return _caller.send(
                method, f"{url}?{urlencode(query)}" if query else url, headers=headers, body=body, record=asked
            )
        except HttpFailure as failure:
            writes = method == "POST"
            raise error_of_failure(
                failure, provider=words.NAME, writes=writes, exchanges=[*self.exchanges, *asked]
            ) from failure
        finally:
            self.exchanges += [replace(each, response=_hidden(each.response)) for each in asked]

    def _body(self, answer: Answer, *, writes: bool) -> Json:
        body = _parsed(answer.body)
        if answer.status not in (200, 201, 202):
            raise self._refusal(answer, body if isinstance(body, dict) else {}, writes=writes)
        if not isinstance(body, dict):
            raise self.unreadable(writes=writes)
        return body

    def _refusal(self, answer: Answer, body: Json, *, writes: bool) -> ProviderError:
        errors = body.get("errors")
        said = str(errors.get("message") or "") if isinstance(errors, dict) else ""
        if answer.status == 402:
            message = words.INSUFFICIENT_FUNDS.format(said=said)
            return ProviderRejected(message, code="insufficient_funds", exchanges=self.exchanges)
        if answer.status == 409 and writes:
            return OutcomeUnknown(words.CONFLICT, exchanges=self.exchanges)
        if answer.status in (400, 422) and isinstance(errors, dict):
            for path, code, message in REFUSALS:
                wrong = _at(errors.get("payload"), path)
                if wrong is not None:
                    detail = f"{said} {_sentence(wrong)}".strip()
                    return ProviderRejected(message.format(said=detail), code=code, exchanges=self.exchanges)
        return error_of_other_status(
            answer.status,
            answer.headers,
            provider=words.NAME,
            writes=writes,
            said=said,
            exchanges=self.exchanges,
        )


AMOUNT = object()


def _encoded(body: Mapping[str, Any] | None, amount: str | None) -> str:
    """JSON in which AMOUNT is written as the number `amount`: with its decimals, and never by way of a float."""
    mark = uuid4().hex
    text = json.dumps(body or {}, default=lambda value: mark if value is AMOUNT else str(value))
    return text.replace(f'"{mark}"', amount or "null")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=Decimal)
    except ValueError:
        return None


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: REDACTED if name in _HIDDEN and inner else _hidden(inner) for name, inner in value.items()}
    return [_hidden(inner) for inner in value] if isinstance(value, list) else value


def _at(payload: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload


def _sentence(wrong: Any) -> str:
    """What is said deepest in a payload."""
    while isinstance(wrong, dict | list) and wrong:
        wrong = next(iter(wrong.values())) if isinstance(wrong, dict) else wrong[0]
    return str(wrong) if wrong else ""
