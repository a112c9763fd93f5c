"""When a delivery is tried again. Pure; times in seconds. Source of the numbers: api.md, Outbound webhooks."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

MINUTE, HOUR = 60, 3600
RETRY_SECONDS = (5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
# Up to a tenth later, so that what failed together doesn't come back together.
JITTER = 0.1
DISABLED_AFTER = timedelta(days=5)
# What asks for more asks for a time at which an endpoint without success is disabled anyway.
LONGEST_RETRY_AFTER = int(DISABLED_AFTER.total_seconds())


def next_attempt(
    failures: int, now: datetime, retry_after: float | None = None, chance: float | None = None
) -> datetime | None:
    """When to try again after so many failures; None once all attempts have failed. `chance` is from 0 to 1."""
    if failures > len(RETRY_SECONDS):
        return None
    # Spreading load, not hiding anything.
    spread = random.random() if chance is None else chance  # noqa: S311
    seconds = RETRY_SECONDS[failures - 1] * (1 + JITTER * spread)
    return now + timedelta(seconds=max(seconds, min(retry_after or 0, LONGEST_RETRY_AFTER)))


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """What `Retry-After` asks for, whether in seconds or as a date; None where it asks for nothing that makes sense."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:12]), LONGEST_RETRY_AFTER))
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return None
