"""Faults that a test or a person puts into the stand-ins, to see what the product makes of them."""

import threading
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    TIMEOUT_BEFORE = "timeout_before"  # holds the request, never acts, closes
    TIMEOUT_AFTER = "timeout_after"  # acts, holds the answer, closes without giving it
    RESET = "reset"  # acts, breaks the connection in the middle of the answer
    MALFORMED = "malformed"  # acts, answers 200 with half a JSON
    SERVER_ERROR = "server_error"  # 500, kept under the idempotency key; acts if `acts`
    UNAVAILABLE = "unavailable"  # 503, never acts
    RATE_LIMITED = "rate_limited"  # 429, never acts; with `retry_after` seconds
    REVOKED = "revoked"  # 401, never acts
    SLOW_BEFORE = "slow_before"  # waits `seconds`, then acts and answers
    SLOW_AFTER = "slow_after"  # acts, then waits `seconds` before it answers


class BadFault(ValueError):
    """A fault that can't be made of what was asked for."""


@dataclass(frozen=True)
class Fault:
    """`times` is how many requests it still strikes, None for all; `path` and `body` are parts of the paths and bodies
    that it strikes: GraphQL has one path for everything.
    """

    kind: FaultKind
    provider: str
    method: str | None = None
    path: str = ""
    times: int | None = 1
    seconds: float = 60.0
    retry_after: float | None = None
    acts: bool = False
    skip: int = 0
    body: str = ""

    @classmethod
    def of(cls, wanted: dict[str, Any]) -> "Fault":
        """From JSON. Raises BadFault."""
        try:
            return cls(**{**wanted, "kind": FaultKind(wanted["kind"]), "provider": wanted.get("provider", "stripe")})
        except (KeyError, TypeError, ValueError) as error:
            raise BadFault(f"kind is one of {', '.join(FaultKind)}; {error}") from error

    def strikes(self, provider: str, method: str, path: str, body: bytes) -> bool:
        return (
            provider == self.provider
            and self.method in (None, method)
            and self.path in path
            and self.body.encode() in body
        )


@dataclass
class Faults:
    _waiting: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: threading.Event = field(default_factory=threading.Event)
    # How many requests were held so far, for a client that wants to know of its own.
    held: int = 0

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(fault)

    def waiting(self) -> list[Fault]:
        with self._lock:
            return list(self._waiting)

    def clear(self) -> None:
        """Forget all faults and let go of every request that is held."""
        with self._lock:
            self._waiting.clear()
            released, self._released = self._released, threading.Event()
        released.set()

    def take(self, provider: str, method: str, path: str, body: bytes = b"") -> Fault | None:
        """The first fault that strikes this request; it then has one time less."""
        with self._lock:
            for place, fault in enumerate(self._waiting):
                if not fault.strikes(provider, method, path, body):
                    continue
                if fault.skip:
                    self._waiting[place] = replace(fault, skip=fault.skip - 1)
                    continue
                self._spend(place, fault)
                return fault
        return None

    def _spend(self, place: int, fault: Fault) -> None:
        if fault.times is None:
            return
        if fault.times <= 1:
            del self._waiting[place]
        else:
            self._waiting[place] = replace(fault, times=fault.times - 1)

    def hold(self, seconds: float) -> None:
        """Wait, or until the faults are cleared."""
        with self._lock:
            self.held += 1
            released = self._released
        released.wait(seconds)
