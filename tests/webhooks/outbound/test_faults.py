"""Everything goes wrong at once, and afterwards every event has arrived and every reward is confirmed once."""

import asyncio
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from aiohttp import web

from embedded import seeds, throwaway
from embedded.places import PROJECT, service_account
from embedded.ports import free_port
from embedded.postgres import Postgres

KILLS = 10
pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]


class RestartablePostgres:
    def __init__(self, folder: Path) -> None:
        self.server = Postgres(folder / "postgres", free_port(), secrets.token_hex(16), durable=True)
        self.server.prepare(seeds.seed())
        self.url = self.server.url_of(seeds.DATABASE)
        self.start()

    def start(self) -> None:
        account = service_account()
        self.process = subprocess.Popen(
            self.server.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            **(account.for_subprocess() if account else {}),
        )
        self.server.wait_until_ready(60, alive=lambda: self.process.poll() is None)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(how)
        self.process.wait(timeout=60)


class Workers:
    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.webhooks.outbound.fault_worker"],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.killed = 0

    def ask(self, command: str) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    @contextmanager
    def one(self) -> Iterator[None]:
        """A whole worker, which ends by SIGKILL."""
        group = self.ask("start")
        try:
            yield
        finally:
            os.killpg(group, signal.SIGKILL)
            assert self.ask("gone") == group
            self.killed += 1

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


class Driver:
    def __init__(self, environment: dict[str, str], module: str = "tests.webhooks.outbound.fault_driver") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, do: str, **given: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **given}) + "\n")
        self.process.stdin.flush()
        # The log goes to the same place.
        for line in self.process.stdout:
            if not line.startswith('{"event"') and '"logger"' not in line:
                return json.loads(line)
        raise AssertionError("the driver ended")

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


async def misbehave(request: web.Request, received: Any) -> web.StreamResponse:
    chance = random.random()
    if chance < 0.25:
        return web.Response(status=500, text="\x00broken")
    if chance < 0.30:
        await asyncio.sleep(30)
    if chance < 0.40 and request.transport is not None:
        request.transport.abort()
    if chance < 0.50:
        return web.Response(status=302, headers={"Location": "/elsewhere"})
    if 0.50 <= chance < 0.60 and request.transport is not None:
        request.transport.write(b"\x16\x03garbage\r\n\r\n")  # type: ignore[attr-defined]
        request.transport.close()
    return web.Response(status=200)


async def behave(request: web.Request, received: Any) -> web.StreamResponse:
    return web.Response(status=200)


def test_it_works(sink, tmp_path):
    sink.behave = misbehave
    with throwaway.run_folder() as folder, throwaway.valkey_in(folder) as valkey:
        postgres = RestartablePostgres(folder)
        environment = {
            **os.environ,
            **throwaway.test_environment(),
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
            "LEASE_SECONDS": "3",
            "LOG_LEVEL": "ERROR",
            "WEBHOOK_ALLOWED_PRIVATE_NETWORKS": "127.0.0.0/8",
            "SCHEDULE": str(tmp_path / "schedule"),
        }
        # Both load at the same time.
        driver, workers = Driver(environment), Workers(environment)
        try:
            check(sink, driver, workers, postgres, redis.Redis.from_url(valkey.url))
        finally:
            driver.end()
            workers.end()
            postgres.stop()


def check(sink, driver, workers, postgres, broker) -> None:
    sink.secrets = {path: [secret] for path, secret in driver("set_up", url=sink.url).items()}
    earned = 0
    for number in range(KILLS):
        with workers.one():
            earned += driver("earn", count=6)
            seen = len(sink.received)
            wait_for(lambda seen=seen: len(sink.received) > seen, 60)
            if number == 3:
                broker.flushall()
            if number in (5, 8):
                postgres.stop(signal.SIGINT if number == 5 else signal.SIGQUIT)
                postgres.start()
            driver("refund", count=1)
            driver("hurry")
            time.sleep(random.random())
    sink.behave = behave
    assert workers.killed == KILLS
    with workers.one():
        state = settle(driver)

    assert set(state["deliveries"].values()) == {"DELIVERED"}
    assert sink.forged == []
    assert state["deliveries"].keys() <= sink.bodies().keys()
    assert all(len(bodies) == 1 for bodies in sink.bodies().values())
    assert (state["events"], state["told_events"]) == (earned, earned)
    assert set(state["rewards"]) <= {"AVAILABLE", "DEDUCTED"}
    # Some were earned, and some of those taken back again; both kinds of order went through all of it.
    assert state["rewards"]["AVAILABLE"] == earned
    assert state["rewards"]["DEDUCTED"] > 0
    assert state["orders"] == sum(state["rewards"].values())
    assert state["confirmed"] == [1] * state["orders"]
    assert state["open_claims"] == 0


def settle(driver) -> dict[str, Any]:
    state: dict[str, Any] = {}

    def is_settled() -> bool:
        nonlocal state
        driver("hurry")
        state = driver("state")
        busy = set(state["deliveries"].values()) != {"DELIVERED"}
        return (
            not busy and state["events"] == state["told_events"] and set(state["rewards"]) <= {"AVAILABLE", "DEDUCTED"}
        )

    wait_for(is_settled, 120, lambda: state)
    return state


def wait_for(condition, seconds, shown=lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s: {shown()}")
