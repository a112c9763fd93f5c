"""Identifiers: UUIDv7 (RFC 9562), made in Python, so that keys sort by creation time."""

import os
import time
from datetime import datetime
from uuid import UUID

import uuid6

_RANDOM_BYTES = 10
_VERSION_AND_VARIANT = (7 << 76) | (0b10 << 62)
# What is left for chance: 12 bits after the version, 62 after the variant.
_CHANCE = (0xFFF << 64) | ((1 << 62) - 1)


def uuid7() -> UUID:
    """A new UUIDv7 as a standard `uuid.UUID`."""
    return UUID(bytes=uuid6.uuid7().bytes)


def uuid7_many(number: int) -> list[UUID]:
    """So many of this millisecond, in no order among themselves, for about the price of one.

    Chance is asked for once: each time lets other threads have the interpreter, and a busy one keeps it for long.
    """
    chance = os.urandom(_RANDOM_BYTES * number)
    base = ((time.time_ns() // 1_000_000) << 80) | _VERSION_AND_VARIANT
    return [
        UUID(int=base | (int.from_bytes(chance[begin : begin + _RANDOM_BYTES]) & _CHANCE))
        for begin in range(0, len(chance), _RANDOM_BYTES)
    ]


def first_id_at(moment: datetime) -> UUID:
    """The smallest id that could have been made at that moment: whatever was made later has a greater one."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
