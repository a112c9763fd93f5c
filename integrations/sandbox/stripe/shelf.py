"""What every resource of Stripe's stand-in shares: finding one, listing a page, and the refusal where there is none."""

from typing import Any

from integrations.sandbox.store import Store
from integrations.sandbox.stripe import shapes
from integrations.sandbox.stripe.errors import Refused

Json = dict[str, Any]
PROVIDER = "stripe"


class Shelf:
    def __init__(self, store: Store) -> None:
        self._store = store

    def _object(self, kind: str, livemode: bool, object_id: str, name: str, parameter: str = "id") -> Json:
        found = self._store.get(PROVIDER, livemode, kind, object_id)
        if found is None:
            message = f"No such {name}: '{object_id}'"
            raise Refused(404, "invalid_request_error", "resource_missing", message, parameter)
        return found

    def _customer(self, livemode: bool, customer_id: str) -> Json:
        return self._object("customer", livemode, customer_id, "customer")

    def _live_customer(self, livemode: bool, customer_id: str) -> Json:
        customer = self._store.get(PROVIDER, livemode, "customer", customer_id)
        if customer is None or customer.get("deleted"):
            message = f"No such customer: '{customer_id}'"
            raise Refused(404, "invalid_request_error", "resource_missing", message, "customer")
        return customer

    def _save_customer(self, customer: Json) -> None:
        self._store.put(PROVIDER, customer["livemode"], "customer", customer, lookup=customer["email"] or "")

    def _page(self, kind: str, livemode: bool, params: Json, *, url: str, **match: Any) -> Json:
        limit = params.get("limit", 10)
        if not 1 <= limit <= 100:
            message = "Invalid integer: limit is between 1 and 100"
            raise Refused(400, "invalid_request_error", "parameter_invalid_integer", message, "limit")
        rows = self._store.find(
            PROVIDER,
            kind,
            livemode=livemode,
            created=_between(params.get("created")),
            after=params.get("starting_after"),
            before=params.get("ending_before"),
            limit=limit + 1,
            **match,
        )
        return shapes.page(rows[:limit], url, has_more=len(rows) > limit)


def refused(message: str, parameter: str | None = None, code: str | None = None) -> Refused:
    """A 400 as Stripe answers what it understands and won't do."""
    return Refused(400, "invalid_request_error", code, message, parameter)


def _between(created: Any) -> tuple[int, int] | None:
    if created is None:
        return None
    if isinstance(created, int):
        return created, created
    lowest = max(created.get("gte", 0), created.get("gt", -1) + 1)
    highest = min(created.get("lte", 1 << 40), created.get("lt", 1 << 40) - 1)
    return lowest, highest
