"""A dry run: what rules would have given for the events on record, beside what was given."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import Beneficiary, Campaign, CampaignStatusChange, RewardRule
from campaigns.selectors import current_rules
from campaigns.services import rules_proposed
from campaigns.terms import RuleTerms
from participants.models import Participant
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards import dry_run as running
from rewards.dry_run import DryRun, TooManyEvents, dry_run
from tests import factories

pytestmark = pytest.mark.django_db


def run(campaign: Campaign, *rules: RuleTerms, days: int = 400) -> DryRun:
    """Of the present rules where none are given."""
    with tenant(campaign.organization):
        asked: list[RewardRule] = list(current_rules(campaign))
        if rules:
            asked = rules_proposed(organization=campaign.organization, campaign=campaign, rules=rules)
        return dry_run(
            organization=campaign.organization,
            campaign=campaign,
            rules=asked,
            since=clock.wall() - timedelta(days=days),
        )


def test_it_works(campaign: Campaign, participant: Participant, referred: Participant) -> None:
    """$12.00 for the first purchase was given; 10 % of each purchase would have been $12.00 and $5.00."""
    first = factories.event(referred, 12000).event
    second = factories.event(referred, 5000).event
    with tenant(campaign.organization):
        (present,) = current_rules(campaign)

    found = run(campaign, factories.referral_rule(rule_id=present.rule_id, rate="0.1"))

    assert (found.currency, found.events_replayed) == ("USD", 2)
    assert (found.total.given.count, found.total.given.amount) == (1, 1200)
    assert (found.total.would.count, found.total.would.amount) == (2, 1700)
    assert [(each.rule_id, each.compared.difference) for each in found.rules] == [(present.rule_id, 500)]
    assert [(each.pk, compared.difference) for each, compared in found.participants] == [(participant.pk, 500)]
    assert [(each.pk, compared.difference) for each, compared in found.events] == [(second.pk, 500)]
    assert (found.differing_participants, found.differing_events) == (1, 1)
    assert found.codes == [("rewarded", 2)]
    assert first.pk < second.pk


def test_a_rule_that_is_gone_shows_what_it_gave(campaign: Campaign, referred: Participant) -> None:
    factories.event(referred)
    with tenant(campaign.organization):
        (present,) = current_rules(campaign)

    found = run(campaign, factories.referral_rule(beneficiary=Beneficiary.REFERRED, amount=300))

    new, old = found.rules
    assert (new.compared.given.amount, new.compared.would.amount) == (0, 300)
    assert (old.rule_id, old.rule, old.compared.given.amount, old.compared.would.amount) == (
        present.rule_id,
        None,
        1200,
        0,
    )


def test_what_counted_before_stands(campaign: Campaign, referred: Participant) -> None:
    """The person was rewarded before the time asked about: a rule that pays once pays nothing more."""
    now = clock.wall()
    with tenant(campaign.organization):
        CampaignStatusChange.objects.update(at=now - timedelta(days=300))
        RewardRule.objects.update(valid_from=now - timedelta(days=300))
        Participant.objects.update(attributed_at=now - timedelta(days=30))
    factories.event(referred, occurred_at=now - timedelta(days=20))
    factories.event(referred, occurred_at=now - timedelta(days=2))

    found = run(campaign, days=10)

    assert (found.events_replayed, found.total.given.count, found.total.would.count) == (1, 0, 0)
    assert found.codes == [("already_rewarded", 1)]
    assert run(campaign, days=100).total.would.amount == 1200


def test_it_only_reads(campaign: Campaign, referred: Participant) -> None:
    factories.event(referred)

    with CaptureQueriesContext(connection) as captured:
        run(campaign, factories.referral_rule(amount=1))

    verbs = {query["sql"].split()[0].upper() for query in captured.captured_queries}
    assert verbs <= {"SELECT", "SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"}


def test_the_number_of_queries_does_not_grow(campaign: Campaign, participant: Participant) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            run(campaign)
        return len(captured)

    factories.event(factories.participant(campaign, referred_by=participant))
    few = queries()
    for _ in range(10):
        factories.event(factories.participant(campaign, referred_by=participant))
    assert queries() == few


def test_more_events_than_that_are_refused(
    campaign: Campaign, referred: Participant, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.event(referred)
    factories.event(referred)
    monkeypatch.setattr(running, "MOST_EVENTS", 2)
    assert run(campaign).events_replayed == 2

    factories.event(referred)
    with pytest.raises(TooManyEvents):
        run(campaign)


def test_in_chunks_it_is_the_same(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = factories.campaign(
        organization,
        budget=9000,
        rules=[
            factories.referral_rule(rate=Decimal("0.1"), max_rewards_per_participant=3),
            RuleTerms(type="OFFER", amount=700, every_n_referrals=2),
        ],
    )
    sharers = [factories.participant(campaign) for _ in range(2)]
    people = [factories.participant(campaign, referred_by=sharers[n % 2]) for n in range(7)]
    for n in range(20):
        factories.event(people[n % 7], 1000 * (n + 1))
    whole = run(campaign)

    monkeypatch.setattr(running, "CHUNK", 3)

    assert replace(run(campaign), since=whole.since) == whole
    assert whole.total.given == whole.total.would
    assert whole.differing_events == 0
