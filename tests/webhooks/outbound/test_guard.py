"""Where connections may lead, whatever a URL, a name server or a redirect says."""

import asyncio
import socket

import aiohttp
import pytest
from yarl import URL

from referral_rocket.accounts.scoping import tenant
from tests.webhooks.outbound import sink as sinks
from webhooks.outbound import connecting
from webhooks.outbound.connecting import Sessions
from webhooks.outbound.endpoints import endpoint_create, endpoint_test, endpoint_update
from webhooks.outbound.errors import AddressNotAllowed
from webhooks.outbound.models import Delivery, DeliveryAttempt

PUBLIC = "93.184.216.34"


def ask(url, *, answers=None, monkeypatch=None):
    """Post to `url` through the guard; `answers` are what the name resolves to, look-up by look-up."""
    asked: list[str] = []
    rounds = iter(answers or [])

    def look_up(host, port, family=0, kind=0, *rest, **options):
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in next(rounds)
        ]

    if answers is not None:
        monkeypatch.setattr(connecting.socket, "getaddrinfo", look_up)

    async def post():
        sessions = Sessions(at_once=10, timeout=2)
        try:
            async with sessions.for_url(url).post(
                URL(url, encoded=True), data=b"{}", allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            return getattr(error, "os_error", error)
        finally:
            await sessions.close()

    return asyncio.run(post()), asked


def refused(outcome):
    # The HTTP library knows no other form of an IPv4 address than the plain one, and tries nothing with the others.
    return isinstance(outcome, connecting.AddressRefused | aiohttp.InvalidURL)


def test_it_works(sink):
    assert ask(sink.url + "/hook")[0] == 204
    assert len(sink.received) == 1


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "127.1.",
        "127.0.0.1%25lo",
        "[::1]",
        "[::1%25lo]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:0:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1%25lo]",
        "0.0.0.0",
        "0",
        "[::]",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "user:secret@127.0.0.1",
        "example.com@127.0.0.1",
        "\uff11\uff12\uff17.0.0.1",
        "127\u30020\u30020\u30021",
        "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",
    ],
)
def test_an_address_in_the_url(settings, sink, host):
    settings.WEBHOOK_ALLOWED_PRIVATE_NETWORKS = []
    port = sink.url.rpartition(":")[2]

    for scheme in ("http", "https"):
        outcome = ask(f"{scheme}://{host}:{port}/hook")[0]
        # Some spellings are a name to the system's resolver, and which of those it knows depends on the machine.
        assert refused(outcome) or isinstance(outcome, socket.gaierror)
    assert sink.received == []


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.2",
        "169.254.169.254",
        "192.168.1.1",
        "224.0.0.1",
        "::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
    ],
)
def test_a_name_that_leads_inside(settings, monkeypatch, address):
    settings.WEBHOOK_ALLOWED_PRIVATE_NETWORKS = []

    outcome, asked = ask("https://hooks.example.com/hook", answers=[[address]], monkeypatch=monkeypatch)

    assert refused(outcome)
    assert asked == ["hooks.example.com"]


@pytest.mark.parametrize("answer", [[PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], [PUBLIC, "::1"]])
def test_an_answer_that_mixes_public_and_private(settings, monkeypatch, answer):
    settings.WEBHOOK_ALLOWED_PRIVATE_NETWORKS = []

    outcome, _ = ask("https://hooks.example.com/hook", answers=[answer], monkeypatch=monkeypatch)

    assert refused(outcome)


def test_an_answer_that_changes_between_look_ups(settings, sink, monkeypatch):
    """Whoever judges one answer and connects to another can be fooled. Here what was judged is what is used."""
    settings.WEBHOOK_ALLOWED_PRIVATE_NETWORKS = ["127.0.0.1/32"]
    url = sink.url.replace("127.0.0.1", "hooks.example.com") + "/hook"
    answers = [["127.0.0.1"], ["127.0.0.2"]]

    outcome, asked = ask(url, answers=answers, monkeypatch=monkeypatch)

    assert (outcome, asked) == (204, ["hooks.example.com"])
    outcome, _ = ask(url, answers=answers[1:], monkeypatch=monkeypatch)
    assert refused(outcome)
    assert len(sink.received) == 1


def test_http_is_for_allowed_networks_alone(settings, monkeypatch):
    settings.WEBHOOK_ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]

    outcome, _ = ask("http://hooks.example.com/hook", answers=[[PUBLIC]], monkeypatch=monkeypatch)

    assert refused(outcome)


def test_an_allowed_network_opens_nothing_beside_it(settings, sink):
    settings.WEBHOOK_ALLOWED_PRIVATE_NETWORKS = ["127.0.0.2/32"]

    assert refused(ask(sink.url + "/hook")[0])
    assert sink.received == []


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["https://10.0.0.1/hook", "http://example.com/hook", "https://user:pass@example.com/"])
def test_an_endpoint_is_refused_where_its_url_shows_it(organization, settings, url):
    settings.WEBHOOK_ALLOWED_PRIVATE_NETWORKS = []
    with tenant(organization):
        with pytest.raises(AddressNotAllowed):
            endpoint_create(organization=organization, url=url, actor="system:test")
        good = endpoint_create(organization=organization, url="https://example.com/hook", actor="system:test").endpoint
        with pytest.raises(AddressNotAllowed):
            endpoint_update(endpoint=good, url=url, actor="system:test")
        good.refresh_from_db()
        assert good.url == "https://example.com/hook"


@pytest.mark.django_db(transaction=True)
def test_where_only_the_connection_shows_it_the_attempt_says_so(organization, settings, sender, monkeypatch):
    monkeypatch.setattr(
        connecting.socket,
        "getaddrinfo",
        lambda host, port, *rest, **more: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port))],
    )
    with tenant(organization):
        endpoint = endpoint_create(organization=organization, url="https://hooks.example.com/x", actor="a:b").endpoint
        endpoint_test(endpoint=endpoint, actor="system:test")

    sender.work(3)

    with tenant(organization):
        attempt = DeliveryAttempt.objects.get()
        assert attempt.error == "address_not_allowed: 10.0.0.1 is not a public address."
        assert (attempt.status_code, attempt.response_excerpt) == (None, "")
        assert Delivery.objects.get().status == "PENDING"


def test_a_redirect_isnt_followed(sink):
    async def behave(request, received):
        return sinks.web.Response(status=308, headers={"Location": f"{sink.url}/inside"})

    sink.behave = behave

    assert ask(sink.url + "/hook")[0] == 308
    assert [each.path for each in sink.received] == ["/hook"]
