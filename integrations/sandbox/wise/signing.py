"""The stand-in's own key, and webhooks signed with it as Wise signs its own."""

import time
from base64 import b64encode
from typing import Any
from uuid import uuid4

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from integrations.sandbox.keys import key_of, own_key
from integrations.sandbox.store import Store

Json = dict[str, Any]
PROVIDER = "wise"
KEY_PATH = "/webhook-public-key"
DELIVERY_SECONDS = 20
_KEY_ID = "wise-signing-key"


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
            "Content-Type": "application/json",
            "X-Signature-SHA256": b64encode(signature).decode(),
            "X-Delivery-Id": str(uuid4()),
        }

    def tell(self, url: str, event: bytes) -> Json:
        """Post a signed event."""
        headers = self.headers(event)
        try:
            answer = requests.post(url, data=event, headers=headers, timeout=DELIVERY_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            return {"status": None, "error": type(error).__name__}
        return {"status": answer.status_code, "error": None}

    def _key(self) -> rsa.RSAPrivateKey:
        with self._store.transaction():
            kept = self._store.get(PROVIDER, False, "key", _KEY_ID)
            if kept is None:
                kept = {"id": _KEY_ID, "created": int(time.time()), "key": own_key(PROVIDER)}
                self._store.put(PROVIDER, False, "key", kept)
        return key_of(kept["key"])
