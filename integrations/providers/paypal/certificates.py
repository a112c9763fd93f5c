"""Which certificates PayPal's webhooks may be signed with.

A webhook names the address of its certificate. Only addresses of PayPal's API are taken, over https, so that the one
who answers has proven to be PayPal; the certificate itself has to be in date, of an RSA key, and made out to a name
under paypal.com. Where the answer brings the issuers along, the chain has to end in a root that browsers trust. PayPal
also gives the certificate alone; then the https connection it came by is what vouches for it (see the ADR on signing
keys). The stand-in's are trusted only where `PAYPAL_API_BASE` points at it, and the real ones then aren't.
"""

import re
import ssl
from datetime import datetime
from functools import lru_cache
from urllib.parse import urlsplit

import certifi
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtensionOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from django.conf import settings

from integrations.errors import UnusableKey

log = structlog.get_logger(__name__)

# The host says which mode's events its certificates sign.
HOSTS = {
    "api.paypal.com": True,
    "api-m.paypal.com": True,
    "api.sandbox.paypal.com": False,
    "api-m.sandbox.paypal.com": False,
}
_PATH = re.compile(r"/v1/notifications/certs/[A-Za-z0-9._-]{1,100}")
_SMALLEST_KEY = 2048


def is_paypals(url: str) -> bool:
    """Whether an address is one of a certificate at PayPal."""
    own = settings.PROVIDER_API_BASES.get("paypal")
    if own:
        return bool(url.startswith(own) and _PATH.fullmatch(url.removeprefix(own)))
    parts = urlsplit(url)
    return (
        parts.scheme == "https"
        and parts.netloc in HOSTS
        and url == f"https://{parts.netloc}{parts.path}"
        and bool(_PATH.fullmatch(parts.path))
    )


def livemode(url: str) -> bool | None:
    """Which mode the certificate at an address is for; None at the stand-in, which serves both."""
    return HOSTS.get(urlsplit(url).netloc)


def trusted(url: str, content: bytes) -> bytes:
    """The certificate to be kept, PEM, from what its address answered. Raises UnusableKey."""
    if not is_paypals(url):
        raise UnusableKey("The address isn't PayPal's.")
    try:
        first, *issuers = x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise UnusableKey("The answer holds no certificate.") from error
    _check_key(first)
    name = _name(first)
    if issuers:
        _check_chain(first, issuers, name)
    return first.public_bytes(serialization.Encoding.PEM)


def public_key(pem: bytes, now: datetime) -> rsa.RSAPublicKey | None:
    """The key of a certificate that was kept; None where the certificate isn't in date at `now`."""
    certificate = _loaded(pem)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return None
    return _check_key(certificate)


@lru_cache(maxsize=16)
def _loaded(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def _check_key(certificate: x509.Certificate) -> rsa.RSAPublicKey:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _SMALLEST_KEY:
        raise UnusableKey("The certificate's key isn't an RSA key of 2048 bits or more.")
    return key


def _name(certificate: x509.Certificate) -> str:
    """A name under paypal.com that the certificate is made out to."""
    names = [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        alternatives = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        names = [*alternatives.get_values_for_type(x509.DNSName), *names]  # type: ignore[attr-defined]
    except x509.ExtensionNotFound:
        pass
    for name in names:
        if name.lower().endswith(".paypal.com"):
            return name.lower()
    raise UnusableKey("The certificate isn't made out to PayPal.")


def _check_chain(first: x509.Certificate, issuers: list[x509.Certificate], name: str) -> None:
    verifier = PolicyBuilder().store(Store(_roots())).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(first, issuers)
    except VerificationError as error:
        raise UnusableKey("The certificate's chain doesn't end in a root that is trusted.") from error


def _roots() -> list[x509.Certificate]:
    """The roots that browsers trust, but for those that can't be read: some old ones break the rules of today."""
    found = []
    for der in ssl.create_default_context(cafile=certifi.where()).get_ca_certs(binary_form=True):
        try:
            found.append(x509.load_der_x509_certificate(der))
        except ValueError as error:
            log.warning("root_certificate_unreadable", error=str(error))
    return found
