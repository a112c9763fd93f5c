"""Services for one run of the tests or of a command: `python -m embedded.throwaway COMMAND…`.

They are started unless DATABASE_URL or REDIS_URL says where to find them, and they and their data are gone afterwards.
A run that was killed leaves them behind; the next run of the same clone ends and removes them.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from embedded.places import PROJECT, service_account, service_home
from embedded.ports import free_port
from embedded.postgres import Postgres
from embedded.processes import end, family, read_record, running, still_runs, write_record
from embedded.valkey import Valkey

RUN = "run-"
OWNER = "owner.json"
START_SECONDS = 60
# A run writes down its owner before its folder gets its name; one that died in between is older than this.
UNNAMED_LIFETIME_SECONDS = 3600


def test_environment() -> dict[str, str]:
    """The settings that tests need besides the services' addresses; secrets are new each time."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(32),
        "ENCRYPTION_KEYS": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        # The real hash is slow on purpose, and the real storage wants collected files.
        "PASSWORD_HASHERS": "django.contrib.auth.hashers.MD5PasswordHasher",
        "STATIC_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
        # A line for each request, which only a failing test would show.
        "LOG_LEVEL": "WARNING",
    }


@contextmanager
def services(*, seed: Path | None = None) -> Iterator[dict[str, str]]:
    """Starts what the environment doesn't name, and yields the variables that lead to it.

    PostgreSQL begins with a copy of the data folder `seed` where one is given.
    """
    addresses: dict[str, str] = {}
    with ExitStack() as stack:
        if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
            folder = stack.enter_context(run_folder())
            if not os.environ.get("DATABASE_URL"):
                addresses["DATABASE_URL"] = stack.enter_context(postgres_in(folder, seed=seed)).url
            if not os.environ.get("REDIS_URL"):
                addresses["REDIS_URL"] = stack.enter_context(valkey_in(folder)).url
        yield addresses


@contextmanager
def run_folder() -> Iterator[Path]:
    """A new folder for the services of this run, and for no longer."""
    home = service_home()
    sweep(home)
    unnamed = Path(tempfile.mkdtemp(prefix="new-", dir=home))
    unnamed.chmod(0o711)
    pid = os.getpid()
    write_record(unnamed / OWNER, pid, [running()[pid].command])
    folder = unnamed.rename(home / f"{RUN}{unnamed.name.removeprefix('new-')}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def sweep(home: Path) -> None:
    """Ends and removes what runs that were killed left in `home`."""
    for folder in home.glob(f"{RUN}*"):
        owner = read_record(folder / OWNER)
        if owner is None or still_runs(owner):
            continue
        for record in filter(None, map(read_record, folder.glob("*.pid"))):
            end(family(record), first=signal.SIGKILL, patience=5)
        shutil.rmtree(folder, ignore_errors=True)  # another run may be sweeping too
    for folder in home.glob("new-*"):
        if time.time() - folder.stat().st_mtime > UNNAMED_LIFETIME_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_in(folder: Path, *, seed: Path | None = None) -> Iterator[Postgres]:
    """A running PostgreSQL server with its data in `folder`, empty or a copy of `seed`."""
    server = Postgres(folder / "postgres", free_port(), secrets.token_hex(16), durable=False)
    server.prepare(seed)
    with _running(folder, "postgres", server.command(), signal.SIGINT) as process:
        server.wait_until_ready(START_SECONDS, alive=lambda: process.poll() is None)
        yield server


@contextmanager
def valkey_in(folder: Path) -> Iterator[Valkey]:
    """A running Valkey server."""
    server = Valkey(folder / "valkey", free_port(), secrets.token_hex(16))
    server.prepare()
    with _running(folder, "valkey", server.command(), signal.SIGTERM) as process:
        server.wait_until_ready(START_SECONDS, alive=lambda: process.poll() is None)
        yield server


@contextmanager
def _running(folder: Path, name: str, command: list[str], stop: signal.Signals) -> Iterator[subprocess.Popen[bytes]]:
    account = service_account()
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            # Away from the terminal's Ctrl-C: whoever uses the server ends first, then the server.
            start_new_session=True,
            **(account.for_subprocess() if account else {}),
        )
    record = folder / f"{name}.pid"
    write_record(record, process.pid, command)
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def end_on_signals() -> None:
    """Lets SIGTERM and SIGHUP leave through every `finally`, as Ctrl-C does, which a shell's `&` would switch off."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)


def run(command: list[str], environment: dict[str, str]) -> int:
    """Runs `command` in the project with `environment` and returns its exit code; never leaves it running."""
    process = subprocess.Popen(command, cwd=PROJECT, env=environment)
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            _end_child(process)


def _end_child(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(command: list[str]) -> int:
    end_on_signals()
    with services() as addresses:
        return run(command, test_environment() | dict(os.environ) | addresses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
