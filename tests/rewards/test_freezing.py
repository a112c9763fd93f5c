"""A big batch is written down at once, and the worker makes its items: what changed meanwhile is left out and listed."""

from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from rewards.due import DueFilter
from rewards.errors import BatchNotReady
from rewards.models import BatchItem, BatchSlice, Claim, Reward, RewardBatch
from rewards.selectors import batch_counts, to_freeze
from rewards.services import freezing, issuing
from rewards.services.batches import batch_approve, batch_cancel, batch_create
from rewards.services.confirming import reward_cancel, reward_confirm
from rewards.services.files import batch_file
from rewards.services.reversing import transaction_reverse
from rewards.services.selecting import Selection
from tests import factories
from tests.concurrency import at_once
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db

TAKEN = "Somebody else is issuing this reward right now. Look at its page to see how that ends."


@pytest.fixture(autouse=True)
def _two_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezing, "SLICE", 2)
    monkeypatch.setattr(freezing, "FROZEN_AT_ONCE", 2)


def make(campaign: Campaign, selection: Selection | None = None, **fields: Any) -> RewardBatch:
    with tenant(campaign.organization):
        return batch_create(
            organization=campaign.organization,
            selection=selection or Selection(campaign_id=campaign.pk),
            actor=factories.ACTOR,
            **{"method": "MANUAL", **fields},
        )


def named(rewards: list[Reward]) -> Selection:
    return Selection(reward_ids=[reward.pk for reward in rewards])


def outcomes(batch: RewardBatch) -> list[tuple[Any, str, str]]:
    with tenant(batch.organization):
        return list(BatchItem.objects.filter(batch=batch).order_by("pk").values_list("reward", "outcome", "code"))


def state(batch: RewardBatch) -> tuple[str, int, int, int]:
    """Status, total, queued, and how many are still to be frozen."""
    with tenant(batch.organization):
        batch.refresh_from_db()
        counts = batch_counts([batch])[batch.pk]
        return batch.status, counts["total"], counts["queued"], to_freeze([batch]).get(batch.pk, 0)


def claims(organization: Organization) -> int:
    with tenant(organization):
        return Claim.objects.filter(closed_at__isnull=True).count()


def test_it_works(organization, campaign):
    rewards = factories.due_rewards(campaign, 5)
    batch = make(campaign, reference="bank 7")
    assert state(batch) == ("QUEUED", 5, 5, 5)
    assert batch.asked == [["USD", 5, 6000]]
    assert outcomes(batch) == []
    assert claims(organization) == 0
    factories.due_rewards(campaign, 1)

    assert freezing.freeze_everywhere() == 5
    assert state(batch) == ("QUEUED", 5, 5, 0)
    assert outcomes(batch) == [(reward.pk, "QUEUED", "") for reward in rewards]
    assert claims(organization) == 5
    assert issuing.run(seconds=5) == 5

    assert state(batch) == ("FINISHED", 5, 0, 0)
    assert outcomes(batch) == [(reward.pk, "SUCCEEDED", "") for reward in rewards]
    assert claims(organization) == 0
    assert freezing.freeze_everywhere() == 0
    assert_books_agree(organization)


def test_what_changed_meanwhile_is_left_out_and_listed(organization, campaign):
    kept, confirmed, canceled, lowered, taken = rewards = factories.due_rewards(campaign, 5)
    batch = make(campaign)
    other = factories.batch(organization, [taken])
    with tenant(organization):
        reward_confirm(organization=organization, reward=confirmed, actor=factories.ACTOR)
        reward_cancel(organization=organization, reward=canceled, actor=factories.ACTOR, reason="x")
        transaction_reverse(
            organization=organization,
            campaign_id=campaign.pk,
            transaction_id=lowered.transaction_id,
            report=ReversalReport(refund_id="re_1", amount=6000),
            actor=factories.ACTOR,
        )

    freezing.freeze_everywhere()

    assert outcomes(batch) == [
        (kept.pk, "QUEUED", ""),
        (confirmed.pk, "FAILED", "not_due"),
        (canceled.pk, "FAILED", "not_due"),
        (lowered.pk, "FAILED", "not_due"),
        (taken.pk, "FAILED", "being_issued"),
    ]
    with tenant(organization):
        messages = dict(BatchItem.objects.filter(batch=batch).values_list("reward", "message"))
    assert messages[taken.pk] == TAKEN
    assert messages[canceled.pk] == "This reward isn't due: it was issued, canceled or is still waiting."
    assert "Its amount has changed" in messages[lowered.pk]
    issuing.run(seconds=5)
    with tenant(organization):
        status = dict(Reward.objects.values_list("pk", "status"))
    assert [status[reward.pk] for reward in rewards] == ["AVAILABLE", "AVAILABLE", "CANCELED", "PENDING", "AVAILABLE"]
    assert outcomes(other) == [(taken.pk, "SUCCEEDED", "")]
    assert_books_agree(organization)


def test_what_could_not_be_issued_when_it_was_asked_for_is_not_issued_later(organization, campaign):
    taken, first, second = rewards = factories.due_rewards(campaign, 3)
    other = factories.batch(organization, [taken])
    batch = make(campaign, named(rewards))
    assert batch.asked == [["USD", 2, 2400]]
    with tenant(organization):
        batch_cancel(organization=organization, batch=other, actor=factories.ACTOR)

    freezing.freeze_everywhere()

    assert outcomes(batch) == [
        (taken.pk, "FAILED", "being_issued"),
        (first.pk, "QUEUED", ""),
        (second.pk, "QUEUED", ""),
    ]


def test_a_filter_is_fixed_to_what_it_let_through(organization, campaign):
    wanted = [
        reward
        for number in range(3)
        for reward in factories.event(
            factories.participant(campaign, referred_by=factories.participant(campaign, f"ann{number}@example.com"))
        ).rewards
    ]
    factories.due_rewards(campaign, 2)
    batch = make(campaign, Selection(due=DueFilter(campaign.pk, search="ann")))
    factories.event(
        factories.participant(campaign, referred_by=factories.participant(campaign, "ann_later@example.com"))
    )

    freezing.freeze_everywhere()

    assert outcomes(batch) == [(reward.pk, "QUEUED", "") for reward in wanted]


def test_killed_between_two_statements(organization, campaign, monkeypatch):
    rewards = factories.due_rewards(campaign, 5)
    batch = make(campaign)
    freezing.freeze_next(organization=organization)

    def killed(batch_ids: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(freezing, "finish_if_done", killed)
        with pytest.raises(KeyboardInterrupt):
            freezing.freeze_next(organization=organization)
    assert state(batch) == ("QUEUED", 5, 5, 3)
    assert claims(organization) == 2

    freezing.freeze_everywhere()
    assert outcomes(batch) == [(reward.pk, "QUEUED", "") for reward in rewards]
    assert claims(organization) == 5


@pytest.mark.django_db(transaction=True)
def test_four_workers_and_two_batches_at_once(organization, campaign):
    rewards = factories.due_rewards(campaign, 9)
    first, second = make(campaign, named(rewards)), make(campaign, named(rewards))

    at_once(4, lambda number: freezing.freeze_everywhere())
    freezing.freeze_everywhere()

    found = [dict(zip([pk for pk, _, _ in each], each, strict=True)) for each in (outcomes(first), outcomes(second))]
    assert [sorted(each) for each in found] == [sorted(reward.pk for reward in rewards)] * 2
    for reward in rewards:
        assert sorted(each[reward.pk][1:] for each in found) == [("FAILED", "being_issued"), ("QUEUED", "")]
    assert claims(organization) == 9
    assert state(first)[3] == state(second)[3] == 0


def test_canceled_while_it_is_being_prepared(organization, campaign):
    rewards = factories.due_rewards(campaign, 5)
    batch = make(campaign)
    freezing.freeze_next(organization=organization)

    with tenant(organization):
        batch_cancel(organization=organization, batch=batch, actor=factories.ACTOR)

    assert freezing.freeze_everywhere() == 0
    assert state(batch) == ("CANCELED", 2, 0, 0)
    assert outcomes(batch) == [(reward.pk, "FAILED", "canceled") for reward in rewards[:2]]
    assert claims(organization) == 0
    assert issuing.run(seconds=5) == 0


def test_it_finishes_only_when_all_is_prepared(organization, campaign):
    factories.due_rewards(campaign, 4)
    batch = make(campaign)
    freezing.freeze_next(organization=organization)
    issuing.run(seconds=5)
    assert state(batch) == ("QUEUED", 4, 2, 2)

    freezing.freeze_next(organization=organization)
    issuing.run(seconds=5)
    assert state(batch) == ("FINISHED", 4, 0, 0)


def test_approved_while_it_is_being_prepared(organization):
    campaign = factories.campaign(organization, auto_issue_approve_above=3000)
    factories.due_rewards(campaign, 5)
    batch = make(campaign)
    freezing.freeze_next(organization=organization)
    assert state(batch) == ("AWAITING_APPROVAL", 5, 5, 3)
    assert issuing.run(seconds=5) == 0

    with tenant(organization):
        batch_approve(organization=organization, batch=batch, actor="user:second", person=None)
    freezing.freeze_everywhere()
    assert issuing.run(seconds=5) == 5
    assert state(batch) == ("FINISHED", 5, 0, 0)


def test_there_is_no_file_before_all_is_prepared(organization, campaign):
    factories.due_rewards(campaign, 3)
    batch = make(campaign, method="PAYPAL_FILE")
    with tenant(organization), pytest.raises(BatchNotReady, match="being prepared"):
        batch_file(organization=organization, batch=batch, actor=factories.ACTOR)

    freezing.freeze_everywhere()
    with tenant(organization):
        assert batch_file(organization=organization, batch=batch, actor=factories.ACTOR) is not None


def test_a_caller_that_rests_on_the_claims_has_them_at_once(organization, campaign):
    rewards = factories.due_rewards(campaign, 5)
    batch = make(campaign, at_once=True)
    assert state(batch) == ("QUEUED", 5, 5, 0)
    assert outcomes(batch) == [(reward.pk, "QUEUED", "") for reward in rewards]
    assert claims(organization) == 5


def test_the_number_of_statements_does_not_grow(organization, campaign, monkeypatch):
    counts = []
    for number in (3, 9):
        monkeypatch.setattr(freezing, "SLICE", number)
        factories.due_rewards(campaign, number)
        with CaptureQueriesContext(database) as captured:
            batch = make(campaign)
            freezing.freeze_next(organization=organization)
        counts.append(len(captured))
        assert state(batch) == ("QUEUED", number, number, 0)
    assert counts[0] == counts[1]


def test_nothing_of_another_organization(organization, campaign, other_organization):
    theirs = factories.campaign(other_organization)
    factories.due_rewards(theirs, 3)
    factories.due_rewards(campaign, 3)
    mine = make(campaign)
    make(theirs)

    assert freezing.freeze_next(organization=organization) == 2
    assert state(mine) == ("QUEUED", 3, 3, 1)
    assert claims(other_organization) == 0
    with tenant(other_organization):
        assert BatchSlice.objects.count() == 2
