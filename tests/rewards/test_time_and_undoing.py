"""Holding periods end, and events that were marked by hand are taken back."""

from datetime import timedelta

import pytest

from campaigns.services import campaign_update
from campaigns.terms import CampaignTerms
from participants.models import QualifyingEvent, Source
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.services import test_clock_set as set_test_clock
from referral_rocket.kit import clock
from rewards.errors import EventNotUndoable
from rewards.models import Reward, RewardTransition
from rewards.services.confirming import reward_confirm
from rewards.services.releasing import release, release_everywhere
from rewards.services.reversing import transaction_reverse
from rewards.services.undoing import event_undo
from rewards.states import RewardStatus
from tests import factories
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db


def held_reward(organization, **terms):
    campaign = factories.campaign(organization, holding_days=7, **terms)
    return factories.event(factories.participant(campaign, referred_by=factories.participant(campaign))).rewards[0]


def status_of(reward):
    with tenant(reward.organization):
        return Reward.objects.get(pk=reward.pk).status


def test_it_works(organization):
    reward = held_reward(organization)

    assert release(organization=organization) == 0
    assert release(organization=organization, at=reward.releases_at - timedelta(microseconds=1)) == 0
    assert release(organization=organization, at=reward.releases_at) == 1
    assert release(organization=organization, at=reward.releases_at) == 0

    with tenant(organization):
        released = Reward.objects.get()
        assert (released.status, released.waiting_for, released.due_at) == ("PENDING", None, reward.releases_at)
        assert RewardTransition.objects.order_by("-id")[0].reason == "holding period over"
    assert_books_agree(organization)


def test_what_is_made_up_after_downtime_was_due_when_its_holding_period_ended(organization):
    reward = held_reward(organization)

    assert release(organization=organization, at=reward.releases_at + timedelta(days=3)) == 1

    with tenant(organization):
        assert Reward.objects.get().due_at == reward.releases_at
    assert_books_agree(organization)


def test_fulfilment_is_fixed_when_a_reward_becomes_due(organization):
    reward = held_reward(organization)
    with tenant(organization):
        terms = CampaignTerms(name="Changed", currency="USD", holding_days=7, fulfilment_method="STRIPE_CREDIT")
        campaign_update(
            organization=organization, campaign=reward.campaign, terms=terms, actor=factories.ACTOR, has_event=True
        )

    release(organization=organization, at=reward.releases_at)

    with tenant(organization):
        assert Reward.objects.get().fulfilment_method == "STRIPE_CREDIT"


def test_every_organization_by_its_own_clock(organization, other_organization):
    twin = organization.test_organization
    live, theirs, tested = held_reward(organization), held_reward(other_organization), held_reward(twin)
    set_test_clock(organization=twin, now=clock.now(twin) + timedelta(days=8))

    assert release_everywhere() == 1
    assert [status_of(each) for each in (live, theirs, tested)] == ["EARNED", "EARNED", "PENDING"]
    assert release_everywhere(at=clock.wall() + timedelta(days=8)) == 2
    assert [status_of(each) for each in (live, theirs)] == ["PENDING", "PENDING"]


def test_a_reward_in_review_is_not_released(organization):
    reward = held_reward(organization, review_above=100)

    assert release(organization=organization, at=reward.releases_at) == 0
    assert status_of(reward) == "EARNED"


def test_after_days_of_downtime_everything_is_caught_up(organization, monkeypatch):
    monkeypatch.setattr("rewards.services.releasing.CLAIM", 2)
    rewards = [held_reward(organization) for _ in range(5)]

    assert release(organization=organization, at=max(each.releases_at for each in rewards)) == 5
    assert_books_agree(organization)


def undo(event):
    with tenant(event.organization):
        return event_undo(organization=event.organization, event=event, actor=factories.ACTOR)


def test_undoing_frees_the_transaction(organization, campaign, participant, referred):
    first = factories.event(referred, source="HAND", transaction_id="order_1")

    undone = undo(first.event)
    undo(first.event)
    other = factories.participant(campaign, referred_by=participant)
    second = factories.event(other, transaction_id="order_1")

    assert (undone.net_amount, undone.undone_at is None) == (0, False)
    assert status_of(first.rewards[0]) == "CANCELED"
    assert second.outcome == "QUALIFIED"
    with tenant(organization):
        assert QualifyingEvent.objects.count() == 2
        assert RewardTransition.objects.filter(to_status="CANCELED").count() == 1
    assert_books_agree(organization)


def test_what_was_undone_counts_no_more(organization, referred):
    first = factories.event(referred, source="HAND")
    undo(first.event)

    again = factories.event(referred)

    assert [decision.code for decision in again.decisions] == ["rewarded"]


@pytest.mark.parametrize("source", ["API", "STRIPE"])
def test_only_what_was_marked_by_hand(organization, referred, source):
    result = factories.event(referred, source=source)

    with pytest.raises(EventNotUndoable, match="by hand"):
        undo(result.event)

    assert status_of(result.rewards[0]) == "PENDING"


def test_not_once_a_reward_is_issued_or_being_issued(organization, campaign, participant, referred):
    issued = factories.event(referred, source="HAND")
    batched = factories.event(factories.participant(campaign, referred_by=participant), source="HAND")
    with tenant(organization):
        reward_confirm(organization=organization, reward=issued.rewards[0], actor=factories.ACTOR)
    factories.batch(organization, batched.rewards)

    with pytest.raises(EventNotUndoable, match="issued already"):
        undo(issued.event)
    with pytest.raises(EventNotUndoable, match="being issued"):
        undo(batched.event)

    with tenant(organization):
        assert not QualifyingEvent.objects.filter(undone_at__isnull=False).exists()
    assert [status_of(each.rewards[0]) for each in (issued, batched)] == ["AVAILABLE", "PENDING"]


def test_refunds_of_an_undone_event_stay_with_it(organization, campaign, referred):
    """Its transaction id is free: what was refunded of the first one says nothing about the next one."""
    first = factories.event(referred, source="HAND", transaction_id="order_1").event

    def refund(amount):
        with tenant(organization):
            return transaction_reverse(
                organization=organization,
                campaign_id=campaign.pk,
                transaction_id="order_1",
                report=ReversalReport("re_1", amount=amount),
                actor=factories.ACTOR,
            )

    refund(3000)
    with tenant(organization):
        event_undo(organization=organization, event=first, actor=factories.ACTOR)

    second = factories.event(referred, source="HAND", transaction_id="order_1")

    assert (second.event.net_amount, [reward.amount for reward in second.rewards]) == (12000, [1200])
    again = refund(6000)
    assert (again.created, again.net_amount) == (True, 6000)
    assert refund(6000).created is False


def test_an_event_leaves_a_statement_that_nobody_has_issued(organization: Organization) -> None:
    campaign = factories.campaign(
        organization, rules=[factories.referral_rule(once_per="EVENT")], earning_timing="STATEMENT"
    )
    friend = factories.participant(campaign, referred_by=factories.participant(campaign))
    by_hand, other = (factories.event(friend, source=Source.HAND) for _ in range(2))
    release(organization=organization, at=clock.wall() + timedelta(days=40))
    with tenant(organization):
        statement = Reward.objects.get(type="STATEMENT")
        event_undo(organization=organization, event=by_hand.event, actor=factories.ACTOR)
        statement.refresh_from_db()
        part = Reward.objects.get(event=by_hand.event)
        assert (statement.status, statement.amount) == (RewardStatus.PENDING, 1200)
        assert (part.status, part.amount, part.target_amount) == (RewardStatus.AGGREGATED, 0, 0)
        reward_confirm(organization=organization, reward=statement, actor=factories.ACTOR)
        with pytest.raises(EventNotUndoable):
            event_undo(organization=organization, event=other.event, actor=factories.ACTOR)
        assert Reward.objects.get(event=other.event).amount == 1200
