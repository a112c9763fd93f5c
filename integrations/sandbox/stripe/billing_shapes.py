"""What Stripe returns about prices, subscriptions and their discounts. A test holds them against its published samples."""

import time
from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from integrations.sandbox.stripe.shapes import new_id, page

Json = dict[str, Any]


def price(fields: Mapping[str, Any], livemode: bool) -> Json:
    """A monthly or yearly price of `amount` in Stripe's units."""
    return {
        "id": new_id("price"),
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": int(time.time()),
        "currency": fields["currency"],
        "custom_unit_amount": None,
        "livemode": livemode,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": fields.get("product") or new_id("prod"),
        "recurring": {
            "interval": fields.get("interval", "month"),
            "interval_count": 1,
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        },
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring",
        "unit_amount": fields["amount"],
        "unit_amount_decimal": str(fields["amount"]),
    }


def subscription(customer: Mapping[str, Any], priced: Json, fields: Mapping[str, Any]) -> Json:
    subscription_id, now = new_id("sub"), int(time.time())
    item: Json = {
        "id": new_id("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": now,
        "current_period_end": a_period_after(now, priced),
        "current_period_start": now,
        "discounts": [],
        "metadata": {},
        "price": priced,
        "quantity": 1,
        "subscription": subscription_id,
        "tax_rates": [],
    }
    return {
        "id": subscription_id,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": now,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"type": "classic"},
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": bool(fields.get("cancel_at_period_end", False)),
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": now,
        "currency": priced["currency"],
        "customer": customer["id"],
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "ended_at": None,
        "items": page([item], f"/v1/subscription_items?subscription={subscription_id}", has_more=False),
        "latest_invoice": None,
        "livemode": customer["livemode"],
        "metadata": fields.get("metadata") or {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": now,
        "status": fields.get("status", "active"),
        "test_clock": None,
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": None,
    }


def coupon(fields: Mapping[str, Any], livemode: bool) -> Json:
    return {
        "id": fields.get("id") or new_id("cpn").removeprefix("cpn_")[:8],
        "object": "coupon",
        "amount_off": fields.get("amount_off"),
        "created": int(time.time()),
        "currency": fields.get("currency"),
        "duration": fields.get("duration", "once"),
        "duration_in_months": fields.get("duration_in_months"),
        "livemode": livemode,
        "max_redemptions": fields.get("max_redemptions"),
        "metadata": fields.get("metadata") or {},
        "name": fields.get("name"),
        "percent_off": fields.get("percent_off"),
        "redeem_by": fields.get("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
    }


def deleted_coupon(coupon_id: str) -> Json:
    return {"id": coupon_id, "object": "coupon", "deleted": True}


def promotion_code(fields: Mapping[str, Any], livemode: bool) -> Json:
    return {
        "id": new_id("promo"),
        "object": "promotion_code",
        "active": fields.get("active", True),
        "code": fields.get("code") or new_id("code").removeprefix("code_")[:8].upper(),
        "created": int(time.time()),
        "customer": fields.get("customer"),
        "customer_account": None,
        "expires_at": fields.get("expires_at"),
        "livemode": livemode,
        "max_redemptions": fields.get("max_redemptions"),
        "metadata": fields.get("metadata") or {},
        "promotion": {"coupon": fields["promotion"]["coupon"], "type": "coupon"},
        "restrictions": {"first_time_transaction": False, "minimum_amount": None, "minimum_amount_currency": None},
        "times_redeemed": 0,
    }


def discount(owner: Mapping[str, Any], made_of: Json, promotion: str | None = None) -> Json:
    """A coupon as it lies on a subscription. `source.coupon` is the id; an answer expands it where asked to."""
    now = int(time.time())
    return {
        "id": new_id("di"),
        "object": "discount",
        "checkout_session": None,
        "customer": owner["customer"],
        "customer_account": None,
        "end": months_after(now, made_of["duration_in_months"]) if made_of["duration"] == "repeating" else None,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": promotion,
        "source": {"coupon": made_of["id"], "type": "coupon"},
        "start": now,
        "subscription": owner["id"],
        "subscription_item": None,
    }


def webhook_endpoint(fields: Mapping[str, Any], livemode: bool) -> Json:
    """As it is stored; `secret` is shown in the answer to its making alone."""
    return {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": fields.get("api_version"),
        "application": None,
        "created": int(time.time()),
        "description": fields.get("description"),
        "enabled_events": fields["enabled_events"],
        "livemode": livemode,
        "metadata": fields.get("metadata") or {},
        "status": "enabled",
        "url": fields["url"],
    }


def months_after(at: int, months: int) -> int:
    """The same day and time so many months later, or that month's last day. Seconds since 1970, UTC."""
    then = datetime.fromtimestamp(at, UTC)
    year, month = divmod(then.year * 12 + then.month - 1 + months, 12)
    day = min(then.day, monthrange(year, month + 1)[1])
    return int(then.replace(year=year, month=month + 1, day=day).timestamp())


def a_period_after(at: int, priced: Mapping[str, Any]) -> int:
    return months_after(at, 12 if priced["recurring"]["interval"] == "year" else 1)


def invoice_totals(amount: int, coupons: Sequence[Mapping[str, Any]]) -> tuple[int, list[int]]:
    """What is left of an invoice's subtotal, and what each coupon takes off, one after the other."""
    taken = []
    for each in coupons:
        off = each["amount_off"] if each["amount_off"] is not None else round(amount * each["percent_off"] / 100)
        taken.append(min(off, amount))
        amount -= taken[-1]
    return amount, taken
