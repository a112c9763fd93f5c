"""Stripe's events as tests need them: its published sample with what matters in the test laid over it."""

import copy
from datetime import UTC, datetime
from typing import Any

AT = datetime(2026, 11, 21, 9, 5, tzinfo=UTC)


def over(sample: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of a sample with the changes in place; nested dictionaries are merged."""
    merged = copy.deepcopy(sample)
    for name, value in changes.items():
        inner = merged.get(name)
        merged[name] = over(inner, value) if isinstance(value, dict) and isinstance(inner, dict) else value
    return merged


def event(event_type: str, thing: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "created": int(AT.timestamp()),
        "livemode": False,
        "type": event_type,
        "data": {"object": thing},
    }
