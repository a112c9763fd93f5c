"""What a Tremendous credential shows by itself, and where the API is."""

import re
from collections.abc import Mapping

from integrations.errors import InvalidCredentials
from integrations.providers.tremendous import words

_KEY = re.compile(r"[A-Za-z0-9_-]{12,250}")
_MODES = {"TEST_": "TEST", "PROD_": "LIVE"}
# https://developers.tremendous.com/docs/sandbox-environment
ADDRESSES = {"TEST": "https://testflight.tremendous.com", "LIVE": "https://www.tremendous.com"}


def check_credentials(credentials: Mapping[str, str]) -> None:
    """Raises InvalidCredentials where `api_key` doesn't look like a key."""
    if not _KEY.fullmatch(credentials["api_key"]):
        raise InvalidCredentials([("credentials.api_key", "invalid", words.KEY_SHAPE)])


def mode_of(credentials: Mapping[str, str]) -> str | None:
    """By the key's beginning; None for a key that has none of the two."""
    return _MODES.get(credentials.get("api_key", "")[:5].upper())


def check_webhook_secret(secret: str) -> None:
    """Raises InvalidCredentials where it can't be a webhook's private key."""
    if not secret.isascii() or not secret.isprintable() or " " in secret or not 6 <= len(secret) <= 255:
        raise InvalidCredentials([("webhook_secret", "invalid", words.SIGNING_SHAPE)])
