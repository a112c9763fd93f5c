"""Events that come late are judged by what held when they occurred: the campaign's status, its rules, the window."""

from datetime import timedelta

import pytest

from campaigns.models import CampaignStatus
from campaigns.services import campaign_update, rule_terms_of
from campaigns.terms import RuleTerms
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from referral_rocket.kit.clock import wall
from rewards.errors import EventRefused
from tests import factories
from tests.rewards.test_earning import nothing_happened

pytestmark = pytest.mark.django_db


@pytest.fixture
def long_ago():
    return wall().replace(microsecond=0) - timedelta(days=30)


@pytest.fixture
def old_campaign(organization, long_ago):
    return factories.campaign(organization, created_at=long_ago)


def friend_of_old(campaign, long_ago):
    sharer = factories.participant(campaign, joined_at=long_ago)
    return factories.participant(campaign, referred_by=sharer, joined_at=long_ago)


@pytest.mark.parametrize("status", [CampaignStatus.PAUSED, CampaignStatus.ENDED])
def test_a_campaign_that_stopped_afterwards(organization, old_campaign, long_ago, status):
    friend = friend_of_old(old_campaign, long_ago)
    with tenant(organization):
        campaign_update(organization=organization, campaign=old_campaign, status=status, actor=factories.ACTOR)

    with pytest.raises(EventRefused) as caught:
        factories.event(friend)
    nothing_happened(organization)
    result = factories.event(friend, occurred_at=long_ago + timedelta(days=1))

    assert caught.value.code == "campaign_not_active"
    assert result.outcome == "QUALIFIED"


def test_a_campaign_that_was_a_draft_then(organization, long_ago):
    campaign = factories.campaign(organization, created_at=long_ago, status=CampaignStatus.DRAFT)
    friend = friend_of_old(campaign, long_ago)
    with tenant(organization):
        campaign_update(
            organization=organization, campaign=campaign, status=CampaignStatus.ACTIVE, actor=factories.ACTOR
        )

    for moment in (long_ago + timedelta(days=1), long_ago - timedelta(days=1)):
        with pytest.raises(EventRefused, match="not active"):
            factories.event(friend, occurred_at=moment)
    nothing_happened(organization)
    assert factories.event(friend).outcome == "QUALIFIED"


def test_a_time_in_whole_seconds_stands_for_all_of_its_second(organization, long_ago):
    """Stripe stamps so; a payment in the second in which the campaign began is not before it."""
    campaign = factories.campaign(organization, created_at=long_ago + timedelta(milliseconds=900))
    friend = friend_of_old(campaign, long_ago)

    with pytest.raises(EventRefused):
        factories.event(friend, occurred_at=long_ago - timedelta(seconds=1))
    with pytest.raises(EventRefused):
        factories.event(friend, occurred_at=long_ago + timedelta(milliseconds=1))
    result = factories.event(friend, occurred_at=long_ago)

    assert [decision.code for decision in result.decisions] == ["rewarded"]


def test_the_rules_of_that_time(organization, old_campaign, long_ago):
    people = [friend_of_old(old_campaign, long_ago) for _ in range(2)]
    with tenant(organization):
        (rule,) = old_campaign.rules.all()
        changed = RuleTerms(**{**rule_terms_of(rule).__dict__, "amount": 5000})
        campaign_update(organization=organization, campaign=old_campaign, rules=[changed], actor=factories.ACTOR)

    before = factories.event(people[0], occurred_at=long_ago + timedelta(days=1))
    after = factories.event(people[1])

    assert [reward.amount for reward in before.rewards] == [1200]
    assert [reward.amount for reward in after.rewards] == [5000]
    assert before.rewards[0].rule.version == 1
    assert after.rewards[0].rule.version == 2


def test_a_time_in_whole_seconds_is_judged_by_the_rules_at_the_end_of_its_second(organization, long_ago):
    """A person changes a rule and then tries it out: the payment that follows is stamped before the change."""
    campaign = factories.campaign(organization, created_at=long_ago)
    people = [friend_of_old(campaign, long_ago) for _ in range(3)]
    changed = long_ago + timedelta(days=1, milliseconds=400)
    with tenant(organization), clock.as_of(changed):
        terms = RuleTerms(**{**rule_terms_of(campaign.rules.get()).__dict__, "amount": 5000})
        campaign_update(organization=organization, campaign=campaign, rules=[terms], actor=factories.ACTOR)

    moments = [changed - timedelta(milliseconds=399), changed - timedelta(milliseconds=400), changed]
    given = [factories.event(person, occurred_at=at) for person, at in zip(people, moments, strict=True)]

    assert [reward.amount for result in given for reward in result.rewards] == [1200, 5000, 5000]


def test_a_campaign_that_stopped_within_the_second_of_a_payment(organization, old_campaign, long_ago):
    friend = friend_of_old(old_campaign, long_ago)
    with tenant(organization), clock.as_of(long_ago + timedelta(days=1, milliseconds=400)):
        campaign_update(
            organization=organization, campaign=old_campaign, status=CampaignStatus.PAUSED, actor=factories.ACTOR
        )

    assert factories.event(friend, occurred_at=long_ago + timedelta(days=1)).outcome == "QUALIFIED"


def test_once_per_person_holds_over_the_versions_of_a_rule(organization, old_campaign, long_ago):
    friend = friend_of_old(old_campaign, long_ago)
    factories.event(friend, occurred_at=long_ago + timedelta(days=1))
    with tenant(organization):
        (rule,) = old_campaign.rules.all()
        changed = RuleTerms(**{**rule_terms_of(rule).__dict__, "amount": 5000})
        campaign_update(organization=organization, campaign=old_campaign, rules=[changed], actor=factories.ACTOR)

    assert [decision.code for decision in factories.event(friend).decisions] == ["already_rewarded"]


def test_the_window_runs_from_the_join(organization, long_ago):
    campaign = factories.campaign(organization, created_at=long_ago, attribution_window_days=10)
    people = [friend_of_old(campaign, long_ago) for _ in range(2)]

    inside = factories.event(people[0], occurred_at=long_ago + timedelta(days=10))
    outside = factories.event(people[1], occurred_at=long_ago + timedelta(days=10, seconds=1))

    assert [decision.code for decision in inside.decisions] == ["rewarded"]
    assert [decision.code for decision in outside.decisions] == ["outside_attribution_window"]


def test_a_holding_period_runs_from_the_event(organization, long_ago):
    campaign = factories.campaign(organization, created_at=long_ago, holding_days=14)
    people = [friend_of_old(campaign, long_ago) for _ in range(2)]

    held = factories.event(people[0]).rewards[0]
    over = factories.event(people[1], occurred_at=long_ago + timedelta(days=1)).rewards[0]

    assert (held.status, held.waiting_for, held.due_at) == ("EARNED", "HOLDING", None)
    assert timedelta(days=14) - (held.releases_at - held.earned_at) < timedelta(seconds=1)
    assert (over.status, over.waiting_for) == ("PENDING", None)
    assert over.due_at == over.earned_at
