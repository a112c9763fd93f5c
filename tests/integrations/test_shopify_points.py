"""The bucket of points: calls are held back until their cost should be there."""

from uuid import uuid4

import pytest

from integrations.providers.shopify import points
from integrations.providers.shopify.points import LONGEST_WAIT, Bucket, seconds_until


class Clock:
    """A clock that only sleeping and the test move."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def told(left: float, *, cost: float = 10, rate: float = 50, maximum: float = 1000) -> dict:
    status = {"maximumAvailable": maximum, "currentlyAvailable": left, "restoreRate": rate}
    return {"requestedQueryCost": cost, "actualQueryCost": cost, "throttleStatus": status}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bucket(clock) -> Bucket:
    return Bucket(clock, clock.sleep)


def test_it_works(bucket, clock):
    """50 points come back a second: 10 points that aren't there take a fifth of one."""
    bucket.settle("Create", bucket.spend("Create"), told(0))
    bucket.spend("Create")

    assert clock.slept == [pytest.approx(0.2)]


def test_before_the_first_answer_nothing_is_held_back(bucket, clock):
    for _ in range(16):
        bucket.spend("Create")

    assert clock.slept == []


def test_what_is_under_way_counts(bucket, clock):
    """Sixteen threads at once: 25 points are there for two of them, the others wait their turn."""
    bucket.settle("Create", bucket.spend("Create"), told(25))
    for _ in range(4):
        bucket.spend("Create")

    assert clock.slept == [pytest.approx(0.1), pytest.approx(0.2)]


def test_points_come_back_only_up_to_the_maximum(bucket, clock):
    bucket.settle("Create", bucket.spend("Create"), told(0, maximum=20))
    clock.now += 3600
    for _ in range(3):
        bucket.spend("Create")

    assert clock.slept == [pytest.approx(0.2)]


def test_the_cost_is_learned_for_each_operation(bucket, clock):
    bucket.settle("Dear", bucket.spend("Dear"), told(60, cost=100))
    bucket.settle("Cheap", bucket.spend("Cheap"), told(60, cost=1))

    bucket.settle("Cheap", bucket.spend("Cheap"), None)
    assert clock.slept == []
    bucket.spend("Dear")
    assert clock.slept == [pytest.approx(0.8)]


def test_a_call_without_an_answer_gives_its_points_back(bucket, clock):
    bucket.settle("Create", bucket.spend("Create"), told(10))
    for _ in range(3):
        bucket.settle("Create", bucket.spend("Create"), None)

    assert clock.slept == []


def test_nobody_waits_long(bucket, clock):
    bucket.settle("Create", bucket.spend("Create"), told(0, cost=1000, rate=1))
    bucket.spend("Create")

    assert clock.slept == [LONGEST_WAIT]


def test_how_long_a_refusal_lasts():
    assert seconds_until(told(4, cost=10, rate=2)) == 3
    assert seconds_until(told(400, cost=10)) == 0


def test_each_connection_has_its_own(monkeypatch):
    monkeypatch.setattr(points, "_buckets", {})
    first = uuid4()

    assert points.bucket_of(first) is points.bucket_of(first)
    assert points.bucket_of(first) is not points.bucket_of(uuid4())
