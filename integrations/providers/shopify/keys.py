"""What Shopify credentials show by themselves, and the ids of customers."""

import re
from collections.abc import Mapping

from integrations.errors import InvalidCredentials
from integrations.providers.shopify import words

# https://shopify.dev/docs/apps/build/authentication-authorization: the only host that a shop's Admin API has.
_SHOP = re.compile(r"[a-z0-9][a-z0-9-]{0,98}\.myshopify\.com")
_TOKEN = re.compile(r"shp[a-z]{2}_[A-Za-z0-9_]{8,250}")
_SECRET = re.compile(r"[!-~]{8,255}")
_CUSTOMER = "gid://shopify/Customer/"


def check_credentials(credentials: Mapping[str, str]) -> None:
    """Raises InvalidCredentials where one of them can't be what it should be."""
    errors = [
        (f"credentials.{name}", "invalid", message)
        for name, shape, message in (
            ("shop", _SHOP, words.SHOP_SHAPE),
            ("access_token", _TOKEN, words.ACCESS_SHAPE),
            ("client_secret", _SECRET, words.APP_SHAPE),
        )
        if not shape.fullmatch(credentials[name])
    ]
    if errors:
        raise InvalidCredentials(errors)


def is_shop(name: str) -> bool:
    """Whether it is the address of a shop at Shopify, in lower case and without https://."""
    return _SHOP.fullmatch(name) is not None


def mode_of(credentials: Mapping[str, str]) -> str | None:
    """Credentials of a development shop look like any other's."""
    return None


def check_webhook_secret(secret: str) -> None:
    """Never asked: webhooks are verified with the client secret."""
    raise InvalidCredentials([("webhook_secret", "unknown", words.SIGNING_HELP)])


def customer_gid(known_as: str) -> str:
    """The global id for a customer's id in either of its forms: `207119551` as in webhooks, or the global id itself."""
    return known_as if known_as.startswith(_CUSTOMER) else f"{_CUSTOMER}{known_as}"


def customer_number(gid: str) -> str:
    """The number in a customer's global id: the form in which webhooks name customers, and in which it is kept."""
    return gid.removeprefix(_CUSTOMER)
