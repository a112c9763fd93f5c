"""Requests to one connection keep its rate limit, whoever makes them and in whichever process."""

import socket
import time
from typing import Any

import pytest

from integrations import pacing
from integrations.models import Connection
from integrations.pacing import LATEST_SECONDS, LONGEST_REST, SHARE, Pace
from integrations.selectors import access_of
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import shared_state
from referral_rocket.kit.ids import uuid7
from tests import factories
from tests.concurrency import at_once

SLOW = 0.05
GAP = 1 / (SLOW * SHARE)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each call would have waited; none does."""
    waits: list[float] = []
    monkeypatch.setattr(pacing.time, "sleep", waits.append)
    monkeypatch.setattr(shared_state._Pause, "until", 0.0)
    return waits


def about(seconds: float) -> Any:
    return pytest.approx(seconds, abs=1)


def test_it_works() -> None:
    connection_id = uuid7()
    moments: list[float] = []

    def ask(number: int) -> None:
        # Each thread like a process of its own.
        pace = Pace(200, connection_id=connection_id)
        for _ in range(5):
            pace()
            moments.append(time.monotonic())

    at_once(4, ask)
    assert max(moments) - min(moments) >= 18 / (200 * SHARE)


def test_who_comes_next_begins_where_the_last_one_ended(slept: list[float]) -> None:
    connection_id = uuid7()
    Pace(SLOW, connection_id=connection_id)()
    Pace(SLOW, connection_id=connection_id)()
    Pace(SLOW, connection_id=connection_id)()
    assert slept == [about(GAP), about(2 * GAP)]


def test_each_connection_has_its_own(slept: list[float]) -> None:
    Pace(SLOW, connection_id=uuid7())()
    Pace(SLOW, connection_id=uuid7())()
    assert slept == []


def test_a_rest_that_the_provider_asks_for_holds_for_everybody(slept: list[float]) -> None:
    connection_id = uuid7()
    Pace(SLOW, connection_id=connection_id).hold(100)
    Pace(SLOW, connection_id=connection_id)()
    assert slept == [about(100)]


def test_who_waited_already_takes_another_moment_after_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace(20)
    pace()
    waits: list[float] = []

    def sleep(seconds: float, real: Any = time.sleep) -> None:
        if not waits:
            pace.hold(0.2)
        waits.append(seconds)
        real(seconds)

    monkeypatch.setattr(pacing.time, "sleep", sleep)
    pace()
    assert len(waits) == 2
    assert waits[1] > 0.1


def test_who_wakes_late_takes_another_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace(20)
    pace()
    waits: list[float] = []

    def sleep(seconds: float, real: Any = time.sleep) -> None:
        real(seconds + (0.2 if not waits else 0))
        waits.append(seconds)

    monkeypatch.setattr(pacing.time, "sleep", sleep)
    began = time.monotonic()
    for _ in range(3):
        pace()
    # One moment was missed; the next is taken at once, and the one after it isn't any sooner for that.
    assert time.monotonic() - began >= 0.2 + 2 / (20 * SHARE)


def test_who_makes_many_takes_several_moments_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def evaluate(*arguments: Any, real: Any = pacing.evaluate) -> Any:
        asked.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(pacing, "evaluate", evaluate)
    pace = Pace(100, connection_id=uuid7())
    moments = []
    for _ in range(31):
        pace()
        moments.append(time.monotonic())

    # 1 + 2 + 4 + 8 + 9 + 9, if it was never late.
    assert 6 <= len(asked) < 15
    assert moments[-1] - moments[0] >= 30 / (100 * SHARE) - LATEST_SECONDS


def test_what_was_taken_for_later_is_given_up_after_a_rest(slept: list[float]) -> None:
    pace = Pace(100, connection_id=uuid7())
    for _ in range(4):
        pace._moment()
    pace.hold(5)

    assert pace._moment() - time.monotonic() == pytest.approx(5, abs=0.5)


def test_refusals_that_name_no_time_rest_longer_each_time() -> None:
    connection_id = uuid7()
    # Whoever has the connection next goes on where the last one was.
    rests = [Pace(None, connection_id=connection_id).refused() for _ in range(12)]

    for number, rest in enumerate(rests):
        assert min(2.0**number, LONGEST_REST) <= rest <= min(1.5 * 2.0**number, LONGEST_REST)
    assert len({rest / 2.0**number for number, rest in enumerate(rests)}) > 6
    assert Pace(None, connection_id=uuid7()).refused() < 2

    Pace(None, connection_id=connection_id).went_well()
    assert Pace(None, connection_id=connection_id).refused() < 2


def test_refusals_are_counted_without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "evaluate", lambda *arguments: None)
    pace = Pace(None, connection_id=uuid7())
    assert [pace.refused() for _ in range(12)][-1] == LONGEST_REST
    pace.went_well()
    assert pace.refused() < 2


def test_without_a_limit_nothing_waits(slept: list[float]) -> None:
    pace = Pace(None, connection_id=uuid7())
    for _ in range(3):
        pace()
    assert slept == []


def test_without_redis_each_keeps_to_its_own(slept: list[float], settings: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.REDIS_URL = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
    pace = Pace(SLOW, connection_id=uuid7())
    pace()
    pace()
    assert slept == [about(GAP)]


def test_an_emptied_redis_costs_the_runner_nothing(slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace(SLOW, connection_id=uuid7())
    pace()
    monkeypatch.setattr(pacing, "evaluate", lambda *arguments: b"0")
    pace()
    assert slept == [about(GAP)]


def test_a_lost_lease_stops_the_request_after_the_wait() -> None:
    def lost() -> None:
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        Pace(1000, lost, connection_id=uuid7())()


@pytest.mark.django_db
def test_whatever_is_asked_of_a_connection_keeps_its_pace(organization: Organization, slept: list[float]) -> None:
    connection: Connection = factories.connection(organization)
    with tenant(organization):
        first, second = access_of(connection, organization), access_of(connection, organization)
    first.pace()
    second.pace()
    (wait,) = slept
    assert 0 < wait <= 1 / (25 * SHARE)
