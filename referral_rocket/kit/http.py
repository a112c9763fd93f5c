"""Calls to other people's servers: time-outs, connections that stay open, and a record of each exchange without secrets.

What a caller has to know after a failed call is whether the request can have arrived. So there are two failures:
`NotSent`, where no connection came about, and `NoAnswer`, where the request went out and the answer was lost, cut off
or unreadable. Anything that can't be told apart counts as `NoAnswer`.
"""

import json
import os
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

import certifi
from requests.utils import get_environ_proxies, select_proxy
from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout, make_headers
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)
from urllib3.util import parse_url

CONNECT_SECONDS = 5.0
# Longest silence of the other side within an answer, and longest answer altogether.
READ_SECONDS = 20.0
TOTAL_SECONDS = 30.0
MAXIMUM_ANSWER_BYTES = 4 * 1024 * 1024
# Connections to one server that stay open; what runs more threads than that opens others for a while.
KEPT_OPEN = 48
# What is kept of an exchange; an attempt's row shows it to a person, and a page of JSON is as much as anyone reads.
MAXIMUM_RECORDED_CHARACTERS = 6000

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(r"secret|token|password|passwd|authorization|api_?key|private|signature", re.IGNORECASE)
_PERSONAL_NAMES = frozenset(
    {
        "name",
        "accountHolderName",
        "fullName",
        "recipient_name",
        "first_name",
        "last_name",
        "phone",
        "address",
        "billing_details",
        "shipping",
        "tax_ids",
        "ip",
        "user_agent",
    }
)
_EMAIL = re.compile(r"([A-Za-z0-9])[A-Za-z0-9._%+'-]*@([A-Za-z0-9.-]+)")


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, safe to store and to show: no credentials, no personal data beyond a masked e-mail.

    `status_code` is None where no answer came; `response` then says what happened. `duration_ms` is in milliseconds.
    """

    method: str
    url: str
    request: Any
    status_code: int | None
    response: Any
    duration_ms: int


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status. `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpFailure(Exception):
    """No usable answer. `reason` is a few plain words without any secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotSent(HttpFailure):
    """No connection came about, so the other side can't have acted."""


class NoAnswer(HttpFailure):
    """The request may have arrived and been acted upon; its answer is lost, cut off or too large."""


class Caller:
    """Sends requests and records them. One Caller serves many threads, which share its open connections.

    It is urllib3 without `requests` on top, which takes twice the time for a request. No cookies are kept, and no
    credentials are looked for anywhere but in the headers that are given.
    """

    def __init__(
        self, *, connect: float = CONNECT_SECONDS, read: float = READ_SECONDS, total: float = TOTAL_SECONDS
    ) -> None:
        self._timeout = Timeout(connect=connect, read=read)
        self._total = total
        self._ways: dict[str | None, PoolManager] = {}
        self._proxies: dict[tuple[str, str], str | None] = {}

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | str | None = None,
        record: list[Exchange] | None = None,
    ) -> Answer:
        """Send one request and read its whole answer. Redirects aren't followed: they come back as they are.

        Raises NotSent or NoAnswer. The exchange is appended to `record` either way.
        """
        started = time.monotonic()
        try:
            answer = self._send(method, url, headers, body, started + self._total)
        except HttpFailure as failure:
            _append(record, method, url, body, None, failure.reason, started)
            raise
        _append(record, method, url, body, answer.status, answer.body, started)
        return answer

    def _way_to(self, url: str) -> PoolManager:
        """Straight, or through the proxy that the environment names for this server, which is asked once."""
        parts = urlsplit(url)
        server = (parts.scheme, parts.netloc)
        if server not in self._proxies:
            self._proxies[server] = select_proxy(url, get_environ_proxies(url))
        proxy = self._proxies[server]
        if proxy not in self._ways:
            # Of two threads that are the first at once, one makes it in vain.
            self._ways.setdefault(proxy, _way(proxy))
        return self._ways[proxy]

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | str | None, deadline: float
    ) -> Answer:
        try:
            response = self._way_to(url).request(
                method,
                url,
                headers={"User-Agent": "referral-rocket", "Accept-Encoding": "gzip, deflate", **headers},
                body=body,
                timeout=self._timeout,
                redirect=False,
                retries=False,
                preload_content=False,
            )
            try:
                answer = Answer(response.status, response.headers, _read(response, deadline))
            except BaseException:
                # What is left of its answer would be taken for the next one's.
                response.close()
                raise
            response.release_conn()
        except (HTTPError, OSError) as error:
            raise _failure(error) from error
        return answer


def _way(proxy: str | None) -> PoolManager:
    trusted = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()
    if proxy is None:
        return PoolManager(maxsize=KEPT_OPEN, cert_reqs="CERT_REQUIRED", ca_certs=trusted)
    named = parse_url(proxy)
    credentials = make_headers(proxy_basic_auth=unquote(named.auth)) if named.auth else None
    return ProxyManager(
        proxy, maxsize=KEPT_OPEN, proxy_headers=credentials, cert_reqs="CERT_REQUIRED", ca_certs=trusted
    )


def _read(response: BaseHTTPResponse, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    # What is there, at most so much: who sends an answer byte by byte is not waited for beyond the deadline.
    while part := response.read1(64 * 1024):
        size += len(part)
        if size > MAXIMUM_ANSWER_BYTES:
            raise NoAnswer("the answer was too large")
        if time.monotonic() > deadline:
            raise NoAnswer("the answer took too long")
        parts.append(part)
    return b"".join(parts)


def _failure(error: Exception) -> HttpFailure:
    if isinstance(error, LocationValueError):
        return NotSent("the address can't be used")
    reason: object = error.original_error if isinstance(error, ProxyError) else error
    if isinstance(reason, NewConnectionError):
        return NotSent("no connection: the name can't be found or the connection is refused")
    if isinstance(reason, ConnectTimeoutError):
        return NotSent("no connection within the time allowed")
    # The certificate is judged before the request is sent; other TLS errors can strike in the middle of an answer.
    if _is_bad_certificate(reason):
        return NotSent("the server's certificate can't be trusted")
    if isinstance(error, ReadTimeoutError):
        return NoAnswer("no answer within the time allowed")
    return NoAnswer("the connection broke before the answer was complete")


def _is_bad_certificate(reason: object) -> bool:
    while isinstance(reason, Exception):
        if isinstance(reason, ssl.SSLCertVerificationError):
            return True
        reason = reason.args[0] if reason.args else None
    return False


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The seconds that a `Retry-After` header asks for; None where there is none or it isn't a number of seconds."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        seconds = float(text)
    except ValueError:
        return None
    # NaN and infinity parse as numbers and would stop a queue for good.
    return seconds if 0 <= seconds <= 86400 else None


def redact(value: Any) -> Any:
    """A copy of a JSON value without secrets and personal data: by field name, and e-mail addresses in any text."""
    if isinstance(value, Mapping):
        return {key: REDACTED if _is_private(str(key), inner) else redact(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact(inner) for inner in value]
    if isinstance(value, str):
        return _EMAIL.sub(r"\1***@\2", value)
    return value


def _is_private(name: str, value: Any) -> bool:
    if value is None or value == "":
        return False
    return name in _PERSONAL_NAMES or bool(_SECRET_NAME.search(name))


def _append(
    record: list[Exchange] | None,
    method: str,
    url: str,
    body: bytes | str | None,
    status: int | None,
    answer: bytes | str,
    started: float,
) -> None:
    if record is None:
        return
    milliseconds = int((time.monotonic() - started) * 1000)
    record.append(Exchange(method.upper(), _safe_url(url), _readable(body), status, _readable(answer), milliseconds))


def _safe_url(url: str) -> str:
    parts = urlsplit(url)
    query = "&".join(
        f"{name}={REDACTED if _is_private(name, value) else redact(value)}" for name, value in parse_qsl(parts.query)
    )
    host = parts.hostname or ""
    return urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path, query, ""))


def _readable(body: bytes | str | None) -> Any:
    if body is None or body in ("", b""):
        return None
    text = body.decode("utf-8", errors="replace") if isinstance(body, bytes) else body
    # PostgreSQL keeps no NUL, not even in JSON; whoever sends one must not keep the rest from being written.
    value = _parsed(text.replace("\0", "\ufffd").replace("\\u0000", "\\ufffd"))
    shown = redact(value)
    if len(shown if isinstance(shown, str) else json.dumps(shown)) <= MAXIMUM_RECORDED_CHARACTERS:
        return shown
    return (shown if isinstance(shown, str) else json.dumps(shown))[:MAXIMUM_RECORDED_CHARACTERS] + " …"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        # A form body reads better, and is redacted by name, as fields; anything else stays text.
        fields = dict(parse_qsl(text)) if "=" in text and "<" not in text else {}
        return fields or text
