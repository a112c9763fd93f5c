"""Stripe's resources as far as the product uses them: account, customers, credit balance, objects of a sale.

Each route checks its parameters against the SDK's TypedDict of the same call.
"""

import re
import time
from collections.abc import Callable
from typing import Any

from stripe.params import (
    CustomerBalanceTransactionCreateParams,
    CustomerBalanceTransactionListParams,
    CustomerBalanceTransactionRetrieveParams,
    CustomerCreateParams,
    CustomerDeleteParams,
    CustomerListParams,
    CustomerRetrieveParams,
    CustomerUpdateParams,
    EventListParams,
)

from integrations.sandbox.server import Call
from integrations.sandbox.store import Store
from integrations.sandbox.stripe import forms, shapes
from integrations.sandbox.stripe.errors import Refused

Json = dict[str, Any]
PROVIDER = "stripe"


class Resources:
    def __init__(self, store: Store) -> None:
        self._store = store

    def answer(self, call: Call, livemode: bool) -> Json:
        for method, pattern, shape, action in ROUTES:
            match = re.fullmatch(pattern, call.path) if method == call.method else None
            if match:
                fields = forms.parse(call.query if call.method in ("GET", "DELETE") else call.body.decode())
                try:
                    params = forms.checked(fields, shape)
                except forms.BadParameter as bad:
                    message = bad.message
                    raise Refused(400, "invalid_request_error", bad.code, message, bad.parameter, kept=False) from bad
                return action(self, livemode, params, *match.groups())
        raise Refused(404, "invalid_request_error", None, f"Unrecognized request URL ({call.method}: {call.path}).")

    def account(self, livemode: bool, params: Json) -> Json:
        return shapes.account(livemode)

    def customer_create(self, livemode: bool, params: Json) -> Json:
        customer = shapes.customer(params, livemode)
        self._save_customer(customer)
        return customer

    def customer_update(self, livemode: bool, params: Json, customer_id: str) -> Json:
        customer = self._live_customer(livemode, customer_id)
        metadata = {**customer["metadata"], **(params.pop("metadata", None) or {})}
        before = {name: customer[name] for name in params if customer[name] != params[name]}
        customer |= params | {"metadata": metadata}
        self._save_customer(customer)
        self._tell("customer.updated", customer, before)
        return customer

    def customer_delete(self, livemode: bool, params: Json, customer_id: str) -> Json:
        customer = self._live_customer(livemode, customer_id)
        gone = shapes.deleted_customer(customer_id)
        self._store.put(PROVIDER, livemode, "customer", gone)
        self._tell("customer.deleted", customer)
        return gone

    def customer_retrieve(self, livemode: bool, params: Json, customer_id: str) -> Json:
        return self._customer(livemode, customer_id)

    def customer_list(self, livemode: bool, params: Json) -> Json:
        # Exact and case-sensitive, as Stripe's filter is.
        return self._page("customer", livemode, params, url="/v1/customers", lookup=params.get("email"), keep=_is_there)

    def credit_create(self, livemode: bool, params: Json, customer_id: str) -> Json:
        with self._store.transaction():
            customer = self._live_customer(livemode, customer_id)
            currency = params["currency"].lower()
            if customer["currency"] not in (None, currency):
                message = (
                    f"The customer's currency is {customer['currency']}; a balance can't be adjusted in {currency}."
                )
                raise Refused(400, "invalid_request_error", None, message, "currency")
            customer |= {"currency": currency, "balance": customer["balance"] + params["amount"]}
            transaction = shapes.balance_transaction(customer, params | {"currency": currency}, customer["balance"])
            self._save_customer(customer)
            reward = transaction["metadata"].get("reward_id", "")
            self._store.put(PROVIDER, livemode, "credit", transaction, parent=customer_id, lookup=reward)
        return transaction

    def credit_list(self, livemode: bool, params: Json, customer_id: str) -> Json:
        self._live_customer(livemode, customer_id)
        url = f"/v1/customers/{customer_id}/balance_transactions"
        return self._page("credit", livemode, params, url=url, parent=customer_id)

    def credit_retrieve(self, livemode: bool, params: Json, customer_id: str, transaction_id: str) -> Json:
        return self._object("credit", livemode, transaction_id, "customer balance transaction")

    def event_list(self, livemode: bool, params: Json) -> Json:
        wanted = params.get("types") or ([params["type"]] if "type" in params else None)
        return self._page(
            "event", livemode, params, url="/v1/events", keep=lambda event: wanted is None or event["type"] in wanted
        )

    def sale_object(self, livemode: bool, params: Json, kind: str, object_id: str) -> Json:
        return self._object(_SALE_KINDS[kind], livemode, object_id, _SALE_KINDS[kind])

    # What the routes share ---------------------------------------------------------------------------------------

    def _object(self, kind: str, livemode: bool, object_id: str, name: str) -> Json:
        found = self._store.get(PROVIDER, livemode, kind, object_id)
        if found is None:
            message = f"No such {name}: '{object_id}'"
            raise Refused(404, "invalid_request_error", "resource_missing", message, "id")
        return found

    def _customer(self, livemode: bool, customer_id: str) -> Json:
        return self._object("customer", livemode, customer_id, "customer")

    def _live_customer(self, livemode: bool, customer_id: str) -> Json:
        customer = self._customer(livemode, customer_id)
        if customer.get("deleted"):
            message = f"No such customer: '{customer_id}'"
            raise Refused(404, "invalid_request_error", "resource_missing", message, "customer")
        return customer

    def _tell(self, event_type: str, customer: Json, before: Json | None = None) -> None:
        """Keep an event of a customer's change for `GET /v1/events`."""
        event = shapes.event(event_type, customer, customer["livemode"], None, int(time.time()))
        if before is not None:
            event["data"]["previous_attributes"] = before
        self._store.put(PROVIDER, customer["livemode"], "event", event)

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


def _is_there(customer: Json) -> bool:
    return not customer.get("deleted")


def _between(created: Any) -> tuple[int, int] | None:
    if created is None:
        return None
    if isinstance(created, int):
        return created, created
    lowest = max(created.get("gte", 0), created.get("gt", -1) + 1)
    highest = min(created.get("lte", 1 << 40), created.get("lt", 1 << 40) - 1)
    return lowest, highest


class _Nothing(CustomerRetrieveParams):
    """Routes that take no parameter but `expand`."""


_SALE_KINDS = {"payment_intents": "payment_intent", "invoices": "invoice", "checkout/sessions": "checkout_session"}
_CUSTOMER = r"/v1/customers/(\w+)"
_CREDITS = _CUSTOMER + "/balance_transactions"
ROUTES: tuple[tuple[str, str, type, Callable[..., Json]], ...] = (
    ("GET", "/v1/account", _Nothing, Resources.account),
    ("POST", "/v1/customers", CustomerCreateParams, Resources.customer_create),
    ("GET", "/v1/customers", CustomerListParams, Resources.customer_list),
    ("GET", _CUSTOMER, CustomerRetrieveParams, Resources.customer_retrieve),
    ("POST", _CUSTOMER, CustomerUpdateParams, Resources.customer_update),
    ("DELETE", _CUSTOMER, CustomerDeleteParams, Resources.customer_delete),
    ("POST", _CREDITS, CustomerBalanceTransactionCreateParams, Resources.credit_create),
    ("GET", _CREDITS, CustomerBalanceTransactionListParams, Resources.credit_list),
    ("GET", _CREDITS + r"/(\w+)", CustomerBalanceTransactionRetrieveParams, Resources.credit_retrieve),
    ("GET", "/v1/events", EventListParams, Resources.event_list),
    ("GET", "/v1/(payment_intents|invoices|checkout/sessions)/(\\w+)", _Nothing, Resources.sale_object),
)
