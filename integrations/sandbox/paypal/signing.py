"""The stand-in's own key and certificate, and webhooks signed with them as PayPal signs its own."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zlib import crc32

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import NameOID

from integrations.sandbox.keys import kept, key_of, own_key
from integrations.sandbox.store import Store
from integrations.sandbox.telling import tell

Json = dict[str, Any]
PROVIDER = "paypal"
CERTIFICATE_PATH = "/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270"
HOST = "messageverificationcerts.paypal.com"


class Signer:
    """The key is made once for each state file. It is worth nothing outside the stand-in: nobody else trusts it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def certificate(self) -> bytes:
        return str(self._pair()["certificate"]).encode()

    def headers(self, event: bytes, webhook_id: str, base: str) -> dict[str, str]:
        """What PayPal sends beside an event to a webhook of that ID."""
        transmission, at = str(uuid4()), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        signed = f"{transmission}|{at}|{webhook_id}|{crc32(event)}".encode()
        return {
            "PAYPAL-TRANSMISSION-ID": transmission,
            "PAYPAL-TRANSMISSION-TIME": at,
            "PAYPAL-TRANSMISSION-SIG": b64encode(self._sign(signed)).decode(),
            "PAYPAL-CERT-URL": f"{base}{CERTIFICATE_PATH}",
            "PAYPAL-AUTH-ALGO": "SHA256withRSA",
        }

    def tell(self, url: str, event: bytes, webhook_id: str, base: str) -> Json:
        """Post a signed event."""
        return tell(url, event, self.headers(event, webhook_id, base))

    def _sign(self, message: bytes) -> bytes:
        return key_of(self._pair()["key"]).sign(message, padding.PKCS1v15(), hashes.SHA256())

    def _pair(self) -> Json:
        return kept(self._store, PROVIDER, _made)


def _made() -> Json:
    pem = own_key(PROVIDER)
    key = key_of(pem)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    start = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=825))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return {
        "key": pem,
        "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
    }
