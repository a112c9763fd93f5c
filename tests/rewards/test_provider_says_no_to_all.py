"""A provider that refuses everybody for a while, or for good: it is left alone, and nothing is lost or sent twice."""

from datetime import timedelta

import pytest
import time_machine

from integrations.errors import ConnectionNeedsAttention, OutcomeUnknown, ProviderRejected, ProviderRetryable
from integrations.models import Connection, ConnectionStatus
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, Claim, Reward
from rewards.services import freezing, issuing
from tests import factories
from tests.rewards import pigeons
from tests.rewards.pigeons import Pigeons

pytestmark = pytest.mark.django_db

MANY = issuing.CLAIM + 10


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Pigeons:
    monkeypatch.setattr(issuing, "LONGEST_HOLD", 0.02)
    return pigeons.register(monkeypatch)


def later(seconds: float) -> int:
    with time_machine.travel(clock.wall() + timedelta(seconds=seconds), tick=True):
        return issuing.run(seconds=10)


def codes(organization: Organization) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    with tenant(organization):
        for pair in BatchItem.objects.values_list("outcome", "code"):
            found[pair] = found.get(pair, 0) + 1
    return found


def test_it_works(far: Pigeons, organization: Organization) -> None:
    """Asked to come back in 90 seconds: nobody asks before, and then all are issued, once."""
    asked: list[str] = []
    storm = [True]

    def answer(order):
        asked.append(order.idempotency_key)
        if storm[0]:
            return ProviderRetryable("Less often.", code="rate_limited", retry_after=90, sent=True)
        return None

    far.answers = answer
    pigeons.connection(organization)
    rewards = factories.due_rewards(factories.campaign(organization), MANY)
    factories.batch(organization, rewards, method="PIGEON")

    assert issuing.run(seconds=10) == issuing.CLAIM
    assert len(asked) == issuing.CLAIM
    assert issuing.run(seconds=10) == later(60) == 0
    assert len(asked) == issuing.CLAIM

    storm[0] = False
    later(91)
    assert codes(organization) == {("SUCCEEDED", ""): MANY}
    assert len(far.paid) == MANY
    assert len(asked) == issuing.CLAIM + MANY


def test_who_names_no_time_is_left_alone_for_longer_each_time(far: Pigeons, organization: Organization) -> None:
    storm = [True]
    limited = ProviderRetryable("Less often.", code="rate_limited", sent=True)
    far.answers = lambda order: limited if storm[0] else None
    link = pigeons.connection(organization)
    batch = factories.batch(
        organization, factories.due_rewards(factories.campaign(organization), MANY), method="PIGEON"
    )

    def rest(seconds: float) -> float:
        """For how long the connection is left alone, if it is tried so long from now."""
        with tenant(organization):
            Connection.objects.update(leased_until=None)
            BatchItem.objects.filter(outcome="QUEUED").update(next_attempt_at=clock.wall())
        with time_machine.travel(clock.wall() + timedelta(seconds=seconds), tick=False):
            issuing.run(seconds=10)
            with tenant(organization):
                until = Connection.objects.get(pk=link.pk).leased_until
            return (until - clock.wall()).total_seconds() if until else 0.0

    # Those that were refused at once count as one refusal.
    rests = [rest(60 * number) for number in range(4)]
    for number, seconds in enumerate(rests):
        assert 2.0**number <= seconds <= 1.5 * 2.0**number

    storm[0] = False
    assert rest(600) == 0
    assert len(far.paid) == MANY
    with tenant(organization):
        batch.refresh_from_db()
        assert batch.status == "FINISHED"
        assert not Claim.objects.filter(closed_at__isnull=True).exists()

    storm[0] = True
    factories.batch(organization, factories.due_rewards(factories.campaign(organization), 1), method="PIGEON")
    assert 1 <= rest(700) <= 1.5


def test_credentials_revoked_in_the_middle_of_a_batch(
    far: Pigeons, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "SLICE", MANY)
    monkeypatch.setattr(freezing, "FROZEN_AT_ONCE", MANY)
    allowed = 20

    def answer(order):
        with far.lock:
            if len(far.paid) < allowed:
                far.paid[order.idempotency_key] = order
                return pigeons.sent(f"ring_{order.idempotency_key}")
        return ConnectionNeedsAttention("Who are you?")

    far.answers = answer
    pigeons.connection(organization)
    rewards = factories.due_rewards(factories.campaign(organization), MANY + 2)
    batch = factories.batch(organization, rewards, method="PIGEON")
    freezing.freeze_next(organization=organization)

    issuing.run(seconds=10)
    assert codes(organization) == {("SUCCEEDED", ""): allowed, ("FAILED", "connection_revoked"): MANY - allowed}
    with tenant(organization):
        assert Connection.objects.get().status == ConnectionStatus.NEEDS_ATTENTION

    # What was still to be frozen isn't sent either.
    freezing.freeze_everywhere()
    issuing.run(seconds=10)
    assert codes(organization)["FAILED", "connection_revoked"] == MANY + 2 - allowed
    with tenant(organization):
        batch.refresh_from_db()
        assert batch.status == "FINISHED"
        assert Reward.objects.filter(status="AVAILABLE").count() == len(far.paid) == allowed
        assert not Claim.objects.filter(closed_at__isnull=True).exists()
        Connection.objects.update(status=ConnectionStatus.ACTIVE)
    assert later(3600) == 0


@pytest.mark.parametrize("said", ["yes", "no", "unknown"])
def test_words_that_no_database_keeps_are_written_without_them(
    far: Pigeons, organization: Organization, said: str
) -> None:
    answers: dict[str, pigeons.Answer] = {
        "yes": pigeons.sent("ring\0one", message="Sent\0.", recipient_provider_id="pigeon\0one"),
        "no": ProviderRejected("Never\0."),
        "unknown": OutcomeUnknown("Perhaps\0.", recipient_provider_id="pigeon\0one"),
    }
    far.answers = lambda order: answers[said]
    pigeons.connection(organization)
    batch = factories.batch(organization, factories.due_rewards(factories.campaign(organization), 1), method="PIGEON")
    issuing.run(seconds=5)

    with tenant(organization):
        item = BatchItem.objects.get(batch=batch)
    assert (item.outcome, item.message) == {
        "yes": ("SUCCEEDED", "Sent\ufffd."),
        "no": ("FAILED", "Never\ufffd."),
        "unknown": ("QUEUED", "Perhaps\ufffd."),
    }[said]
