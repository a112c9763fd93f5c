"""Signatures over raw bytes: made with HMAC-SHA256, compared in constant time."""

import base64
import binascii
import hashlib
import hmac
import secrets
from functools import lru_cache

STANDARD_PREFIX = "whsec_"


def hmac_sha256(secret: bytes, message: bytes) -> bytes:
    return hmac.digest(secret, message, hashlib.sha256)


def hex_signature(secret: str, message: bytes) -> str:
    """Lower-case hexadecimal HMAC-SHA256, keyed by the secret's text."""
    return hmac_sha256(secret.encode(), message).hex()


def base64_signature(secret: str, message: bytes) -> str:
    """Base64 HMAC-SHA256, keyed by the secret's text."""
    return base64.b64encode(hmac_sha256(secret.encode(), message)).decode("ascii")


def same(expected: str, given: str) -> bool:
    """Whether two signatures are equal, in a time that doesn't tell how much of them is. Any text is allowed."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", errors="surrogatepass"))


def new_standard_secret() -> str:
    """A secret of 32 random bytes in the form of Standard Webhooks: `whsec_` and base64."""
    return STANDARD_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def standard_signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,<base64>` over `id.timestamp.body`, as Standard Webhooks has it. `timestamp` in seconds since 1970.

    Raises ValueError where the secret is not `whsec_` with base64.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac_sha256(_standard_key(secret), signed)).decode("ascii")


# The sender signs thousands a second with a few secrets.
@lru_cache(maxsize=512)
def _standard_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a Standard Webhooks secret is whsec_ with base64") from error
