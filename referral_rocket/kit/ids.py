"""Identifiers: UUIDv7 (RFC 9562), made in Python, so that keys sort by creation time.

The 12 bits after the milliseconds are their fraction (RFC 9562, 6.2, method 3), one step of 244 ns for each id of this
process. So ids of one process always rise, and they don't run ahead of the clock, however many are made: a reward's
history is read in the order of its ids, whichever process wrote them. (The `uuid6` package gives every id a millisecond
of its own: after a statement close of a million rows its ids were a quarter of an hour in the future, and what another
process wrote next sorted before them.)
"""

import os
import threading
import time
from datetime import datetime
from uuid import UUID

_STEPS_PER_MS = 1 << 12
_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM = (1 << 62) - 1

_lock = threading.Lock()
_last_step = 0


def uuid7() -> UUID:
    return UUID(int=_numbers(1)[0])


def uuid7_many(count: int) -> list[UUID]:
    """So many new ones in rising order, for statements that write many rows."""
    return [UUID(int=number) for number in _numbers(count)]


def uuid7_texts(count: int) -> list[str]:
    """The same as PostgreSQL reads them, for those that only go into a statement: making objects of them costs most."""
    return [f"{number:032x}" for number in _numbers(count)]


def _numbers(count: int) -> list[int]:
    step = _take_steps(count)
    noise = memoryview(os.urandom(8 * count)).cast("Q")
    return [
        (each >> 12) << 80 | _VERSION | (each & 0xFFF) << 64 | _VARIANT | random & _RANDOM
        for each, random in enumerate(noise, step)
    ]


def first_id_at(moment: datetime) -> UUID:
    """The smallest id that could have been made at that moment: whatever was made later has a greater one."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _take_steps(count: int) -> int:
    """The first of `count` steps that nobody else in this process has; later than all before, whatever the clock does."""
    global _last_step
    now = time.time_ns() * _STEPS_PER_MS // 1_000_000
    with _lock:
        first = max(now, _last_step + 1)
        _last_step = first + count - 1
    return first
