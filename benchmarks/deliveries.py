"""How fast one process delivers webhooks: `python -m embedded.throwaway python -m benchmarks.deliveries`.

Everything is on: signing, the address guard, leases, writing results and health. What it is compared with is measured
in the same run against the same server, turn by turn, since the machine's own speed drifts; each ratio is the median of
its turns. Prints one line a ratio, with how many requests were out at once, and exits with 1 where one misses its aim.

At least 70 % of concurrency by latency is asked for only where a loop of nothing but aiohttp gets that far: at 500 at
once the bound is 5,000 a second, beyond what two cores do with the server on them, whoever sends. That line is printed
all the same, without an aim.
"""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median

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
from webhooks.outbound.endpoints import endpoint_create, endpoint_update  # noqa: E402
from webhooks.outbound.lines import PER_ENDPOINT  # noqa: E402
from webhooks.outbound.models import Delivery  # noqa: E402
from webhooks.outbound.sending import Sender  # noqa: E402

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
BY_LATENCY = 0.7
TURNS = 3
# How many deliveries a turn has for each that is out at once: some seconds' worth.
DEPTH = 15
AT_ONCE = 500
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


def is_left(organization: Organization, found: Sequence[Endpoint]) -> bool:
    """Whether some deliveries have no answer written. Asked often, so it must not cost what is measured."""
    with tenant(organization):
        return Delivery.objects.filter(endpoint__in=found, status="PENDING").exists()


@contextmanager
def a_sender() -> Iterator[Sender]:
    sender = Sender()
    sender.start()
    try:
        yield sender
    finally:
        sender.stop()


def warm_up(sender: Sender, organization: Organization, found: Sequence[Endpoint]) -> None:
    """Until each endpoint has its whole room and its connections are open."""
    queue(organization, found, 3 * PER_ENDPOINT)
    sender.work(10)


def rate(sender: Sender, organization: Organization, found: Sequence[Endpoint], each: int) -> float:
    """Deliveries a second, everything written."""
    queue(organization, found, each)
    began = time.perf_counter()
    # In the background: it doesn't return while another endpoint keeps it waiting.
    working = threading.Thread(target=sender.work, args=(120,))
    working.start()
    while is_left(organization, found):
        time.sleep(0.02)
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


class Verdict:
    """What is printed, and whether every aim was met."""

    def __init__(self) -> None:
        self.fine = True

    def line(self, name: str, ratio: float, aim: float | None, measured: str, *, at_most: bool = False) -> None:
        if aim is None:
            print(f"     {name}: {ratio:.2f} ({measured})", flush=True)
            return
        good = ratio <= aim if at_most else ratio >= aim
        self.fine = self.fine and good
        sign = "≤" if at_most else "≥"
        print(f"{'ok  ' if good else 'MISS'} {name}: {ratio:.2f} (aim {sign} {aim:g}; {measured})", flush=True)


def with_latency(organization: Organization, url: str, number: int, verdict: Verdict) -> None:
    """Of concurrency by latency with so many endpoints, and what a bare loop has of it."""
    at_once = number * PER_ENDPOINT
    bound = at_once / (LATENCY_MS / 1000)
    found = endpoints(organization, [f"{url}/{number}-{each}" for each in range(number)])
    bare, got, alone = [], [], []
    with a_sender() as sender:
        warm_up(sender, organization, found)
        for _ in range(TURNS):
            alone.append(sequential(f"{url}/seq", 15))
            bare.append(bare_loop(f"{url}/bare", DEPTH * at_once, at_once))
            got.append(rate(sender, organization, found, DEPTH * PER_ENDPOINT))
    rates = f"{median(got):.0f}/s; a bare aiohttp loop has {median(bare) / bound:.2f}"
    aim = BY_LATENCY if median(bare) / bound >= BY_LATENCY else None
    verdict.line(f"{LATENCY_MS} ms, {at_once} at once, of concurrency by latency", median(got) / bound, aim, rates)
    times = median(ours / theirs for ours, theirs in zip(got, alone, strict=True))
    verdict.line(f"{LATENCY_MS} ms, {at_once} at once, times a sequential requests.Session", times, 25, "one by one")


def beside_one_that_hangs(organization: Organization, url: str, verdict: Verdict) -> None:
    """What a hanging endpoint takes from nine others; each turn has a new one, since the sender learns."""
    nine = endpoints(organization, [f"{url}/nine-{number}" for number in range(9)])
    kept = []
    for turn in range(TURNS):
        with a_sender() as sender:
            warm_up(sender, organization, nine)
            alone = rate(sender, organization, nine, DEPTH * PER_ENDPOINT)
            (hanging,) = endpoints(organization, [f"{url}/hang-{turn}"])
            queue(organization, [hanging], 500)
            kept.append(rate(sender, organization, nine, DEPTH * PER_ENDPOINT) / alone)
        with tenant(organization):
            endpoint_update(endpoint=hanging, status="DISABLED", actor="system:test")
    name = f"{LATENCY_MS} ms, {9 * PER_ENDPOINT} at once on nine endpoints, taken by a tenth that hangs"
    verdict.line(name, 1 - median(kept), 0.1, f"turns {', '.join(f'{1 - each:.2f}' for each in kept)}", at_most=True)


def without_latency(organization: Organization, url: str, verdict: Verdict) -> None:
    found = endpoints(organization, [f"{url}/quick-{number}" for number in range(ENDPOINTS)])
    bare, got = [], []
    with a_sender() as sender:
        warm_up(sender, organization, found)
        for _ in range(TURNS):
            bare.append(bare_loop(f"{url}/bare", DEPTH * AT_ONCE, AT_ONCE))
            got.append(rate(sender, organization, found, DEPTH * PER_ENDPOINT))
    ratio = median(ours / theirs for ours, theirs in zip(got, bare, strict=True))
    rates = f"{median(got):.0f}/s of {median(bare):.0f}/s"
    verdict.line(f"0 ms, {AT_ONCE} at once, of a bare aiohttp loop", ratio, 0.4, rates)


def main() -> int:
    call_command("migrate", verbosity=0)
    owner = User.objects.create_user(f"{uuid7()}@example.com")
    organization = organization_create(name="Benchmark", owner=owner)
    # As the worker does.
    gc.freeze()
    verdict = Verdict()
    with server(LATENCY_MS) as url:
        for number in (1, 4, ENDPOINTS):
            with_latency(organization, url, number, verdict)
        beside_one_that_hangs(organization, url, verdict)
    with server(0) as url:
        without_latency(organization, url, verdict)
    return 0 if verdict.fine else 1


if __name__ == "__main__":
    sys.exit(main())
