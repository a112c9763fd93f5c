"""Nudges: after commit, at most one in 100 ms for a task, and never a reason to fail."""

import socket
import time

import pytest
from celery import Celery
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from referral_rocket.celery import app as product
from referral_rocket.kit import nudges
from referral_rocket.kit.nudges import INTERVAL_SECONDS, nudge, nudges_failed

pytestmark = pytest.mark.django_db(transaction=True)


class Task:
    """Stands for a Celery task: counts what is sent, and fails as it is told."""

    def __init__(self, name, error=None):
        self.name = name
        self.error = error
        self.sent = []

    def apply_async(self, **options):
        self.sent.append((time.monotonic(), options))
        if self.error:
            raise self.error


@pytest.fixture
def task(request):
    return Task(f"tests.{request.node.name}")


def nothing():
    """What a worker would do."""


def wait_for(task, count):
    deadline = time.monotonic() + 5
    while len(task.sent) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(1.5 * INTERVAL_SECONDS)
    return len(task.sent)


def failures(task):
    return nudges_failed.labels(task.name)._value.get()


def test_it_works(task):
    nudge(task)

    assert [options for _, options in task.sent] == [{"retry": False, "ignore_result": True}]


def test_nothing_is_sent_before_the_commit(task):
    with transaction.atomic():
        nudge(task)
        assert task.sent == []

    assert len(task.sent) == 1


def test_nothing_is_sent_after_a_rollback(task):
    with transaction.atomic():
        nudge(task)
        transaction.set_rollback(True)

    time.sleep(1.5 * INTERVAL_SECONDS)
    assert task.sent == []


def test_a_burst_is_one_at_once_and_one_at_its_end(task):
    for _ in range(200):
        nudge(task)

    assert len(task.sent) == 1
    assert wait_for(task, 2) == 2
    assert task.sent[1][0] - task.sent[0][0] >= INTERVAL_SECONDS * 0.9


def test_the_next_after_a_pause_goes_out_at_once(task):
    nudge(task)
    time.sleep(1.2 * INTERVAL_SECONDS)
    nudge(task)

    assert len(task.sent) == 2


def test_tasks_do_not_wait_for_one_another(task):
    other = Task(f"{task.name}.other")

    nudge(task)
    nudge(other)

    assert (len(task.sent), len(other.sent)) == (1, 1)


@pytest.mark.parametrize(
    "error", [OperationalError("no broker"), RedisConnectionError("no Redis"), TimeoutError("slow"), OSError("gone")]
)
def test_a_failure_is_counted_and_logged_and_never_raised(task, error, caplog):
    task.error = error
    before = failures(task)

    nudge(task)

    assert failures(task) == before + 1
    assert "nudge_failed" in caplog.text


def test_a_failure_on_commit_leaves_what_was_committed(task, organization):
    task.error = OperationalError("no broker")

    with transaction.atomic():
        organization.name = "Renamed"
        organization.save()
        nudge(task)

    organization.refresh_from_db()
    assert organization.name == "Renamed"


def nudge_through(address, name):
    """Nudge with the product's own settings but for the broker's address; how long that took, in seconds."""
    app = Celery("elsewhere", broker=f"redis://{address}/0", set_as_current=False)
    for option in ("broker_transport_options", "redis_socket_timeout", "redis_socket_connect_timeout"):
        app.conf[option] = product.conf[option]
    task = app.task(name=name)(nothing)
    started = time.monotonic()
    nudge(task)
    return time.monotonic() - started


@pytest.mark.parametrize("listening", [False, True], ids=["absent", "silent"])
def test_a_redis_that_does_not_answer_delays_nobody(task, listening):
    """The real client, against a port that nobody listens on, and against one that never answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if listening:
            taken.listen()
        address = "{}:{}".format(*taken.getsockname())
        before = failures(task)

        seconds = nudge_through(address, task.name)

        assert seconds < 1
        assert failures(task) == before + 1


@pytest.fixture(autouse=True)
def _forget():
    yield
    nudges._last_sent.clear()
    nudges._trailing.clear()
