"""`make demo`: the whole product on this machine, from nothing or on the data of the last run, until Ctrl-C.

What an earlier run of the same folder left is ended first. PostgreSQL and Valkey are started unless DATABASE_URL and
REDIS_URL say where to find them; then the database is migrated and filled, and the product's processes start.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.demo_settings import (
    ANNOUNCEMENT,
    LOGS,
    RECORDS,
    Kept,
    demo_environment,
    keep,
    write_environment,
    write_private,
)
from embedded.places import LOCAL, PROJECT, UnsafeFolder, service_home
from embedded.ports import LOOPBACK, holder, is_free
from embedded.postgres import Postgres, PostgresFailed
from embedded.processes import end, family, read_record, running, write_record
from embedded.programs import ProgramMissing
from embedded.supervision import RECORD as SUPERVISOR_RECORD
from embedded.supervision import Program, Supervisor, SupervisorFailed
from embedded.throwaway import end_on_signals
from embedded.valkey import Valkey, ValkeyFailed

DEMO_RECORD = RECORDS / "demo.pid"
LOCK = LOCAL / "demo.lock"
START_SECONDS = 60
READY_SECONDS = 90
# Each program gets 10 seconds; they stop in a row of five at worst.
STOP_SECONDS = 60
SHOWN_LOG_LINES = 25


class DemoFailed(Exception):
    """The demo can't start, for the reason that the message gives."""


def main() -> int:
    end_on_signals()
    try:
        with sole_change(STOP_SECONDS) as sole:
            if not sole:
                raise DemoFailed("Another `make demo` of this folder has been starting or ending for a minute.")
            leave_nothing_behind()
            demo = Demo(port=chosen_port())
        try:
            demo.start()
            demo.watch()
        finally:
            demo.stop()
    except (DemoFailed, PostgresFailed, ValkeyFailed, ProgramMissing, SupervisorFailed, UnsafeFolder) as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


@contextmanager
def sole_change(patience: float) -> Iterator[bool]:
    """Whether, after waiting up to `patience` seconds, no other run of this folder is ending what was left or starting."""
    LOCAL.mkdir(exist_ok=True)
    LOCAL.chmod(0o700)
    deadline = time.monotonic() + patience
    with LOCK.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    yield False
                    return
                time.sleep(0.1)
            else:
                yield True
                return


def chosen_port() -> int:
    """The port to serve on; DemoFailed where it is no number or another program has it."""
    text = os.environ.get("PORT") or "8000"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise DemoFailed(f"PORT has to be a number from 1 to 65535, and is {text!r}.")
    port = int(text)
    if not is_free(port):
        raise DemoFailed(
            f"Port {port} is taken by {holder(port)}.\nEnd that one, or choose another: make demo PORT={port + 1}"
        )
    return port


def leave_nothing_behind() -> None:
    """Ends whatever of an earlier run in this folder is still there, be it in use or left over from a crash."""
    RECORDS.mkdir(mode=0o700, exist_ok=True)
    # The demo and the supervisor first: they end the others in order, and would restart them otherwise.
    for record in (DEMO_RECORD, SUPERVISOR_RECORD):
        _end_recorded(record, signal.SIGTERM, STOP_SECONDS)
    for record in sorted(RECORDS.glob("*.pid")):
        _end_recorded(record, signal.SIGINT if record.stem == "postgres" else signal.SIGTERM, 5)


def _end_recorded(path: Path, first: signal.Signals, patience: float) -> None:
    record = read_record(path)
    if record is not None:
        left = [process for process in family(record) if process.pid != os.getpid()]
        if left:
            print(f"Ending what an earlier run left: {path.stem} (process {record.pid})", flush=True)
            end(left, first=first, patience=patience)
    path.unlink(missing_ok=True)


class Demo:
    """The services and processes of one run."""

    def __init__(self, port: int) -> None:
        self.port = port
        LOGS.mkdir(exist_ok=True)
        ANNOUNCEMENT.unlink(missing_ok=True)
        write_record(DEMO_RECORD, os.getpid(), [running()[os.getpid()].command])
        self.kept = keep()
        home = service_home()
        self.postgres = None if os.environ.get("DATABASE_URL") else _kept_postgres(home, self.kept)
        self.valkey = (
            None
            if os.environ.get("REDIS_URL")
            else Valkey(home / "valkey", self.kept.redis_port, self.kept.redis_password)
        )
        addresses = {
            "DATABASE_URL": self.postgres.url if self.postgres else "",
            "REDIS_URL": self.valkey.url if self.valkey else "",
        }
        self.settings = demo_environment(self.kept, given=os.environ, port=port, addresses=addresses)
        self.environment = dict(os.environ) | self.settings
        self.supervisor: Supervisor | None = None

    def start(self) -> None:
        """Starts everything, and announces it once it is ready."""
        started = time.monotonic()
        if self.postgres:
            self.postgres.prepare()
        if self.valkey:
            self.valkey.prepare()
        write_environment(self.settings)
        self.supervisor = Supervisor(self._programs(), self.environment)
        # Beside the services, the migration and the sample data: it asks the database nothing until it is asked itself.
        # The sweeps start after them, since they must not see half of either.
        self.supervisor.start_application(only="web")
        if self.valkey:
            self.valkey.wait_until_ready(START_SECONDS, alive=self.supervisor.alive)
        if self.postgres:
            self.postgres.wait_until_ready(START_SECONDS, alive=self.supervisor.alive)
        self._manage("migrate", "--no-input", "--verbosity=0")
        self._wait(lambda: not is_free(self.kept.sandbox_port), START_SECONDS, "sandbox")
        account = self._sample_data()
        # Before the others, which would take its share of the processors while it starts.
        self._wait(self._ready, READY_SECONDS, "web")
        self.supervisor.start_application()
        self._announce(account, time.monotonic() - started)

    def _programs(self) -> list[Program]:
        python = sys.executable
        celery = [python, "-m", "celery", "-A", "referral_rocket.celery"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        web = [python, "-m", "granian", "--interface", "wsgi", "--host", LOOPBACK, "--port", str(self.port)]
        web += ["--workers", "2", "--blocking-threads", "8", "--respawn-failed-workers", "--no-ws"]
        web += ["referral_rocket.wsgi:application"]
        sandbox = [python, "-m", "integrations.sandbox", "--port", str(self.kept.sandbox_port)]
        sandbox += ["--state", str(LOCAL / "sandbox.sqlite")]
        programs = [
            Program("sandbox", sandbox, priority=30),
            Program("web", web, priority=40, in_application=True),
            Program("worker", [*celery, "worker", "-Q", "work", "-c", "2", *quiet], priority=40, in_application=True),
            Program(
                "deliveries",
                [*celery, "worker", "-Q", "deliveries", "-c", "1", *quiet],
                priority=40,
                in_application=True,
            ),
            Program(
                "beat",
                [*celery, "beat", "--schedule", str(RECORDS / "beat-schedule")],
                priority=40,
                in_application=True,
            ),
        ]
        if self.valkey:
            programs.append(Program("valkey", self.valkey.command(), priority=20, as_service=True))
        if self.postgres:
            command = self.postgres.command()
            # Told INT, it ends its connections and writes everything down; told TERM, it would wait for them.
            programs.append(
                Program("postgres", command, priority=10, stop_signal="INT", stop_seconds=30, as_service=True)
            )
        return programs

    def _manage(self, *arguments: str) -> str:
        # What a command prints is an answer to us, with passwords in it, and not for the log.
        with (LOGS / "manage.log").open("a") as log:
            result = subprocess.run(
                [sys.executable, str(PROJECT / "manage.py"), *arguments],
                cwd=PROJECT,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                check=False,
            )
        if result.returncode != 0:
            raise DemoFailed(f"manage.py {arguments[0]} failed:\n{_end_of_log('manage')}")
        return result.stdout

    def _sample_data(self) -> dict[str, str]:
        output = self._manage("load_sample_data")
        try:
            account: dict[str, str] = json.loads(output[output.index("{") :])
        except ValueError as error:
            raise DemoFailed(f"manage.py load_sample_data printed no JSON but: {output!r}") from error
        return account

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _wait(self, condition: Callable[[], bool], patience: float, program: str) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            if self.supervisor is None or not self.supervisor.alive() or time.monotonic() > deadline:
                raise DemoFailed(f"{program} didn't get ready.\n{_end_of_log(program)}")
            time.sleep(0.1)

    def _announce(self, account: dict[str, str], seconds: float) -> None:
        url = self.settings["BASE_URL"]
        write_private(ANNOUNCEMENT, json.dumps({"url": url, **account}, indent=2) + "\n")
        print(
            f"\nReferral Rocket is ready, after {seconds:.1f} s.\n\n"
            f"  Log in at {url}\n"
            f"  e-mail    {account['email']}\n"
            f"  password  {account['password']}\n\n"
            f"API keys are in {ANNOUNCEMENT.relative_to(PROJECT)}, logs in {LOGS.relative_to(PROJECT)}. Ctrl-C ends it.",
            flush=True,
        )

    def watch(self) -> None:
        """Returns never; DemoFailed when the supervisor is gone."""
        while self.supervisor is not None and not self.supervisor.wait(3600):
            continue
        raise DemoFailed(f"The supervisor ended.\n{_end_of_log('supervisord')}")

    def stop(self) -> None:
        """Ends everything. A second Ctrl-C doesn't cut that short: it would leave processes behind."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        print("\nEnding the demo …", flush=True)
        if self.supervisor is not None:
            self.supervisor.stop(STOP_SECONDS)
        with sole_change(0) as sole:
            # Where the next run is starting already, it waits for us to go and ends what is left itself.
            if sole:
                leave_nothing_behind()


def _kept_postgres(home: Path, kept: Kept) -> Postgres:
    """The demo's server. Data of another clone that stood at the same path are removed: their keys are gone."""
    server = Postgres(home / "postgres", kept.database_port, kept.database_password, durable=True)
    mark = home / "clone"
    if mark.exists() and mark.read_text() != kept.clone and server.folder.exists():
        print("Removing the data of an earlier clone in this folder; its keys are gone.", flush=True)
        end([process for process in running().values() if str(server.data) in process.command], patience=10)
        shutil.rmtree(server.folder)
    mark.write_text(kept.clone)
    return server


def _end_of_log(name: str) -> str:
    path = LOGS / f"{name}.log"
    if not path.exists():
        return f"{path} was never written."
    lines = path.read_text(errors="replace").splitlines()[-SHOWN_LOG_LINES:]
    return "\n".join([f"The end of {path.relative_to(PROJECT)}:", *lines])


if __name__ == "__main__":
    sys.exit(main())
