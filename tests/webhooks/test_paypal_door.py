"""PayPal's webhooks at the door: the certificate is fetched by a worker, never by the request."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.test import Client

from integrations import remembered_keys, signing_keys
from integrations.base import PayoutChanged
from integrations.errors import UnusableKey
from integrations.models import SigningKey
from integrations.providers.paypal import certificates
from integrations.providers.paypal.inbound import PayPalInbound
from integrations.sandbox.paypal.signing import CERTIFICATE_PATH, Signer
from integrations.sandbox.store import Store
from integrations.services import connection_create
from integrations.signing_keys import signing_key_want, signing_keys_fetch
from integrations.tasks import fetch_signing_keys
from referral_rocket.accounts.scoping import tenant
from tests.integrations.stand_in import running
from webhooks.inbound.models import InboundEvent

pytestmark = pytest.mark.django_db
WEBHOOK_ID = "5GP028458E2496506"
REWARD = "0192f3a4-0000-7000-8000-000000000001"
EVENT = {
    "id": "WH-1", "event_type": "PAYMENT.PAYOUTS-ITEM.UNCLAIMED", "create_time": "2026-11-24T10:00:00Z",
    "resource": {"payout_item_id": "ABCDEFGHJKLMN", "payout_item": {"sender_item_id": f"{REWARD}:1"}},
}  # fmt: skip
BODY = json.dumps(EVENT).encode()


@pytest.fixture
def sandbox():
    with running() as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def base(sandbox, settings, monkeypatch):
    settings.PROVIDER_API_BASES = {"paypal": f"{sandbox.url}/paypal"}
    monkeypatch.setattr(fetch_signing_keys, "apply_async", lambda *args, **options: None)
    remembered_keys.forget()
    yield f"{sandbox.url}/paypal"
    remembered_keys.forget()


@pytest.fixture
def connection(organization):
    credentials = {
        "client_id": "AClientIdOfTheStandIn",
        "client_secret": "ESecretOfTheStandIn",
        "webhook_id": WEBHOOK_ID,
    }
    with tenant(organization):
        return connection_create(organization=organization, provider="paypal", credentials=credentials, actor="user:1")


@pytest.fixture
def tell(sandbox, connection, monkeypatch):
    """Have the stand-in tell of an event; its own request is brought to Django's client."""
    client = Client()

    def post(url, *, data, headers, **ignored):
        headers = {name: value for name, value in headers.items() if name != "Content-Type"} | spoilt
        return client.post(f"/webhooks/in/paypal/{connection.pk}", data, "application/json", headers=headers)

    spoilt: dict[str, str] = {}
    monkeypatch.setattr("integrations.sandbox.telling.requests.post", post)

    def told(body: bytes = BODY, webhook_id: str = WEBHOOK_ID, **changed: str):
        spoilt.clear()
        spoilt.update({name.replace("_", "-"): value for name, value in changed.items()})
        return Signer(sandbox_store).tell("", body, webhook_id, f"{sandbox.url}/paypal")["status"]

    sandbox_store = Store()
    # The certificate that the address gives has to be that of the same key.
    monkeypatch.setattr("integrations.sandbox.paypal.signing.Signer.certificate", _certificate_of(sandbox_store))
    return told


def _certificate_of(store):
    pem = Signer(store)._pair()["certificate"].encode()
    return lambda self: pem


def stored(organization):
    with tenant(organization):
        return list(InboundEvent.objects.values_list("provider_event_id", "livemode"))


def test_it_works(organization, tell, base):
    assert tell() == 503
    assert stored(organization) == []
    assert list(SigningKey.objects.values_list("url", "key")) == [(base + CERTIFICATE_PATH, None)]

    assert signing_keys_fetch() == 1

    assert tell() == 200
    assert stored(organization) == [("WH-1", None)]


def test_another_process_finds_the_key_in_the_database(organization, tell):
    tell()
    signing_keys_fetch()
    remembered_keys.forget()

    assert tell() == 200


def test_the_same_event_is_kept_once(organization, tell):
    tell()
    signing_keys_fetch()

    assert [tell(), tell()] == [200, 200]

    assert stored(organization) == [("WH-1", None)]


@pytest.mark.parametrize(
    "changed",
    [
        {"PAYPAL_TRANSMISSION_ID": "another"},
        {"PAYPAL_TRANSMISSION_TIME": "2026-11-24T10:00:01Z"},
        {"PAYPAL_TRANSMISSION_SIG": "bm90IGEgc2lnbmF0dXJl"},
        {"PAYPAL_TRANSMISSION_SIG": "***"},
        {"PAYPAL_TRANSMISSION_SIG": ""},
        {"PAYPAL_AUTH_ALGO": "SHA1withRSA"},
        {"PAYPAL_CERT_URL": "https://evil.example/v1/notifications/certs/CERT-1"},
        {"PAYPAL_CERT_URL": "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1"},
    ],
)
def test_what_isnt_proven(organization, tell, changed):
    tell()
    signing_keys_fetch()

    assert tell(**changed) == 400

    assert stored(organization) == []
    assert SigningKey.objects.count() == 1


def test_a_message_for_another_webhook(organization, tell):
    tell()
    signing_keys_fetch()

    assert tell(webhook_id="0AB12345CD678901E") == 400
    assert stored(organization) == []


def test_a_connection_without_a_webhook_id(organization, tell, connection):
    connection.webhook_secrets = {}
    with tenant(organization):
        connection.save()

    assert tell() == 400
    assert not SigningKey.objects.exists()


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594", True),
        ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1", True),
        ("http://api.paypal.com/v1/notifications/certs/CERT-1", False),
        ("https://api.paypal.com:8443/v1/notifications/certs/CERT-1", False),
        ("https://user@api.paypal.com/v1/notifications/certs/CERT-1", False),
        ("https://api.paypal.com/v1/notifications/certs/../../oauth2/token", False),
        ("https://api.paypal.com/v1/notifications/certs/CERT-1?x=1", False),
        ("https://api.paypal.com/v1/notifications/certs/CERT-1#x", False),
        ("https://www.paypal.com/v1/notifications/certs/CERT-1", False),
        ("https://evilpaypal.com/v1/notifications/certs/CERT-1", False),
        ("https://api.paypal.com/redirect", False),
        ("http://127.0.0.1/paypal/v1/notifications/certs/CERT-1", False),
    ],
)
def test_only_paypals_own_addresses_are_asked(settings, url, taken):
    settings.PROVIDER_API_BASES = {}

    assert certificates.is_paypals(url) is taken


def test_where_a_stand_in_serves_the_real_ones_arent_trusted(base):
    assert certificates.is_paypals(f"{base}/v1/notifications/certs/CERT-1")
    assert not certificates.is_paypals("https://api.paypal.com/v1/notifications/certs/CERT-1")


def made(name: str, *, key=None, issuer=None, issuer_key=None, days=(-1, 30)) -> tuple:
    key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(issuer_key or key, hashes.SHA256())
    )
    return key, certificate, certificate.public_bytes(serialization.Encoding.PEM)


def test_a_certificate_of_somebody_else(base):
    with pytest.raises(UnusableKey):
        certificates.trusted(base + CERTIFICATE_PATH, made("paypal.com.evil.example")[2])
    with pytest.raises(UnusableKey):
        certificates.trusted(base + CERTIFICATE_PATH, b"<html>")


def test_a_small_key(base):
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)

    with pytest.raises(UnusableKey):
        certificates.trusted(base + CERTIFICATE_PATH, made("messageverificationcerts.paypal.com", key=small)[2])


def test_a_chain_that_ends_in_no_trusted_root(base):
    issuer_key, issuer, issuer_pem = made("ca.example")
    _, _, pem = made("messageverificationcerts.paypal.com", issuer=issuer, issuer_key=issuer_key)

    with pytest.raises(UnusableKey):
        certificates.trusted(base + CERTIFICATE_PATH, pem + issuer_pem)


def test_a_chain_that_ends_in_a_trusted_root(base, monkeypatch, tmp_path):
    root_key, root_pem = issued("root.example", None, None, authority=True)
    middle_key, middle_pem = issued("middle.example", root_key, root_pem, authority=True)
    _, pem = issued("messageverificationcerts.paypal.com", middle_key, middle_pem, authority=False)
    roots = tmp_path / "roots.pem"
    roots.write_bytes(root_pem)
    monkeypatch.setattr(certificates.certifi, "where", lambda: str(roots))

    assert certificates.trusted(base + CERTIFICATE_PATH, pem + middle_pem) == pem


def test_a_root_that_can_not_be_read_is_passed_over(base, monkeypatch, tmp_path):
    root_key, root_pem = issued("root.example", None, None, authority=True)
    _, unreadable_pem = issued("old.example", None, None, authority=True)
    _, pem = issued("messageverificationcerts.paypal.com", root_key, root_pem, authority=False)
    roots = tmp_path / "roots.pem"
    roots.write_bytes(unreadable_pem + root_pem)
    load = x509.load_der_x509_certificate

    def strict(der):
        certificate = load(der)
        if "old.example" in certificate.subject.rfc4514_string():
            raise ValueError("its serial number isn't positive")
        return certificate

    monkeypatch.setattr(certificates.certifi, "where", lambda: str(roots))
    monkeypatch.setattr(certificates.x509, "load_der_x509_certificate", strict)

    assert certificates.trusted(base + CERTIFICATE_PATH, pem + root_pem) == pem


def issued(name: str, issuer_key, issuer_pem, *, authority: bool) -> tuple:
    """A certificate with the extensions that browsers ask for."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signing = issuer_key or key
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.load_pem_x509_certificate(issuer_pem).subject if issuer_pem else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        .add_extension(_usage(authority), critical=True)
    )
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return key, builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _usage(authority: bool) -> x509.KeyUsage:
    names = (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **dict.fromkeys(names, False)
    )


def test_a_certificate_out_of_date(base):
    pem = made("messageverificationcerts.paypal.com", days=(-30, -1))[2]

    assert certificates.public_key(certificates.trusted(base + CERTIFICATE_PATH, pem), datetime.now(UTC)) is None


def test_an_address_that_doesnt_answer_is_asked_again_then_forgotten(base, sandbox):
    sandbox.fault("unavailable", provider="paypal", path="/certs/", times=None)
    signing_key_want(provider="paypal", url=f"{base}/v1/notifications/certs/CERT-none")
    for _ in range(len(signing_keys.RETRY_SECONDS)):
        assert signing_keys_fetch() == 1
        assert signing_keys_fetch() == 0
        SigningKey.objects.update(next_attempt_at=datetime.now(UTC))

    assert signing_keys_fetch() == 1
    assert not SigningKey.objects.exists()


def test_an_address_that_is_none_is_forgotten_at_once(base):
    signing_key_want(provider="paypal", url=f"{base}/v1/notifications/certs/CERT-none")

    assert signing_keys_fetch() == 1

    assert not SigningKey.objects.exists()


def test_what_is_wanted_is_bounded(base):
    for number in range(signing_keys.MOST_WANTED + 5):
        signing_key_want(provider="paypal", url=f"{base}/v1/notifications/certs/CERT-{number}")

    assert SigningKey.objects.count() == signing_keys.MOST_WANTED


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        ({}, 1),
        ({"event_type": "PAYMENT.PAYOUTSBATCH.SUCCESS"}, "A batch as a whole"),
        ({"event_type": "PAYMENT.SALE.COMPLETED"}, "isn't about a payout"),
        ({"resource": {"payout_item_id": "X", "payout_item": {"sender_item_id": "probe:1"}}}, "wasn't sent from here"),
    ],
)
def test_what_an_event_means(change, facts):
    (fact,) = PayPalInbound().read({**EVENT, **change})

    if facts == 1:
        assert (str(fact.reward_id), fact.provider_reference) == (REWARD, "ABCDEFGHJKLMN")
        assert isinstance(fact, PayoutChanged)
    else:
        assert facts in fact.reason
