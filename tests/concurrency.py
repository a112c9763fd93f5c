"""Many threads at once against the real database. For tests marked `django_db(transaction=True)`."""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connection, connections

T = TypeVar("T")


def at_once(count: int, call: Callable[[int], T], *, expected: tuple[type[Exception], ...] = ()) -> list[T | Exception]:
    """`call(0)` to `call(count - 1)`, each in a thread with a connection of its own, let go at the same moment.

    Answers what each returned, in order, or the error of one of the `expected` kinds; any other error is raised here.
    """
    gate = threading.Barrier(count)
    answers: list[Any] = [None] * count
    surprises: list[Exception] = []

    def run(number: int) -> None:
        try:
            gate.wait(timeout=30)
            answers[number] = call(number)
        except expected as error:
            answers[number] = error
        except Exception as error:  # noqa: BLE001 - raised again in the test's own thread
            surprises.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    if surprises:
        raise surprises[0]
    assert not any(thread.is_alive() for thread in threads), "some threads never ended"
    return answers


def wait_until_somebody_waits(seconds: float = 20) -> None:
    """Until a connection to this test's database waits for a lock; raises where none does."""
    deadline = time.monotonic() + seconds
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            # Inside a transaction the first look would be kept.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("nobody waits for a lock")
