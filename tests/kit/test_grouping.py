"""What comes at once is done at once, and each is answered for its own."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from referral_rocket.kit.grouping import Grouped

SECONDS = 10


class Statement:
    """Doubles numbers; the first call stays under way until it is let go. `refuses` are those it fails for, with any others."""

    def __init__(self, *, refuses=(), error=ValueError):
        self.calls = []
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.refuses, self.error = refuses, error

    def __call__(self, items):
        self.calls.append(list(items))
        if len(self.calls) == 1:
            self.begun.set()
            assert self.let_go.wait(SECONDS)
        if any(item in self.refuses for item in items):
            raise self.error(f"one of {len(items)}")
        return [2 * item for item in items]


def waiting(grouped, count):
    """Until so many threads wait for the statement that is under way."""
    deadline = threading.Event()
    for _ in range(SECONDS * 100):
        if len(grouped._waiting) == count:
            return
        deadline.wait(0.01)
    raise AssertionError(f"{len(grouped._waiting)} wait, not {count}")


def meanwhile(statement, first, others):
    """What each is answered, where the others come while the first is under way."""
    grouped = Grouped(statement)
    with ThreadPoolExecutor(1 + len(others)) as threads:
        answers = [threads.submit(grouped, first)]
        assert statement.begun.wait(SECONDS)
        for number, other in enumerate(others, 1):
            answers.append(threads.submit(grouped, other))
            waiting(grouped, number)
        statement.let_go.set()
        errors = [answer.exception(SECONDS) for answer in answers]
    return [error or answer.result() for error, answer in zip(errors, answers, strict=True)]


def test_it_works():
    statement = Statement()
    statement.let_go.set()
    grouped = Grouped(statement)

    assert [grouped(number) for number in (1, 2, 3)] == [2, 4, 6]
    assert statement.calls == [[1], [2], [3]]


def test_what_comes_meanwhile_is_done_at_once():
    statement = Statement()

    assert meanwhile(statement, 1, [2, 3, 4]) == [2, 4, 6, 8]
    assert statement.calls == [[1], [2, 3, 4]]


def test_a_group_that_fails_is_parted_and_only_the_culprit_meets_its_error(caplog):
    statement = Statement(refuses=[3])

    two, four, error, eight = meanwhile(statement, 1, [2, 3, 4])

    assert (two, four, eight) == (2, 4, 8)
    assert isinstance(error, ValueError)
    assert str(error) == "one of 1"
    assert statement.calls[1] == [2, 3, 4]
    assert sorted(statement.calls[2:]) == [[2], [3], [4]]
    assert "group_parted" in caplog.text


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_the_first_one_s_failure_is_nobody_else_s(error):
    failed, *others = meanwhile(Statement(refuses=[1], error=error), 1, [2, 3])

    assert isinstance(failed, error)
    assert others == [4, 6]


def test_a_thread_that_ends_while_it_leads_leaves_nobody_waiting():
    statement = Statement(refuses=[2], error=SystemExit)

    two, ended, six = meanwhile(statement, 1, [2, 3])

    assert isinstance(ended, SystemExit)
    assert (two, six) == (2, 6)


def test_many_at_once_are_each_answered_for_their_own():
    sizes = []

    def doubled(items):
        sizes.append(len(items))
        threading.Event().wait(0.0005)
        return [2 * item for item in items]

    grouped = Grouped(doubled)
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(grouped, range(2000))) == [2 * number for number in range(2000)]
    assert sum(sizes) == 2000
    assert max(sizes) > 4
    assert len(sizes) < 1000
