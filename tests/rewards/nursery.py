"""Real Celery workers that start fast, to be killed: a process that has loaded the product forks them off."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.rewards.worker import environment


@dataclass
class Nursery:
    process: subprocess.Popen[str]
    worker: int | None = None

    def start(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.worker = int(self.process.stdout.readline())

    def kill(self) -> None:
        """SIGKILL to the worker and its children at once: nothing gets to clean up."""
        if self.worker is None:
            return
        try:
            while True:
                os.killpg(self.worker, signal.SIGKILL)
                time.sleep(0.01)
        except ProcessLookupError:
            self.worker = None


@contextmanager
def nursery(**more: str) -> Iterator[Nursery]:
    """With what is `more` in the workers' environment; whatever is left at the end is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.rewards.nursery_process"],
        env=environment(**more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    found = Nursery(process)
    try:
        yield found
    finally:
        found.kill()
        process.kill()
        process.communicate()


def wait_until(holds: Callable[[], bool], *, seconds: float, meanwhile: Callable[[], None]) -> None:
    """Until it holds, playing beat's part meanwhile five times a second. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    last = 0.0
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        if time.monotonic() - last > 0.2:
            meanwhile()
            last = time.monotonic()
        time.sleep(0.01)
