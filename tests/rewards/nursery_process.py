"""`python -m tests.rewards.nursery_process` reads lines; for each it forks a worker and writes its process id.

A worker has a process group of its own. It is the product's, but that the providers allow any number of requests a second
(kills would else be minutes of waiting for a turn), that a group holds few, so that there are several, and that few
requests are under way at once: with all of them a batch would be over before it is killed for the fifth time. With
UNDER_WAY=shipped in its environment there are as many as the product has.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "referral_rocket.settings")
django.setup()

from integrations import registry  # noqa: E402 - the apps have to be loaded first
from referral_rocket.celery import app  # noqa: E402
from rewards.services import issuing  # noqa: E402

GROUP = 6
# linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
COMMAND = [
    "worker",
    "-Q",
    "work",
    "-c",
    "2",
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
    "-l",
    "ERROR",
]


def load() -> None:
    app.loader.import_default_modules()
    app.finalize()
    for slug, provider in registry.PROVIDERS.items():
        registry.PROVIDERS[slug] = replace(provider, requests_per_second={})  # type: ignore[index]
    if os.environ.get("UNDER_WAY") != "shipped":
        issuing.THREADS, issuing.ENOUGH_UNDER_WAY = 6, 6
    for method in ("PAYPAL", "WISE"):
        registry.adapter_of(method).group_size = GROUP  # type: ignore[attr-defined]


def serve() -> None:
    # Those that were killed leave nothing to be waited for; nor do their children, which come here instead of to init,
    # where they would count as running until it looks.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    worker = None
    for _ in sys.stdin:
        worker = os.fork()
        if worker == 0:
            become_worker()
    # The tests were killed themselves: nobody else would end the last worker. Those before it were killed one by one.
    if worker is not None:
        with suppress(ProcessLookupError):
            os.killpg(worker, signal.SIGKILL)


def become_worker() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    app.worker_main(COMMAND)
    os._exit(0)


if __name__ == "__main__":
    load()
    serve()
