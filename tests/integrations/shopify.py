"""What the tests of Shopify's two methods share: a shop with a customer, and how to look into it."""

from typing import Any
from uuid import uuid4

from integrations.base import Access, IssueOrder, Recipient
from tests.integrations.stand_in import RunningSandbox

TOKEN = "shpat_standin_test_0001"
SHOP = "stand-in-test.myshopify.com"
EMAIL = "friend@example.com"


def access_to(sandbox: RunningSandbox) -> Access:
    credentials = {"shop": SHOP, "access_token": TOKEN, "client_secret": "shpss_standin_0001"}
    return Access(uuid4(), "shopify", "TEST", credentials, {}, f"{sandbox.url}/shopify")


def order_for(email: str | None = EMAIL, **fields: Any) -> IssueOrder:
    reward_id = uuid4()
    recipient = fields.pop("recipient", Recipient(email, "A Friend"))
    return IssueOrder(reward_id, f"{reward_id}:1", 1200, "USD", recipient, "Reward: Friends", **fields)


def add_customer(sandbox: RunningSandbox, email: str = EMAIL, **fields: Any) -> str:
    """The customer's global id."""
    return sandbox.post("shopify/customers", customers=[{"email": email, **fields}])["customers"][0]["id"]


def cards_of(sandbox: RunningSandbox, key: str) -> list[Any]:
    """The gift cards made for a key, newest first."""
    return sandbox.get("shopify/gift_cards", note=key)["gift_cards"]


def minor(money: dict[str, str]) -> int:
    """USD and the like: cents."""
    return round(float(money["amount"]) * 100)
