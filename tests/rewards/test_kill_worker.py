"""SIGKILL to the worker in the middle of batches, again and again: each reward is issued exactly once."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db.models import Q

from campaigns.models import Campaign
from integrations import registry
from integrations.providers.wise import transfers
from integrations.sandbox.wise.shapes import profile_of
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, BatchSlice, Claim, IssueAttempt, Reward, RewardBatch
from rewards.services import freezing, issuing
from rewards.services.reconciling import reconcile
from rewards.services.reversing import transaction_reverse
from rewards.services.take_backs import take_backs_everywhere
from rewards.states import AttemptOutcome, ItemOutcome
from rewards.tasks import run_batches
from tests import factories
from tests.integrations.stand_in import RunningSandbox, running
from tests.rewards.books import assert_books_agree
from tests.rewards.nursery import Nursery, nursery, wait_until

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True), pytest.mark.timeout(420)]

REWARDS = 200
MOMENTS = [3, 20, 41, 60, 83, 100, 121, 144, 163, 190]
EACH = 18
TOKEN = "ab12cd34-ef56-4a78-9b01-23456789abcd"
UNPAID = ("incoming_payment_waiting", "cancelled", "funds_refunded")


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {name: f"{sandbox.url}/{name}" for name in ("stripe", "paypal", "wise")}
        yield sandbox


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the workers have it (nursery_process.py): reconciling would else wait for its turn for half a minute."""
    for slug, provider in registry.PROVIDERS.items():
        monkeypatch.setitem(registry.PROVIDERS, slug, replace(provider, requests_per_second={}))


def bases(stand_in: RunningSandbox) -> dict[str, str]:
    return {f"{name.upper()}_API_BASE": f"{stand_in.url}/{name}" for name in ("stripe", "paypal", "wise")}


@pytest.fixture
def workers(stand_in: RunningSandbox) -> Iterator[Nursery]:
    with nursery(**bases(stand_in)) as found:
        yield found


@pytest.fixture
def organization(db: None) -> Organization:
    organization = factories.organization()
    factories.connection(organization)
    return organization


def given_by(stand_in: RunningSandbox) -> list[Any]:
    return stand_in.credits()["credits"]


def known_to_stripe(stand_in: RunningSandbox, rewards: Sequence[Reward]) -> None:
    with tenant(rewards[0].organization):
        emails = [{"email": reward.customer.email} for reward in rewards]
    stand_in.post("stripe/customers", customers=emails, livemode=True)


def sweep() -> None:
    run_batches.apply_async(expires=1)


def look_again(organization: Organization) -> None:
    """What waits for its time is asked after at once: half a minute, where it was interrupted for the third time."""
    with tenant(organization):
        waits = BatchItem.objects.filter(next_attempt_at__gt=clock.wall())
        waits.filter(~Q(outcome=ItemOutcome.QUEUED) | Q(in_doubt=True)).update(next_attempt_at=clock.wall())
    sweep()


def kill_at(workers: Nursery, moments: Sequence[int], done: Callable[[], int], meanwhile: Callable[[], None]) -> None:
    for moment in moments:
        workers.start()
        wait_until(lambda moment=moment: done() >= moment, seconds=120, meanwhile=meanwhile)
        workers.kill()
    workers.start()


def settled(organization: Organization) -> bool:
    """Nothing is still to be frozen, sent or looked up."""
    with tenant(organization):
        return (
            not BatchSlice.objects.exists()
            and not BatchItem.objects.filter(outcome__in=[ItemOutcome.QUEUED, ItemOutcome.UNKNOWN]).exists()
            and not Claim.objects.filter(closed_at__isnull=True).exists()
        )


def statuses(rewards: Sequence[Reward]) -> Counter[str]:
    with tenant(rewards[0].organization):
        found = Reward.objects.filter(pk__in=[reward.pk for reward in rewards])
        return Counter(found.values_list("status", flat=True))


def test_it_works(
    stand_in: RunningSandbox, workers: Nursery, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewards = factories.due_rewards(factories.campaign(organization), REWARDS)
    known_to_stripe(stand_in, rewards)
    stand_in.fault("slow_after", seconds=0.02, times=None)
    # So that the first workers are killed while they freeze, too.
    monkeypatch.setattr(freezing, "SLICE", 20)
    monkeypatch.setattr(freezing, "FROZEN_AT_ONCE", 20)
    factories.batch(organization, rewards, method="STRIPE_CREDIT")

    kill_at(workers, MOMENTS, lambda: len(given_by(stand_in)), sweep)
    wait_until(lambda: settled(organization), seconds=120, meanwhile=lambda: look_again(organization))
    workers.kill()
    stand_in.clear_faults()

    given = Counter(credit["reward_id"] for credit in given_by(stand_in))
    assert given == {str(reward.pk): 1 for reward in rewards}
    assert {credit["amount"] for credit in given_by(stand_in)} == {1200}
    assert statuses(rewards) == {"AVAILABLE": REWARDS}
    with tenant(organization):
        assert BatchItem.objects.count() == REWARDS
        assert RewardBatch.objects.get().status == "FINISHED"
    assert list(map(str, reconcile(days=1))) == []


def test_with_as_many_under_way_as_the_product_has(stand_in: RunningSandbox, organization: Organization) -> None:
    """What was under way at a kill, some two hundred, is looked up at the provider and sent once."""
    rewards = factories.due_rewards(factories.campaign(organization), 400)
    known_to_stripe(stand_in, rewards)
    stand_in.fault("slow_after", method="POST", seconds=0.2, times=None)
    factories.batch(organization, rewards, method="STRIPE_CREDIT")

    left_open = []
    with nursery(UNDER_WAY="shipped", **bases(stand_in)) as workers:
        for moment in (60, 260):
            workers.start()
            wait_until(lambda moment=moment: len(given_by(stand_in)) >= moment, seconds=60, meanwhile=sweep)
            workers.kill()
            with tenant(organization):
                unanswered = IssueAttempt.objects.filter(outcome=AttemptOutcome.STARTED)
                left_open.append(unanswered.values("item").distinct().count())
        workers.start()
        wait_until(lambda: settled(organization), seconds=60, meanwhile=lambda: look_again(organization))
    stand_in.clear_faults()

    assert max(left_open) > 100, left_open
    given = Counter((credit["reward_id"], credit["amount"]) for credit in given_by(stand_in))
    assert given == {(str(reward.pk), 1200): 1 for reward in rewards}
    assert statuses(rewards) == {"AVAILABLE": len(rewards)}
    assert_books_agree(organization)


# Groups, nettings and take-backs, all at once ------------------------------------------------------------------------


def refund(reward: Reward, amount: int) -> None:
    with tenant(reward.organization):
        transaction_reverse(
            organization=reward.organization,
            campaign_id=reward.campaign_id,
            transaction_id=str(reward.transaction_id),
            report=ReversalReport(refund_id=f"re_{reward.pk}", amount=amount),
            actor=factories.ACTOR,
        )


def earned(campaign: Campaign) -> list[Reward]:
    """For each of so many people with a first and a last name."""
    found = []
    for number in range(EACH):
        sharer = factories.participant(campaign, name=f"Ann Number{number}")
        found += factories.event(factories.participant(campaign, referred_by=sharer)).rewards
    return found


def again(rewards: Sequence[Reward]) -> list[Reward]:
    """Another one for each of the same people."""
    found = []
    with tenant(rewards[0].organization):
        sharers = [Reward.objects.select_related("participant__campaign").get(pk=each.pk) for each in rewards]
    for each in sharers:
        found += factories.event(factories.participant(each.participant.campaign, referred_by=each.participant)).rewards
    return found


def to_net(organization: Organization) -> list[Reward]:
    """Of people who owe half of what they were given by hand."""
    first = earned(factories.campaign(organization))
    factories.batch(organization, first)
    issuing.run(seconds=20)
    for reward in first:
        refund(reward, 6000)
    return again(first)


def to_take_back(stand_in: RunningSandbox, organization: Organization) -> list[Reward]:
    """Deductions of what was given as credit that nobody has used."""
    first = earned(factories.campaign(organization))
    known_to_stripe(stand_in, first)
    factories.batch(organization, first, method="STRIPE_CREDIT")
    issuing.run(seconds=20)
    assert statuses(first) == {"AVAILABLE": EACH}
    for reward in first:
        refund(reward, 6000)
    with tenant(organization):
        return list(Reward.objects.filter(deducts__in=[reward.pk for reward in first]).order_by("pk"))


def by_group(organization: Organization, method: str) -> list[Reward]:
    rewards = earned(factories.campaign(organization))
    factories.batch(organization, rewards, method=method)
    return rewards


def paid_by_wise(stand_in: RunningSandbox, rewards: Sequence[Reward]) -> dict[Any, list[int]]:
    """For each reward what was paid, in cents, over all the groups that it was ever sent in."""
    shown = {each["customerTransactionId"]: each for each in stand_in.get("wise/transfers")["transfers"]}
    found: dict[Any, list[int]] = {reward.pk: [] for reward in rewards}
    with tenant(rewards[0].organization):
        attempts = IssueAttempt.objects.filter(reward__in=found, group_key__isnull=False)
        keys = set(attempts.values_list("reward", "idempotency_key", "group_key"))
    for reward_id, key, group_key in keys:
        transfer = shown.pop(transfers.transaction_id(SimpleNamespace(idempotency_key=key), group_key), None)  # type: ignore[arg-type]
        if transfer is not None and transfer["status"] not in UNPAID:
            found[reward_id].append(int(Decimal(str(transfer["targetValue"])) * 100))
    assert shown == {}
    return found


def test_groups_nettings_and_take_backs(stand_in: RunningSandbox, workers: Nursery, organization: Organization) -> None:
    keys = {"client_id": "AClientIdOfTheStandIn", "client_secret": "EClientSecretOfTheStandIn", "webhook_id": ""}
    factories.connection(organization, provider="paypal", webhook_secret=None, credentials=keys)
    source = {"profile_id": str(profile_of(TOKEN)), "source_currency": "EUR"}
    factories.connection(
        organization, provider="wise", webhook_secret=None, credentials={"api_token": TOKEN}, settings=source
    )
    netted, deductions = to_net(organization), to_take_back(stand_in, organization)
    known_to_stripe(stand_in, netted)
    before = len(given_by(stand_in))
    factories.batch(organization, netted, method="STRIPE_CREDIT")
    assert take_backs_everywhere() == EACH
    by_paypal, by_wise = by_group(organization, "PAYPAL"), by_group(organization, "WISE")
    for provider in ("stripe", "paypal", "wise"):
        stand_in.fault("slow_after", provider=provider, seconds=0.02, times=None)

    def acts() -> int:
        """What the providers have done so far, of about 4 × 18."""
        taken = sum(len(stand_in.credits(reward_id=str(each.pk))["credits"]) for each in deductions[::6]) * 6
        sent = len(stand_in.get("paypal/items")["items"]) + len(stand_in.get("wise/transfers")["transfers"])
        return len(given_by(stand_in)) - before + taken + sent

    kill_at(workers, [1, 8, 16, 24, 32, 40, 50, 60], acts, lambda: look_again(organization))
    wait_until(lambda: settled(organization), seconds=120, meanwhile=lambda: look_again(organization))
    # What Wise had made and nobody paid for was cancelled: it came back, and goes out anew under another key.
    with tenant(organization):
        left = list(Reward.objects.filter(pk__in=[each.pk for each in by_wise], status="PENDING"))
    if left:
        factories.batch(organization, left, method="WISE")
        wait_until(lambda: settled(organization), seconds=120, meanwhile=lambda: look_again(organization))
    workers.kill()
    stand_in.clear_faults()

    given = [(each["reward_id"], each["amount"]) for each in given_by(stand_in)]
    assert len(given) == before + EACH
    ours = {str(each.pk) for each in netted}
    assert sorted(each for each in given if each[0] in ours) == sorted((pk, 600) for pk in ours)
    for each in deductions:
        assert [back["amount"] for back in stand_in.credits(reward_id=str(each.pk))["credits"]] == [-600]
    items = stand_in.get("paypal/items")["items"]
    assert Counter(item["sender_item_id"] for item in items) == {f"{each.pk}:1": 1 for each in by_paypal}
    assert {item["value"] for item in items} == {"12.00"}
    assert paid_by_wise(stand_in, by_wise) == {each.pk: [1200] for each in by_wise}
    for rewards, status in (
        (netted, "AVAILABLE"),
        (deductions, "DEDUCTED"),
        (by_paypal, "AVAILABLE"),
        (by_wise, "AVAILABLE"),
    ):
        assert statuses(rewards) == {status: EACH}
    with tenant(organization):
        assert not Reward.objects.filter(status="PENDING_DEDUCTION").exists()
        assert set(RewardBatch.objects.values_list("status", flat=True)) == {"FINISHED"}
    assert_books_agree(organization)
    assert list(map(str, reconcile(days=1))) == []
