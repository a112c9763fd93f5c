from collections.abc import Iterator

import pytest

from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity import outbox
from tests.webhooks.outbound import sink as sinks
from webhooks.outbound.endpoints import endpoint_create
from webhooks.outbound.sending import Sender


@pytest.fixture(autouse=True)
def _loopback_allowed(settings):
    settings.WEBHOOK_ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def sink() -> Iterator[sinks.Sink]:
    with sinks.running() as running:
        yield running


@pytest.fixture
def sender() -> Iterator[Sender]:
    """For tests with real transactions: its threads have connections of their own."""
    sender = Sender(timeout=2)
    sender.start()
    yield sender
    sender.stop()


@pytest.fixture
def make_endpoint(sink):
    """An endpoint of the sink's, by its path; the sink verifies with its secret."""

    def make(organization, path="/hook", url=None, **fields):
        with tenant(organization):
            issued = endpoint_create(
                organization=organization, url=url or sink.url + path, actor="system:test", **fields
            )
        sink.secrets[path] = [issued.secret]
        return issued.endpoint

    return make


@pytest.fixture
def hand_on():
    """Run the outbox until it is empty."""

    def run():
        while outbox.run():
            continue

    return run
