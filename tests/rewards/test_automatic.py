"""Automatic issuing: on its days, once each, above a minimum, up to a limit, and never what somebody else issues."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.errors import ImpossibleCampaign
from campaigns.models import Campaign, FulfilmentKind
from campaigns.services import auto_issue_pause, campaign_update, terms_of
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from rewards.models import AutomaticRun, BatchItem, Reward, RewardBatch
from rewards.services import automatic, issuing
from rewards.services.automatic import ahead, ahead_of, runs_everywhere
from rewards.services.batches import batch_create
from rewards.services.selecting import Selection
from rewards.states import RewardStatus
from tests import factories
from tests.concurrency import at_once
from tests.rewards import pigeons
from tests.rewards.owing import due
from tests.rewards.pigeons import Pigeons

START = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Pigeons:
    return pigeons.register(monkeypatch)


def campaign_of(organization: Organization, when: str, **terms: Any) -> Campaign:
    wanted = {f"auto_issue_{name}": value for name, value in terms.items()}
    return factories.campaign(organization, fulfilment_method="PIGEON", auto_issue_when=when, **wanted)


def at(*moment: int) -> Any:
    return time_machine.travel(datetime(*moment, tzinfo=UTC), tick=True)  # type: ignore[misc, arg-type]


def days(organization: Organization) -> list[date]:
    with tenant(organization):
        return list(AutomaticRun.objects.order_by("run_on").values_list("run_on", flat=True))


def batched(organization: Organization) -> int:
    with tenant(organization):
        return BatchItem.objects.count()


@pytest.mark.django_db
def test_it_works(far: Pigeons, organization: Organization) -> None:
    with time_machine.travel(START, tick=True):
        pigeons.connection(organization)
        campaign = campaign_of(organization, "LAST_DAY")
        rewards = factories.due_rewards(campaign, 2)
        with tenant(organization):
            told = ahead(campaign)
        assert told is not None
        assert (told.on, told.by_method, told.needs_approval) == (date(2026, 11, 30), [("PIGEON", 2, 2400)], False)
        assert runs_everywhere() == 0
    with at(2026, 11, 29, 23, 59):
        assert runs_everywhere() == 0

    with at(2026, 11, 30, 0, 1):
        assert runs_everywhere() == 2
        issuing.run(seconds=5)
        assert runs_everywhere() == 0

    with tenant(organization):
        batch = RewardBatch.objects.get()
        assert (batch.method, batch.actor, batch.status) == ("PIGEON", "system:automatic", "FINISHED")
        assert {Reward.objects.get(pk=reward.pk).status for reward in rewards} == {RewardStatus.AVAILABLE}
    assert len(far.paid) == 2
    assert days(organization) == [date(2026, 11, 30)]


@pytest.mark.django_db
def test_days_are_those_of_the_organizations_zone(far: Pigeons) -> None:
    organization = factories.organization(time_zone="Pacific/Kiritimati")
    with time_machine.travel(START, tick=True):
        pigeons.connection(organization)
        factories.due_rewards(campaign_of(organization, "DAY_15"), 1)
    # It is the 15th there 14 hours before it is in Greenwich.
    with at(2026, 11, 14, 9, 59):
        assert runs_everywhere() == 0
    with at(2026, 11, 14, 10, 1):
        assert runs_everywhere() == 1


@pytest.mark.django_db
def test_after_downtime_the_missed_day_is_made_up_once(far: Pigeons, organization: Organization) -> None:
    with time_machine.travel(START, tick=True):
        pigeons.connection(organization)
        factories.due_rewards(campaign_of(organization, "DAY_15"), 1)
    with at(2026, 12, 20, 9):
        assert runs_everywhere() == 1
        assert runs_everywhere() == 0

    assert days(organization) == [date(2026, 12, 15)]


@pytest.mark.django_db
def test_turning_it_on_makes_up_no_day_before(far: Pigeons, organization: Organization) -> None:
    with time_machine.travel(START, tick=True):
        pigeons.connection(organization)
        campaign = campaign_of(organization, "OFF", minimum=100)
        factories.due_rewards(campaign, 1)
        terms = terms_of(campaign)
    with at(2026, 11, 20, 9), tenant(organization):
        campaign_update(
            organization=organization,
            campaign=campaign,
            actor=factories.ACTOR,
            terms=replace(terms, auto_issue_when="DAY_15"),
        )
    with at(2026, 11, 21, 9):
        assert runs_everywhere() == 0
    with at(2026, 12, 15, 1):
        assert runs_everywhere() == 1


@pytest.mark.django_db
def test_a_minimum_for_each_participant(far: Pigeons, organization: Organization) -> None:
    pigeons.connection(organization)
    campaign = campaign_of(organization, "AT_ONCE", minimum=2000)
    sharer = factories.participant(campaign)
    first = due(sharer)
    assert runs_everywhere() == 0

    second = due(sharer)
    factories.due_rewards(campaign, 1)

    assert runs_everywhere() == 2
    with tenant(organization):
        assert set(BatchItem.objects.values_list("reward", flat=True)) == {first.pk, second.pk}


@pytest.mark.django_db
def test_a_limit_for_each_run(far: Pigeons, organization: Organization) -> None:
    with time_machine.travel(START, tick=True):
        pigeons.connection(organization)
        campaign = campaign_of(organization, "AT_ONCE", limit_per_run=3000)
        factories.due_rewards(campaign, 4)
        assert runs_everywhere() == 2
        assert runs_everywhere() == 0
        with tenant(organization):
            told = ahead(campaign)
        assert told is not None
        assert (told.by_method, told.over_limit) == ([("PIGEON", 2, 2400)], 0)

    with at(2026, 11, 11, 0, 1):
        assert runs_everywhere() == 2


@pytest.mark.django_db
def test_a_larger_run_waits_for_a_person(far: Pigeons, organization: Organization) -> None:
    pigeons.connection(organization)
    factories.due_rewards(campaign_of(organization, "AT_ONCE", approve_above=2000), 2)

    assert runs_everywhere() == 2
    issuing.run(seconds=1)

    with tenant(organization):
        assert RewardBatch.objects.get().status == "AWAITING_APPROVAL"
    assert far.paid == {}
    assert runs_everywhere() == 0


@pytest.mark.django_db
def test_what_is_by_hand_or_has_no_connection_stays_due(far: Pigeons, organization: Organization) -> None:
    factories.due_rewards(factories.campaign(organization, auto_issue_when="AT_ONCE"), 1)
    factories.due_rewards(campaign_of(organization, "AT_ONCE"), 1)

    assert runs_everywhere() == 0

    assert batched(organization) == 0
    pigeons.connection(organization)
    assert runs_everywhere() == 1


@pytest.mark.django_db
def test_webhook_fulfilment_issues_nothing_by_itself(organization: Organization) -> None:
    with pytest.raises(ImpossibleCampaign):
        factories.campaign(organization, fulfilment_kind=FulfilmentKind.WEBHOOK, auto_issue_when="DAILY")


@pytest.mark.django_db(transaction=True)
def test_the_button_and_two_sweeps_at_once_issue_each_reward_once(far: Pigeons, organization: Organization) -> None:
    pigeons.connection(organization)
    campaign = campaign_of(organization, "AT_ONCE")
    rewards = factories.due_rewards(campaign, 10)

    def press() -> None:
        with tenant(organization):
            batch_create(
                organization=organization,
                method="PIGEON",
                selection=Selection(campaign_id=campaign.pk),
                actor=factories.ACTOR,
            )

    at_once(6, lambda number: runs_everywhere() if number % 2 else press())
    issuing.run(seconds=10)

    assert sorted(far.paid) == sorted(f"{reward.pk}:1" for reward in rewards)
    with tenant(organization):
        assert BatchItem.objects.filter(outcome="SUCCEEDED").count() == 10
        assert Reward.objects.filter(status=RewardStatus.AVAILABLE).count() == 10


def queued(organization: Organization) -> list[int]:
    with tenant(organization):
        return list(BatchItem.objects.filter(outcome="QUEUED").values_list("amount", flat=True))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", ["AT_ONCE", "DAILY"])
def test_runs_at_once_stay_within_the_limit_together(far: Pigeons, organization: Organization, when: str) -> None:
    with time_machine.travel(START, tick=True):
        pigeons.connection(organization)
        campaign = campaign_of(organization, when, limit_per_run=5000)
        factories.due_rewards(campaign, 12)
    with at(2026, 11, 11, 0, 1):
        issued = at_once(6, lambda number: runs_everywhere())

        assert sorted(issued) == [0, 0, 0, 0, 0, 4]
        assert queued(organization) == [1200] * 4
        with tenant(organization):
            assert AutomaticRun.objects.get().amount == 4800


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("before", "after", "goes"), [(1000, 1200, [1000]), (1000, 900, [900, 1000])])
def test_what_changes_while_a_run_chooses_stays_within_the_limit(
    far: Pigeons,
    organization: Organization,
    monkeypatch: pytest.MonkeyPatch,
    before: int,
    after: int,
    goes: list[int],
) -> None:
    pigeons.connection(organization)
    campaign = campaign_of(organization, "AT_ONCE", limit_per_run=2000)
    first, _ = factories.due_rewards(campaign, 2)
    with tenant(organization):
        Reward.objects.update(amount=before)
    real = automatic._chosen

    def changed(_: int) -> None:
        with tenant(organization):
            Reward.objects.filter(pk=first.pk).update(amount=after)

    def choosing(*arguments: Any, **named: Any) -> Any:
        chosen = real(*arguments, **named)
        at_once(1, changed)
        return chosen

    monkeypatch.setattr(automatic, "_chosen", choosing)
    assert runs_everywhere() == len(goes)
    assert sorted(queued(organization)) == goes
    with tenant(organization):
        assert AutomaticRun.objects.get().amount == sum(goes)


@pytest.mark.django_db
def test_paused_it_issues_nothing_and_makes_up_nothing(far: Pigeons, organization: Organization) -> None:
    with time_machine.travel(START, tick=True):
        pigeons.connection(organization)
        campaign = campaign_of(organization, "DAILY")
        factories.due_rewards(campaign, 2)
        with tenant(organization):
            auto_issue_pause(organization=organization, campaign=campaign, paused=True, actor="test")
            campaign.refresh_from_db()
            told = ahead(campaign)
        assert told is not None
        assert (told.paused, told.by_method) == (True, [("PIGEON", 2, 2400)])
    with at(2026, 11, 12, 0, 1):
        assert runs_everywhere() == 0
        with tenant(organization):
            auto_issue_pause(organization=organization, campaign=campaign, paused=False, actor="test")
        assert runs_everywhere() == 0, "the days of the pause aren't made up"
    with at(2026, 11, 13, 0, 1):
        assert runs_everywhere() == 2
    assert days(organization) == [date(2026, 11, 13)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("minimum", "limit"), [(0, None), (2400, None), (0, 3000), (2400, 2400), (5000, None), (0, 100)]
)
def test_what_is_told_is_what_is_issued(
    far: Pigeons, organization: Organization, minimum: int, limit: int | None
) -> None:
    """Of several campaigns at once, in one query."""
    with time_machine.travel(START, tick=True):
        pigeons.connection(organization)
        campaigns = [campaign_of(organization, "DAILY", minimum=minimum, limit_per_run=limit) for _ in range(2)]
        for campaign in campaigns:
            sharer = factories.participant(campaign)
            for _ in range(2):
                due(sharer)
            factories.due_rewards(campaign, 3)
        with tenant(organization):
            with CaptureQueriesContext(connection) as captured:
                told = ahead_of(campaigns)
            assert len(captured) == 1
    with at(2026, 11, 11, 0, 1):
        issued = runs_everywhere()
    assert issued == sum(number for each in told.values() for _, number, _ in each.by_method)
    with tenant(organization):
        left = Reward.objects.filter(claims__isnull=True).count()
    over = {each.over_limit for each in told.values()}
    assert issued + left == 10
    assert len(over) == 1
