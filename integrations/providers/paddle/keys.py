"""What Paddle credentials show by themselves, before anybody asks Paddle."""

import re
from collections.abc import Mapping

from integrations.errors import InvalidCredentials
from integrations.providers.paddle import words

_KEY = re.compile(r"pdl_(live|sdbx)_apikey_[A-Za-z0-9_]{4,100}")
_MODES = {"live": "LIVE", "sdbx": "TEST"}


def mode_of(credentials: Mapping[str, str]) -> str | None:
    """`LIVE` or `TEST`; None for something that is no API key."""
    match = _KEY.fullmatch(credentials.get("api_key", ""))
    return _MODES[match[1]] if match else None


def check_credentials(credentials: Mapping[str, str]) -> None:
    """Raises InvalidCredentials where `api_key` doesn't look like one."""
    if mode_of(credentials) is None:
        raise InvalidCredentials([("credentials.api_key", "invalid", words.KEY_SHAPE)])


def check_webhook_secret(secret: str) -> None:
    """Raises InvalidCredentials where it can't be a notification's secret key."""
    if not secret.isascii() or not secret.isprintable() or " " in secret or not 6 <= len(secret) <= 255:
        raise InvalidCredentials([("webhook_secret", "invalid", words.SIGNING_SHAPE)])
