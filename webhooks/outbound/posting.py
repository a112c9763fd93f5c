"""One attempt: a signed request, and what came of it in words that hold nothing of ours that is secret."""

import time
from datetime import datetime
from functools import lru_cache

import aiohttp
import structlog
from multidict import istr
from yarl import URL

from referral_rocket.kit.addresses import AddressRefused
from referral_rocket.kit.clock import wall
from referral_rocket.kit.signing import standard_signature
from webhooks.outbound.claiming import Shipment
from webhooks.outbound.connecting import Sessions
from webhooks.outbound.results import Result
from webhooks.outbound.schedule import retry_after_seconds

EXCERPT_BYTES = 2048
_ID, _TIMESTAMP, _SIGNATURE = istr("webhook-id"), istr("webhook-timestamp"), istr("webhook-signature")
_AGENT, _ENCODING = istr("User-Agent"), istr("Accept-Encoding")

log = structlog.get_logger(__name__)


async def post(sessions: Sessions, shipment: Shipment) -> Result:
    """Send it once. Whatever happens is a result; nothing is raised but the task's own cancellation."""
    result = Result(shipment, at=wall())
    started = time.perf_counter()
    try:
        # The session's time-out covers everything: look-up, connection, request and reading the answer.
        async with sessions.for_url(shipment.target.url).post(
            _parsed(shipment.target.url),
            data=aiohttp.BytesPayload(shipment.body, content_type="application/json"),
            headers=headers_of(shipment, result.at),
            allow_redirects=False,
        ) as response:
            result.response_excerpt = await _excerpt(response)
            result.status_code = response.status
            if not result.succeeded:
                result.error = _refusal(response.status)
                result.retry_after = retry_after_seconds(response.headers, result.at)
    except TimeoutError:
        result.error = f"No complete answer within {sessions.timeout:g} seconds."
    except (aiohttp.ClientError, OSError, ValueError) as error:
        result.error = _words(error)
    except Exception:
        # Whatever it was, the others go on, and this one is tried again.
        log.exception("delivery_crashed", delivery=str(shipment.delivery_id))
        result.error = "The request failed unexpectedly."
    result.duration_ms = int((time.perf_counter() - started) * 1000)
    return result


@lru_cache(maxsize=1024)
def _parsed(url: str) -> URL:
    return URL(url, encoded=True)


def headers_of(shipment: Shipment, at: datetime) -> dict[str, str]:
    """The headers of one attempt, by Standard Webhooks."""
    webhook_id, timestamp = shipment.webhook_id, int(at.timestamp())
    return {
        _AGENT: "ReferralRocket-Webhooks/1",
        _ENCODING: "identity",
        _ID: webhook_id,
        _TIMESTAMP: str(timestamp),
        _SIGNATURE: " ".join(
            [standard_signature(secret, webhook_id, timestamp, shipment.body) for secret in shipment.target.secrets]
        ),
    }


async def _excerpt(response: aiohttp.ClientResponse) -> str:
    """The first 2 KB of the answer as text; a longer one is cut off with its connection."""
    content = response.content
    if content.at_eof():
        return ""
    parts: list[bytes] = []
    size = 0
    while size < EXCERPT_BYTES:
        part = await content.read(EXCERPT_BYTES - size)
        if not part:
            break
        parts.append(part)
        size += len(part)
    if size >= EXCERPT_BYTES and not content.at_eof():
        response.close()
    # PostgreSQL's text holds no NUL.
    return b"".join(parts).decode("utf-8", errors="replace").replace("\x00", "\ufffd")


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return f"It answered {status}: redirects aren't followed."
    return f"It answered {status}."


def _words(error: Exception) -> str:
    causes = [error, getattr(error, "os_error", None), error.__cause__, error.__context__]
    refused = next((each for each in causes if isinstance(each, AddressRefused)), None)
    if refused is not None:
        return f"address_not_allowed: {refused}."[:200]
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "Its certificate can't be trusted."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "Its name can't be resolved."
    if isinstance(error, aiohttp.ClientConnectorError):
        return "No connection came about."
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return "The URL can't be used, or the answer isn't HTTP."
    return "The connection broke before the answer was complete."
