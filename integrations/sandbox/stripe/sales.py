"""What was sold, as Stripe lists it: sessions, intents, charges, invoices, refunds, disputes; and webhook endpoints."""

import secrets
from collections.abc import Callable
from typing import Any

from stripe.params import (
    ChargeListParams,
    CustomerRetrieveParams,
    DisputeListParams,
    InvoiceListParams,
    InvoicePaymentListParams,
    PaymentIntentListParams,
    RefundListParams,
    WebhookEndpointCreateParams,
    WebhookEndpointDeleteParams,
    WebhookEndpointListParams,
    WebhookEndpointUpdateParams,
)
from stripe.params.checkout import SessionListParams

from integrations.sandbox.stripe.billing_shapes import webhook_endpoint
from integrations.sandbox.stripe.shapes import ALPHABET
from integrations.sandbox.stripe.shelf import PROVIDER, Json, Shelf, refused

MOST_ENDPOINTS = 16
# Kept with an endpoint, so that the stand-in can sign; shown only in the answer to its making.
SECRET = "standin_secret"  # noqa: S105 - the name of a field
_KINDS = {
    "payment_intents": "payment_intent",
    "invoices": "invoice",
    "checkout/sessions": "checkout_session",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
    "invoice_payments": "invoice_payment",
}


class Sales(Shelf):
    def sale_object(self, livemode: bool, params: Json, kind: str, object_id: str) -> Json:
        return self._object(_KINDS[kind], livemode, object_id, _KINDS[kind])

    def sale_list(self, livemode: bool, params: Json, kind: str) -> Json:
        wanted = {
            name: params[name]
            for name in ("customer", "status", "payment_intent", "invoice", "charge")
            if name in params
        }
        paid_by = params.get("payment", {}).get("payment_intent")

        def keep(thing: Json) -> bool:
            if paid_by is not None and thing["payment"].get("payment_intent") != paid_by:
                return False
            return all(thing.get(name) == value for name, value in wanted.items())

        page = self._page(_KINDS[kind], livemode, params, url=f"/v1/{kind}", keep=keep)
        if "data.latest_charge" in params.get("expand", []):
            for intent in page["data"]:
                intent["latest_charge"] = self._store.get(PROVIDER, livemode, "charge", intent["latest_charge"])
        return page

    # Webhook endpoints -------------------------------------------------------------------------------------------

    def endpoint_create(self, livemode: bool, params: Json) -> Json:
        # Stripe takes no http address in live mode. A stand-in has nothing else to tell of its sales to.
        if not params["url"].startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise refused("Invalid URL: An explicit scheme (such as https) must be provided.", "url", "url_invalid")
        with self._store.transaction():
            there = self._store.find(
                PROVIDER, "webhook_endpoint", livemode=livemode, keep=lambda each: not each.get("deleted")
            )
            if len(there) >= MOST_ENDPOINTS:
                raise refused(f"You have reached the maximum of {MOST_ENDPOINTS} webhook endpoints.")
            endpoint = webhook_endpoint(params, livemode)
            secret = "whsec_" + "".join(secrets.choice(ALPHABET) for _ in range(32))
            self._store.put(PROVIDER, livemode, "webhook_endpoint", endpoint | {SECRET: secret})
        return endpoint | {"secret": secret}

    def endpoint_list(self, livemode: bool, params: Json) -> Json:
        page = self._page(
            "webhook_endpoint", livemode, params, url="/v1/webhook_endpoints", keep=lambda each: not each.get("deleted")
        )
        return page | {"data": [_without_secret(each) for each in page["data"]]}

    def endpoint_update(self, livemode: bool, params: Json, endpoint_id: str) -> Json:
        with self._store.transaction():
            endpoint = self._endpoint(livemode, endpoint_id)
            if "disabled" in params:
                endpoint["status"] = "disabled" if params.pop("disabled") else "enabled"
            endpoint |= {
                name: value for name, value in params.items() if name in ("url", "enabled_events", "description")
            }
            endpoint["metadata"] |= params.get("metadata") or {}
            self._store.put(PROVIDER, livemode, "webhook_endpoint", endpoint)
        return _without_secret(endpoint)

    def endpoint_delete(self, livemode: bool, params: Json, endpoint_id: str) -> Json:
        endpoint = self._endpoint(livemode, endpoint_id)
        self._store.put(PROVIDER, livemode, "webhook_endpoint", endpoint | {"deleted": True})
        return {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}

    def _endpoint(self, livemode: bool, endpoint_id: str) -> Json:
        endpoint = self._object("webhook_endpoint", livemode, endpoint_id, "webhook endpoint")
        if endpoint.get("deleted"):
            return self._object("none", livemode, endpoint_id, "webhook endpoint")
        return endpoint


def _without_secret(endpoint: Json) -> Json:
    return {name: value for name, value in endpoint.items() if name != SECRET}


_ENDPOINT = r"/v1/webhook_endpoints/(\w+)"
_ONE = "/v1/(payment_intents|invoices|checkout/sessions|charges|refunds|disputes|invoice_payments)/(\\w+)"
ROUTES: tuple[tuple[str, str, type, Callable[..., Any]], ...] = (
    ("GET", "/v1/(payment_intents)", PaymentIntentListParams, Sales.sale_list),
    ("GET", "/v1/(invoices)", InvoiceListParams, Sales.sale_list),
    ("GET", "/v1/(checkout/sessions)", SessionListParams, Sales.sale_list),
    ("GET", "/v1/(charges)", ChargeListParams, Sales.sale_list),
    ("GET", "/v1/(refunds)", RefundListParams, Sales.sale_list),
    ("GET", "/v1/(disputes)", DisputeListParams, Sales.sale_list),
    ("GET", "/v1/(invoice_payments)", InvoicePaymentListParams, Sales.sale_list),
    ("GET", _ONE, CustomerRetrieveParams, Sales.sale_object),
    ("POST", "/v1/webhook_endpoints", WebhookEndpointCreateParams, Sales.endpoint_create),
    ("GET", "/v1/webhook_endpoints", WebhookEndpointListParams, Sales.endpoint_list),
    ("POST", _ENDPOINT, WebhookEndpointUpdateParams, Sales.endpoint_update),
    ("DELETE", _ENDPOINT, WebhookEndpointDeleteParams, Sales.endpoint_delete),
)
