"""The inbound door and what follows it, beside dj-stripe and pgbench: `.venv/bin/python -m benchmarks.inbound [seconds]`.

Everything on one durable PostgreSQL that is thrown away, one after the other, each for so long (8 seconds): printed as
ratios, since the machine's own speed drifts. Both doors are served by granian in the same way, and sent signed events over
16 connections. dj-stripe is installed from PyPI into a virtual environment of its own, which is kept for the next run.
Exits with 1 where an aim is missed.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from benchmarks import rival
from benchmarks.pouring import Poured, pour, request
from embedded import throwaway
from embedded.places import PROJECT, service_account
from embedded.ports import free_port
from embedded.postgres import Postgres
from embedded.programs import postgres_folder
from integrations.sandbox.stripe.webhooks import signature

CONNECTIONS = 16
RIVAL = ("dj-stripe==2.11.0", "granian>=2.5", "psycopg[binary]>=3.2")
# More than can be sent in the time; signing them takes a second.
MADE = 60_000
SECRET = "whsec_benchmark0001"
_INSERT = "INSERT INTO bench_row (body) VALUES ('{}');\n".format("x" * 600)


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    program = pgbench()
    python = rival_python()
    with throwaway.run_folder() as folder, throwaway.valkey_in(folder) as valkey, durable(folder) as postgres:
        measured = {}
        measured["tpc_b"], measured["insert"] = baselines(program, postgres, folder, seconds)
        environment = {
            **os.environ,
            **throwaway.test_environment(),
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
            "LOG_LEVEL": "ERROR",
            "WEBHOOK_SECRET": SECRET,
            "DJANGO_SETTINGS_MODULE": "referral_rocket.settings",
        }
        shop = json.loads(said([sys.executable, "-m", "benchmarks.inbound_shop", "set_up"], environment, PROJECT))
        with served([sys.executable], "referral_rocket.wsgi:application", environment, PROJECT) as base:
            ours = poured(base + shop["path"], [paid(number, shop["emails"]) for number in range(MADE)], seconds)
        with served([sys.executable], "benchmarks.bare_door:application", environment, PROJECT) as base:
            bare = poured(base + shop["path"], [paid(number, shop["emails"]) for number in range(MADE)], seconds)
        events, took = json.loads(
            said([sys.executable, "-m", "benchmarks.inbound_shop", "work_off"], environment, PROJECT)
        )
        print(f"     an application with nothing but one INSERT: {bare.rate / measured['insert']:.2f} of pgbench's")
        # Each line as soon as it is known: a rival that can't be measured takes no other figure with it.
        held = [
            show(
                "door: events stored", ours.rate, measured["insert"], "pgbench's single-row INSERTs at 16 clients", 0.2
            ),
            show(
                "stored events become rewards", events / took, measured["tpc_b"], "pgbench's TPC-B at 8 clients", 0.15
            ),
        ]
        theirs = dj_stripe(python, postgres, folder, seconds)
    held.append(show("door: events stored", ours.rate, theirs.rate, "dj-stripe's balance.available", 5))
    slowest, theirs_slowest = ours.percentile(0.99) * 1000, theirs.percentile(0.99) * 1000
    held.append(show("door: p99 in ms", slowest, theirs_slowest, "dj-stripe's", 0.25, at_most=True))
    return 0 if all(held) else 1


def show(name: str, figure: float, baseline: float, baseline_name: str, aim: float, *, at_most: bool = False) -> bool:
    """Prints the ratio, and says whether it reaches its aim."""
    ratio = figure / baseline
    held = ratio <= aim if at_most else ratio >= aim
    sign = "≤" if at_most else "≥"
    print(
        f"{'ok  ' if held else 'MISS'} {name}: {ratio:.2f} of {baseline_name}"
        f" (aim {sign} {aim:g}; {figure:,.1f} against {baseline:,.1f})",
        flush=True,
    )
    return held


# What it is measured against -------------------------------------------------------------------------------------


def pgbench() -> str:
    """The embedded PostgreSQL's own, else the system's."""
    embedded = postgres_folder() / "pgbench"
    found = str(embedded) if embedded.exists() else shutil.which("pgbench")
    if found is None:
        raise SystemExit("There is no pgbench here. Debian has it in `postgresql-contrib`: install that and try again.")
    return found


def baselines(program: str, postgres: Postgres, folder: Path, seconds: int) -> tuple[float, float]:
    """Transactions a second: TPC-B at 8 clients, a committed INSERT of one row at 16."""
    script = folder / "insert.sql"
    script.write_text(_INSERT)
    table = folder / "table.sql"
    table.write_text("CREATE TABLE bench_row (id bigserial PRIMARY KEY, body text);\n")
    ask = [program, "-h", "127.0.0.1", "-p", str(postgres.port), "-U", "rocket"]
    environment = {**os.environ, "PGPASSWORD": postgres.password}
    run = ["-T", str(seconds), "-j", "2"]
    said([*ask, "-i", "-q", "-s", "10", "rocket"], environment, folder)
    tpc_b = said([*ask, *run, "-c", "8", "rocket"], environment, folder)
    said([*ask, "-n", "-f", str(table), "-t", "1", "rocket"], environment, folder)
    insert = said([*ask, *run, "-n", "-f", str(script), "-c", str(CONNECTIONS), "rocket"], environment, folder)
    return _tps(tpc_b), _tps(insert)


def _tps(printed: str) -> float:
    return next(float(line.split("=")[1].split()[0]) for line in printed.splitlines() if line.startswith("tps ="))


def rival_python() -> str:
    """A virtual environment with dj-stripe and what serves it, made once."""
    folder = PROJECT / ".local" / "dj-stripe"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *RIVAL], check=True)
        ready.touch()
    return str(python)


def dj_stripe(python: str, postgres: Postgres, folder: Path, seconds: int) -> Poured:
    with tempfile.TemporaryDirectory() as project:
        rival.write(Path(project))
        environment = {
            **os.environ,
            "DATABASE_URL": postgres.url_of("rival"),
            "DJANGO_SETTINGS_MODULE": "rival_settings",
        }
        create = folder / "rival.sql"
        create.write_text("CREATE DATABASE rival;\n")
        ask = [pgbench(), "-h", "127.0.0.1", "-p", str(postgres.port), "-U", "rocket", "-n", "-f", str(create)]
        said([*ask, "-t", "1", "rocket"], {**os.environ, "PGPASSWORD": postgres.password}, folder)
        path = said([python, "rival_set_up.py", SECRET], environment, Path(project)).strip().splitlines()[-1]
        with served([python], "rival_wsgi:application", environment, Path(project)) as base:
            return poured(base + path, [balance(number) for number in range(MADE // 6)], seconds)


# Both doors ------------------------------------------------------------------------------------------------------


def poured(url: str, bodies: list[bytes], seconds: int) -> Poured:
    """After a second for warming up, whose events are others."""
    signed = [request(url, body, headers(body)) for body in bodies]
    warm = len(signed) // 10
    pour(url, signed[:warm], connections=CONNECTIONS, seconds=1)
    told = pour(url, signed[warm:], connections=CONNECTIONS, seconds=seconds)
    if set(told.statuses) != {200}:
        raise SystemExit(f"{url} answered {dict(told.statuses)}")
    return told


def headers(body: bytes) -> dict[str, str]:
    return {"Content-Type": "application/json", "Stripe-Signature": signature(body, SECRET, int(time.time()))}


def paid(number: int, emails: list[str]) -> bytes:
    intent = {
        "id": f"pi_{number}",
        "object": "payment_intent",
        "amount_received": 12000,
        "currency": "usd",
        "receipt_email": emails[number % len(emails)],
        "latest_charge": f"ch_{number}",
        "metadata": {},
    }
    return event(number, "payment_intent.succeeded", intent, livemode=True)


def balance(number: int) -> bytes:
    available = [{"amount": 12000, "currency": "usd", "source_types": {"card": 12000}}]
    thing = {"object": "balance", "available": available, "livemode": False, "pending": available}
    return event(number, "balance.available", thing, livemode=False)


def event(number: int, event_type: str, thing: dict[str, object], *, livemode: bool) -> bytes:
    told = {
        "id": f"evt_{number}",
        "object": "event",
        "api_version": "2025-03-31",
        "created": int(time.time()),
        "type": event_type,
        "livemode": livemode,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "data": {"object": thing},
    }
    return json.dumps(told).encode()


@contextmanager
def served(python: list[str], application: str, environment: dict[str, str], folder: Path) -> Iterator[str]:
    """The application under granian, as docs/operations.md has it."""
    port = free_port()
    command = [*python, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "2", "--blocking-threads", "8", "--log-level", "error", application]
    process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)
    base = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not answers(base):
            if time.monotonic() > deadline:
                raise SystemExit(f"{application} doesn't answer")
            time.sleep(0.2)
        yield base
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(base: str) -> bool:
    try:
        requests.get(base, timeout=2)
    except requests.RequestException:
        return False
    return True


@contextmanager
def durable(folder: Path) -> Iterator[Postgres]:
    server = Postgres(folder / "postgres", free_port(), secrets.token_hex(16), durable=True)
    server.prepare()
    account = service_account()
    process = subprocess.Popen(
        server.command(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
        **(account.for_subprocess() if account else {}),
    )
    try:
        server.wait_until_ready(60, alive=lambda: process.poll() is None)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def said(command: list[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
