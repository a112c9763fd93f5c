"""The stand-in's own key, and webhooks signed with it as Wise signs its own."""

from base64 import b64encode
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from integrations.sandbox.keys import kept, key_of, own_key
from integrations.sandbox.store import Store
from integrations.sandbox.telling import tell

Json = dict[str, Any]
PROVIDER = "wise"
KEY_PATH = "/webhook-public-key"


class Signer:
    """The key is made once for each state file. It is worth nothing outside the stand-in: nobody else trusts it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def public_key(self) -> bytes:
        return (
            self._key()
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )

    def headers(self, event: bytes) -> dict[str, str]:
        """What Wise sends beside an event."""
        signature = self._key().sign(event, padding.PKCS1v15(), hashes.SHA256())
        return {
            "X-Signature-SHA256": b64encode(signature).decode(),
            "X-Delivery-Id": str(uuid4()),
        }

    def tell(self, url: str, event: bytes) -> Json:
        """Post a signed event."""
        return tell(url, event, self.headers(event))

    def _key(self) -> rsa.RSAPrivateKey:
        return key_of(kept(self._store, PROVIDER, lambda: {"key": own_key(PROVIDER)})["key"])
