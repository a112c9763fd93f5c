"""Wise's webhooks at the door."""

import json
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.test import Client

from integrations import remembered_keys
from integrations.errors import BadSignature, UnreadableEvent
from integrations.models import SigningKey
from integrations.providers.wise.inbound import WiseInbound
from integrations.sandbox.store import Store
from integrations.sandbox.wise import shapes
from integrations.sandbox.wise.signing import Signer
from integrations.services import connection_create
from integrations.signing_keys import signing_keys_fetch
from integrations.tasks import fetch_signing_keys
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.clock import wall
from tests.integrations.stand_in import running
from webhooks.inbound.models import InboundEvent

pytestmark = pytest.mark.django_db
TOKEN = "ab12cd34-ef56-4a78-9b01-23456789abcd"
SETTINGS = {"profile_id": str(shapes.profile_of(TOKEN)), "source_currency": "EUR"}
EVENT = {
    "subscription_id": "01234567-89ab-cdef-0123-456789abcdef", "event_type": "transfers#state-change",
    "schema_version": "2.0.0", "sent_at": "2026-11-24T10:00:01Z",
    "data": {
        "resource": {"type": "transfer", "id": 16521632, "profile_id": 1, "account_id": 2},
        "current_state": "outgoing_payment_sent", "previous_state": "processing", "occurred_at": "2026-11-24T10:00:00Z",
    },
}  # fmt: skip
EVENT_ID = "transfers#state-change:16521632:outgoing_payment_sent:2026-11-24T10:00:00Z"
BODY = json.dumps(EVENT).encode()
# The signed sample that Wise publishes for its sandbox key (digital-signatures-examples, verify-webhook-signature).
SAMPLE = (
    b'{"data":{"resource":{"id":49983981,"profile_id":16055450,"account_id":14124090,"type":"transfer"},'
    b'"current_state":"incoming_payment_waiting","previous_state":null,"occurred_at":"2021-08-23T10:12:50Z"},'
    b'"subscription_id":"90aa8e14-4ef1-4a56-861c-f3c9cde097ea","event_type":"transfers#state-change",'
    b'"schema_version":"2.0.0","sent_at":"2021-08-23T10:12:50Z"}'
)
SAMPLE_SIGNATURE = (
    "wKcKCYXAzxNgiu7xmoDm943NUni7Rz33QN8JkEA9dWSGebgndonabgSj18Y4C08OrwVmueGsED2s00M7DtJVcYKOS1i3G4TMVx+mgM3aL9djMBkQ"
    "tiYNBFUd6wrPI7ZUNHv/TrlKSjTMc+6JFvUvJ7owY3z85e3I4jLRLJowMFvO8kvCJ60+1pY9wDwZvtZ//WS93LrwGjk9Dvwzpmu0w+P4J75tETT5"
    "qC3Uv0y5G2yO8SEoO3yNP/tg/BOli02niHb53vEOUWUb9bly6thnfMoXoiV/osoGxgF20R58RlvkAmezyyl1Sv542TfS2DpiwVnmjjjkCyXeSUcK"
    "ookYLQ=="
)


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    monkeypatch.setattr(fetch_signing_keys, "apply_async", lambda *args, **options: None)
    remembered_keys.forget()
    yield
    remembered_keys.forget()


@pytest.fixture
def connection(organization):
    with tenant(organization):
        return connection_create(
            organization=organization,
            provider="wise",
            credentials={"api_token": TOKEN},
            settings=SETTINGS,
            actor="user:1",
        )


def post(connection, body, headers):
    path = f"/webhooks/in/wise/{connection.pk}"
    return Client().post(path, body, "application/json", headers=headers).status_code


def stored(organization):
    with tenant(organization):
        return list(InboundEvent.objects.values_list("provider_event_id", "livemode"))


def test_it_works(organization, connection, settings):
    settings.PROVIDER_API_BASES = {}

    assert post(connection, SAMPLE, {"X-Signature-SHA256": SAMPLE_SIGNATURE}) == 200

    event_id = "transfers#state-change:49983981:incoming_payment_waiting:2021-08-23T10:12:50Z"
    assert stored(organization) == [(event_id, False)]


def test_the_same_event_in_another_delivery_is_kept_once(organization, connection, settings):
    settings.PROVIDER_API_BASES = {}

    for delivery in ("one", "two"):
        assert post(connection, SAMPLE, {"X-Signature-SHA256": SAMPLE_SIGNATURE, "X-Delivery-Id": delivery}) == 200

    assert len(stored(organization)) == 1


@pytest.mark.parametrize("signature", ["", "***", SAMPLE_SIGNATURE, b64encode(b"x" * 256).decode()])
def test_what_isnt_signed_by_wise(organization, connection, settings, signature):
    settings.PROVIDER_API_BASES = {}

    assert post(connection, BODY, {"X-Signature-SHA256": signature}) == 400
    assert stored(organization) == []


def test_a_key_of_ones_own_is_worth_nothing(settings):
    settings.PROVIDER_API_BASES = {}
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signature = b64encode(key.sign(BODY, padding.PKCS1v15(), hashes.SHA256())).decode()

    with pytest.raises(BadSignature):
        WiseInbound().verify({"X-Signature-Sha256": signature}, BODY, (), wall())


def test_the_stand_ins_key_is_fetched_by_a_worker(organization, connection, settings, monkeypatch):
    store = Store()
    signer = Signer(store)
    pem = signer.public_key()
    monkeypatch.setattr(Signer, "public_key", lambda self: pem)
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {"wise": f"{sandbox.url}/wise"}
        assert post(connection, BODY, signer.headers(BODY)) == 503
        assert list(SigningKey.objects.values_list("url", flat=True)) == [f"{sandbox.url}/wise/webhook-public-key"]

        assert signing_keys_fetch() == 1

        assert post(connection, BODY, signer.headers(BODY)) == 200
        assert post(connection, SAMPLE, {"X-Signature-SHA256": SAMPLE_SIGNATURE}) == 400
    assert stored(organization) == [(EVENT_ID, None)]


def test_a_test_of_the_address_is_answered(organization, connection, settings):
    settings.PROVIDER_API_BASES = {}

    headers = {"X-Signature-SHA256": SAMPLE_SIGNATURE, "X-Test-Notification": "true", "X-Delivery-Id": "d1"}
    assert post(connection, SAMPLE, headers) == 200
    assert stored(organization) == [("test:d1", False)]


@pytest.mark.parametrize(
    ("payload", "number"),
    [
        (EVENT, "16521632"),
        ({"event_type": "transfers#payout-failure", "data": {"transfer_id": 7, "occurred_at": "x"}}, "7"),
        ({"event_type": "transfers#refund", "data": {"resource": {"id": 8}}}, "8"),
    ],
)
def test_an_event_has_its_transfer_looked_at(payload, number):
    (fact,) = WiseInbound().read(payload)

    assert (fact.reward_id, fact.provider_reference) == (None, number)


def test_other_events_change_nothing():
    (fact,) = WiseInbound().read({"event_type": "balances#credit", "data": {}})

    assert "isn't about what became of a transfer" in fact.reason


def test_an_event_without_a_transfer():
    with pytest.raises(UnreadableEvent):
        WiseInbound().read({"event_type": "transfers#refund", "data": {}})
