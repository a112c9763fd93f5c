"""Tremendous's objects as it returns them. A test holds them against the models of Tremendous's own client."""

import secrets
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Json = dict[str, Any]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
VISA, STORE, CHARITY = "OKMHM2X2OHYV", "Q24BD9EZ332JT", "ESRNAD533W5A"
CAMPAIGN, FUNDING, CARD = "IVM0I3WNJJL0", "BALANCE00001", "CREDITCARD01"


def new_id() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(12))


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def number(amount: Decimal) -> int | float:
    """A JSON number: a stand-in's amounts are small enough for it to be exact in writing."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def organization(livemode: bool) -> Json:
    name = "Referral Rocket stand-in" + ("" if livemode else " (test)")
    return {
        "id": "STANDINLIVE1" if livemode else "STANDINTEST1",
        "name": name,
        "website": "https://shop.example.com",
        "currency_code": "USD",
        "status": "APPROVED",
    }


def funding_source(balance: Decimal) -> Json:
    return {
        "id": FUNDING,
        "method": "balance",
        "usage_permissions": ["api_orders", "dashboard_orders"],
        "status": "active",
        "meta": {
            "available_amount": number(balance),
            "available_cents": int(balance * 100),
            "currency_code": "USD",
            "pending_amount": 0,
            "pending_cents": 0,
        },
    }


def credit_card() -> Json:
    """One that the API may not use."""
    meta = {"accountholder_name": "Acme Coffee", "network": "visa", "last4": "4242", "expired": False}
    return {
        "id": CARD,
        "method": "credit_card",
        "usage_permissions": ["dashboard_orders"],
        "status": "active",
        "meta": meta,
    }


def campaign() -> Json:
    return {
        "id": CAMPAIGN,
        "name": "Referral rewards",
        "description": "Thank you for telling your friends.",
        "products": [VISA, STORE],
    }


def products() -> list[Json]:
    return [
        product(VISA, "Virtual Visa", "visa_card", ["USD"], ["US"], (1, 2000)),
        product(STORE, "Coffee store", "merchant_card", ["USD", "EUR"], ["US", "DE"], (1, 500)),
        product(CHARITY, "Trees for all", "charity", ["USD", "EUR", "GBP"], ["US", "DE", "GB"], (5, 1000)),
    ]


def product(
    product_id: str, name: str, category: str, currencies: list[str], countries: list[str], band: tuple[int, int]
) -> Json:
    return {
        "id": product_id,
        "name": name,
        "description": f"{name}, for your reward.",
        "category": category,
        "disclosure": "",
        "skus": [{"min": band[0], "max": band[1], "currency_code": currencies[0]}],
        "currency_codes": currencies,
        "countries": [{"abbr": country} for country in countries],
        "images": [],
    }


def order(wanted: Json, status: str, amount: Decimal) -> Json:
    """With its one reward, as `GET /orders/{id}` has it. The link is added to the answers that show it."""
    order_id, value = new_id(), wanted["reward"]["value"]
    delivery = (wanted["reward"].get("delivery") or {}).get("method") or "EMAIL"
    reward = {
        "id": new_id(),
        "order_id": order_id,
        "created_at": now(),
        "value": {"denomination": value["denomination"], "currency_code": value.get("currency_code", "USD")},
        "recipient": wanted["reward"].get("recipient") or {},
        "delivery": {"method": delivery, "status": "SCHEDULED" if delivery == "EMAIL" else "SUCCEEDED"},
    }
    made = {
        "id": order_id,
        "external_id": wanted.get("external_id"),
        "created_at": now(),
        "status": status,
        "channel": "API",
        "payment": {
            "subtotal": number(amount),
            "total": number(amount),
            "fees": 0,
            "discount": 0,
            "currency_code": "USD",
        },
        "rewards": [reward],
    }
    if wanted["reward"].get("campaign_id"):
        made["campaign_id"] = wanted["reward"]["campaign_id"]
    return made


def with_link(made: Json) -> Json:
    """As the answer to the order itself shows a reward by link."""
    rewards = [
        {
            **reward,
            "delivery": {**reward["delivery"], "link": f"https://rewards.example/payout/{secrets.token_hex(12)}"},
        }
        if reward["delivery"]["method"] == "LINK"
        else reward
        for reward in made["rewards"]
    ]
    return {**made, "rewards": rewards}


def error(status: int, message: str, payload: Json | None = None) -> Json:
    return {"status": status, "errors": {"message": message, **({"payload": payload} if payload else {})}}
