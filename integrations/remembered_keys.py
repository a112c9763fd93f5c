"""The keys that providers sign webhooks with, in this process's memory, by the address that they were fetched from.

An adapter reads them here, since it may neither call out nor touch the database; `signing_keys` puts them here.
"""

import time

from integrations.errors import SigningKeyUnknown

# After this long the key is read from the database again, so that one that was taken away there stops being trusted.
SECONDS = 3600

_kept: dict[str, tuple[float, bytes]] = {}


def remember(url: str, key: bytes) -> None:
    _kept[url] = (time.monotonic(), key)


def recalled(url: str) -> bytes:
    """Raises SigningKeyUnknown."""
    at, key = _kept.get(url, (float("-inf"), b""))
    if time.monotonic() - at > SECONDS:
        raise SigningKeyUnknown(url)
    return key


def forget() -> None:
    _kept.clear()
