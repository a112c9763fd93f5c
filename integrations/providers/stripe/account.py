"""Whose account a key belongs to."""

from typing import Any

from integrations.base import Access, AccountCheck
from integrations.providers.stripe.client import Conversation
from integrations.providers.stripe.keys import mode_of_key


def check(access: Access) -> AccountCheck:
    """Ask Stripe. Raises ConnectionNeedsAttention where it doesn't take the key."""
    talk = Conversation(access)
    with talk.reading():
        account = talk.api.accounts.retrieve_current().to_dict()
    mode = mode_of_key(access.credentials["api_key"]) or access.mode
    name = _name(account)
    currency = account.get("default_currency")
    return AccountCheck(
        account=f"{name} ({account['id']})" if name else account["id"],
        currency=currency.upper() if currency else None,
        mode=mode,
        message=f"The key works: {name or account['id']}, {mode.lower()} mode{f', {currency.upper()}' if currency else ''}.",
    )


def _name(account: dict[str, Any]) -> str | None:
    dashboard = (account.get("settings") or {}).get("dashboard") or {}
    return dashboard.get("display_name") or (account.get("business_profile") or {}).get("name") or None
