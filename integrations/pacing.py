"""Keeping to a provider's rate limit, whoever asks: the runner, a check, reconcile, an import, in any process.

The next free moment of a connection is kept in Redis, where whoever makes requests takes those after the last that was
taken: one, and more at once from who makes many, up to a tenth of a second's. So a runner that takes over from another
begins where that one ended, and a check finds its place between a batch's requests. Each Pace also keeps the moments
that it has taken itself: where Redis is emptied or away, the one that holds the connection's lease and makes nearly all
of the requests still keeps to the limit by itself.
"""

import random
import threading
import time
from collections.abc import Callable
from uuid import UUID

from integrations.registry import provider_of
from referral_rocket.kit.shared_state import evaluate

# Requests take different times to arrive; a little distance keeps a second from ever holding one too many.
SHARE = 0.95
# Who wakes later than this after its moment (a busy machine, a process that was stopped) takes another one: several that
# are late go out at once. 1 / SHARE - 1 is as late as a request can be at the provider without being one too many.
LATEST_SECONDS = 0.04
# Asking Redis for each moment cost a tenth of what issuing a reward does. What was taken and isn't used is lost.
MOST_TAKEN_SECONDS = 0.1

# KEYS: the next free moment, by Redis' own clock, in seconds. ARGV: how much of it is taken, and in how many seconds from
# now it begins at the earliest. Answers the seconds until it begins, as text (an integer reply would lose the fraction).
_TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local taken = tonumber(redis.call('GET', KEYS[1]) or '0')
-- A moment that is hours ahead comes from before a clock was put back; nobody asks to wait for longer.
if taken - now > 3600 then taken = now end
local begins = math.max(taken, now + tonumber(ARGV[2]))
local ends = begins + tonumber(ARGV[1])
redis.call('SET', KEYS[1], string.format('%.6f', ends), 'PX', math.ceil((ends - now) * 1000) + 1000)
return tostring(begins - now)
"""

# Where the provider names no time: the first rest, in seconds, which doubles with each refusal until one goes well.
FIRST_REST, LONGEST_REST = 1.0, 600.0
# KEYS: how often in a row the provider has refused. ARGV: for how many milliseconds that is remembered.
_REFUSED = """
local refused = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return tostring(refused)
"""
_WENT_WELL = "redis.call('DEL', KEYS[1]) return ''"


class Pace:
    """Spaces requests evenly, from any number of threads: a token bucket that holds one token.

    `per_second` None paces nothing. `hold` keeps everybody back for as long as the provider asked for. `checked` is
    called after the wait, right before the request: what it raises keeps the request from being made. Without a
    connection it keeps to itself.
    """

    def __init__(
        self,
        per_second: float | None,
        checked: Callable[[], None] = lambda: None,
        *,
        connection_id: UUID | None = None,
    ) -> None:
        self._gap = 1 / (per_second * SHARE) if per_second else 0.0
        self._checked = checked
        self._connection_id = connection_id
        self._lock = threading.Lock()
        self._next = 0.0
        self._held = 0.0
        # How many more moments were taken at once than are used yet, and how many are taken the next time.
        self._left = 0
        self._many = 1
        # How often in a row the provider refused; None while that isn't known here.
        self._refused: int | None = None

    def __call__(self) -> None:
        while True:
            begins = self._moment() if self._gap else self._held
            wait = begins - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            now = time.monotonic()
            # Whoever was waiting already when the provider asked for a rest takes another moment after it.
            if now >= self._held and (not self._gap or now - begins < LATEST_SECONDS):
                break
        self._checked()

    def hold(self, seconds: float) -> None:
        with self._lock:
            self._left = 0
            self._held = max(self._held, self._take(0.0, seconds))
            self._next = max(self._next, self._held)

    def refused(self) -> float:
        """How many seconds to rest where the provider refused and named no time; longer the more often in a row.

        However often that was is kept in Redis too, for whoever has the connection next. A little is left to chance:
        those of several products that were refused at once shouldn't come back at once.
        """
        self._refused = (self._refused or 0) + 1
        if self._connection_id is not None:
            told = evaluate(_REFUSED, f"refused:{self._connection_id}", str(int(2000 * LONGEST_REST)))
            self._refused = max(self._refused, int(told)) if told is not None else self._refused
        # Bounded before it is raised: in a row that never ends the power would be no number any more.
        rest = FIRST_REST * 2.0 ** min(self._refused - 1, 16)
        return min(rest * random.uniform(1, 1.5), LONGEST_REST)  # noqa: S311 - no secret

    def went_well(self) -> None:
        """A request was not refused: the next refusal is a first one again."""
        if self._refused != 0 and self._connection_id is not None:
            evaluate(_WENT_WELL, f"refused:{self._connection_id}")
        self._refused = 0

    def _moment(self) -> float:
        """When the moment begins that is the caller's now, in time.monotonic() seconds."""
        with self._lock:
            if self._next < time.monotonic():
                # Those that went by are nobody's: who came after them would be followed too closely by the next one.
                self._left, self._many = 0, 1
            if not self._left:
                self._next = self._take(self._many * self._gap, 0.0)
                self._left = self._many
                self._many = min(2 * self._many, max(1, int(MOST_TAKEN_SECONDS / self._gap)))
            mine = self._next
            self._left -= 1
            self._next = mine + self._gap
        return mine

    def _take(self, seconds: float, earliest: float) -> float:
        """When so many seconds begin that nobody else has; not before those that were taken here."""
        now = time.monotonic()
        mine = max(self._next, now + earliest)
        if self._connection_id is not None:
            told = evaluate(_TAKE, f"pace:{self._connection_id}", repr(seconds), repr(mine - now))
            mine = max(mine, now + float(told)) if told is not None else mine
        return mine


def requests_per_second(provider: str, mode: str) -> float | None:
    """What the provider allows a connection of that mode; None where it names no limit."""
    return provider_of(provider).requests_per_second.get(mode)
