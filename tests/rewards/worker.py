"""A real Celery worker as its own process group on the tests' database, to be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

from rewards.tasks import run_batches

LEASE_SECONDS = "1"


def environment(**more: str) -> dict[str, str]:
    """That of the tests, pointing at the tests' own database."""
    address = urlsplit(os.environ["DATABASE_URL"])
    url = urlunsplit(address._replace(path=f"/{connection.settings_dict['NAME']}"))
    return {**os.environ, "DATABASE_URL": url, "LEASE_SECONDS": LEASE_SECONDS, **more}


@contextmanager
def worker(**more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Two child processes on the queue `work`; whatever is left of the group at the end is killed."""
    command = [sys.executable, "-m", "celery", "-A", "referral_rocket.celery", "worker", "-Q", "work", "-c", "2"]
    process = subprocess.Popen(
        [*command, "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"],
        env=environment(**more),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the worker and its children at once: nothing gets to clean up."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def wait_until(holds: Callable[[], bool], *, seconds: float, sweep: bool = True) -> None:
    """Until it holds, playing beat's part meanwhile. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    last_sweep = 0.0
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        if sweep and time.monotonic() - last_sweep > 0.5:
            run_batches.apply_async(expires=1)
            last_sweep = time.monotonic()
        time.sleep(0.02)
