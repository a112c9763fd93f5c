"""A test clock is advanced while a worker writes what endpoints answered: neither waits for the other in a circle."""

import threading
from datetime import timedelta

import pytest
from django.db import connections

from integrations.models import Endpoint
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.accounts.services import test_clock_set as set_clock
from referral_rocket.kit import clock
from rewards.models import Reward
from tests import factories
from tests.concurrency import wait_until_somebody_waits
from webhooks.outbound import claiming
from webhooks.outbound.advancing import clock_advance
from webhooks.outbound.endpoints import endpoint_test
from webhooks.outbound.models import DeliveryAttempt
from webhooks.outbound.results import Result, results_write

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


@pytest.fixture
def twin(organization):
    return organization.test_organization


@pytest.fixture
def shipment(twin, make_endpoint):
    """A test event that was sent and isn't answered yet, to an endpoint that is failing."""
    endpoint = make_endpoint(twin)
    with tenant(twin):
        endpoint_test(endpoint=endpoint, actor="system:test")
        Endpoint.objects.update(failing_since=clock.wall())
    (claimed,) = claiming.claim(token=claiming.new_token(), room=1, rooms={}, usual_room=1)
    return claimed


def in_thread(call):
    def run():
        try:
            call()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_it_works(twin, shipment):
    """What is written down names the organization, whose row the one who advances holds."""
    with tenant(twin):
        set_clock(organization=twin, now=clock.now(twin) + DAY)
        writer = in_thread(lambda: results_write([Result(shipment, clock.wall(), 12, 500, "It answered 500.")]))
        writer.join(20)
        assert not writer.is_alive()
        assert DeliveryAttempt.objects.count() == 1


def test_rewards_come_after_endpoints(twin, shipment):
    """A worker that holds an endpoint confirms rewards next, so that whoever waits for the endpoint holds none."""
    campaign = factories.campaign(twin, holding_days=1)
    sharer = factories.participant(campaign)
    factories.event(factories.participant(campaign, "friend@example.com", referred_by=sharer))
    released = []

    def advance():
        with tenant(twin):
            released.append(clock_advance(organization=twin, now=clock.now(twin) + 2 * DAY))

    with every_organization("a worker's transaction"):
        list(Endpoint.objects.select_for_update(no_key=True))
        advancing = in_thread(advance)
        wait_until_somebody_waits()
        (held,) = Reward.objects.select_for_update(no_key=True, nowait=True, of=("self",))
        assert held.status == "EARNED"
    advancing.join(20)

    assert released == [1]
    with tenant(twin):
        assert Reward.objects.get().status == "PENDING"
