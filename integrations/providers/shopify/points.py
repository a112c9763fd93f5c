"""Shopify's rate limit: calls cost points, of which each app has a bucket per shop that fills by the second.

Every answer says how full the bucket is (`extensions.cost`). From that, and from what is under way, a call is held back
until its cost should be there, so that a batch runs at the shop's pace rather than into refusals.
https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

# Held back no longer than this: the points of another process, or a guess that was too high, mustn't stop a runner. The
# call then goes out, and Shopify's own refusal says how long to wait.
LONGEST_WAIT = 5.0
# What a mutation costs; any other call's cost is known from its first answer on.
FIRST_GUESS = 10.0


class Bucket:
    """The points that a shop has left for us. Used by many threads at once; times are monotonic seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._costs: dict[str, float] = {}
        self._under_way = 0.0
        # As the last answer had it; unknown before the first.
        self._left: float | None = None
        self._maximum = self._rate = self._at = 0.0

    def spend(self, operation: str) -> float:
        """Wait until the operation's cost should be there, at most LONGEST_WAIT seconds; the cost, for `settle`."""
        with self._lock:
            cost = self._costs.get(operation, FIRST_GUESS)
            wait = self._wait_for(cost)
            self._under_way += cost
        if wait:
            self._sleep(wait)
        return cost

    def settle(self, operation: str, cost: float, told: Mapping[str, Any] | None) -> None:
        """The call is over; `told` is the answer's `extensions.cost`, None where there was none."""
        with self._lock:
            self._under_way -= cost
            if told is None:
                return
            status = told["throttleStatus"]
            self._costs[operation] = float(told["requestedQueryCost"])
            self._left, self._at = float(status["currentlyAvailable"]), self._now()
            self._maximum, self._rate = float(status["maximumAvailable"]), float(status["restoreRate"])

    def _wait_for(self, cost: float) -> float:
        if self._left is None or self._rate <= 0:
            return 0.0
        filled = min(self._left + (self._now() - self._at) * self._rate, self._maximum)
        missing = cost - (filled - self._under_way)
        return min(max(missing / self._rate, 0.0), LONGEST_WAIT)


def seconds_until(told: Mapping[str, Any]) -> float:
    """How long until the refused call's cost is there again, from the refusal's `extensions.cost`."""
    status = told["throttleStatus"]
    missing = float(told["requestedQueryCost"]) - float(status["currentlyAvailable"])
    return max(missing, 0.0) / max(float(status["restoreRate"]), 1.0)


_buckets: dict[UUID, Bucket] = {}
_buckets_lock = threading.Lock()
# A process that has worked for so many shops starts learning anew.
_MOST_SHOPS = 1000


def bucket_of(connection_id: UUID) -> Bucket:
    """The bucket of a connection in this process; one runner at a time works for a connection."""
    with _buckets_lock:
        if connection_id not in _buckets and len(_buckets) >= _MOST_SHOPS:
            _buckets.clear()
        return _buckets.setdefault(connection_id, Bucket())
