"""Redis is away: nothing is refused and nothing is lost (architecture.md, Manner 4)."""

import pytest
from django.core.cache import cache
from django.test import Client
from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from integrations.models import Connection
from referral_rocket.accounts.models import Scope, User
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.services import api_key_create
from referral_rocket.kit import nudges
from tests import factories
from tests.webhooks.stripe_sales import SESSION, post, sale
from webhooks.inbound import dispatch, door
from webhooks.inbound.models import InboundEvent

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse battery staple"


@pytest.fixture
def away(monkeypatch):
    """Every connection to Redis is refused, those that are open are lost."""

    def refuse(self, *arguments, **options):
        raise RedisConnectionError("Connection refused.")

    monkeypatch.setattr(AbstractConnection, "connect", refuse)
    monkeypatch.setattr(AbstractConnection, "connect_check_health", refuse)
    monkeypatch.setattr(AbstractConnection, "send_packed_command", refuse)
    nudges._last_sent.clear()
    door._doors.clear()
    yield
    door._doors.clear()


def test_it_works(away, organization):
    """A webhook is stored and answered, and the sweep works it off."""
    connection = factories.connection(organization)
    sharer = factories.participant(factories.campaign(organization))
    failed = sum(sample.value for metric in nudges.nudges_failed.collect() for sample in metric.samples)

    assert post(connection, sale(referral_code=sharer.referral_code)[SESSION]).status_code == 200
    dispatch.run()

    with tenant(organization):
        assert InboundEvent.objects.get().status == "PROCESSED"
    assert failed < sum(sample.value for metric in nudges.nudges_failed.collect() for sample in metric.samples)


def test_it_is_reported_and_refuses_nothing(away):
    answer = Client().get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["checks"] == {"database": "ok", "redis": "unreachable: ConnectionError"}
    cache.set("a", 1)
    assert cache.add("b", 1)
    assert cache.get("a", "nothing") == "nothing"
    assert cache.get_many(["a", "b"]) == {}
    assert not cache.delete("a")


def test_with_redis_the_cache_is_one():
    cache.set("a", 1)

    assert cache.get("a") == 1
    assert not cache.add("a", 2)
    assert cache.delete("a")
    assert cache.get("a") is None
    assert Client().get("/readyz").json()["checks"]["redis"] == "ok"


def test_the_api_answers(away, organization):
    token = api_key_create(organization=organization, name="all", scopes=Scope.values, user=None).token
    client = Client(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=False)

    created = client.post(
        "/api/v1/campaigns",
        {"name": "Friends", "currency": "USD", "rules": [{"type": "REFERRAL", "beneficiary": "REFERRER", "amount": 5}]},
        content_type="application/json",
        headers={"Idempotency-Key": "one"},
    )

    assert client.get("/api/v1/organization").status_code == 200
    assert created.status_code == 201, created.content


def test_somebody_can_log_in_and_work(away, organization):
    owner = User.objects.create_user("owner2@example.com", PASSWORD)
    mine = factories.organization(owner=owner)
    client = Client(raise_request_exception=False)

    answer = client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD})

    assert answer.status_code == 302, answer.content[:2000]
    assert client.get(f"/o/{mine.slug}/campaigns/").status_code == 200
    assert client.get("/livez").status_code == 200
    with tenant(mine):
        assert not Connection.objects.exists()
