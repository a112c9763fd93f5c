"""The door for payment systems: verify the signature, store the raw event, answer; thinking comes later.

It reads the WSGI environment itself: making a request of Django's and a response of it would cost more than verifying.
One statement, which also sets the tenant, stores what comes at once (ADR 16). An event is answered with 200 only after that
statement has committed; with anything else, the sender sends it again. The same event again meets the unique key and is
answered 200 without a second row.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.db import DatabaseError

from integrations import registry
from integrations.base import Received
from integrations.errors import BadSignature, SigningKeyUnknown, UnreadableEvent
from integrations.selectors import Door, door_of
from integrations.signing_keys import signing_key_recall, signing_key_want
from integrations.tasks import fetch_signing_keys
from referral_rocket.kit import clock
from referral_rocket.kit.nudges import nudge
from webhooks.inbound.storing import event_store
from webhooks.inbound.tasks import work_off

PREFIX = "/webhooks/in/"
_ADDRESS = re.compile(r"^/webhooks/in/(?P<provider>[a-z]+)/(?P<connection_id>[0-9a-f-]{36})$")
MAXIMUM_BODY = 5 * 1024 * 1024
# How long a connection's decrypted secrets are kept in memory: a rotated secret works everywhere within this time.
CACHE_SECONDS = 10
_doors: dict[tuple[str, str], tuple[float, Door]] = {}

log = structlog.get_logger(__name__)

Environ = Mapping[str, Any]


class Answer(NamedTuple):
    status: int
    content: bytes
    content_type: str


_RECEIVED = Answer(200, b'{"received": true}', "application/json")


class Headers(Mapping[str, str]):
    """The headers of a WSGI environment, by their names in upper or lower case."""

    def __init__(self, environ: Environ) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value: str = self._environ["HTTP_" + name.upper().replace("-", "_")]
        return value

    def __iter__(self) -> Iterator[str]:
        return (name[5:].replace("_", "-") for name in self._environ if name.startswith("HTTP_"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def answer(environ: Environ) -> Answer:
    """200 stored (or known), 400 not authentic, 404 no such connection, 413 too large, 503 not stored: send it again."""
    if environ["REQUEST_METHOD"] != "POST":
        return _problem(405, "method_not_allowed", "Webhooks come by POST.")
    match = _ADDRESS.match(environ["PATH_INFO"])
    away = False
    try:
        door = _door(match["provider"], match["connection_id"]) if match else None
    except DatabaseError as error:
        log.error("inbound_not_looked_up", error=type(error).__name__)
        door, away = None, True
    if door is None and not away:
        return _problem(404, "not_found", "There is no such connection.")
    length = int(environ.get("CONTENT_LENGTH") or 0)
    try:
        body = _read(environ, length) if length <= MAXIMUM_BODY else None
    except OSError:
        return _problem(400, "unreadable", "The body could not be read to its end.")
    if body is None or len(body) > MAXIMUM_BODY:
        return _problem(413, "too_large", "A webhook has at most 5 MB.")
    if door is None:
        # After the body: where one is left unread the server hangs up, and the sender's next event is lost with that.
        return _problem(503, "unavailable", "The connection could not be looked up. Send it again.")
    return _receive(Headers(environ), door, body)


def _read(environ: Environ, length: int) -> bytes:
    """Raises OSError where the body breaks off. Of one that comes in chunks at most a byte more is read than is allowed."""
    # A body in chunks has no length; servers that end the stream where the body ends say so.
    in_chunks = not length and environ.get("wsgi.input_terminated")
    body: bytes = environ["wsgi.input"].read(MAXIMUM_BODY + 1 if in_chunks else length)
    if len(body) < length:
        raise OSError("the body ended early")
    return body


def _receive(headers: Headers, door: Door, body: bytes) -> Answer:
    try:
        received = _verified(headers, door, body)
        stored = event_store(door=door, received=received, body=body)
    except SigningKeyUnknown as unknown:
        log.info("inbound_key_unknown", connection=str(door.connection_id), url=unknown.url)
        return _problem(503, "signing_key_unknown", "The key of this signature is being fetched. Send it again.")
    except BadSignature as error:
        log.info("inbound_refused", connection=str(door.connection_id), code=error.code)
        return _problem(400, "bad_signature", error.message)
    except UnreadableEvent as error:
        return _problem(400, "malformed", str(error))
    except DatabaseError as error:
        log.error("inbound_not_stored", connection=str(door.connection_id), error=type(error).__name__)
        return _problem(503, "unavailable", "The event could not be stored. Send it again.")
    nudge(work_off)
    log.info("inbound", connection=str(door.connection_id), type=received.event_type, new=stored)
    return _RECEIVED


def _verified(headers: Headers, door: Door, body: bytes) -> Received:
    """A key that isn't in memory is looked for in the database, and else noted for a worker to fetch."""
    inbound = registry.provider_of(door.provider).inbound
    assert inbound is not None
    now = clock.wall()
    try:
        return inbound.verify(headers, body, door.secrets_at(now), now)
    except SigningKeyUnknown as unknown:
        if not signing_key_recall(url=unknown.url):
            signing_key_want(provider=door.provider, url=unknown.url)
            nudge(fetch_signing_keys)
            raise
    return inbound.verify(headers, body, door.secrets_at(now), now)


def _door(provider: str, connection_id: str) -> Door | None:
    key = (provider, connection_id)
    kept = _doors.get(key)
    if kept is not None and time.monotonic() - kept[0] < CACHE_SECONDS:
        return kept[1]
    try:
        door = door_of(provider=provider, connection_id=UUID(connection_id))
    except ValueError:
        return None
    if door is not None:
        _doors[key] = (time.monotonic(), door)
    return door


def _problem(status: int, code: str, detail: str) -> Answer:
    return Answer(status, json.dumps({"code": code, "detail": detail}).encode(), "application/problem+json")
