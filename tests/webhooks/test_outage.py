"""PostgreSQL is gone for ten seconds while webhooks pour in: what was answered with 2xx is there, the rest is sent again.

The door is the production one (granian), and the sender does as Stripe does: it sends an event again, under the same id and
newly signed, until it is answered with 2xx, waiting longer each time (by seconds here, by hours there).
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from embedded import throwaway
from embedded.places import PROJECT
from embedded.ports import free_port
from integrations.sandbox.stripe.webhooks import signature
from tests import factories
from tests.webhooks.outbound.test_faults import Driver, RestartablePostgres

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]
OUTAGE = 10.0
SENDERS = 8
# A second, by each sender: enough for every moment of the outage to be met, and few enough to be worked off soon.
PACE = 5.0
WAITS = (0.5, 1.0, 2.0, 4.0)
NO_ANSWER = 0


@contextmanager
def web(environment: dict[str, str], port: int, log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--workers",
        "2",
        "--blocking-threads",
        "8",
        "--log-level",
        "warning",
        "referral_rocket.wsgi:application",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, start_new_session=True, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Sender(threading.Thread):
    """Sends new events at its pace, and again what wasn't taken; `answers` has what each event was answered, and when."""

    def __init__(self, number: int, url: str, emails: list[str], stopped: threading.Event) -> None:
        super().__init__(daemon=True)
        self._number, self._url, self._emails, self._stopped = number, url, emails, stopped
        self._session = requests.Session()
        self._again: list[tuple[float, int]] = []
        self.answers: dict[int, list[tuple[float, int]]] = defaultdict(list)
        # What kept an answer from coming, with the seconds that it was waited for.
        self.silences: list[tuple[float, str]] = []

    def run(self) -> None:
        made = 0
        while not self._stopped.is_set() or self._again:
            due = [each for each in self._again if each[0] <= time.monotonic()]
            self._again = [each for each in self._again if each not in due]
            for _, number in due:
                self._send(number)
            if not self._stopped.is_set():
                self._send(made)
                made += 1
            time.sleep(1 / PACE)

    def _send(self, number: int) -> None:
        status = self._post(number)
        self.answers[number].append((time.monotonic(), status))
        if not 200 <= status < 300:
            tries = len(self.answers[number])
            self._again.append((time.monotonic() + WAITS[min(tries, len(WAITS)) - 1], number))

    def _post(self, number: int) -> int:
        body = json.dumps(self._event(number)).encode()
        headers = {
            "Content-Type": "application/json",
            "Stripe-Signature": signature(body, factories.WEBHOOK_SECRET, int(time.time())),
        }
        begun = time.monotonic()
        try:
            return self._session.post(self._url, body, headers=headers, timeout=10).status_code
        except requests.RequestException as error:
            self.silences.append((time.monotonic() - begun, repr(error)))
            return NO_ANSWER

    def _event(self, number: int) -> dict[str, Any]:
        name = f"{self._number}_{number}"
        intent = {
            "id": f"pi_{name}",
            "object": "payment_intent",
            "amount_received": 12000,
            "currency": "usd",
            "receipt_email": self._emails[number % len(self._emails)],
            "latest_charge": f"ch_{name}",
            "metadata": {},
        }
        return {
            "id": f"evt_{name}",
            "type": "payment_intent.succeeded",
            "created": int(time.time()),
            "livemode": True,
            "data": {"object": intent},
        }


def test_it_works(tmp_path: Path) -> None:
    port = free_port()
    with throwaway.run_folder() as folder, throwaway.valkey_in(folder) as valkey:
        postgres = RestartablePostgres(folder)
        environment = {
            **os.environ,
            **throwaway.test_environment(),
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
            "LOG_LEVEL": "ERROR",
            # Rewards are worked out by the driver afterwards, so that the load is the door's alone.
            "SECRET_KEY": secrets.token_hex(16),
        }
        driver = Driver(environment, "tests.webhooks.outage_driver")
        try:
            with web(environment, port, tmp_path / "web.log"):
                check(driver, postgres, f"http://127.0.0.1:{port}")
        finally:
            driver.end()
            postgres.stop()


def check(driver: Driver, postgres: RestartablePostgres, base: str) -> None:
    shop = driver("set_up")
    wait_until_ready(base)
    stopped = threading.Event()
    senders = [Sender(number, base + shop["path"], shop["emails"], stopped) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    time.sleep(2)
    # Without letting anybody finish, as in a crash; what was committed has to be on the disk.
    postgres.stop(signal.SIGQUIT)
    gone = time.monotonic()
    time.sleep(OUTAGE)
    back = time.monotonic()
    postgres.start()
    time.sleep(2)
    stopped.set()
    for sender in senders:
        sender.join(timeout=30)
        assert not sender.is_alive()

    answers = {
        f"evt_{number}_{each}": told for number, sender in enumerate(senders) for each, told in sender.answers.items()
    }
    statuses = {status for told in answers.values() for _, status in told}
    meanwhile = [status for told in answers.values() for at, status in told if gone + 0.5 < at < back]
    refused = {event for event, told in answers.items() if told[0][1] >= 500}
    state = driver("state")

    # The door itself never went away: whatever it couldn't store, it said so.
    assert [silence for sender in senders for silence in sender.silences] == []
    assert statuses == {200, 503}
    assert set(meanwhile) == {503}
    # All the senders met the outage all the time, and everything that was refused came by its retry.
    assert len(meanwhile) > SENDERS * OUTAGE
    assert len(refused) > SENDERS
    assert all(told[-1][1] == 200 for told in answers.values())
    assert set(state["stored"]) == set(answers)
    assert state["rewards"] == [len(answers), len(answers) * 1200]
    assert state["statuses"] == {"PROCESSED": len(answers)}


def wait_until_ready(base: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{base}/readyz", timeout=2).status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError("the door didn't open")
