"""Django's cache on Redis, for what may be forgotten at any time: a Redis that is away is an empty cache.

What stands there are counters of log-in attempts and the like. Without them somebody can try passwords faster, which is
noted in the log; with errors instead nobody could log in at all.
"""

from collections.abc import Callable, Iterable
from typing import Any

import structlog
from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)


class ForgivingRedisCache(RedisCache):
    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(_tried(lambda: super(ForgivingRedisCache, self).add(key, value, timeout, version), True))

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return _tried(lambda: super(ForgivingRedisCache, self).get(key, default, version), default)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        _tried(lambda: super(ForgivingRedisCache, self).set(key, value, timeout, version), None)

    def delete(self, key: Any, version: int | None = None) -> bool:
        return bool(_tried(lambda: super(ForgivingRedisCache, self).delete(key, version), False))

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        found: dict[Any, Any] = _tried(lambda: super(ForgivingRedisCache, self).get_many(keys, version), {})
        return found

    def ping(self) -> None:
        """Raises RedisError where Redis doesn't answer."""
        self._cache.get_client().ping()


def _tried(call: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return call()
    except (RedisError, OSError) as error:
        log.warning("cache_away", error=type(error).__name__)
        return otherwise


def ping() -> None:
    """Raises RedisError where the cache's Redis doesn't answer."""
    cache = caches["default"]
    assert isinstance(cache, ForgivingRedisCache)
    cache.ping()
