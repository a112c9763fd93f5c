"""Stripe's resources as far as the product uses them: account, customers, credit balance, and those beside this file.

Each route checks its parameters against the SDK's TypedDict of the same call.
"""

import re
import time
from collections.abc import Callable

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
from integrations.sandbox.stripe import discounts, forms, sales, shapes
from integrations.sandbox.stripe.errors import Refused
from integrations.sandbox.stripe.shelf import PROVIDER, Json


class Resources(discounts.Discounts, sales.Sales):
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

    def _tell(self, event_type: str, customer: Json, before: Json | None = None) -> None:
        """Keep an event of a customer's change for `GET /v1/events`."""
        event = shapes.event(event_type, customer, customer["livemode"], None, int(time.time()))
        if before is not None:
            event["data"]["previous_attributes"] = before
        self._store.put(PROVIDER, customer["livemode"], "event", event)


def _is_there(customer: Json) -> bool:
    return not customer.get("deleted")


_CUSTOMER = r"/v1/customers/(\w+)"
_CREDITS = _CUSTOMER + "/balance_transactions"
ROUTES: tuple[tuple[str, str, type, Callable[..., Json]], ...] = (
    ("GET", "/v1/account", CustomerRetrieveParams, Resources.account),
    ("POST", "/v1/customers", CustomerCreateParams, Resources.customer_create),
    ("GET", "/v1/customers", CustomerListParams, Resources.customer_list),
    ("GET", _CUSTOMER, CustomerRetrieveParams, Resources.customer_retrieve),
    ("POST", _CUSTOMER, CustomerUpdateParams, Resources.customer_update),
    ("DELETE", _CUSTOMER, CustomerDeleteParams, Resources.customer_delete),
    ("POST", _CREDITS, CustomerBalanceTransactionCreateParams, Resources.credit_create),
    ("GET", _CREDITS, CustomerBalanceTransactionListParams, Resources.credit_list),
    ("GET", _CREDITS + r"/(\w+)", CustomerBalanceTransactionRetrieveParams, Resources.credit_retrieve),
    ("GET", "/v1/events", EventListParams, Resources.event_list),
    *discounts.ROUTES,
    *sales.ROUTES,
)
