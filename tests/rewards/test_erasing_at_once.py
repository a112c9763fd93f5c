"""Erasing beside what else happens to the same person at the same moment: real threads, real PostgreSQL."""

import signal
import subprocess
import sys
from typing import Any

import pytest

from campaigns.models import Campaign
from participants.models import Customer, Erasure, Participant
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from rewards.errors import InvalidReward, RewardsError
from rewards.models import Claim, Reward
from rewards.services import issuing
from rewards.services.batches import batch_create
from rewards.services.confirming import reward_give
from rewards.services.earning import event_record
from rewards.services.erasing import erasures_finish_everywhere, person_erase
from rewards.services.selecting import Selection
from rewards.states import RewardStatus
from tests import factories
from tests.concurrency import at_once
from tests.rewards.books import assert_books_agree
from tests.rewards.worker import environment

pytestmark = pytest.mark.django_db(transaction=True)

OPEN = (RewardStatus.EARNED, RewardStatus.PENDING, RewardStatus.PENDING_DEDUCTION)


def erase(participant: Participant) -> Customer:
    organization = participant.organization
    with tenant(organization):
        return person_erase(organization=organization, customer_id=participant.customer_id, actor="user:me")


def open_rewards(participant: Participant) -> int:
    with tenant(participant.organization):
        return Reward.objects.filter(participant=participant, status__in=OPEN).count()


def test_it_works(participant: Participant) -> None:
    """Twenty at once erase one person once."""
    answers = at_once(20, lambda _: erase(participant))

    assert len({answer.pseudonym for answer in answers if isinstance(answer, Customer)}) == 1
    with tenant(participant.organization):
        assert Erasure.objects.count() == 1
        assert Activity.objects.filter(kind="participant.erased").count() == 1


def test_events_that_come_in_earn_nothing_afterwards(campaign: Campaign, participant: Participant) -> None:
    """Whichever is first: before the erasing an event's reward is canceled, after it there is none."""
    people = [factories.participant(campaign, referred_by=participant) for _ in range(8)]
    reports = [factories.report(person) for person in people]

    def call(number: int) -> Any:
        if number == 8:
            return erase(participant)
        with tenant(campaign.organization):
            return event_record(organization=campaign.organization, report=reports[number], actor="user:me")

    at_once(9, call)

    assert open_rewards(participant) == 0
    with tenant(campaign.organization):
        found = list(Reward.objects.filter(participant=participant).values_list("status", "reason"))
    assert set(found) <= {(RewardStatus.CANCELED, "participant_erased")}
    assert_books_agree(campaign.organization)


def test_gifts_and_batches_leave_nothing_open(campaign: Campaign, participant: Participant) -> None:
    organization = campaign.organization
    due = [
        reward.pk
        for _ in range(4)
        for reward in factories.event(factories.participant(campaign, referred_by=participant)).rewards
    ]

    def call(number: int) -> Any:
        if number == 0:
            return erase(participant)
        with tenant(organization):
            if number < 4:
                return batch_create(
                    organization=organization, method="MANUAL", selection=Selection(reward_ids=due), actor="user:me"
                )
            return reward_give(
                organization=organization, participant=participant, amount=100, reason="Gift", actor="user:me"
            )

    at_once(8, call, expected=(InvalidReward, RewardsError))
    issuing.run(seconds=5)
    erasures_finish_everywhere()

    assert open_rewards(participant) == 0
    with tenant(organization):
        assert Claim.objects.filter(closed_at__isnull=True).count() == 0
        assert Erasure.objects.get().finished_at is not None
    assert_books_agree(organization)


@pytest.mark.process
def test_a_batch_that_runs_at_the_same_moment(campaign: Campaign, participant: Participant) -> None:
    """Each reward is either issued or canceled; none is both, and none stays open."""
    organization = campaign.organization
    rewards = [
        reward
        for _ in range(60)
        for reward in factories.event(factories.participant(campaign, referred_by=participant)).rewards
    ]
    factories.batch(organization, rewards)

    at_once(2, lambda number: erase(participant) if number else issuing.run(seconds=10))
    issuing.run(seconds=5)
    erasures_finish_everywhere()

    with tenant(organization):
        statuses = set(Reward.objects.filter(participant=participant).values_list("status", flat=True))
        assert Claim.objects.filter(closed_at__isnull=True).count() == 0
    assert statuses <= {RewardStatus.AVAILABLE, RewardStatus.CANCELED}
    assert_books_agree(organization)


# A process of its own that dies in the patched function: the product has no hooks for that.
KILLED = """
import os, sys
from unittest import mock
from uuid import UUID
import django
django.setup()
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from rewards.services import erasing

organization = Organization.objects.get(pk=sys.argv[1])
with mock.patch(sys.argv[3], side_effect=lambda *a, **k: os.kill(os.getpid(), 9)), tenant(organization):
    erasing.person_erase(organization=organization, customer_id=UUID(sys.argv[2]), actor="user:me")
"""


@pytest.mark.process
@pytest.mark.parametrize(
    "place",
    [
        "rewards.services.erasing.identity_erase",
        "rewards.services.erasing.record",
        "rewards.services.erasing._finish",
    ],
)
def test_killed_in_the_middle_nothing_happened(
    campaign: Campaign, participant: Participant, referred: Participant, place: str
) -> None:
    reward = factories.event(referred).rewards[0]
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(campaign.organization_id), str(participant.customer_id), place],
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr

    with tenant(campaign.organization):
        reward.refresh_from_db()
        assert reward.status == RewardStatus.PENDING
        assert Customer.objects.get(pk=participant.customer_id).email == "sharer@example.com"
        assert Erasure.objects.count() == 0

    erase(participant)
    assert open_rewards(participant) == 0
