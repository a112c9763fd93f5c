"""Connecting a shop by installing the operator's app in it, instead of pasting a token.

The person's browser goes to the shop, which sends it back with a code, signed with the app's secret. The code is worth
one token and is exchanged by a worker, never inside a request: until then the connection holds the code instead of a
token. Killed after the exchange and before the token is written, the code is used up, and the shop's owner installs
once more: nothing but a click is lost. https://shopify.dev/docs/apps/build/authentication-authorization
"""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import shopify
from django.conf import settings

from integrations.base import Access
from integrations.errors import (
    BadSignature,
    ConnectionNeedsAttention,
    InvalidCredentials,
    ProviderRetryable,
    error_of_failure,
    error_of_status,
)
from integrations.providers.shopify import client, words
from integrations.providers.shopify.account import SCOPES
from integrations.providers.shopify.keys import is_shop
from integrations.providers.shopify.queries import API_VERSION
from referral_rocket.kit.http import HttpFailure

# What a connection holds in place of a token until the code is exchanged.
CODE = "authorization_code"


def is_set_up() -> bool:
    """Whether the operator has given us an app to install."""
    return bool(settings.SHOPIFY_CLIENT_ID and settings.SHOPIFY_CLIENT_SECRET)


def permission_url(shop: str, callback: str, state: str, api_base: str | None) -> str:
    """Where the shop's owner allows what the app asks for. Raises InvalidCredentials for what is no shop's address."""
    shop = shop.strip().lower()
    if not is_shop(shop):
        raise InvalidCredentials([("shop", "invalid", words.SHOP_SHAPE)])
    url: str = _session(shop).create_permission_url(list(SCOPES), callback, state)
    # What stands for the shop can't tell from its own address which one is meant.
    return f"{url.replace(f'https://{shop}', api_base, 1)}&shop={shop}" if api_base else url


def credentials(answered: Mapping[str, str], shop: str) -> dict[str, str]:
    """The credentials that a shop's answer is good for, to begin with. Raises BadSignature.

    The caller has checked `state`, which ties the answer to the person who asked; the signature ties it to the shop.
    """
    try:
        genuine = _session(shop).validate_params(dict(answered))
    except ValueError as error:
        raise BadSignature("malformed", words.INSTALL_REFUSED) from error
    if not genuine or answered.get("shop") != shop or not answered.get("code"):
        raise BadSignature("wrong", words.INSTALL_REFUSED)
    return {"shop": shop, "access_token": "", "client_secret": settings.SHOPIFY_CLIENT_SECRET, CODE: answered["code"]}


def exchange(access: Access) -> dict[str, str]:
    """The credentials for good. Raises the errors of `integrations.errors`."""
    asked = {
        "client_id": settings.SHOPIFY_CLIENT_ID,
        "client_secret": settings.SHOPIFY_CLIENT_SECRET,
        "code": access.credentials[CODE],
    }
    try:
        answer = client.post_secret(access, "/admin/oauth/access_token", asked)
    except HttpFailure as failure:
        raise error_of_failure(failure, provider=words.NAME, writes=False) from failure
    if 400 <= answer.status < 500 and answer.status != 429:
        raise ConnectionNeedsAttention(words.CODE_USED_UP)
    if answer.status != 200:
        raise error_of_status(answer.status, answer.headers, provider=words.NAME, writes=False)
    try:
        token = json.loads(answer.body)["access_token"]
    except (ValueError, KeyError, TypeError) as error:
        raise ProviderRetryable(words.UNREADABLE_READ, sent=True) from error
    return {
        "shop": access.credentials["shop"],
        "access_token": str(token),
        "client_secret": access.credentials["client_secret"],
    }


def _session(shop: str) -> shopify.Session:
    shopify.Session.setup(api_key=settings.SHOPIFY_CLIENT_ID, secret=settings.SHOPIFY_CLIENT_SECRET)
    assert urlsplit(f"https://{shop}").hostname == shop
    return shopify.Session(shop, API_VERSION)
