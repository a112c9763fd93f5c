"""Keeping to a provider's rate limit from one process: whoever holds the connection's lease is the only one to ask."""

import threading
import time
from collections.abc import Callable

from integrations.registry import provider_of

# Requests take different times to arrive; a little distance keeps a second from ever holding one too many.
SHARE = 0.95


class Pace:
    """Spaces requests evenly, from any number of threads: a token bucket that holds one token.

    `per_second` None paces nothing. `hold` keeps everybody back for as long as the provider asked for. `checked` is
    called after the wait, right before the request: what it raises keeps the request from being made.
    """

    def __init__(self, per_second: float | None, checked: Callable[[], None] = lambda: None) -> None:
        self._gap = 1 / (per_second * SHARE) if per_second else 0.0
        self._checked = checked
        self._lock = threading.Lock()
        self._next = 0.0

    def __call__(self) -> None:
        with self._lock:
            now = time.monotonic()
            mine = max(self._next, now)
            self._next = mine + self._gap
        if mine > now:
            time.sleep(mine - now)
        self._checked()

    def hold(self, seconds: float) -> None:
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def requests_per_second(provider: str, mode: str) -> float | None:
    """What the provider allows a connection of that mode; None where it names no limit."""
    return provider_of(provider).requests_per_second.get(mode)
