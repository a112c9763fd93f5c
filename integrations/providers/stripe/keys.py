"""What a Stripe credential shows by itself, before anybody asks Stripe."""

import re
from collections.abc import Mapping

from integrations.errors import InvalidCredentials
from integrations.providers.stripe import words

_KEY = re.compile(r"(sk|rk)_(live|test)_[A-Za-z0-9_]{1,240}")


def mode_of_key(key: str) -> str | None:
    """`LIVE` or `TEST`; None for something that is no secret key."""
    match = _KEY.fullmatch(key)
    return match[2].upper() if match else None


def check_credentials(credentials: Mapping[str, str]) -> None:
    """Raises InvalidCredentials where `api_key` doesn't look like a secret or restricted key."""
    key = credentials["api_key"]
    if key.startswith("pk_"):
        raise InvalidCredentials([("credentials.api_key", "invalid", words.KEY_PUBLISHABLE)])
    if mode_of_key(key) is None:
        raise InvalidCredentials([("credentials.api_key", "invalid", words.KEY_SHAPE)])


def check_webhook_secret(secret: str) -> None:
    """Raises InvalidCredentials where it can't be a signing secret. Stripe's begin with whsec_; a relay's needn't."""
    if not secret.isascii() or not secret.isprintable() or " " in secret or not 6 <= len(secret) <= 255:
        raise InvalidCredentials([("webhook_secret", "invalid", words.SIGNING_SHAPE)])


def mode_of(credentials: Mapping[str, str]) -> str | None:
    return mode_of_key(credentials.get("api_key", ""))
