"""Nudges: Celery messages that only say "there is work in that table".

Every queue is a table, swept by beat; so a nudge may be lost, and it must never delay or break what sends it. It goes
out after commit, at most one per task and process in 100 ms (the later ones of a burst are covered by a trailing one),
is never retried, and a failure is counted and logged.
"""

import threading
import time
from typing import Any

import structlog
from celery import Task
from django.db import transaction
from kombu.exceptions import OperationalError
from prometheus_client import Counter
from redis.exceptions import RedisError

INTERVAL_SECONDS = 0.1

log = structlog.get_logger(__name__)
nudges_failed = Counter("rocket_nudges_failed_total", "Nudges that could not be sent to the broker", ["task"])
_last_sent: dict[str, float] = {}
_trailing: set[str] = set()
_names: "dict[int, tuple[Task[Any, Any], str]]" = {}
_lock = threading.Lock()


def nudge(task: "Task[Any, Any]") -> None:
    """Send `task` without arguments, once this transaction has committed."""
    if transaction.get_connection().in_atomic_block:
        transaction.on_commit(lambda: _coalesce(task), robust=True)
    else:
        _coalesce(task)


def _coalesce(task: "Task[Any, Any]") -> None:
    name = _name(task)
    with _lock:
        if name in _trailing:
            return
        wait = _last_sent.get(name, 0.0) + INTERVAL_SECONDS - time.monotonic()
        if wait <= 0:
            _last_sent[name] = time.monotonic()
        else:
            _trailing.add(name)
    if wait <= 0:
        _send(task)
        return
    timer = threading.Timer(wait, _send_trailing, (task,))
    timer.daemon = True
    timer.start()


def _name(task: "Task[Any, Any]") -> str:
    """Kept beside the task that it is the name of: it finds its name anew each time, and is asked at each webhook."""
    known = _names.get(id(task))
    if known is None:
        known = _names[id(task)] = (task, task.name)
    return known[1]


def _send_trailing(task: "Task[Any, Any]") -> None:
    with _lock:
        _trailing.discard(task.name)
        _last_sent[task.name] = time.monotonic()
    _send(task)


def _send(task: "Task[Any, Any]") -> None:
    try:
        task.apply_async(retry=False, ignore_result=True)
    except (OperationalError, RedisError, OSError) as error:
        nudges_failed.labels(task.name).inc()
        log.warning("nudge_failed", task=task.name, error=type(error).__name__)
