"""How fast one process delivers webhooks: `python -m embedded.throwaway python -m benchmarks.deliveries`.

Everything is on: signing, the address guard, leases, writing results and health. What it is compared with is measured
in the same run against the same server. Prints one line a ratio and exits with 1 where one misses its aim.
"""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "referral_rocket.settings")
os.environ.setdefault("WEBHOOK_ALLOWED_PRIVATE_NETWORKS", "127.0.0.0/8")
os.environ.setdefault("LOG_LEVEL", "ERROR")

import django

django.setup()

import aiohttp  # noqa: E402
import requests  # noqa: E402
import uvloop  # noqa: E402
from django.core.management import call_command  # noqa: E402

from integrations.models import Endpoint  # noqa: E402
from referral_rocket.accounts.models import Organization, User  # noqa: E402
from referral_rocket.accounts.scoping import tenant  # noqa: E402
from referral_rocket.accounts.services import organization_create  # noqa: E402
from referral_rocket.kit.clock import wall  # noqa: E402
from referral_rocket.kit.ids import uuid7  # noqa: E402
from webhooks.outbound.endpoints import endpoint_create  # noqa: E402
from webhooks.outbound.models import Delivery  # noqa: E402
from webhooks.outbound.sending import AT_ONCE, PER_ENDPOINT, Sender  # noqa: E402

BODY = (
    '{"data":{"amount":10000,"created_at":"2026-11-21T09:00:00.000Z","currency":"USD","customer_id":"'
    + "0" * 36
    + '","external_id":"u_17","campaign_id":"'
    + "0" * 36
    + '","reward_id":"'
    + "0" * 36
    + '","transaction_id":"ord_991","type":"REFERRAL","status":"PENDING"},"object":"REWARD_UPDATED"}'
)
LATENCY_MS = 100
ENDPOINTS = AT_ONCE // PER_ENDPOINT


@contextmanager
def server(milliseconds: int) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.slow_server", str(milliseconds)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def endpoints(organization: Organization, urls: Sequence[str]) -> list[Endpoint]:
    with tenant(organization):
        return [
            endpoint_create(organization=organization, url=url, event_types=["EVENT"], actor="system:test").endpoint
            for url in urls
        ]


def queue(organization: Organization, found: Sequence[Endpoint], each: int) -> None:
    now = wall()
    with tenant(organization):
        for endpoint in found:
            Delivery.objects.bulk_create(
                [
                    Delivery(
                        id=uuid7(),
                        organization=organization,
                        endpoint=endpoint,
                        event_type="REWARD_UPDATED",
                        body=BODY,
                        next_attempt_at=now,
                        created_at=now,
                    )
                    for _ in range(each)
                ],
                batch_size=1000,
            )


def delivered(organization: Organization, found: Sequence[Endpoint]) -> int:
    with tenant(organization):
        return Delivery.objects.filter(endpoint__in=found, status="DELIVERED").count()


def rate(sender: Sender, organization: Organization, found: Sequence[Endpoint], each: int, warm: int) -> float:
    """Deliveries a second, everything written, once connections are open."""
    queue(organization, found, warm)
    sender.work(3)
    before = delivered(organization, found)
    queue(organization, found, each)
    began = time.perf_counter()
    # In the background: it doesn't return while another endpoint keeps it waiting.
    working = threading.Thread(target=sender.work, args=(120,))
    working.start()
    while delivered(organization, found) - before < each * len(found):
        time.sleep(0.05)
    return each * len(found) / (time.perf_counter() - began)


def sequential(url: str, number: int) -> float:
    with requests.Session() as session:
        session.post(url, data=BODY, timeout=5)
        began = time.perf_counter()
        for _ in range(number):
            session.post(url, data=BODY, timeout=5)
        return number / (time.perf_counter() - began)


def bare_loop(url: str, number: int, at_once: int) -> float:
    """The same posts by nothing but aiohttp: no signing, no guard, no database."""

    async def run() -> float:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:
            left = iter(range(number))

            async def post_some() -> None:
                for _ in left:
                    async with session.post(url, data=BODY) as response:
                        await response.read()

            began = time.perf_counter()
            await asyncio.gather(*(post_some() for _ in range(at_once)))
            return number / (time.perf_counter() - began)

    return uvloop.run(run())


def main() -> int:
    call_command("migrate", verbosity=0)
    owner = User.objects.create_user(f"{uuid7()}@example.com")
    organization = organization_create(name="Benchmark", owner=owner)
    fine = True
    sender = Sender()
    sender.start()

    def line(name: str, ratio: float, aim: float, measured: str, *, at_most: bool = False) -> None:
        nonlocal fine
        good = ratio <= aim if at_most else ratio >= aim
        fine = fine and good
        print(f"{'ok  ' if good else 'MISS'} {name}: {ratio:.2f} (aim {'≤' if at_most else '≥'} {aim:g}) {measured}")

    with server(LATENCY_MS) as url:
        one = endpoints(organization, [f"{url}/alone"])
        bound = PER_ENDPOINT / (LATENCY_MS / 1000)
        got = rate(sender, organization, one, 3000, 200)
        line(f"one endpoint, {PER_ENDPOINT} at once, of concurrency by latency", got / bound, 0.7, f"{got:.0f}/s")
        four = endpoints(organization, [f"{url}/four{number}" for number in range(4)])
        bound = 4 * PER_ENDPOINT / (LATENCY_MS / 1000)
        got = rate(sender, organization, four, 2000, 200)
        line(f"four endpoints, {4 * PER_ENDPOINT} at once, of concurrency by latency", got / bound, 0.7, f"{got:.0f}/s")
        ten = endpoints(organization, [f"{url}/{number}" for number in range(ENDPOINTS)])
        bound = AT_ONCE / (LATENCY_MS / 1000)
        got = rate(sender, organization, ten, 2000, 200)
        line(f"ten endpoints, {AT_ONCE} at once, of concurrency by latency", got / bound, 0.7, f"{got:.0f}/s")
        alone = sequential(f"{url}/seq", 20)
        line("ten endpoints, times a sequential requests.Session", got / alone, 25, f"{alone:.1f}/s")
        nine = endpoints(organization, [f"{url}/n{number}" for number in range(9)])
        quiet = rate(sender, organization, nine, 1500, 200)
        hanging = endpoints(organization, [f"{url}/hang"])
        queue(organization, hanging, 500)
        beside = rate(sender, organization, nine, 1500, 200)
        line("nine endpoints, taken by a tenth that hangs", 1 - beside / quiet, 0.1, f"{beside:.0f}/s", at_most=True)
    with server(0) as url:
        bare = bare_loop(f"{url}/bare", 10_000, AT_ONCE)
        ten = endpoints(organization, [f"{url}/{number}" for number in range(ENDPOINTS)])
        got = rate(sender, organization, ten, 1500, 200)
        line("ten endpoints at 0 ms, of a bare aiohttp loop", got / bare, 0.4, f"{got:.0f}/s of {bare:.0f}/s")
    sender.stop()
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
