"""Two runners on one connection: whoever has lost its lease sends nothing more, whatever the clocks say."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from integrations.models import Connection
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock, leases
from rewards.models import BatchItem, RewardBatch
from rewards.services import issuing
from rewards.services.calling import call, call_group
from rewards.services.lanes import Lane, next_lane, renew
from rewards.services.outcomes import answers_write
from tests import factories
from tests.rewards import pigeons
from tests.rewards.pigeons import Pigeons

pytestmark = pytest.mark.django_db


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Pigeons:
    return pigeons.register(monkeypatch)


@pytest.fixture
def sent(far: Pigeons) -> list[str]:
    """Each sending that arrived."""
    arrived: list[str] = []
    far.answers = lambda order: arrived.append(order.idempotency_key)
    return arrived


def queued(organization: Organization, count: int, method: str = "PIGEON") -> RewardBatch:
    pigeons.connection(organization)
    return factories.batch(organization, factories.due_rewards(factories.campaign(organization), count), method=method)


def lane() -> Lane:
    found = next_lane()
    assert found is not None
    return found


def after_the_lease(settings: Any) -> Any:
    return time_machine.travel(clock.wall() + timedelta(seconds=settings.LEASE_SECONDS + 1), tick=True)


def outcomes(batch: RewardBatch) -> set[str]:
    with tenant(batch.organization):
        return set(BatchItem.objects.filter(batch=batch).values_list("outcome", flat=True))


@pytest.mark.parametrize("method", ["PIGEON", "PIGEON_FLOCK"])
def test_it_works(far: Pigeons, sent: list[str], organization: Organization, settings: Any, method: str) -> None:
    batch = queued(organization, 3, method)
    first = lane()
    started = issuing.begin(first)  # and then it stands still, for longer than its lease

    with after_the_lease(settings):
        issuing.run(seconds=5)
        assert (len(sent), outcomes(batch)) == (3, {"SUCCEEDED"})

        answers = [answer for each in started for answer in call(each)] if method == "PIGEON" else call_group(started)
        with tenant(organization):
            written = answers_write(
                organization=organization, answers=answers, lease_token=first.lease.token, actor="system:test"
            )

    assert (len(sent), written, outcomes(batch)) == (3, 0, {"SUCCEEDED"})


def test_a_wall_clock_that_is_put_back_does_not_lengthen_a_lease(
    organization: Organization, far: Pigeons, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(organization, 1)
    held = lane()
    assert held.holds()
    real = leases.time.monotonic
    monkeypatch.setattr(leases.time, "monotonic", lambda: real() + settings.LEASE_SECONDS)
    with time_machine.travel(clock.wall() - timedelta(minutes=5), tick=True):
        assert not held.holds()


def test_a_wall_clock_that_jumps_ahead_ends_it(organization: Organization, far: Pigeons, settings: Any) -> None:
    queued(organization, 1)
    held = lane()
    with after_the_lease(settings):
        assert not held.holds()


def test_a_connection_that_was_taken_over_is_not_held_on_to(
    far: Pigeons, sent: list[str], organization: Organization, settings: Any
) -> None:
    batch = queued(organization, 1)
    first = lane()
    with after_the_lease(settings):
        second = lane()
    with tenant(organization):
        Connection.objects.update(leased_until=clock.wall())
    # Its own clock says that it has the connection still, and it wants to keep it.
    with time_machine.travel(clock.wall() + timedelta(seconds=settings.LEASE_SECONDS * 0.6), tick=True):
        renew(first, [])
        assert first.lost
        assert issuing.begin(first) == []
    with tenant(organization):
        assert Connection.objects.get().lease_token == second.lease.token
    assert sent == []
    assert outcomes(batch) == {"QUEUED"}
