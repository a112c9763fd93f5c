"""SIGKILL to the worker in the middle of a batch, again and again: each reward is issued exactly once."""

from collections import Counter
from collections.abc import Iterator

import pytest

from referral_rocket.accounts.scoping import tenant
from rewards.models import Claim, Reward, RewardBatch
from rewards.services.reconciling import reconcile
from rewards.states import BatchStatus, RewardStatus
from tests import factories
from tests.integrations.stand_in import RunningSandbox, running
from tests.rewards.worker import kill, wait_until, worker

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

REWARDS = 200
MOMENTS = [3, 20, 41, 60, 83, 100, 121, 144, 163, 190]


@pytest.fixture
def stand_in() -> Iterator[RunningSandbox]:
    with running() as sandbox:
        yield sandbox


def _batch_of(stand_in: RunningSandbox) -> RewardBatch:
    organization = factories.organization()
    factories.connection(organization)
    rewards = factories.due_rewards(factories.campaign(organization), REWARDS)
    with tenant(organization):
        emails = [reward.customer.email for reward in rewards]
    stand_in.post("stripe/customers", customers=[{"email": email} for email in emails], livemode=True)
    stand_in.fault("slow_after", seconds=0.02, times=None)
    return factories.batch(organization, rewards, method="STRIPE_CREDIT")


def test_it_works(stand_in: RunningSandbox) -> None:
    batch = _batch_of(stand_in)
    for moment in MOMENTS:
        with worker(STRIPE_API_BASE=f"{stand_in.url}/stripe") as process:
            wait_until(lambda moment=moment: len(stand_in.credits()["credits"]) >= moment, seconds=60)
            kill(process)
    with worker(STRIPE_API_BASE=f"{stand_in.url}/stripe"):
        wait_until(lambda: _finished(batch), seconds=90)

    given = Counter(credit["reward_id"] for credit in stand_in.credits()["credits"])
    with tenant(batch.organization):
        issued = Reward.objects.filter(status=RewardStatus.AVAILABLE)
        assert {str(pk) for pk in issued.values_list("pk", flat=True)} == set(given)
        assert Claim.objects.filter(closed_at__isnull=True).count() == 0
    assert len(given) == REWARDS
    assert set(given.values()) == {1}
    assert {credit["amount"] for credit in stand_in.credits()["credits"]} == {1200}


def _finished(batch: RewardBatch) -> bool:
    with tenant(batch.organization):
        return RewardBatch.objects.get(pk=batch.pk).status == BatchStatus.FINISHED


def test_the_books_agree_afterwards(stand_in: RunningSandbox, settings: object) -> None:
    settings.PROVIDER_API_BASES = {"stripe": f"{stand_in.url}/stripe"}  # type: ignore[attr-defined]
    batch = _batch_of(stand_in)
    with worker(STRIPE_API_BASE=f"{stand_in.url}/stripe") as process:
        wait_until(lambda: len(stand_in.credits()["credits"]) >= 70, seconds=60)
        kill(process)
    with worker(STRIPE_API_BASE=f"{stand_in.url}/stripe"):
        wait_until(lambda: _finished(batch), seconds=90)
    stand_in.clear_faults()

    assert list(map(str, reconcile(days=1))) == []
