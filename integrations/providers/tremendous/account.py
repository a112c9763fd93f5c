"""Asking Tremendous whose account this is, and what the settings can name."""

from typing import Any

from integrations.base import Access, AccountCheck
from integrations.providers.tremendous import words
from integrations.providers.tremendous.client import Conversation

Json = dict[str, Any]
# As many as a person reads; Tremendous itself lists them all.
MOST = 10


def check(access: Access) -> AccountCheck:
    talk = Conversation(access)
    organizations, funding = talk.get("organizations"), talk.get("funding_sources")
    campaigns = talk.get("campaigns")
    try:
        organization = organizations["organizations"][0]  # type: ignore[index]
        name, currency = organization["name"], organization.get("currency_code")
        usable = [_source(each) for each in funding["funding_sources"] if _is_usable(each)]  # type: ignore[index]
        known = [f"{each['name']} ({each['id']})" for each in campaigns["campaigns"]]  # type: ignore[index]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise talk.unreadable(writes=False) from error
    return AccountCheck(
        account=f"{name} ({organization['id']})" if organization.get("id") else name,
        currency=currency,
        mode=access.mode,
        message=words.connected(name, usable[:MOST], known[:MOST]),
    )


def _is_usable(source: Json) -> bool:
    """https://developers.tremendous.com/docs/paying-for-orders-1: active, and allowed for orders by API."""
    permissions = source.get("usage_permissions")
    return source.get("status", "active") == "active" and (permissions is None or "api_orders" in permissions)


def _source(source: Json) -> str:
    meta = source.get("meta") or {}
    left = meta.get("available_amount")
    told = f", {left} {meta.get('currency_code') or ''}".rstrip() + " left" if left is not None else ""
    return f"{source['method'].replace('_', ' ')} ({source['id']}{told})"
