"""Deductions are taken back where their rewards were issued, before anything is netted."""

from typing import Any

import pytest

from integrations.base import IssueOutcome, IssueResult, PayoutChanged
from integrations.models import Connection, ConnectionStatus
from integrations.services import connection_needs_attention
from participants.models import Participant
from referral_rocket.accounts.scoping import tenant
from rewards.models import BatchItem, Claim, Reward, RewardBatch
from rewards.services import issuing
from rewards.services.payouts import payouts_changed
from rewards.services.take_backs import take_backs_everywhere
from rewards.states import RewardStatus
from tests import factories
from tests.rewards import pigeons
from tests.rewards.books import assert_books_agree
from tests.rewards.owing import deduction, due, now
from tests.rewards.pigeons import Pigeons

pytestmark = pytest.mark.django_db

SPENT = IssueResult(IssueOutcome.WAITING, sent=False, code="needs_a_person", message="It is spent.")


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Pigeons:
    return pigeons.register(monkeypatch)


@pytest.fixture
def sharer(organization: Any, far: Pigeons) -> Participant:
    pigeons.connection(organization)
    return factories.participant(factories.campaign(organization))


def take_back() -> int:
    queued = take_backs_everywhere()
    issuing.run(seconds=5)
    return queued


def test_it_works(far: Pigeons, sharer: Participant) -> None:
    owed = deduction(sharer, 500, method="PIGEON_BACK")

    assert take_back() == 1
    assert take_back() == 0

    (order,) = far.taken.values()
    assert (order.amount, order.issued_amount, order.issued_reference) == (500, 1200, f"ring_{owed.deducts_id}:1")
    owed = now(owed)
    assert (owed.status, owed.method, owed.provider_reference) == ("DEDUCTED", "PIGEON_BACK", f"back_{owed.pk}:1")
    assert owed.settled_by_id is None
    with tenant(sharer.organization):
        assert Reward.objects.get(pk=owed.deducts_id).target_amount == 700
        assert not Claim.objects.filter(closed_at__isnull=True).exists()
        assert RewardBatch.objects.filter(takes_back=True, status="FINISHED").count() == 1
    assert_books_agree(sharer.organization)


def test_what_can_not_be_taken_back_any_more_is_netted(far: Pigeons, sharer: Participant) -> None:
    owed, reward = deduction(sharer, 500, method="PIGEON_BACK"), due(sharer)
    far.answers_take_back = lambda order: SPENT

    factories.batch(sharer.organization, [reward], method="PIGEON")
    issuing.run(seconds=5)
    # Nothing is netted before it was tried to take it back.
    assert (now(reward).netted_amount, now(owed).status) == (0, RewardStatus.PENDING_DEDUCTION)

    assert take_back() == 1
    assert take_back() == 0
    with tenant(sharer.organization):
        item = BatchItem.objects.get(reward=owed)
    assert (item.outcome, item.code, now(owed).status) == ("WAITING", "needs_a_person", "PENDING_DEDUCTION")
    reward = due(sharer)
    factories.batch(sharer.organization, [reward], method="PIGEON")
    issuing.run(seconds=5)

    assert (now(reward).netted_amount, now(owed).status) == (500, "DEDUCTED")
    assert far.taken == {}


def test_a_connection_that_does_not_work_is_not_asked(far: Pigeons, sharer: Participant) -> None:
    owed = deduction(sharer, 500, method="PIGEON_BACK")
    with tenant(sharer.organization):
        connection = Connection.objects.get()
        connection_needs_attention(connection=connection, reason="x", actor=factories.ACTOR)

    assert take_back() == 0

    with tenant(sharer.organization):
        assert Connection.objects.get().status == ConnectionStatus.NEEDS_ATTENTION
    assert (far.taken, now(owed).status) == ({}, RewardStatus.PENDING_DEDUCTION)


def test_what_was_issued_by_hand_is_left_to_netting(far: Pigeons, sharer: Participant) -> None:
    owed = deduction(sharer, 500)

    assert take_back() == 0
    assert now(owed).status == RewardStatus.PENDING_DEDUCTION


def test_what_was_taken_back_does_not_come_back_as_due(far: Pigeons, sharer: Participant) -> None:
    owed = deduction(sharer, 1200, method="PIGEON_BACK")
    take_back()
    far.answers_look_up = lambda order: pigeons.RETURNED
    with tenant(sharer.organization):
        payouts_changed([(Connection.objects.get(), PayoutChanged(reward_id=owed.deducts_id))])
    issuing.run(seconds=5)

    with tenant(sharer.organization):
        reward = Reward.objects.get(pk=owed.deducts_id)
    assert (reward.status, reward.issue_number) == ("AVAILABLE", 1)
    assert now(owed).status == "DEDUCTED"
    assert_books_agree(sharer.organization)
