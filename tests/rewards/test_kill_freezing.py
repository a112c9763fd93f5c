"""SIGKILL to the worker while PostgreSQL is at the INSERT … SELECT that freezes a part of a batch."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, BatchSlice, Claim, Reward, RewardBatch
from rewards.services import freezing
from rewards.tasks import run_batches
from tests import factories
from tests.integrations.stand_in import RunningSandbox, running
from tests.rewards.books import assert_books_agree
from tests.rewards.nursery import Nursery, nursery, wait_until

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

REWARDS, SLICE = 40, 10


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {"stripe": f"{sandbox.url}/stripe"}
        yield sandbox


@pytest.fixture
def workers(stand_in: RunningSandbox) -> Iterator[Nursery]:
    with nursery(STRIPE_API_BASE=f"{stand_in.url}/stripe") as found:
        yield found


def sweep() -> None:
    run_batches.apply_async(expires=1)


def is_freezing() -> bool:
    """Whether a worker's statement waits for what this transaction holds."""
    with connection.cursor() as cursor:
        # A transaction otherwise sees what it saw the first time.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            # Its beginning: the rest is cut off.
            " AND query LIKE '%WITH chosen AS%unnest(%' AND pid <> pg_backend_pid()"
        )
        return bool(cursor.fetchone()[0])


def frozen(organization: Organization) -> tuple[int, int, int]:
    """Slices that are left, items, open claims."""
    with tenant(organization):
        return (
            BatchSlice.objects.count(),
            BatchItem.objects.count(),
            Claim.objects.filter(closed_at__isnull=True).count(),
        )


def test_it_works(stand_in: RunningSandbox, workers: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    organization = factories.organization()
    factories.connection(organization)
    rewards = factories.due_rewards(factories.campaign(organization), REWARDS)
    with tenant(organization):
        emails = [{"email": reward.customer.email} for reward in rewards]
    stand_in.post("stripe/customers", customers=emails, livemode=True)
    monkeypatch.setattr(freezing, "SLICE", SLICE)
    monkeypatch.setattr(freezing, "FROZEN_AT_ONCE", SLICE)
    factories.batch(organization, rewards, method="STRIPE_CREDIT")
    # In key order, as they are frozen: a claim of one in the middle of the first slice, which never comes about.
    contested = sorted(rewards, key=lambda reward: reward.pk)[SLICE // 2]
    with transaction.atomic():
        with tenant(organization):
            Claim.objects.create(organization=organization, reward=contested, kind="BATCH", opened_at=clock.wall())
        workers.start()
        wait_until(is_freezing, seconds=120, meanwhile=sweep)
        workers.kill()
        transaction.set_rollback(True)

    # PostgreSQL finds nobody there to commit for, sooner or later.
    wait_until(lambda: frozen(organization) == (REWARDS // SLICE, 0, 0), seconds=30, meanwhile=lambda: None)
    assert stand_in.credits()["count"] == 0

    workers.start()
    wait_until(lambda: frozen(organization)[::2] == (0, 0), seconds=120, meanwhile=sweep)
    workers.kill()

    given = Counter(credit["reward_id"] for credit in stand_in.credits()["credits"])
    assert given == {str(reward.pk): 1 for reward in rewards}
    with tenant(organization):
        assert BatchItem.objects.filter(outcome="SUCCEEDED").count() == BatchItem.objects.count() == REWARDS
        assert Reward.objects.filter(status="AVAILABLE").count() == REWARDS
        assert RewardBatch.objects.get().status == "FINISHED"
    assert_books_agree(organization)
