"""When a delivery is tried again, found by moving a test clock and never by waiting."""

from datetime import UTC, datetime, timedelta

import pytest

from integrations.models import Endpoint
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.services import test_clock_set as set_clock
from referral_rocket.activity import outbox
from referral_rocket.kit import clock
from referral_rocket.notices import sending
from webhooks.outbound import claiming
from webhooks.outbound.advancing import attempts_pull_forward
from webhooks.outbound.endpoints import endpoint_test, endpoint_update
from webhooks.outbound.models import Delivery, DeliveryAttempt
from webhooks.outbound.results import Result, results_write
from webhooks.outbound.schedule import next_attempt, retry_after_seconds

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
# api.md: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h
PAUSES = [timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)]


@pytest.fixture
def twin(organization):
    return organization.test_organization


@pytest.fixture
def endpoint(twin, make_endpoint):
    return make_endpoint(twin)


def claim():
    return claiming.claim(token=claiming.new_token(), room=100, rooms={}, usual_room=20)


def answer(shipments, status_code, **fields):
    return results_write(
        [
            Result(shipment, clock.wall(), 12, status_code, f"It answered {status_code}.", **fields)
            for shipment in shipments
        ]
    )


def advance(organization, step):
    with tenant(organization):
        set_clock(organization=organization, now=clock.now(organization) + step)
        attempts_pull_forward(organization=organization, step=step)


def send_test(organization, endpoint):
    with tenant(organization):
        return endpoint_test(endpoint=endpoint, actor="system:test")


@pytest.mark.django_db
def test_it_works(twin, endpoint):
    """The whole schedule: nothing just before its time, the attempt at its time, and an end."""
    send_test(twin, endpoint)
    answer(claim(), 500)
    for pause in PAUSES:
        advance(twin, pause - timedelta(seconds=1))
        assert claim() == []
        # Jitter puts it off by up to a tenth.
        advance(twin, pause * 0.1 + timedelta(seconds=2))
        due = claim()
        assert len(due) == 1
        answer(due, 500)

    with tenant(twin):
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.tries) == ("FAILED", 10)
        assert delivery.finished_at is not None
        assert DeliveryAttempt.objects.count() == 10
        # A bit over three days: the endpoint stays enabled.
        assert Endpoint.objects.get().status == "ENABLED"
    advance(twin, timedelta(days=1))
    assert claim() == []


@pytest.mark.parametrize(("failures", "pause"), list(enumerate(PAUSES, start=1)))
def test_jitter_only_puts_off(failures, pause):
    assert next_attempt(failures, NOW, chance=0.0) == NOW + pause
    assert next_attempt(failures, NOW, chance=1.0) == NOW + pause * 1.1


def test_after_all_attempts_there_is_none():
    assert next_attempt(10, NOW) is None


def test_never_sooner_than_it_asks_for():
    assert next_attempt(1, NOW, retry_after=120, chance=0) == NOW + timedelta(seconds=120)
    assert next_attempt(2, NOW, retry_after=1, chance=0) == NOW + timedelta(minutes=5)
    assert next_attempt(1, NOW, retry_after=48 * 3600, chance=0) == NOW + timedelta(days=2)
    assert next_attempt(1, NOW, retry_after=10**9, chance=0) == NOW + timedelta(days=5)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("999999999999999999999", 432000),
        ("Sat, 21 Nov 2026 10:02:00 GMT", 120),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("nan", None),
    ],
)
def test_what_retry_after_says(text, seconds):
    assert retry_after_seconds({"Retry-After": text}, NOW) == seconds


@pytest.mark.django_db
def test_a_success_begins_the_five_days_anew(twin, endpoint):
    send_test(twin, endpoint)
    send_test(twin, endpoint)
    first, second = claim()
    answer([first], 500)
    with tenant(twin):
        assert Endpoint.objects.get().failing_since is not None
    answer([second], 200)
    with tenant(twin):
        assert Endpoint.objects.get().failing_since is None


@pytest.mark.django_db
def test_five_days_without_success_disable_it(twin, endpoint, mailoutbox):
    send_test(twin, endpoint)
    answer(claim(), 500)
    advance(twin, timedelta(days=4, hours=23))
    answer(claim(), 500)
    with tenant(twin):
        assert Endpoint.objects.get().status == "ENABLED"
    send_test(twin, endpoint)
    advance(twin, timedelta(hours=1))
    answer(claim(), 500)

    with tenant(twin):
        disabled = Endpoint.objects.get()
    assert (disabled.status, disabled.disabled_reason) == ("DISABLED", "no_success")
    outbox.run()
    assert sending.run() == 1
    assert sending.run() == 0
    assert mailoutbox[0].subject == f"{twin.name} (test): a webhook endpoint was disabled"
    assert "at 127.0.0.1. None of our requests succeeded for 5 days." in mailoutbox[0].body
    advance(twin, timedelta(days=2))
    assert claim() == []

    with tenant(twin):
        endpoint_update(endpoint=disabled, status="ENABLED", actor="system:test")
    assert len(claim()) == 2


@pytest.mark.django_db
def test_gone_disables_it_at_once(twin, endpoint):
    send_test(twin, endpoint)
    answer(claim(), 410)

    with tenant(twin):
        disabled = Endpoint.objects.get()
        assert (disabled.status, disabled.disabled_reason) == ("DISABLED", "gone")
        assert Delivery.objects.get().status == "PENDING"


@pytest.mark.django_db
def test_a_result_after_the_lease_is_dropped(twin, endpoint):
    send_test(twin, endpoint)
    late = claim()
    with tenant(twin):
        Delivery.objects.update(next_attempt_at=clock.wall())
    taken_over = claim()

    assert len(taken_over) == 1
    assert answer(late, 200) == 0
    assert answer(taken_over, 500) == 1
    with tenant(twin):
        assert Delivery.objects.get().status == "PENDING"
        assert [each.status_code for each in DeliveryAttempt.objects.order_by("id")] == [None, 500]
