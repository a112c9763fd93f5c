"""What is sent, and what is kept of the answer."""

import asyncio
import threading
import time

import pytest
from aiohttp import web
from django.db import connection

from integrations.models import Endpoint
from referral_rocket.accounts.scoping import tenant
from tests import factories
from tests.webhooks.outbound.sink import accept
from webhooks.outbound import sending
from webhooks.outbound.endpoints import endpoint_test
from webhooks.outbound.models import Delivery, DeliveryAttempt, EndpointHour
from webhooks.outbound.sending import Sender

pytestmark = pytest.mark.django_db(transaction=True)


def send_test(organization, endpoint, sender):
    with tenant(organization):
        endpoint_test(endpoint=endpoint, actor="system:test")
    sender.work(5)
    with tenant(organization):
        delivery = Delivery.objects.order_by("-id")[0]
        return delivery, DeliveryAttempt.objects.filter(delivery=delivery).order_by("-id").first()


def test_it_works(organization, sink, sender, make_endpoint, hand_on):
    endpoint = make_endpoint(organization, event_types=["EVENT", "REWARD_UPDATED"])
    campaign = factories.campaign(organization)
    referrer = factories.participant(campaign)
    result = factories.event(factories.participant(campaign, referred_by=referrer))
    hand_on()

    assert sender.work(5) == 2

    assert sink.forged == []
    assert sorted(each.event["object"] for each in sink.received) == ["EVENT", "REWARD_UPDATED"]
    with tenant(organization):
        delivered = list(Delivery.objects.all())
        assert [(each.status, each.tries, each.lease_token) for each in delivered] == [("DELIVERED", 0, None)] * 2
        assert {each.webhook_id for each in delivered} == {each.webhook_id for each in sink.received}
        assert [each.status_code for each in DeliveryAttempt.objects.all()] == [204, 204]
        hour = EndpointHour.objects.get()
        assert (hour.succeeded, hour.failed) == (2, 0)
        assert Endpoint.objects.get(pk=endpoint.pk).last_success_at is not None
    told = next(each.event["data"] for each in sink.received if each.event["object"] == "REWARD_UPDATED")
    reward = result.rewards[0]
    assert told == {
        "amount": 1200,
        "created_at": f"{reward.created_at:%Y-%m-%dT%H:%M:%S}.{reward.created_at.microsecond // 1000:03}Z",
        "currency": "USD",
        "customer_id": str(referrer.customer_id),
        "external_id": None,
        "campaign_id": str(campaign.pk),
        "reward_id": str(reward.pk),
        "transaction_id": reward.transaction_id,
        "type": "REFERRAL",
        "status": "PENDING",
        "previous_status": None,
        "reason": "earned",
    }


@pytest.mark.parametrize(
    ("answer", "status_code", "error"),
    [
        (lambda: web.Response(status=500, text="broken\x00 here"), 500, "It answered 500."),
        (lambda: web.Response(status=404), 404, "It answered 404."),
        (lambda: web.Response(status=302, headers={"Location": "/other"}), 302, "redirects aren't followed"),
        (lambda: web.Response(status=307, headers={"Location": "/other"}), 307, "redirects aren't followed"),
    ],
)
def test_an_answer_that_is_no_success(organization, sink, sender, make_endpoint, answer, status_code, error):
    async def behave(request, received):
        return answer()

    sink.behave = behave

    delivery, attempt = send_test(organization, make_endpoint(organization), sender)

    assert (delivery.status, delivery.tries) == ("PENDING", 1)
    assert attempt.status_code == status_code
    assert error in attempt.error
    assert "\x00" not in attempt.response_excerpt
    assert [each.path for each in sink.received] == ["/hook"]


def test_an_answer_is_read_to_two_kilobytes(organization, sink, sender, make_endpoint):
    async def behave(request, received):
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b"x" * 100_000)
        return response

    sink.behave = behave

    delivery, attempt = send_test(organization, make_endpoint(organization), sender)

    assert delivery.status == "DELIVERED"
    assert len(attempt.response_excerpt) == 2048


def test_an_answer_that_never_ends(organization, sink, sender, make_endpoint):
    async def behave(request, received):
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x")
            await asyncio.sleep(0.1)
        return response

    sink.behave = behave

    delivery, attempt = send_test(organization, make_endpoint(organization), sender)

    assert delivery.status == "PENDING"
    assert (attempt.status_code, attempt.error) == (None, "No complete answer within 2 seconds.")
    assert attempt.duration_ms >= 1900


def test_a_server_that_hangs_holds_up_only_itself(organization, sink, sender, make_endpoint):
    other = factories.organization()
    hanging, good = make_endpoint(organization, "/hang"), make_endpoint(other, "/good")
    done = threading.Event()

    async def behave(request, received):
        if received.path == "/hang":
            await asyncio.sleep(5)
        else:
            done.set()
        return web.Response(status=204)

    sink.behave = behave
    with tenant(organization):
        for _ in range(40):
            endpoint_test(endpoint=hanging, actor="system:test")
    with tenant(other):
        endpoint_test(endpoint=good, actor="system:test")
    began = time.monotonic()
    sender.work(4)

    assert done.is_set()
    with tenant(other):
        assert Delivery.objects.get().status == "DELIVERED"
        assert (DeliveryAttempt.objects.get().at.timestamp() - time.time()) > -(time.monotonic() - began) - 1


def test_what_isnt_http_and_what_isnt_there(organization, sender, make_endpoint, sink):
    endpoint = make_endpoint(organization, url="http://127.0.0.1:1/hook")

    delivery, attempt = send_test(organization, endpoint, sender)

    assert (delivery.status, delivery.tries) == ("PENDING", 1)
    assert attempt.error == "No connection came about."
    with tenant(organization):
        assert Endpoint.objects.get().failing_since is not None


def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled(organization, sink, sender, make_endpoint):
    endpoint = make_endpoint(organization)
    with tenant(organization):
        endpoint_test(endpoint=endpoint, actor="system:test")
        endpoint.status, endpoint.disabled_reason, endpoint.disabled_at = "DISABLED", "by_person", endpoint.created_at
        endpoint.save()

    assert sender.work(1) == 0
    assert sink.received == []

    with tenant(organization):
        endpoint.status, endpoint.disabled_reason, endpoint.disabled_at = "ENABLED", None, None
        endpoint.save()
    assert sender.work(1) == 1
    assert sink.behave is accept
    assert len(sink.received) == 1


def test_stopping_answers_whoever_waits_for_work(organization, sink, make_endpoint):
    async def behave(request, received):
        await asyncio.sleep(30)
        return web.Response(status=204)

    sink.behave = behave
    endpoint = make_endpoint(organization)
    with tenant(organization):
        endpoint_test(endpoint=endpoint, actor="system:test")
    sender = Sender(timeout=20)
    sender.start()
    begun: list[int] = []
    working = threading.Thread(target=lambda: begun.append(sender.work(60)))
    working.start()
    while not sink.received:
        time.sleep(0.05)

    sender.stop()
    working.join(10)

    assert begun == [1]
    with tenant(organization):
        # Its outcome is unknown: it stays leased, and is sent again once the lease has run out.
        assert (Delivery.objects.get().status, DeliveryAttempt.objects.count()) == ("PENDING", 0)


def test_a_secret_that_no_key_opens_holds_up_only_its_own_endpoint(organization, sink, sender, make_endpoint):
    other = factories.organization()
    broken, good = make_endpoint(organization, "/broken"), make_endpoint(other, "/good")
    for where, endpoint in ((organization, broken), (other, good)):
        with tenant(where):
            endpoint_test(endpoint=endpoint, actor="system:test")
    with tenant(organization), connection.cursor() as cursor:
        cursor.execute("UPDATE integrations_endpoint SET secrets = 'of a key that is gone' WHERE id = %s", [broken.pk])

    assert sender.work(2) == 1

    assert [each.path for each in sink.received] == ["/good"]
    with tenant(organization):
        assert Delivery.objects.get().status == "PENDING"


def test_what_has_waited_long_is_claimed_again(organization, sink, sender, make_endpoint, monkeypatch):
    monkeypatch.setattr(sending, "QUEUED_SECONDS", -1.0)
    endpoint = make_endpoint(organization)
    with tenant(organization):
        endpoint_test(endpoint=endpoint, actor="system:test")

    assert sender.work(0.3) >= 1

    assert sink.received == []
    with tenant(organization):
        waiting = Delivery.objects.get()
        assert (waiting.status, waiting.tries, waiting.attempts.count()) == ("PENDING", 0, 0)
    monkeypatch.undo()
    assert sender.work(2) >= 1
    assert len(sink.received) == 1


def test_gone_ends_what_was_claimed_for_it(organization, sink, sender, make_endpoint):
    async def behave(request, received):
        return web.Response(status=410)

    sink.behave = behave
    endpoint = make_endpoint(organization)
    with tenant(organization):
        for _ in range(30):
            endpoint_test(endpoint=endpoint, actor="system:test")
        Endpoint.objects.update(failing_since=endpoint.created_at)

    sender.work(3)

    # Two at a time, since it was failing: what waited behind them was given back, not sent.
    assert 1 <= len(sink.received) <= 2
    with tenant(organization):
        assert Endpoint.objects.get().disabled_reason == "gone"
        assert set(Delivery.objects.values_list("status", "lease_token")) == {("PENDING", None)}
