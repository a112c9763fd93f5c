"""The door for payment systems: verify the signature, store the raw event, answer; thinking comes later.

One statement, which also sets the tenant (a transaction of four would cost 3.4 times as much). An event is answered with
200 only after that statement has committed; with anything else, the sender sends it again. The same event again meets the
unique key and is answered 200 without a second row.
"""

import re
import time
from uuid import UUID

import structlog
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import RawPostDataException, UnreadablePostError

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
_doors: dict[tuple[str, UUID], tuple[float, Door]] = {}

_RECEIVED = b'{"received": true}'

log = structlog.get_logger(__name__)


def answer(request: HttpRequest) -> HttpResponse:
    """200 stored (or known), 400 not authentic, 404 no such connection, 413 too large, 503 not stored: send it again."""
    if request.method != "POST":
        return _problem(405, "method_not_allowed", "Webhooks come by POST.")
    match = _ADDRESS.match(request.path_info)
    try:
        door = _door(match["provider"], match["connection_id"]) if match else None
    except DatabaseError as error:
        log.error("inbound_not_looked_up", error=type(error).__name__)
        return _problem(503, "unavailable", "The connection could not be looked up. Send it again.")
    if door is None:
        return _problem(404, "not_found", "There is no such connection.")
    if int(request.headers.get("Content-Length") or 0) > MAXIMUM_BODY:
        return _problem(413, "too_large", "A webhook has at most 5 MB.")
    try:
        body = request.body
    except (UnreadablePostError, RawPostDataException):
        return _problem(400, "unreadable", "The body could not be read to its end.")
    return _receive(request, door, body)


def _receive(request: HttpRequest, door: Door, body: bytes) -> HttpResponse:
    try:
        received = _verified(request, door, body)
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
    return HttpResponse(_RECEIVED, content_type="application/json")


def _verified(request: HttpRequest, door: Door, body: bytes) -> Received:
    """A key that isn't in memory is looked for in the database, and else noted for a worker to fetch."""
    inbound = registry.provider_of(door.provider).inbound
    assert inbound is not None
    now = clock.wall()
    try:
        return inbound.verify(request.headers, body, door.secrets_at(now), now)
    except SigningKeyUnknown as unknown:
        if not signing_key_recall(url=unknown.url):
            signing_key_want(provider=door.provider, url=unknown.url)
            nudge(fetch_signing_keys)
            raise
    return inbound.verify(request.headers, body, door.secrets_at(now), now)


def _door(provider: str, connection_id: str) -> Door | None:
    try:
        key = (provider, UUID(connection_id))
    except ValueError:
        return None
    kept = _doors.get(key)
    if kept is not None and time.monotonic() - kept[0] < CACHE_SECONDS:
        return kept[1]
    door = door_of(provider=provider, connection_id=key[1])
    if door is not None:
        _doors[key] = (time.monotonic(), door)
    return door


def _problem(status: int, code: str, detail: str) -> JsonResponse:
    return JsonResponse({"code": code, "detail": detail}, status=status, content_type="application/problem+json")
