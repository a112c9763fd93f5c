"""What PayPal's credentials look like, before anybody asks PayPal. They don't show whether they are live."""

import re
from collections.abc import Mapping

from integrations.errors import InvalidCredentials
from integrations.providers.paypal import words

_CREDENTIAL = re.compile(r"[A-Za-z0-9_-]{10,200}")
_WEBHOOK_ID = re.compile(r"[A-Za-z0-9]{10,50}")


def check_credentials(credentials: Mapping[str, str]) -> None:
    """Raises InvalidCredentials where one can't be what it is given for."""
    errors = [
        (f"credentials.{name}", "invalid", words.CREDENTIAL_SHAPE)
        for name in ("client_id", "client_secret")
        if not _CREDENTIAL.fullmatch(credentials[name])
    ]
    if credentials["webhook_id"] and not _WEBHOOK_ID.fullmatch(credentials["webhook_id"]):
        errors.append(("credentials.webhook_id", "invalid", words.SIGNING_SHAPE))
    if errors:
        raise InvalidCredentials(errors)


def check_webhook_id(webhook_id: str) -> None:
    """Raises InvalidCredentials where it can't be the ID of a webhook."""
    if not _WEBHOOK_ID.fullmatch(webhook_id):
        raise InvalidCredentials([("webhook_secret", "invalid", words.SIGNING_SHAPE)])


def mode_of(credentials: Mapping[str, str]) -> str | None:
    """PayPal's keys of both modes look the same; the address that they are sent to tells which they are for."""
    return None
