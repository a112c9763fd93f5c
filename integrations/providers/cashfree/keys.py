"""What Cashfree credentials show by themselves, before anybody asks Cashfree."""

from collections.abc import Mapping


def mode_of(credentials: Mapping[str, str]) -> str | None:
    """`LIVE` or `TEST`; None where neither the id nor the secret shows it (older live ones don't)."""
    secret = credentials.get("client_secret", "")
    if credentials.get("client_id", "").startswith("TEST") or "_test_" in secret[:16]:
        return "TEST"
    return "LIVE" if "_prod_" in secret[:16] else None


def check_credentials(credentials: Mapping[str, str]) -> None:
    """Cashfree documents no form for them: whether they work, only Cashfree knows."""


def check_webhook_secret(secret: str) -> None:
    """There is none besides the client secret."""
