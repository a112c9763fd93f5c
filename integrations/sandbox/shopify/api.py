"""Shopify's manner of answering: tokens, GraphQL with its cost, refusals. What it answers about is in shop.py."""

import json
import re
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from graphql import ExecutionResult, GraphQLError, GraphQLSchema, build_schema, graphql_sync

from integrations.sandbox.faults import Fault, FaultKind
from integrations.sandbox.server import Call, Reply
from integrations.sandbox.shopify.app import App
from integrations.sandbox.shopify.control import ShopifyControl
from integrations.sandbox.shopify.orders import Orders
from integrations.sandbox.shopify.resolvers import Root
from integrations.sandbox.shopify.shop import Json, Shop
from integrations.sandbox.store import Store

SCHEMA_FILE = Path(__file__).with_name("schema.graphql")
# https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits: a shop of the standard plan.
MAXIMUM, RESTORE = 2000.0, 100.0
MUTATION_COST, QUERY_COST = 10, 3
_ADDRESS = re.compile(r"/admin/api/\d{4}-\d{2}/graphql\.json")
_REFUSALS = {
    FaultKind.RATE_LIMITED: (429, "Exceeded 2 calls per second for api client."),
    FaultKind.REVOKED: (401, "[API] Invalid API key or access token (unrecognized login or wrong password)"),
    FaultKind.UNAVAILABLE: (503, "Service Unavailable"),
    FaultKind.SERVER_ERROR: (500, "Internal Server Error"),
}


@lru_cache(maxsize=1)
def _schema() -> GraphQLSchema:
    return build_schema(SCHEMA_FILE.read_text())


class ShopifyStandIn:
    """See `integrations.sandbox.server.StandIn`."""

    def __init__(self, store: Store) -> None:
        self._shops = {livemode: Shop(store, livemode) for livemode in (False, True)}
        self._orders = {livemode: Orders(store, shop, livemode) for livemode, shop in self._shops.items()}
        self._points = {livemode: _Points() for livemode in (False, True)}
        self._app = App()
        self._schema = _schema()
        self._control = ShopifyControl(store, self._shops, self._orders, self._points)

    def control(self, call: Call) -> Reply:
        return self._control.answer(call)

    def refusal(self, fault: Fault) -> Reply:
        status, message = _REFUSALS[fault.kind]
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        return Reply(status, {"errors": message}, headers)

    def answer(self, call: Call) -> Reply:
        if call.path.startswith("/admin/oauth/"):
            return self._app.answer(call)
        if call.method != "POST" or not _ADDRESS.fullmatch(call.path):
            return Reply(404, {"errors": "Not Found"})
        token = call.headers.get("X-Shopify-Access-Token", "")
        if not token.startswith("shp") or self._control.is_revoked(token):
            return Reply(401, {"errors": _REFUSALS[FaultKind.REVOKED][1]})
        livemode = "test" not in token
        try:
            asked = call.json()
            document, variables = str(asked["query"]), asked.get("variables") or {}
        except (ValueError, KeyError):
            return Reply(400, {"errors": {"query": "Required parameter missing or invalid"}})
        call.pause()
        if call.fault is not None:
            if call.fault.acts:
                self._run(document, variables, livemode)
            return self.refusal(call.fault)
        return Reply(200, self._costed(document, variables, livemode))

    def _costed(self, document: str, variables: Json, livemode: bool) -> Json:
        cost = MUTATION_COST if document.lstrip().startswith("mutation") else QUERY_COST
        points = self._points[livemode]
        there = points.take(cost)
        told = {
            "requestedQueryCost": cost,
            "actualQueryCost": cost if there else None,
            "throttleStatus": {
                "maximumAvailable": points.maximum,
                "currentlyAvailable": int(points.left()),
                "restoreRate": points.restore,
            },
        }
        if not there:
            error = {
                "message": "Throttled",
                "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"},
            }
            return {"errors": [error], "extensions": {"cost": told}}
        result = self._run(document, variables, livemode)
        return {**_formatted(result), "extensions": {"cost": told}}

    def _run(self, document: str, variables: Json, livemode: bool) -> ExecutionResult:
        return graphql_sync(
            self._schema,
            document,
            root_value=Root(self._shops[livemode], self._orders[livemode]),
            variable_values=variables,
        )


def _formatted(result: ExecutionResult) -> Json:
    body: Json = {} if result.data is None and result.errors else {"data": result.data}
    if result.errors:
        body["errors"] = [_error(error) for error in result.errors]
    return body


def _error(error: GraphQLError) -> Json:
    shown: dict[str, Any] = json.loads(json.dumps(error.formatted, default=str))
    if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
        shown["extensions"] = {"code": "INTERNAL_SERVER_ERROR"}
    elif not error.extensions:
        shown["extensions"] = {"code": "undefinedField"}
    return shown


class _Points:
    """The bucket of points: `maximum` of them, `restore` back a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.set(MAXIMUM, RESTORE, MAXIMUM)

    def set(self, maximum: float, restore: float, left: float) -> None:
        with self._lock:
            self.maximum, self.restore, self._left, self._at = maximum, restore, left, time.monotonic()

    def left(self) -> float:
        return min(self._left + (time.monotonic() - self._at) * self.restore, self.maximum)

    def take(self, cost: float) -> bool:
        with self._lock:
            left = self.left()
            if left < cost:
                return False
            self._left, self._at = left - cost, time.monotonic()
            return True
