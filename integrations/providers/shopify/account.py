"""Asking Shopify whose shop this is, and what the app may do there."""

from integrations.base import Access, AccountCheck
from integrations.errors import ConnectionNeedsAttention
from integrations.providers.shopify import queries, words
from integrations.providers.shopify.client import Conversation

# https://shopify.dev/docs/api/usage/access-scopes. Writing includes reading at Shopify, and both are asked for by name.
SCOPES = (
    "read_customers",
    "read_orders",
    "read_shopify_payments_disputes",
    "read_gift_cards",
    "write_gift_cards",
    "read_discounts",
    "write_discounts",
)


def check(access: Access) -> AccountCheck:
    """Raises ConnectionNeedsAttention where the token belongs to another shop than the one that was typed in."""
    talk = Conversation(access)
    data = talk.read(queries.ACCOUNT)
    try:
        shop, granted = data["shop"], {each["handle"] for each in data["currentAppInstallation"]["accessScopes"]}
        domain, currency, plan = shop["myshopifyDomain"], shop["currencyCode"], shop["plan"]
        development = bool(plan["partnerDevelopment"])
        name = shop["name"]
    except (KeyError, TypeError) as error:
        raise talk.unreadable(writes=False) from error
    if domain != access.credentials["shop"] and access.api_base is None:
        raise ConnectionNeedsAttention(words.SHOP_UNKNOWN, exchanges=talk.exchanges)
    missing = [scope for scope in SCOPES if scope not in granted and scope.replace("read_", "write_") not in granted]
    return AccountCheck(
        account=f"{name} ({domain})",
        currency=currency,
        mode=access.mode,
        message=words.connected(name, development=development, missing=missing),
    )
