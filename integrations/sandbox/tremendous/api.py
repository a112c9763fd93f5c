"""Tremendous's manner of answering: keys, routes, refusals. What it answers about is in account.py."""

from datetime import datetime
from typing import Any
from urllib.parse import unquote

from integrations.sandbox.faults import Fault, FaultKind
from integrations.sandbox.server import Call, Reply
from integrations.sandbox.store import Store
from integrations.sandbox.tremendous import shapes
from integrations.sandbox.tremendous.account import Account, Refused
from integrations.sandbox.tremendous.control import TremendousControl

Json = dict[str, Any]
PREFIX = "/api/v2/"
MOST = 500
_REFUSALS = {
    FaultKind.RATE_LIMITED: (429, "You have exceeded the rate limit."),
    FaultKind.REVOKED: (401, "Unauthorized"),
    FaultKind.UNAVAILABLE: (503, "Service unavailable"),
    FaultKind.SERVER_ERROR: (500, "Internal server error"),
}


class TremendousStandIn:
    """See `integrations.sandbox.server.StandIn`."""

    def __init__(self, store: Store) -> None:
        self._accounts = {livemode: Account(store, livemode) for livemode in (False, True)}
        self._control = TremendousControl(self._accounts)

    def control(self, call: Call) -> Reply:
        return self._control.answer(call)

    def refusal(self, fault: Fault) -> Reply:
        status, message = _REFUSALS[fault.kind]
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        return Reply(status, shapes.error(status, message), headers)

    def answer(self, call: Call) -> Reply:
        key = call.headers.get("Authorization", "").removeprefix("Bearer ")
        if key[:5] not in ("TEST_", "PROD_") or self._control.is_revoked(key):
            return Reply(401, shapes.error(401, "Unauthorized"))
        account = self._accounts[key.startswith("PROD_")]
        call.pause()
        if call.fault is not None:
            if call.fault.acts:
                self._answered(call, account, key.startswith("PROD_"))
            return self.refusal(call.fault)
        return self._answered(call, account, key.startswith("PROD_"))

    def _answered(self, call: Call, account: Account, livemode: bool) -> Reply:
        if not call.path.startswith(PREFIX):
            return Reply(404, shapes.error(404, "Not found"))
        parts = [unquote(part) for part in call.path.removeprefix(PREFIX).split("/")]
        try:
            if call.method == "POST":
                return self._post(parts, call, account)
            return self._get(parts, call.arguments, account, livemode)
        except Refused as refused:
            return Reply(refused.status, refused.body)

    def _get(self, parts: list[str], asked: dict[str, str], account: Account, livemode: bool) -> Reply:
        found: Json | None
        match parts:
            case ["organizations"]:
                found = {"organizations": [shapes.organization(livemode)]}
            case ["funding_sources"]:
                found = {"funding_sources": [shapes.funding_source(account.balance()), shapes.credit_card()]}
            case ["campaigns"]:
                found = {"campaigns": [shapes.campaign()]}
            case ["campaigns", shapes.CAMPAIGN]:
                found = {"campaign": shapes.campaign()}
            case ["products"]:
                found = {"products": _products(asked)}
            case ["orders"]:
                found = {"orders": _page(account.orders(asked.get("external_id")), asked)}
            case ["orders", known_as]:
                made = account.order(known_as)
                found = {"order": made} if made else None
            case ["rewards", reward_id]:
                made = account.order_of(reward_id)
                found = {"reward": made["rewards"][0]} if made else None
            case _:
                found = None
        return Reply(200, found) if found else Reply(404, shapes.error(404, "Resource could not be found"))

    def _post(self, parts: list[str], call: Call, account: Account) -> Reply:
        if parts != ["orders"]:
            return Reply(404, shapes.error(404, "Not found"))
        try:
            wanted = call.json()
        except ValueError as error:
            raise Refused(400, "The body isn't a JSON object") from error
        made, new = account.make(wanted)
        # 201 says that the order was there before.
        return Reply(200 if new else 201, {"order": shapes.with_link(made)})


def _page(orders: list[Json], asked: dict[str, str]) -> list[Json]:
    """Counted from the newest."""
    since = asked.get("created_at[gte]")
    made = [order for order in orders if since is None or _moment(order["created_at"]) >= _moment(since)]
    first = int(asked.get("offset", 0))
    return made[first : first + min(int(asked.get("limit", 10)), MOST)]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _products(asked: dict[str, str]) -> list[Json]:
    def among(name: str, values: list[str]) -> bool:
        return name not in asked or bool(set(asked[name].split(",")) & set(values))

    return [
        each
        for each in shapes.products()
        if among("id", [each["id"]])
        and among("currency", each["currency_codes"])
        and among("country", [country["abbr"] for country in each["countries"]])
    ]
