"""Keys that the stand-ins sign with. They are worth nothing outside the stand-ins: nobody else trusts them."""

import time
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from integrations.sandbox.store import Store


@cache
def own_key(provider: str) -> str:
    """A provider's key as PEM. Making one takes long, so each process makes one at most."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@lru_cache(maxsize=8)
def key_of(pem: str) -> rsa.RSAPrivateKey:
    """The key for signing; reading it checks its primes, which takes longer than signing."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def kept(store: Store, provider: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` answers the first time for a state file: a key lives as long as what was signed with it."""
    name = f"{provider}-signing-key"
    with store.transaction():
        found = store.get(provider, False, "key", name)
        if found is None:
            found = {"id": name, "created": int(time.time()), **make()}
            store.put(provider, False, "key", found)
    return found
