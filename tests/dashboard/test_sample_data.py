"""Sample data: the same when loaded twice, and as true as if the ninety days had happened."""

import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, Sum
from django.test import Client

from campaigns.models import Campaign, CampaignStatus
from integrations.models import Connection, ConnectionStatus
from participants.models import Click, Customer, Participant, QualifyingEvent
from referral_rocket.accounts.models import Organization, User
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.selectors import api_key_by_token
from referral_rocket.dashboard.sample.plot import plot
from referral_rocket.dashboard.sample.recipes import FRIENDS, LIVE
from referral_rocket.kit import clock
from rewards.models import BatchItem, Claim, Reward, RewardTotals, RewardTransition, StatementPeriod
from rewards.states import ItemOutcome, RewardStatus


@pytest.fixture(autouse=True)
def no_stand_in(settings: Any) -> None:
    settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": None}


def load(path: Path) -> dict[str, str]:
    printed = StringIO()
    call_command("load_sample_data", keep=path, stdout=printed)
    answer: dict[str, str] = json.loads(printed.getvalue().splitlines()[-1])
    return answer


def sizes(organization: Organization) -> dict[str, int]:
    with tenant(organization):
        models = (Campaign, Customer, Participant, Click, QualifyingEvent, Reward, RewardTransition, BatchItem)
        return {model.__name__: model.objects.count() for model in models}


@pytest.mark.django_db
def test_it_works(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    first = load(path)
    live = Organization.objects.get(pk=first["organization_id"])
    test = live.test_organization
    before = sizes(live), sizes(test)
    assert load(path) == first
    assert (sizes(live), sizes(test)) == before
    assert path.stat().st_mode & 0o777 == 0o600
    gets_in(first, live, test)
    for organization in (live, test):
        totals_are_the_rows(organization)
        history_leads_to_the_present(organization)
    is_worth_looking_at(live)


def gets_in(printed: dict[str, str], live: Organization, test: Organization) -> None:
    assert set(printed) == {"email", "password", "api_key", "test_api_key", "organization_id"}
    owner = User.objects.get(email=printed["email"])
    assert owner.check_password(printed["password"])
    client = Client()
    client.force_login(owner)
    assert client.get(f"/o/{live.slug}/").status_code == 200
    for name, organization in (("api_key", live), ("test_api_key", test)):
        key = api_key_by_token(printed[name])
        assert key is not None
        assert key.organization_id == organization.pk
        with tenant(organization):
            connected = Connection.objects.filter(status=ConnectionStatus.ACTIVE).values_list("provider", flat=True)
            assert sorted(connected) == ["cashfree", "paypal", "razorpay", "shopify", "stripe", "tremendous", "wise"]


def totals_are_the_rows(organization: Organization) -> None:
    with tenant(organization):
        rows = Reward.objects.values_list("campaign", "currency", "status").annotate(
            Count("id"), Sum("amount"), Sum("target_amount")
        )
        counted = {row[:3]: row[3:] for row in rows}
        kept = {
            (total.campaign_id, total.currency, total.status): (total.count, total.amount, total.target)
            for total in RewardTotals.objects.all()
            if total.count
        }
    assert kept == counted


def history_leads_to_the_present(organization: Organization) -> None:
    with tenant(organization):
        last: dict[UUID, tuple[str, int]] = {}
        times: dict[UUID, Any] = {}
        for step in RewardTransition.objects.order_by("id"):
            status, amount = last.get(step.reward_id, (None, 0))
            assert (step.from_status, step.amount_before) == (status, amount)
            assert times.get(step.reward_id, step.at) <= step.at <= clock.wall()
            last[step.reward_id], times[step.reward_id] = (step.to_status, step.amount_after), step.at
        assert last == {reward.pk: (reward.status, reward.amount) for reward in Reward.objects.all()}
        assert not Claim.objects.filter(closed_at__isnull=True).exists()


def is_worth_looking_at(live: Organization) -> None:
    with tenant(live):
        statuses = dict(Reward.objects.values_list("status").annotate(Count("id")).order_by())
        assert set(RewardStatus.values) <= statuses.keys()
        assert {"STATEMENT", "DELAYED"} <= set(Reward.objects.values_list("type", flat=True))
        assert {"AGGREGATION", "CARRY"} <= set(Reward.objects.values_list("waiting_for", flat=True))
        assert StatementPeriod.objects.count() >= 2
        assert set(Campaign.objects.values_list("status", flat=True)) == set(CampaignStatus.values)
        assert {"USD", "EUR"} == set(Reward.objects.values_list("currency", flat=True))
        outcomes = set(BatchItem.objects.values_list("outcome", flat=True))
        assert {ItemOutcome.SUCCEEDED, ItemOutcome.FAILED, ItemOutcome.WAITING} <= outcomes
        refused = BatchItem.objects.filter(message__startswith="The customer is billed in")
        for currency, message in refused.values_list("currency", "message"):
            assert f"the reward is in {currency};" in message
        owed = Reward.objects.filter(status=RewardStatus.PENDING).values("participant")
        assert Reward.objects.filter(status=RewardStatus.PENDING_DEDUCTION, participant__in=owed).exists()
        people, events = Participant.objects.count(), QualifyingEvent.objects.count()
        assert 300 <= people <= Click.objects.filter(by_bot=False).count()
        assert events > 150
        first = Reward.objects.order_by("earned_at")[0].earned_at
        assert clock.wall() - first > timedelta(days=60)


def test_the_same_seed_makes_the_same_plot() -> None:
    now = clock.wall()

    def told(seed: int) -> list[tuple[str, str, Any, int | None]]:
        made = plot(LIVE, seed=seed, now=now)
        return [
            *(
                (joining.person.email, joining.code, joining.at, None)
                for burst in made.bursts
                for joining in burst.joinings
            ),
            *(
                (buying.joining.code, buying.source, buying.at, buying.amount)
                for burst in made.bursts
                for buying in burst.buyings
            ),
        ]

    assert told(1) == told(1)
    assert told(1) != told(2)


@pytest.mark.parametrize("seed", range(5))
def test_nobody_acts_before_they_can(seed: int) -> None:
    now = clock.wall()
    made = plot(LIVE, seed=seed, now=now)
    for burst in made.bursts:
        for joining in burst.joinings:
            assert joining.at < burst.at < now
            if joining.referrer is not None:
                assert joining.clicked_at is not None
                assert joining.referrer.at <= joining.clicked_at <= joining.at
        for buying in burst.buyings:
            assert buying.joining.at < buying.at < burst.at
    for clicking in made.clickings:
        assert clicking.sharer.at <= clicking.at < now


@pytest.mark.django_db
def test_a_stand_in_that_is_away_is_named(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": "http://127.0.0.1:9/stripe"}
    small = (replace(FRIENDS, people=12, started=20),)
    monkeypatch.setattr("referral_rocket.dashboard.sample.loading.LIVE", small)
    monkeypatch.setattr("referral_rocket.dashboard.sample.loading.TEST", small)
    with pytest.raises(CommandError, match="stand-in doesn't answer"):
        load(tmp_path / "kept.json")
