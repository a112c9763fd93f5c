"""The limit on calls: a token bucket for each key, kept in Redis.

`API_RATE_LIMIT` tokens come back each second, and the bucket holds ten seconds' worth of them, so that a burst of 1,000
calls passes at the default of 100. Redis speeds things up and decides nothing: where it doesn't answer nobody is
limited, which is counted and logged.
"""

from uuid import UUID

from django.conf import settings
from prometheus_client import Counter

from referral_rocket.api.problems import Problem
from referral_rocket.kit.shared_state import evaluate

unlimited = Counter("rocket_api_unlimited_total", "API calls that weren't limited, because Redis didn't answer")

# KEYS: the bucket. ARGV: tokens a second, capacity. Answers the seconds to wait as text (an integer reply would lose the
# fraction): "0" where the call passes.
_TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local rate, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(bucket[1]) or capacity
local at = tonumber(bucket[2]) or now
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate)
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = (1 - tokens) / rate end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], math.ceil(capacity / rate) + 1)
return tostring(wait)
"""


def take(key_id: UUID) -> None:
    """Count a call of this key. Raises a 429 Problem, with the seconds to wait, where it has none left."""
    wait = _wait(key_id)
    if wait > 0:
        raise Problem(429, "rate_limited", "Too many requests with this key. Wait and try again.", retry_after=wait)


def _wait(key_id: UUID) -> float:
    rate = settings.API_RATE_LIMIT
    answer = evaluate(_TAKE, f"api-rate:{key_id}", str(rate), str(rate * settings.API_RATE_BURST_SECONDS))
    if answer is None:
        unlimited.inc()
        return 0.0
    return float(answer)
