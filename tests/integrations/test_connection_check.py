from datetime import timedelta

import pytest
import time_machine

from integrations import services, tasks
from integrations.errors import ProviderRetryable
from integrations.models import Connection, ConnectionStatus
from referral_rocket.accounts.models import User
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.services import organization_create
from referral_rocket.activity.models import Activity
from referral_rocket.kit.clock import wall

pytestmark = pytest.mark.django_db
KEY = "sk_test_Q4242"


@pytest.fixture
def organization():
    owner = User.objects.create_user("owner@example.com")
    return organization_create(name="Rocket Ltd", owner=owner).test_organization


@pytest.fixture
def connection(organization, sandbox, settings):
    settings.PROVIDER_API_BASES = {"stripe": f"{sandbox.url}/stripe"}
    with tenant(organization):
        return services.connection_create(
            organization=organization, provider="stripe", credentials={"api_key": KEY}, actor="user:1"
        )


def asked(organization, connection) -> Connection:
    with tenant(organization):
        services.connection_request_check(connection=connection)
    tasks.check_connections()
    with tenant(organization):
        return Connection.objects.get()


def test_it_works(organization, connection):
    checked = asked(organization, connection)

    assert checked.account == "Referral Rocket stand-in (test) (acct_standintest)"
    assert checked.account_currency == "USD"
    assert checked.status == ConnectionStatus.ACTIVE
    assert checked.checked_at is not None
    assert checked.check_due_at is None
    assert tasks.check_connections() == 0


def test_revoked_credentials_need_attention_and_a_good_answer_mends_it(organization, connection, sandbox):
    sandbox.post("stripe/keys/revoke", api_key=KEY)
    broken = asked(organization, connection)
    sandbox.post("stripe/keys/restore", api_key=KEY)
    mended = asked(organization, connection)

    assert broken.status == ConnectionStatus.NEEDS_ATTENTION
    assert "credentials" in broken.attention_reason
    assert KEY not in broken.attention_reason
    assert (mended.status, mended.attention_reason) == (ConnectionStatus.ACTIVE, "")
    with tenant(organization):
        kinds = list(Activity.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["connection.created", "connection.needs_attention", "connection.mended"]


def test_a_provider_out_of_reach_is_asked_again_later(organization, connection, sandbox):
    sandbox.fault("rate_limited", retry_after=90)
    put_off = asked(organization, connection)

    assert put_off.status == ConnectionStatus.ACTIVE
    assert put_off.check_due_at is not None
    assert put_off.check_due_at > wall() + timedelta(seconds=80)
    assert tasks.check_connections() == 0


def test_the_check_ends_after_the_last_try(organization, connection):
    out_of_reach = ProviderRetryable("Stripe can't be reached.", sent=False)
    with tenant(organization):
        services.connection_request_check(connection=connection)
        for _ in range(len(services.CHECK_RETRY_SECONDS) + 1):
            services.connection_checked(connection=connection, outcome=out_of_reach, actor="system:check")
        ended = Connection.objects.get()

    assert ended.check_due_at is None
    assert ended.check_message == "Stripe can't be reached."
    assert ended.status == ConnectionStatus.ACTIVE


def test_a_check_that_somebody_is_at_is_left_alone(organization, connection, sandbox, monkeypatch):
    ask = tasks._ask

    def meanwhile(claimed):
        assert tasks.check_connections() == 0
        return ask(claimed)

    monkeypatch.setattr(tasks, "_ask", meanwhile)

    assert asked(organization, connection).account
    assert [asking["count"] for asking in sandbox.get("requests")["requests"]] == [1]


def test_a_worker_that_died_leaves_the_check_to_the_next(organization, connection, monkeypatch):
    def dies(claimed):
        raise SystemExit

    with tenant(organization):
        services.connection_request_check(connection=connection)
    with monkeypatch.context() as patched:
        patched.setattr(tasks, "_ask", dies)
        with pytest.raises(SystemExit):
            tasks.check_connections()
    assert tasks.check_connections() == 0

    with time_machine.travel(wall() + timedelta(seconds=61)):
        assert tasks.check_connections() == 1


def test_an_answer_that_came_too_late_is_dropped(organization, connection, monkeypatch):
    ask = tasks._ask

    def asks_anew(claimed):
        with tenant(organization):
            services.connection_request_check(connection=connection)
        return ask(claimed)

    monkeypatch.setattr(tasks, "_ask", asks_anew)

    checked = asked(organization, connection)
    assert checked.account == ""
    assert checked.check_due_at is not None


def test_checking_and_issuing_do_not_wait_for_each_other(organization, connection):
    until = wall() + timedelta(seconds=60)
    with tenant(organization):
        Connection.objects.update(leased_until=until, lease_token=connection.pk)

    checked = asked(organization, connection)

    assert checked.account
    assert (checked.leased_until, checked.lease_token) == (until, connection.pk)


def test_a_disconnected_connection_is_not_asked_about(organization, connection, sandbox):
    with tenant(organization):
        services.connection_disconnect(connection=connection, actor="user:1")

    assert asked(organization, connection).check_due_at is None
    assert sandbox.get("requests")["requests"] == []
