"""PayPal's webhooks: proven by their signature, and read as "look at this reward again".

The signature is RSA with SHA-256 over `id|time|webhook ID|crc32 of the raw body`, the checksum in decimal. The webhook
ID is what was typed in for the connection, so a message for another webhook doesn't pass. PayPal delivers old messages
again for days, so their age isn't checked: an event that was stored once is stored once.
"""

import json
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zlib import crc32

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from integrations import remembered_keys
from integrations.base import Fact, Ignored, PayoutChanged, Received
from integrations.errors import BadSignature, UnreadableEvent
from integrations.providers.paypal import certificates

ITEM_EVENTS = "PAYMENT.PAYOUTS-ITEM."
BATCH_EVENTS = "PAYMENT.PAYOUTSBATCH."
EVENTS = (
    *(
        ITEM_EVENTS + name
        for name in (
            "BLOCKED", "CANCELED", "DENIED", "FAILED", "HELD", "REFUNDED", "RETURNED", "SUCCEEDED", "UNCLAIMED"
        )
    ),
)  # fmt: skip
_ALGORITHM = "SHA256withRSA"
_HEADERS = ("Paypal-Transmission-Id", "Paypal-Transmission-Time", "Paypal-Transmission-Sig", "Paypal-Cert-Url")


class PayPalInbound:
    """See `integrations.base.InboundAdapter`."""

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...], now: datetime) -> Received:
        transmission, at, signature, url = (headers.get(name) or "" for name in _HEADERS)
        if not secrets:
            raise BadSignature("missing", "This connection has no webhook ID yet, so nothing can be checked.")
        if not transmission or not at or not signature or not url:
            raise BadSignature("missing", "The PayPal-Transmission headers are missing.")
        if headers.get("Paypal-Auth-Algo", _ALGORITHM) != _ALGORITHM:
            raise BadSignature("malformed", f"Only {_ALGORITHM} is known.")
        if not certificates.is_paypals(url):
            raise BadSignature("wrong", "The certificate's address isn't PayPal's.")
        try:
            signed = b64decode(signature, validate=True)
        except NotBase64 as error:
            raise BadSignature("malformed", "The signature isn't base64.") from error
        key = certificates.public_key(remembered_keys.recalled(url), now)
        if key is None:
            raise BadSignature("wrong", "The certificate isn't in date.")
        messages = (f"{transmission}|{at}|{webhook_id}|{crc32(body)}".encode() for webhook_id in secrets)
        if not any(_is_signed(key, signed, message) for message in messages):
            raise BadSignature("wrong", "The signature doesn't fit the body and this connection's webhook ID.")
        return _received(body, certificates.livemode(url))

    def read(self, payload: Mapping[str, Any]) -> tuple[Fact, ...]:
        event_type = str(payload.get("event_type") or "")
        if event_type.startswith(BATCH_EVENTS):
            return (Ignored("A batch as a whole: its payouts tell of themselves."),)
        if not event_type.startswith(ITEM_EVENTS):
            return (Ignored(f"{event_type} isn't about a payout."),)
        resource = payload.get("resource")
        if not isinstance(resource, Mapping) or not resource.get("payout_item_id"):
            raise UnreadableEvent("The event names no payout item.")
        sent = resource.get("payout_item")
        key = str(sent.get("sender_item_id") or "") if isinstance(sent, Mapping) else ""
        reward_id = _reward(key)
        if reward_id is None:
            return (Ignored("A payout that wasn't sent from here."),)
        return (PayoutChanged(reward_id, str(resource["payout_item_id"])),)


def _is_signed(key: rsa.RSAPublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _received(body: bytes, livemode: bool | None) -> Received:
    try:
        event = json.loads(body)
        event_id, event_type, created = event["id"], event["event_type"], event["create_time"]
        occurred_at = datetime.fromisoformat(created)
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableEvent("The event has no id, event_type or create_time.") from error
    if not isinstance(event_id, str) or not isinstance(event_type, str) or occurred_at.tzinfo is None:
        raise UnreadableEvent("The event's id, event_type or create_time can't be read.")
    return Received(event_id, event_type, livemode, occurred_at)


def _reward(sender_item_id: str) -> UUID | None:
    try:
        return UUID(sender_item_id.partition(":")[0])
    except ValueError:
        return None
