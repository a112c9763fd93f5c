from datetime import timedelta
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection as database

from integrations import services
from integrations.errors import ConnectionRequired, InvalidCredentials, ModeMismatch, UnknownProvider
from integrations.models import Connection, ConnectionStatus
from integrations.registry import provider_of_method
from integrations.selectors import access_of, available_methods, connection_for_method, door_of, webhook_url
from referral_rocket.accounts.models import User
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.services import organization_create
from referral_rocket.activity.models import Activity
from referral_rocket.kit.clock import wall
from referral_rocket.kit.encryption import UndecryptableSecret

pytestmark = pytest.mark.django_db
KEY = "sk_test_Q4242"
LIVE_KEY = "sk_live_Q4242"
SECRET = "whsec_first0001"


@pytest.fixture
def organization():
    owner = User.objects.create_user("owner@example.com")
    return organization_create(name="Rocket Ltd", owner=owner).test_organization


def connect(organization, api_key=KEY, **fields):
    return services.connection_create(
        organization=organization, provider="stripe", credentials={"api_key": api_key}, actor="user:1", **fields
    )


def test_it_works(organization, settings):
    settings.BASE_URL = "https://rocket.example"
    settings.PROVIDER_API_BASES = {"stripe": "http://127.0.0.1:1/stripe"}
    with tenant(organization):
        connection = connect(organization, webhook_secret=SECRET)
        access = access_of(connection, organization)

        assert connection.status == ConnectionStatus.ACTIVE
        assert webhook_url(connection) == f"https://rocket.example/webhooks/in/stripe/{connection.pk}"
        assert access.credentials == {"api_key": KEY}
        assert (access.mode, access.api_base) == ("TEST", "http://127.0.0.1:1/stripe")
        assert [entry.kind for entry in Activity.objects.all()] == ["connection.created"]


def test_secrets_are_encrypted_and_not_shown(organization):
    with tenant(organization):
        connection = connect(organization, webhook_secret=SECRET)
        with database.cursor() as cursor:
            cursor.execute("SELECT credentials, webhook_secrets FROM integrations_connection")
            stored = " ".join(cursor.fetchone())

        entries = repr(list(Activity.objects.values()))
    door_shown = repr(door_of(provider="stripe", connection_id=connection.pk))

    assert KEY not in stored
    assert SECRET not in stored
    for shown in (repr(connection), str(connection), repr(access_of(connection, organization)), door_shown, entries):
        assert KEY not in shown
        assert SECRET not in shown


@pytest.mark.parametrize(
    ("credentials", "field", "code"),
    [
        ({}, "credentials.api_key", "required"),
        ({"api_key": "  "}, "credentials.api_key", "required"),
        ({"api_key": 7}, "credentials.api_key", "required"),
        ({"api_key": "hello"}, "credentials.api_key", "invalid"),
        ({"api_key": "pk_test_1"}, "credentials.api_key", "invalid"),
        ({"api_key": "sk_test_" + "x" * 5000}, "credentials.api_key", "too_long"),
        ({"api_key": KEY, "token": "x"}, "credentials.token", "unknown"),
    ],
)
def test_credentials_that_can_not_be_right(organization, credentials, field, code):
    with tenant(organization):
        with pytest.raises(InvalidCredentials) as caught:
            services.connection_create(
                organization=organization, provider="stripe", credentials=credentials, actor="user:1"
            )

        assert [(name, what) for name, what, _ in caught.value.errors] == [(field, code)]
        assert Connection.objects.count() == 0


@pytest.mark.parametrize("secret", ["", "two words", "wh\u00e4t\u00e4", "x" * 300])
def test_a_webhook_secret_that_can_not_be_right(organization, secret):
    with tenant(organization):
        connection = connect(organization)
        with pytest.raises(InvalidCredentials) as caught:
            services.connection_update(connection=connection, webhook_secret=secret, actor="user:1")

    assert caught.value.errors[0][0] == "webhook_secret"


def test_settings_that_stripe_has_not(organization):
    with tenant(organization), pytest.raises(InvalidCredentials) as caught:
        connect(organization, settings={"profile_id": "1"})

    assert caught.value.errors[0][:2] == ("settings.profile_id", "unknown")


def test_a_provider_that_is_not_built(organization):
    with tenant(organization), pytest.raises(UnknownProvider):
        services.connection_create(organization=organization, provider="acme", credentials={}, actor="user:1")


def test_credentials_of_the_other_mode(organization):
    with tenant(organization):
        with pytest.raises(ModeMismatch) as caught:
            connect(organization, LIVE_KEY)
        assert Connection.objects.count() == 0
    live = organization.live_organization
    with tenant(live):
        with pytest.raises(ModeMismatch):
            connect(live, KEY)
        assert connect(live, "rk_live_1").status == ConnectionStatus.ACTIVE

    assert caught.value.code == "mode_mismatch"


def test_new_credentials_mend_a_connection(organization):
    with tenant(organization):
        connection = connect(organization)
        services.connection_needs_attention(connection=connection, reason="The key has expired.", actor="system:issue")
        assert Connection.objects.get().attention_reason == "The key has expired."

        mended = services.connection_update(
            connection=connection, credentials={"api_key": "sk_test_new"}, actor="user:1"
        )

        assert mended.status == ConnectionStatus.ACTIVE
        assert mended.attention_reason == ""
        assert Connection.objects.get().credentials == {"api_key": "sk_test_new"}


def test_a_rotated_webhook_secret_stays_good_for_the_overlap(organization):
    with tenant(organization):
        connection = connect(organization, webhook_secret=SECRET)
        services.connection_update(
            connection=connection, webhook_secret="whsec_second002", overlap=timedelta(hours=2), actor="user:1"
        )
    door = door_of(provider="stripe", connection_id=connection.pk)

    assert door is not None
    assert door.secrets_at(wall()) == ("whsec_second002", SECRET)
    assert door.secrets_at(wall() + timedelta(hours=3)) == ("whsec_second002",)


def test_typing_the_same_webhook_secret_again_changes_nothing(organization):
    with tenant(organization):
        connection = connect(organization, webhook_secret=SECRET)
        services.connection_update(connection=connection, webhook_secret=SECRET, actor="user:1")

    door = door_of(provider="stripe", connection_id=connection.pk)
    assert door is not None
    assert door.secrets_at(wall()) == (SECRET,)


def test_disconnecting_forgets_the_credentials_and_keeps_the_door(organization):
    with tenant(organization):
        connection = connect(organization, webhook_secret=SECRET)
        services.connection_disconnect(connection=connection, actor="user:1")
        services.connection_disconnect(connection=connection, actor="user:1")
        stored = Connection.objects.get()

        assert stored.status == ConnectionStatus.DISCONNECTED
        assert stored.credentials == {}
        kinds = list(Activity.objects.order_by("id").values_list("kind", flat=True))
        assert kinds == ["connection.created", "connection.disconnected"]
    door = door_of(provider="stripe", connection_id=connection.pk)
    assert door is not None
    assert (door.status, door.secrets_at(wall())) == ("DISCONNECTED", (SECRET,))


def test_the_door_of_another_provider_or_of_nobody(organization):
    with tenant(organization):
        connection = connect(organization)

    assert door_of(provider="shopify", connection_id=connection.pk) is None
    assert door_of(provider="stripe", connection_id=organization.pk) is None


def test_the_connection_of_a_method(organization):
    with tenant(organization):
        with pytest.raises(ConnectionRequired):
            connection_for_method(method="STRIPE_CREDIT")
        first = connect(organization)
        assert connection_for_method(method="STRIPE_CREDIT") == first
        assert {(provider_of_method(each.method.slug).slug, each.connections) for each in available_methods()} == {
            ("stripe", (first,))
        }
        second = connect(organization)
        with pytest.raises(ConnectionRequired):
            connection_for_method(method="STRIPE_CREDIT")
        assert connection_for_method(method="STRIPE_CREDIT", connection_id=second.pk) == second
        services.connection_disconnect(connection=second, actor="user:1")
        with pytest.raises(ConnectionRequired):
            connection_for_method(method="STRIPE_CREDIT", connection_id=second.pk)
        with pytest.raises(ConnectionRequired):
            connection_for_method(method="CARRIER_PIGEON")


def test_hearing_an_older_event_does_not_turn_the_time_back(organization):
    now = wall()
    with tenant(organization):
        connection = connect(organization)
        services.connection_heard(connection=connection, at=now)
        services.connection_heard(connection=connection, at=now - timedelta(hours=1))

        assert Connection.objects.get().last_event_at == now


def test_rotate_credentials_encrypts_under_the_first_key(organization, settings):
    old, new = settings.ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    with tenant(organization):
        connect(organization, webhook_secret=SECRET)
    settings.ENCRYPTION_KEYS = [new, old]

    said = StringIO()
    call_command("rotate_credentials", stdout=said)

    assert "integrations.Connection: 1 rows" in said.getvalue()
    settings.ENCRYPTION_KEYS = [new]
    with tenant(organization):
        stored = Connection.objects.get()
        assert (stored.credentials, stored.webhook_secrets) == ({"api_key": KEY}, {"current": SECRET})
    settings.ENCRYPTION_KEYS = [old]
    with tenant(organization), pytest.raises(UndecryptableSecret):
        Connection.objects.get()
