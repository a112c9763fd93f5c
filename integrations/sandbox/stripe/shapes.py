"""Stripe's objects as it returns them. A test holds them against Stripe's published samples."""

import secrets
import time
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def new_id(prefix: str) -> str:
    return f"{prefix}_" + "".join(secrets.choice(ALPHABET) for _ in range(24))


def account(livemode: bool) -> Json:
    name = "Referral Rocket stand-in" + ("" if livemode else " (test)")
    return {
        "id": "acct_standin" + ("live" if livemode else "test"),
        "object": "account",
        "business_profile": {"name": name, "url": None},
        "business_type": None,
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "US",
        "created": 1700000000,
        "default_currency": "usd",
        "details_submitted": True,
        "email": None,
        "metadata": {},
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": name, "timezone": "Etc/UTC"}},
        "type": "standard",
    }


def customer(fields: Mapping[str, Any], livemode: bool, customer_id: str | None = None) -> Json:
    return {
        "id": customer_id or new_id("cus"),
        "object": "customer",
        "address": fields.get("address"),
        "balance": fields.get("balance", 0),
        "created": int(time.time()),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": fields.get("description"),
        "discount": None,
        "email": fields.get("email"),
        "invoice_prefix": secrets.token_hex(4).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": livemode,
        "metadata": fields.get("metadata") or {},
        "name": fields.get("name"),
        "next_invoice_sequence": 1,
        "phone": fields.get("phone"),
        "preferred_locales": [],
        "shipping": fields.get("shipping"),
        "tax_exempt": "none",
        "test_clock": None,
    }


def deleted_customer(customer_id: str) -> Json:
    return {"id": customer_id, "object": "customer", "deleted": True}


def balance_transaction(owner: Json, fields: Mapping[str, Any], ending_balance: int) -> Json:
    return {
        "id": new_id("cbtxn"),
        "object": "customer_balance_transaction",
        "amount": fields["amount"],
        "checkout_session": None,
        "created": int(time.time()),
        "credit_note": None,
        "currency": fields["currency"],
        "customer": owner["id"],
        "customer_account": None,
        "description": fields.get("description"),
        "ending_balance": ending_balance,
        "invoice": None,
        "livemode": owner["livemode"],
        "metadata": fields.get("metadata") or {},
        "type": "adjustment",
    }


def page(data: list[Json], url: str, has_more: bool) -> Json:
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def event(event_type: str, thing: Json, livemode: bool, api_version: str | None, created: int) -> Json:
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": api_version,
        "created": created,
        "data": {"object": thing},
        "livemode": livemode,
        "pending_webhooks": 1,
        "request": {"id": new_id("req"), "idempotency_key": None},
        "type": event_type,
    }


def payment_intent(sale: "Mapping[str, Any]", livemode: bool) -> Json:
    return {
        "id": new_id("pi"),
        "object": "payment_intent",
        "amount": sale["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": sale["amount"],
        "application": None,
        "canceled_at": None,
        "capture_method": "automatic",
        "created": sale["created"],
        "currency": sale["currency"],
        "customer": sale["customer"],
        "description": sale.get("description"),
        "last_payment_error": None,
        "latest_charge": new_id("ch"),
        "livemode": livemode,
        "metadata": sale.get("intent_metadata") or {},
        "payment_method_types": ["card"],
        "receipt_email": None,
        "shipping": None,
        "status": "succeeded",
    }


def checkout_session(sale: Mapping[str, Any], intent: str | None, invoice_id: str | None, livemode: bool) -> Json:
    recurring = invoice_id is not None
    return {
        "id": new_id("cs_live" if livemode else "cs_test"),
        "object": "checkout.session",
        "amount_subtotal": sale["amount"] - sale["tax"] - sale["shipping"] + sale["discount"],
        "amount_total": sale["amount"],
        "client_reference_id": sale.get("client_reference_id"),
        "created": sale["created"],
        "currency": sale["currency"],
        "customer": sale["customer"],
        "discounts": [{"coupon": None, "promotion_code": sale["promotion_code"]}] if sale.get("promotion_code") else [],
        "customer_details": {
            "address": {"city": None, "country": sale.get("country"), "line1": None, "line2": None,
                        "postal_code": None, "state": None},
            "email": sale["email"],
            "name": sale.get("name"),
            "phone": None,
            "tax_exempt": "none",
            "tax_ids": [],
        },
        "customer_email": None,
        "invoice": invoice_id,
        "livemode": livemode,
        "metadata": sale.get("metadata") or {},
        "mode": "subscription" if recurring else "payment",
        # A subscription's checkout names its invoice and never the intent.
        "payment_intent": None if recurring else intent,
        "payment_status": "paid" if sale["amount"] else "no_payment_required",
        "status": "complete",
        "subscription": sale.get("subscription"),
        "total_details": {
            "amount_discount": sale["discount"],
            "amount_shipping": sale["shipping"],
            "amount_tax": sale["tax"],
        },
    }  # fmt: skip


def invoice(sale: Mapping[str, Any], livemode: bool) -> Json:
    return {
        "id": new_id("in"),
        "object": "invoice",
        "amount_due": sale["amount"],
        "amount_paid": sale["amount"],
        "amount_remaining": 0,
        "amount_shipping": sale["shipping"],
        "billing_reason": "subscription_create",
        "created": sale["created"],
        "currency": sale["currency"],
        "customer": sale["customer"],
        "customer_address": {"city": None, "country": sale.get("country"), "line1": None, "line2": None,
                             "postal_code": None, "state": None},
        "customer_email": sale["email"],
        "customer_name": sale.get("name"),
        "customer_shipping": None,
        "livemode": livemode,
        "lines": page([], "/v1/invoices/lines", False),
        "metadata": {},
        "parent": {
            "quote_details": None,
            "subscription_details": {"metadata": sale.get("metadata") or {}, "subscription": sale["subscription"]},
            "type": "subscription_details",
        },
        "shipping_cost": None,
        "status": "paid",
        "status_transitions": {
            "finalized_at": sale["created"], "marked_uncollectible_at": None, "paid_at": sale["created"], "voided_at": None,
        },
        "subtotal": sale["amount"] - sale["tax"] + sale["discount"],
        "total": sale["amount"],
        "total_discount_amounts": [{"amount": sale["discount"], "discount": "di_standin"}] if sale["discount"] else [],
        "total_taxes": [{"amount": sale["tax"]}] if sale["tax"] else [],
    }  # fmt: skip


def invoice_payment(invoice_id: str, intent: Json) -> Json:
    return {
        "id": new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": intent["amount_received"],
        "amount_requested": intent["amount"],
        "created": intent["created"],
        "currency": intent["currency"],
        "invoice": invoice_id,
        "is_default": True,
        "livemode": intent["livemode"],
        "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": intent["created"]},
    }


def refund(intent: Json, amount: int, status: str, created: int) -> Json:
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": new_id("txn"),
        "charge": intent["latest_charge"],
        "created": created,
        "currency": intent["currency"],
        "metadata": {},
        "payment_intent": intent["id"],
        "reason": None,
        "receipt_number": None,
        "status": status,
    }


def charge(intent: Json, refunded: int) -> Json:
    return {
        "id": intent["latest_charge"],
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"],
        "amount_refunded": refunded,
        "captured": True,
        "created": intent["created"],
        "currency": intent["currency"],
        "customer": intent["customer"],
        "disputed": False,
        "livemode": intent["livemode"],
        "metadata": {},
        "paid": True,
        "payment_intent": intent["id"],
        "refunded": refunded >= intent["amount"],
        "status": "succeeded",
    }


def dispute(intent: Json, amount: int, status: str, created: int) -> Json:
    return {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": intent["latest_charge"],
        "created": created,
        "currency": intent["currency"],
        "is_charge_refundable": False,
        "livemode": intent["livemode"],
        "metadata": {},
        "payment_intent": intent["id"],
        "reason": "general",
        "status": status,
    }
