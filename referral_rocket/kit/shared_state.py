"""What processes tell each other for a moment, in Redis. It speeds things up or spaces them, and decides nothing.

Where Redis doesn't answer, the caller is told so and goes on with what its own process knows. After a failure Redis is
left alone for a second: one that hangs would otherwise cost each call its time-out.
"""

import time
from functools import lru_cache

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

TIMEOUT_SECONDS = 0.2
PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


class _Pause:
    """Until when Redis is left alone, in time.monotonic() seconds; one for the process."""

    until = 0.0


@lru_cache(maxsize=4)
def _client(address: str) -> redis.Redis:
    return redis.Redis.from_url(
        address,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        # The client would else try three times again, each with its time-out.
        retry=Retry(NoBackoff(), 0),
    )


def evaluate(script: str, key: str, *arguments: str) -> bytes | None:
    """Run a script on one key, all at once; what it answers, None where Redis doesn't answer. From any thread."""
    if time.monotonic() < _Pause.until:
        return None
    try:
        answer: bytes = _client(settings.REDIS_URL).eval(script, 1, key, *arguments)
    except (RedisError, OSError) as error:
        _Pause.until = time.monotonic() + PAUSE_SECONDS
        log.warning("redis_left_alone", key=key, error=type(error).__name__)
        return None
    return answer
