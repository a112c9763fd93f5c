"""A block that stays on one CPU, and leaves everything as it was."""

import os
import threading

import pytest

from referral_rocket.kit.one_cpu import on_one_cpu


def test_the_block_and_what_it_starts_have_one_cpu_and_what_comes_after_all_again() -> None:
    before, seen = os.sched_getaffinity(0), []
    with on_one_cpu():
        thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        thread.start()
        thread.join()
        inside = os.sched_getaffinity(0)
    assert seen == [inside]
    assert len(inside) == 1
    assert inside <= before
    assert os.sched_getaffinity(0) == before


def test_an_error_leaves_all_cpus_behind() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(ValueError, match="broken"), on_one_cpu():
        raise ValueError("broken")
    assert os.sched_getaffinity(0) == before


def test_other_threads_stay_where_they_may_be() -> None:
    before, seen, entered, looked = os.sched_getaffinity(0), [], threading.Event(), threading.Event()

    def look() -> None:
        entered.wait(10)
        seen.append(os.sched_getaffinity(0))
        looked.set()

    thread = threading.Thread(target=look)
    thread.start()
    with on_one_cpu():
        entered.set()
        looked.wait(10)
    thread.join()
    assert seen == [before]


def test_a_system_that_refuses_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, cpus: set[int]) -> None:
        raise PermissionError("not in this sandbox")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    ran = []
    with on_one_cpu():
        ran.append(True)
    assert ran


def test_a_system_that_knows_no_such_thing_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setaffinity")
    ran = []
    with on_one_cpu():
        ran.append(True)
    assert ran
