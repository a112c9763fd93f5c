"""Identifiers: UUIDv7 (RFC 9562), made in Python, so that keys sort by creation time."""

from uuid import UUID

import uuid6


def uuid7() -> UUID:
    """A new UUIDv7 as a standard `uuid.UUID`."""
    return UUID(bytes=uuid6.uuid7().bytes)
