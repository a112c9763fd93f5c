"""Keys that sort by when they were made."""

import time
from uuid import RFC_4122, UUID

import pytest

from referral_rocket.kit import ids
from referral_rocket.kit.ids import uuid7, uuid7_many
from tests.concurrency import at_once


@pytest.fixture(autouse=True)
def from_now_on(monkeypatch):
    """Tests of other things have travelled into the future, and ids never go back."""
    monkeypatch.setattr(ids, "_last_step", 0)


def milliseconds(identifier: UUID) -> int:
    return identifier.int >> 80


def test_it_works():
    before = time.time_ns() // 1_000_000
    made = [uuid7(), *uuid7_many(3), uuid7()]
    assert made == sorted(made)
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}
    assert uuid7_many(0) == []
    assert before <= milliseconds(made[0]) <= milliseconds(made[-1]) <= time.time_ns() // 1_000_000 + 1


def test_many_do_not_run_ahead_of_the_clock():
    """What another process writes a moment later has to sort after them."""
    uuid7_many(100_000)
    assert milliseconds(uuid7()) <= time.time_ns() // 1_000_000 + 100


def test_threads_never_get_the_same_step():
    made = at_once(8, lambda _: uuid7_many(500))
    steps = {each.int >> 64 for some in made if isinstance(some, list) for each in some}
    assert len(steps) == 8 * 500


def test_a_clock_that_is_set_back_does_not_set_the_ids_back(monkeypatch):
    last = uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert uuid7() > last
