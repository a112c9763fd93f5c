"""What Razorpay credentials show by themselves, before anybody asks Razorpay."""

import re
from collections.abc import Mapping

from integrations.errors import InvalidCredentials
from integrations.providers.razorpay import words

_KEY = re.compile(r"rzp_(live|test)_[A-Za-z0-9]{4,60}")


def mode_of(credentials: Mapping[str, str]) -> str | None:
    """`LIVE` or `TEST`; None for something that is no key id."""
    match = _KEY.fullmatch(credentials.get("key_id", ""))
    return match[1].upper() if match else None


def check_credentials(credentials: Mapping[str, str]) -> None:
    """Raises InvalidCredentials where `key_id` doesn't look like one."""
    if mode_of(credentials) is None:
        raise InvalidCredentials([("credentials.key_id", "invalid", words.KEY_SHAPE)])


def check_webhook_secret(secret: str) -> None:
    """Raises InvalidCredentials where it can't be what somebody typed in as a secret."""
    if not secret.isascii() or not secret.isprintable() or " " in secret or not 6 <= len(secret) <= 255:
        raise InvalidCredentials([("webhook_secret", "invalid", words.SIGNING_SHAPE)])
