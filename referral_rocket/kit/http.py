"""Calls to other people's servers: time-outs, one session a thread, and a record of each exchange without its secrets.

What a caller has to know after a failed call is whether the request can have arrived. So there are two failures:
`NotSent`, where no connection came about, and `NoAnswer`, where the request went out and the answer was lost, cut off
or unreadable. Anything that can't be told apart counts as `NoAnswer`.
"""

import json
import os
import re
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
)

CONNECT_SECONDS = 5.0
# Longest silence of the other side within an answer, and longest answer altogether.
READ_SECONDS = 20.0
TOTAL_SECONDS = 30.0
MAXIMUM_ANSWER_BYTES = 4 * 1024 * 1024
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
    """Sends requests and records them. One Caller serves many threads: each has its own session and connections."""

    def __init__(
        self, *, connect: float = CONNECT_SECONDS, read: float = READ_SECONDS, total: float = TOTAL_SECONDS
    ) -> None:
        self._connect = connect
        self._read = read
        self._total = total
        self._local = threading.local()
        self._proxies: dict[tuple[str, str], dict[str, str]] = {}

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

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            # It would read the whole environment for each request, which costs a fifth of one, and replace our
            # Authorization header by what a ~/.netrc says.
            session.trust_env = False
            session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
            self._local.session = session
        return session

    def _proxies_to(self, url: str) -> dict[str, str]:
        """Those that the environment names for this server, asked once."""
        parts = urlsplit(url)
        server = (parts.scheme, parts.netloc)
        if server not in self._proxies:
            self._proxies[server] = get_environ_proxies(url)
        return self._proxies[server]

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | str | None, deadline: float
    ) -> Answer:
        try:
            with self._session().request(
                method,
                url,
                headers=dict(headers),
                data=body,
                timeout=(self._connect, self._read),
                allow_redirects=False,
                proxies=self._proxies_to(url),
                stream=True,
            ) as response:
                return Answer(response.status_code, CaseInsensitiveDict(response.headers), _read(response, deadline))
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _failure(error) from error


def _read(response: requests.Response, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in response.iter_content(64 * 1024):
        size += len(part)
        if size > MAXIMUM_ANSWER_BYTES:
            raise NoAnswer("the answer was too large")
        if time.monotonic() > deadline:
            raise NoAnswer("the answer took too long")
        parts.append(part)
    return b"".join(parts)


def _failure(error: Exception) -> HttpFailure:
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return NotSent("the address can't be used")
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    if isinstance(reason, ConnectTimeoutError) and not isinstance(reason, NewConnectionError):
        return NotSent("no connection within the time allowed")
    if isinstance(reason, NewConnectionError):
        return NotSent("no connection: the name can't be found or the connection is refused")
    # The certificate is judged before the request is sent; other TLS errors can strike in the middle of an answer.
    if _is_bad_certificate(reason):
        return NotSent("the server's certificate can't be trusted")
    if isinstance(error, requests.ReadTimeout):
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
    text = CaseInsensitiveDict(headers).get("Retry-After", "")
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
    value = _parsed(text)
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
