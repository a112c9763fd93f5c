"""Shopify's GraphQL Admin API over our own HTTP class, and its errors in our words.

Everything is a POST to one address, and a call that failed may still be answered with 200: what counts are `data`,
`errors` and, inside a mutation's answer, `userErrors`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from integrations.base import Access, Exchange
from integrations.errors import (
    ConnectionNeedsAttention,
    OutcomeUnknown,
    ProviderError,
    ProviderRetryable,
    error_of_failure,
    error_of_status,
)
from integrations.providers.shopify import words
from integrations.providers.shopify.points import bucket_of
from integrations.providers.shopify.queries import API_VERSION
from integrations.providers.shopify.refusals import call_error
from referral_rocket.kit.http import Answer, Caller, HttpFailure

_caller = Caller()
Json = dict[str, Any]
HIDDEN = "[redacted]"
_STATUS = ("maximumAvailable", "currentlyAvailable", "restoreRate")
# Where the whole shop can't be used: unpaid, forbidden, unknown, locked.
_NO_SHOP = {402: words.SHOP_INACTIVE, 404: words.SHOP_UNKNOWN, 423: words.SHOP_INACTIVE}


def address(access: Access) -> str:
    """The shop's own address, or what stands for it here."""
    return (access.api_base or f"https://{access.credentials['shop']}").rstrip("/")


def post_secret(access: Access, path: str, body: Mapping[str, str]) -> Answer:
    """A call of which nothing is recorded: it is made of secrets. Raises HttpFailure."""
    access.pace()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    return _caller.send("POST", f"{address(access)}{path}", headers=headers, body=json.dumps(body))


class Conversation:
    """One adapter call: what is asked, and the exchanges that it had, without the codes in `hide`."""

    def __init__(self, access: Access, *, hide: Sequence[str] = ()) -> None:
        self._access = access
        self._hide = tuple(hide)
        self._bucket = bucket_of(access.connection_id)
        self.exchanges: list[Exchange] = []

    def read(self, document: str, variables: Mapping[str, Any] | None = None) -> Json:
        """`data` of a query: it changes nothing at Shopify, so whatever happens to it it can be repeated."""
        return self._ask(document, variables or {}, writes=False)

    def write(self, document: str, variables: Mapping[str, Any], field: str) -> Json:
        """A mutation's own answer, with its `userErrors`: what can't be told is OutcomeUnknown."""
        payload = self._ask(document, variables, writes=True).get(field)
        if not isinstance(payload, dict) or not isinstance(payload.get("userErrors"), list):
            raise self.unreadable(writes=True)
        return payload

    def unreadable(self, *, writes: bool) -> ProviderError:
        """The error for an answer that isn't what Shopify documents."""
        if writes:
            return OutcomeUnknown(words.UNREADABLE, exchanges=self.exchanges)
        return ProviderRetryable(words.UNREADABLE_READ, sent=True, exchanges=self.exchanges)

    def _ask(self, document: str, variables: Mapping[str, Any], *, writes: bool) -> Json:
        operation = document.split("(", 1)[0].split("{", 1)[0].split()[-1]
        self._access.pace()
        cost = self._bucket.spend(operation)
        told = None
        try:
            answer = self._send(document, variables, writes=writes)
            body = self._body(answer, writes=writes)
            told = _cost(body)
        finally:
            self._bucket.settle(operation, cost, told)
        return self._data(body, told, writes=writes)

    def _send(self, document: str, variables: Mapping[str, Any], *, writes: bool) -> Answer:
        asked: list[Exchange] = []
        try:
            return _caller.send(
                "POST",
                f"{address(self._access)}/admin/api/{API_VERSION}/graphql.json",
                headers={
                    "Content-Type": "application/json",
                    "Accept": "application/json",
                    "X-Shopify-Access-Token": self._access.credentials["access_token"],
                },
                body=json.dumps({"query": document, "variables": variables}),
                record=asked,
            )
        except HttpFailure as failure:
            self.exchanges += map(self._hidden, asked)
            asked = []
            raise error_of_failure(failure, provider=words.NAME, writes=writes, exchanges=self.exchanges) from failure
        finally:
            self.exchanges += map(self._hidden, asked)

    def _hidden(self, exchange: Exchange) -> Exchange:
        """Without what would let a reader of the log spend the gift card."""
        text = json.dumps([exchange.request, exchange.response])
        for secret in self._hide:
            text = text.replace(secret, HIDDEN)
        request, response = json.loads(text)
        return replace(exchange, request=request, response=response)

    def _body(self, answer: Answer, *, writes: bool) -> Json:
        if answer.status in _NO_SHOP:
            raise ConnectionNeedsAttention(_NO_SHOP[answer.status], exchanges=self.exchanges)
        if answer.status != 200:
            raise error_of_status(
                answer.status,
                answer.headers,
                provider=words.NAME,
                writes=writes,
                said=_said(answer.body),
                exchanges=self.exchanges,
            )
        body = _parsed(answer.body)
        if not isinstance(body, dict):
            raise self.unreadable(writes=writes)
        return body

    def _data(self, body: Json, cost: Json | None, *, writes: bool) -> Json:
        data, errors = body.get("data"), body.get("errors")
        # A mutation that acted has its answer, even where a field of it couldn't be read.
        if isinstance(data, dict) and any(value is not None for value in data.values()):
            if errors and not writes:
                raise call_error(_listed(errors), cost, writes=writes, exchanges=self.exchanges)
            return data
        if errors:
            raise call_error(_listed(errors), cost, writes=writes, exchanges=self.exchanges)
        if isinstance(data, dict):
            return data
        raise self.unreadable(writes=writes)


def _cost(body: Json) -> Json | None:
    """`extensions.cost`, where it is what Shopify documents."""
    extensions = body.get("extensions")
    told = extensions.get("cost") if isinstance(extensions, dict) else None
    status = told.get("throttleStatus") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(status, dict):
        return None
    numbers = [told.get("requestedQueryCost"), *(status.get(name) for name in _STATUS)]
    return told if all(isinstance(number, int | float) for number in numbers) else None


def _listed(errors: Any) -> list[Json]:
    """`errors` as GraphQL has them; an unauthorised call gets a sentence instead of a list."""
    found = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return found or [{"message": str(errors)}]


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _said(body: bytes) -> str:
    """Shopify's sentence in an answer that isn't a success."""
    parsed = _parsed(body)
    errors = parsed.get("errors") if isinstance(parsed, dict) else None
    return errors if isinstance(errors, str) else str(_listed(errors)[0].get("message")) if errors else ""
