"""Wise's webhooks: proven by Wise's own key, and read as "look at this transfer again".

The signature is RSA with SHA-256 over the raw body. Which of Wise's two keys fits tells whether the event is live.
Wise delivers an event again for two weeks, each time under a new delivery id, so events are told apart by transfer, state
and time. Where `WISE_API_BASE` points at a stand-in, its key alone is trusted, and fetched from there.
"""

import json
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings

from integrations import remembered_keys
from integrations.base import Fact, Ignored, PayoutChanged, Received
from integrations.errors import BadSignature, UnreadableEvent, UnusableKey
from integrations.providers.wise.keys import WEBHOOK_KEYS

EVENTS = ("transfers#state-change", "transfers#payout-failure", "transfers#refund")
KEY_PATH = "/webhook-public-key"


class WiseInbound:
    """See `integrations.base.InboundAdapter`."""

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...], now: datetime) -> Received:
        signature = headers.get("X-Signature-Sha256") or ""
        if not signature:
            raise BadSignature("missing", "The X-Signature-SHA256 header is missing.")
        try:
            signed = b64decode(signature, validate=True)
        except NotBase64 as error:
            raise BadSignature("malformed", "The signature isn't base64.") from error
        for livemode, key in _keys():
            if _is_signed(_loaded(key), signed, body):
                return _received(headers, body, livemode, now)
        raise BadSignature("wrong", "The signature doesn't fit the body.")

    def read(self, payload: Mapping[str, Any]) -> tuple[Fact, ...]:
        event_type = str(payload.get("event_type") or "")
        if event_type not in EVENTS:
            return (Ignored(f"{event_type or 'A test'} isn't about what became of a transfer."),)
        number = _transfer(payload)
        if number is None:
            raise UnreadableEvent("The event names no transfer.")
        return (PayoutChanged(provider_reference=number),)


def trusted_key(url: str, content: bytes) -> bytes:
    """A stand-in's public key, PEM. Raises UnusableKey; Wise's own keys are never fetched."""
    base = settings.PROVIDER_API_BASES.get("wise")
    if not base or url != f"{base}{KEY_PATH}":
        raise UnusableKey("Wise's keys aren't fetched.")
    try:
        key = load_pem_public_key(content)
    except ValueError as error:
        raise UnusableKey("The answer holds no public key.") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise UnusableKey("The key isn't an RSA key.")
    return content


def _keys() -> list[tuple[bool | None, bytes]]:
    base = settings.PROVIDER_API_BASES.get("wise")
    if base:
        return [(None, remembered_keys.recalled(f"{base}{KEY_PATH}"))]
    return [(True, WEBHOOK_KEYS["LIVE"]), (False, WEBHOOK_KEYS["TEST"])]


def _loaded(pem: bytes) -> rsa.RSAPublicKey:
    key = load_pem_public_key(pem)
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def _is_signed(key: rsa.RSAPublicKey, signature: bytes, body: bytes) -> bool:
    try:
        key.verify(signature, body, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _received(headers: Mapping[str, str], body: bytes, livemode: bool | None, now: datetime) -> Received:
    try:
        event = json.loads(body)
        event_type = str(event.get("event_type") or "")
        data = event.get("data")
    except (ValueError, AttributeError) as error:
        raise UnreadableEvent("The event isn't a JSON object.") from error
    if headers.get("X-Test-Notification") == "true":
        delivery = headers.get("X-Delivery-Id") or now.isoformat()
        return Received(f"test:{delivery}"[:200], event_type or "test", livemode, now)
    if not isinstance(data, Mapping):
        raise UnreadableEvent("The event has no data.")
    try:
        at = datetime.fromisoformat(str(data["occurred_at"]))
    except (KeyError, ValueError) as error:
        raise UnreadableEvent("The event doesn't say when it happened.") from error
    if at.tzinfo is None or not event_type:
        raise UnreadableEvent("The event has no type, or its time no zone.")
    state = data.get("current_state") or data.get("failure_reason_code") or ""
    event_id = f"{event_type}:{_transfer(event)}:{state}:{data['occurred_at']}"
    return Received(event_id[:200], event_type, livemode, at)


def _transfer(event: Mapping[str, Any]) -> str | None:
    """The number of the transfer that an event is about: of its resource, or named in the data of a payout failure."""
    data = event.get("data")
    if not isinstance(data, Mapping):
        return None
    resource = data.get("resource")
    number = resource.get("id") if isinstance(resource, Mapping) else data.get("transfer_id")
    return str(number) if isinstance(number, int | str) and number else None
