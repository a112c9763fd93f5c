"""Keeping a thread, and those that it starts meanwhile, on one CPU (docs/adr/0018-one-cpu-for-a-run.md)."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger(__name__)


@contextmanager
def on_one_cpu() -> Iterator[None]:
    """The block stays on the CPU that it begins on, and so does every thread that is started in it.

    Threads of one process take turns with Python's lock, so a second CPU gives them nothing, and handing the lock across
    CPUs wakes one each time. For blocks of some seconds: the system may not move them away from whoever else comes to
    that CPU. Where the system knows no such thing (macOS) or refuses it, the block runs as it would have without.
    """
    before = _stay()
    try:
        yield
    finally:
        if before:
            _allow(before)


def _stay() -> set[int]:
    """The CPUs that were allowed before; none where nothing was changed."""
    if not hasattr(os, "sched_setaffinity"):
        return set()
    before = os.sched_getaffinity(0)
    return before if _allow({ctypes.CDLL(None).sched_getcpu()}) else set()


def _allow(cpus: set[int]) -> bool:
    try:
        os.sched_setaffinity(0, cpus)
    except OSError as error:
        # Sandboxes may forbid it, and the CPUs that a container has can change under way.
        log.warning("one_cpu_refused", cpus=sorted(cpus), error=str(error))
        return False
    return True
