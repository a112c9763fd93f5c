"""How fast rewards are issued: `python -m embedded.throwaway python -m benchmarks.issuing [REWARDS [PART…]]` (10,000).

A real Celery worker works off a batch by STRIPE_CREDIT (two requests for each reward) against a server that answers
after 50 ms and counts what comes in. Everything is on: leases, attempts committed before the call, history, activity,
totals, the outbox. Three parts:

- `unlimited`: a provider that allows any number, one worker process: at least 200 rewards a second, memory flat from a
  tenth of the batch on;
- `few`: one that allows ten, with short runs, so that the connection changes hands often: no second with more than ten;
- `limited`: one that allows R requests a second, two worker processes that take turns: at least 90 % of R over the whole
  batch, and no second, wherever it begins, with more than R.

Before each of the first and last a bare loop makes the same requests, from as many threads by the same class and with
nothing else: what this machine has to give then.

Prints a line for each aim as soon as it is known, goes on whatever it says, and exits with 1 where one was missed.
`worker …` is how it starts its own workers.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("LOG_LEVEL", "ERROR")

from benchmarks.setting import prepare

if __name__ == "__main__" and sys.argv[1:2] != ["worker"]:
    prepare()
else:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "referral_rocket.settings")
    django.setup()

import requests
from django.db import connection as database

from benchmarks.crowd import clone
from integrations import registry
from integrations.pacing import Pace
from participants.models import Customer, Participant
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.celery import app
from referral_rocket.kit.http import Caller
from rewards.models import Reward, RewardBatch, RewardTotals
from rewards.services import issuing
from rewards.services.batches import batch_create
from rewards.services.selecting import Selection
from rewards.states import BatchStatus
from rewards.tasks import run_batches
from tests import factories

LATENCY_MS = 50
R, FEW = 250, 10
SHARE_OF_R, REWARDS_A_SECOND, FLAT = 0.9, 200, 1.1
BEAT_SECONDS = 5
# Rewards of the bare loop, and the size of the SDK's headers.
LOOP = 1_000
HEADERS = {
    "Authorization": "Bearer sk_live_0000000000000000",
    "Content-Type": "application/x-www-form-urlencoded",
    "Idempotency-Key": "0" * 38,
    "X-Stripe-Client-User-Agent": "0" * 300,
}


@dataclass
class Measured:
    told: dict[str, Any]
    seconds: float
    memory: list[float] = field(default_factory=list)


# The worker ----------------------------------------------------------------------------------------------------------


def work(per_second: float, run_seconds: float, processes: int) -> None:
    """A Celery worker for which Stripe allows so many requests a second; 0 for any number."""
    allowed = {"LIVE": per_second, "TEST": per_second} if per_second else {}
    registry.PROVIDERS["stripe"] = replace(registry.PROVIDERS["stripe"], requests_per_second=allowed)  # type: ignore[index]
    issuing.run = partial(issuing.run, seconds=run_seconds)
    app.worker_main(
        ["worker", "-Q", "work", "-c", str(processes), "-l", "ERROR", "--without-gossip", "--without-mingle"]
    )


@contextmanager
def worker(url: str, per_second: float, run_seconds: float, processes: int) -> Iterator[int]:
    """Its process id. Beat's part is played by `issue`."""
    arguments = [str(per_second), str(run_seconds), str(processes)]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.issuing", "worker", *arguments], env={**os.environ, "STRIPE_API_BASE": url}
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def stripe() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stripe_server", str(LATENCY_MS)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def memory(parent: int) -> float:
    """MB that the largest of the worker's processes holds."""
    proc = Path("/proc")
    children = (proc / str(parent) / "task" / str(parent) / "children").read_text().split()
    status = [line for child in children for line in (proc / child / "status").read_text().splitlines()]
    return max((int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS")), default=0.0)


# The bare loop -------------------------------------------------------------------------------------------------------


def bare(url: str, rewards: int, pace: Callable[[], None] = lambda: None) -> float:
    """Requests a second, of two for each reward."""
    caller = Caller()
    requests.get(f"{url}/forget", timeout=10)

    def one(number: int) -> None:
        pace()
        caller.send("GET", f"{url}/v1/customers?email=bare{number}%40example.com&limit=100", headers=HEADERS)
        pace()
        caller.send(
            "POST",
            f"{url}/v1/customers/cus_{number}/balance_transactions",
            headers=HEADERS,
            body=f"amount=-1200&currency=usd&metadata[reward_id]={number}",
        )

    with ThreadPoolExecutor(issuing.THREADS) as threads:
        list(threads.map(one, range(rewards)))
    told = requests.get(f"{url}/told", timeout=10).json()
    assert told["rewards"] == rewards
    return float(told["requests"] / told["seconds"])


# The batch -----------------------------------------------------------------------------------------------------------


def due(organization: Organization, rewards: int) -> Selection:
    """A campaign in which so many customers have a reward that is due."""
    campaign = factories.campaign(organization)
    sharer = factories.participant(campaign)
    reward = factories.event(factories.participant(campaign, referred_by=sharer)).rewards[0]
    person = f"md5('{campaign.pk}' || n)::uuid"
    name = f"'{campaign.pk}' || n"
    with tenant(organization):
        clone(
            Customer,
            sharer.customer_id,
            rewards - 1,
            {"id": person, "email": f"{name} || '@example.com'", "email_key": name, "external_id": name},
        )
        clone(
            Participant,
            sharer.pk,
            rewards - 1,
            {"id": person, "customer_id": person, "referral_code": f"left(md5({name}), 30)"},
        )
        # One reward for each event and rule: these have no event, as rewards given by hand.
        changes = {"participant_id": person, "customer_id": person, "event_id": "null::uuid", "rule_id": "null::uuid"}
        clone(Reward, reward.pk, rewards - 1, {"id": f"md5('{campaign.pk}-reward-' || n)::uuid", **changes})
        RewardTotals.objects.filter(campaign=campaign, status="PENDING").update(
            count=rewards, amount=rewards * reward.amount, target=rewards * reward.amount
        )
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")
    return Selection(campaign_id=campaign.pk)


def issue(organization: Organization, url: str, rewards: int, process: int) -> Measured:
    """From the press of the button until the batch is finished; each reward credited once."""
    selection = due(organization, rewards)
    requests.get(f"{url}/forget", timeout=10)
    # Until the worker takes messages.
    app.control.ping(timeout=20, limit=1)
    begun = time.perf_counter()
    with tenant(organization):
        batch = batch_create(
            organization=organization, method="STRIPE_CREDIT", selection=selection, actor="system:test"
        )
    print(f"     {rewards:,} rewards: the request took {time.perf_counter() - begun:.2f} s", flush=True)
    found, beat = Measured({}, 0), 0.0
    while not _finished(batch):
        if time.monotonic() - beat > BEAT_SECONDS:
            run_batches.apply_async(expires=BEAT_SECONDS)
            beat = time.monotonic()
        time.sleep(0.1)
        found.memory.append(memory(process))
    found.seconds = time.perf_counter() - begun
    found.told = requests.get(f"{url}/told", timeout=10).json()
    with tenant(organization):
        assert not Reward.objects.filter(campaign=selection.campaign_id).exclude(status="AVAILABLE").exists()
    assert (found.told["rewards"], found.told["credits"]) == (rewards, rewards), found.told
    return found


def _finished(batch: RewardBatch) -> bool:
    with tenant(batch.organization):
        return RewardBatch.objects.get(pk=batch.pk).status == BatchStatus.FINISHED


# What is measured ----------------------------------------------------------------------------------------------------


class Verdict:
    """What is printed, and whether every aim was met."""

    def __init__(self) -> None:
        self.fine = True

    def line(self, name: str, figure: float, aim: float, measured: str, *, at_most: bool = False) -> None:
        good = figure <= aim if at_most else figure >= aim
        self.fine = self.fine and good
        sign = "≤" if at_most else "≥"
        print(f"{'ok  ' if good else 'MISS'} {name}: {figure:.2f} (aim {sign} {aim:g}; {measured})", flush=True)


def limited(organization: Organization, rewards: int, verdict: Verdict) -> None:
    with stripe() as url:
        loop = bare(url, min(rewards, LOOP), Pace(R)) / R
        with worker(url, R, issuing.RUN_SECONDS, 2) as process:
            found = issue(organization, url, rewards, process).told
    kept = found["requests"] / found["seconds"] / R
    measured = f"{found['seconds']:.0f} s; a bare loop has {loop:.2f}"
    verdict.line(f"{R} requests/s allowed, share kept", kept, SHARE_OF_R, measured)
    verdict.line(f"{R} allowed, busiest second", found["busiest"] / R, 1, f"{found['busiest']} requests", at_most=True)


def limited_to_few(organization: Organization, rewards: int, verdict: Verdict) -> None:
    with stripe() as url, worker(url, FEW, 1, 2) as process:
        found = issue(organization, url, min(rewards, 10 * FEW), process).told
    rates = f"{found['busiest']} requests; {found['requests'] / found['seconds'] / FEW:.2f} of it kept"
    verdict.line(f"{FEW} allowed, runs of one second, busiest second", found["busiest"] / FEW, 1, rates, at_most=True)


def unlimited(organization: Organization, rewards: int, verdict: Verdict) -> None:
    with stripe() as url:
        loop = bare(url, min(rewards, LOOP)) / 2
        with worker(url, 0, issuing.RUN_SECONDS, 1) as process:
            found = issue(organization, url, rewards, process)
    rate = rewards / found.seconds
    measured = f"{found.seconds:.0f} s; a bare loop has {loop:.0f}"
    verdict.line(f"any number allowed, {LATENCY_MS} ms, rewards/s", rate, REWARDS_A_SECOND, measured)
    early, late = found.memory[len(found.memory) // 10], found.memory[-1]
    measured = f"{early:.0f} MB after a tenth, {late:.0f} MB at the end"
    verdict.line("memory, of what it was after a tenth", late / early, FLAT, measured, at_most=True)


PARTS = {"unlimited": unlimited, "few": limited_to_few, "limited": limited}


def main(rewards: int, parts: Sequence[str]) -> int:
    organization = factories.organization()
    factories.connection(organization)
    verdict = Verdict()
    for part in parts:
        PARTS[part](organization, rewards, verdict)
    return 0 if verdict.fine else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        work(float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, sys.argv[2:] or list(PARTS)))
