"""The runner with every method's own adapter and stand-in: whatever happens to a batch, each reward is issued once.

What the adapters make of each fault is in tests/integrations (payout_cases.py); here are the faults that lie outside
them: a killed worker, batches that compete, credentials that are revoked, an emptied broker.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import redis
import time_machine
from django.conf import settings as django_settings

from integrations.models import Connection, ConnectionStatus
from integrations.providers.shopify.codes import discount_code
from integrations.sandbox.tremendous import shapes
from integrations.sandbox.wise.shapes import profile_of
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, Claim, IssueAttempt, Reward, RewardBatch
from rewards.services import issuing
from rewards.services.calling import call, call_group
from rewards.services.lanes import next_lane
from rewards.tasks import run_batches
from tests import factories
from tests.concurrency import at_once
from tests.integrations.stand_in import RunningSandbox, running
from tests.rewards.books import assert_books_agree

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

REWARDS = 3
TOKEN = "ab12cd34-ef56-4a78-9b01-23456789abcd"
UNPAID = ("incoming_payment_waiting", "cancelled", "funds_refunded")
SHOP = {"shop": "acme.myshopify.com", "access_token": "shpat_live_factory1", "client_secret": "shpss_factory1"}
PAYPAL = {"client_id": "AClientIdOfTheStandIn", "client_secret": "EClientSecretOfTheStandIn", "webhook_id": ""}
PROVIDERS: dict[str, dict[str, Any]] = {
    "stripe": {},
    "shopify": {"webhook_secret": None, "credentials": SHOP},
    "tremendous": {
        "credentials": {"api_key": "PROD_factory_0123456789"},
        "settings": {"funding_source_id": shapes.FUNDING, "campaign_id": shapes.CAMPAIGN},
    },
    "paypal": {"webhook_secret": None, "credentials": PAYPAL},
    "wise": {
        "webhook_secret": None,
        "credentials": {"api_token": TOKEN},
        "settings": {"profile_id": str(profile_of(TOKEN)), "source_currency": "EUR"},
    },
}


@dataclass(frozen=True)
class Way:
    """`given`: how often the provider shows the reward as issued."""

    method: str
    provider: str
    given: Callable[[RunningSandbox, Reward], int]
    terms: tuple[tuple[str, Any], ...] = ()


def _by_stripe(sandbox: RunningSandbox, reward: Reward) -> int:
    made = sandbox.get("stripe/rewards", reward_id=str(reward.pk))
    return len(made["discounts"]) + len(made["promotion_codes"])


def _by_wise(sandbox: RunningSandbox, reward: Reward) -> int:
    """Over all the groups that it was ever sent in; each reward has a person of its own."""
    shown = sandbox.get("wise/transfers")["transfers"]
    with tenant(reward.organization):
        references = IssueAttempt.objects.filter(reward=reward).values_list("provider_reference", flat=True)
        ours = {str(reference) for reference in references if reference}
    return sum(str(each["id"]) in ours and each["status"] not in UNPAID for each in shown)


WAYS = [
    Way("STRIPE_CREDIT", "stripe", lambda sandbox, reward: sandbox.credits(reward_id=str(reward.pk))["count"]),
    Way("STRIPE_COUPON", "stripe", _by_stripe),
    Way(
        "STRIPE_SUBSCRIPTION",
        "stripe",
        _by_stripe,
        (("coupon_duration", "repeating"), ("coupon_duration_months", 3)),
    ),
    Way(
        "SHOPIFY_GIFT_CARD",
        "shopify",
        lambda sandbox, reward: len(
            sandbox.get("shopify/gift_cards", livemode="true", note=f"{reward.pk}:1")["gift_cards"]
        ),
    ),
    Way(
        "SHOPIFY_DISCOUNT",
        "shopify",
        lambda sandbox, reward: len(
            sandbox.get("shopify/discounts", livemode="true", code=discount_code(f"{reward.pk}:1"))["discounts"]
        ),
    ),
    Way(
        "TREMENDOUS",
        "tremendous",
        lambda sandbox, reward: len(
            sandbox.get("tremendous/orders", livemode="true", external_id=f"{reward.pk}:1")["orders"]
        ),
    ),
    Way(
        "PAYPAL",
        "paypal",
        lambda sandbox, reward: len(sandbox.get("paypal/items", sender_item_id=f"{reward.pk}:1")["items"]),
    ),
    Way("WISE", "wise", _by_wise),
]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.method)


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {name: f"{sandbox.url}/{name}" for name in PROVIDERS}
        yield sandbox


@pytest.fixture
def due(stand_in: RunningSandbox, way: Way) -> list[Reward]:
    """Rewards of $12.00, whose people the provider knows."""
    organization = factories.organization()
    factories.connection(organization, provider=way.provider, **PROVIDERS[way.provider])
    rewards = factories.due_rewards(factories.campaign(organization, **dict(way.terms)), REWARDS)
    with tenant(organization):
        for number, reward in enumerate(rewards):
            reward.customer.name = f"Ann Number{number}"
            reward.customer.save(update_fields=["name"])
    people = [{"email": reward.customer.email} for reward in rewards]
    if way.method == "STRIPE_SUBSCRIPTION":
        for person in people:
            stand_in.post("stripe/subscriptions", **person, amount=5000, currency="usd", livemode=True)
    elif way.provider in ("stripe", "shopify"):
        stand_in.post(f"{way.provider}/customers", customers=people, livemode=True)
    return rewards


def issue(rewards: Sequence[Reward], way: Way) -> RewardBatch:
    return factories.batch(rewards[0].organization, rewards, method=way.method)


def statuses(rewards: Sequence[Reward]) -> set[str]:
    with tenant(rewards[0].organization):
        return set(Reward.objects.filter(pk__in=[each.pk for each in rewards]).values_list("status", flat=True))


def given(stand_in: RunningSandbox, rewards: Sequence[Reward], way: Way) -> list[int]:
    return [way.given(stand_in, reward) for reward in rewards]


def settle(organization: Organization) -> None:
    """Work off what is queued, in doubt, unknown or waits at the provider, as if its time had come."""
    for again in range(1, 5):
        with time_machine.travel(clock.wall() + timedelta(minutes=11 * again), tick=True):
            with tenant(organization):
                left = BatchItem.objects.filter(next_attempt_at__isnull=False)
                if not left.exists():
                    return
                left.update(next_attempt_at=clock.wall())
            issuing.run(seconds=10)


def assert_issued_once(stand_in: RunningSandbox, rewards: Sequence[Reward], way: Way) -> None:
    organization = rewards[0].organization
    settle(organization)
    if way.method == "WISE" and statuses(rewards) == {"PENDING"}:
        # What Wise had made and nobody paid for was cancelled: it goes out anew when somebody says so.
        assert given(stand_in, rewards, way) == [0] * REWARDS
        issue(rewards, way)
        settle(organization)
    assert given(stand_in, rewards, way) == [1] * REWARDS
    assert statuses(rewards) == {"AVAILABLE"}
    with tenant(organization):
        succeeded = BatchItem.objects.filter(outcome="SUCCEEDED").values_list("reward", flat=True)
        assert sorted(succeeded) == sorted(reward.pk for reward in rewards)
        assert not Claim.objects.filter(closed_at__isnull=True).exists()
        assert set(RewardBatch.objects.values_list("status", flat=True)) == {"FINISHED"}
    assert_books_agree(organization)


@every_way
def test_it_works(stand_in: RunningSandbox, due: list[Reward], way: Way) -> None:
    issue(due, way)
    issuing.run(seconds=10)
    assert_issued_once(stand_in, due, way)


@every_way
def test_the_same_batch_twice(stand_in: RunningSandbox, due: list[Reward], way: Way) -> None:
    issue(due, way)
    issuing.run(seconds=10)
    second = issue(due, way)
    issuing.run(seconds=10)

    assert_issued_once(stand_in, due, way)
    with tenant(second.organization):
        assert set(BatchItem.objects.filter(batch=second).values_list("outcome", flat=True)) == {"FAILED"}


@every_way
def test_batches_and_runners_at_once(stand_in: RunningSandbox, due: list[Reward], way: Way) -> None:
    at_once(3, lambda number: issue(due, way))
    at_once(3, lambda number: issuing.run(seconds=10))

    assert_issued_once(stand_in, due, way)
    with tenant(due[0].organization):
        codes = sorted(BatchItem.objects.filter(outcome="FAILED").values_list("code", flat=True))
        assert codes[: 2 * REWARDS] == ["being_issued"] * (2 * REWARDS)


@every_way
@pytest.mark.parametrize("when", ["before the call", "after the call", "after the answer"])
def test_killed(stand_in: RunningSandbox, due: list[Reward], way: Way, when: str) -> None:
    issue(due, way)
    lane = next_lane()
    assert lane is not None
    started = issuing.begin(lane)
    assert len(started) == REWARDS
    if when != "before the call":
        group = [each for each in started if each.group_key]
        answers = call_group(group) if group else [answer for each in started for answer in call(each)]
        if when == "after the answer":
            # And before the connection was given back.
            issuing._Run(lane)._write(answers)

    # Its lease runs out (settle), and somebody else goes on.
    assert issuing.run(seconds=1) == 0
    assert_issued_once(stand_in, due, way)


@every_way
def test_revoked_credentials(stand_in: RunningSandbox, due: list[Reward], way: Way) -> None:
    stand_in.fault("revoked", provider=way.provider, times=None)
    issue(due, way)
    issuing.run(seconds=10)
    organization = due[0].organization
    with tenant(organization):
        assert Connection.objects.get().status == ConnectionStatus.NEEDS_ATTENTION
        assert {*BatchItem.objects.values_list("outcome", "code")} == {("FAILED", "connection_revoked")}
        attempts = IssueAttempt.objects.count()
    assert given(stand_in, due, way) == [0] * REWARDS

    # Nothing is tried blindly while it doesn't work.
    settle(organization)
    with tenant(organization):
        assert IssueAttempt.objects.count() == attempts
        Connection.objects.update(status=ConnectionStatus.ACTIVE)
    stand_in.clear_faults()
    issue(due, way)
    assert_issued_once(stand_in, due, way)


@every_way
def test_an_emptied_broker(stand_in: RunningSandbox, due: list[Reward], way: Way) -> None:
    with tenant(due[0].organization):
        link = Connection.objects.get()
    broker = redis.Redis.from_url(django_settings.REDIS_URL)

    def empty() -> None:
        """All that is there of this batch: messages, and the pace of its connection. Other tests use it too."""
        broker.delete("work", f"pace:{link.pk}", f"refused:{link.pk}")

    issue(due, way)
    empty()
    run_batches()
    empty()
    assert_issued_once(stand_in, due, way)


# By hand and by file ---------------------------------------------------------------------------------------------------


def test_by_hand_at_once(organization: Organization, campaign: Any) -> None:
    rewards = factories.due_rewards(campaign, REWARDS)
    at_once(3, lambda number: factories.batch(organization, rewards))
    at_once(3, lambda number: issuing.run(seconds=5))

    assert statuses(rewards) == {"AVAILABLE"}
    with tenant(organization):
        assert BatchItem.objects.filter(outcome="SUCCEEDED").count() == REWARDS
        assert BatchItem.objects.filter(outcome="FAILED", code="being_issued").count() == 2 * REWARDS
        assert not Claim.objects.filter(closed_at__isnull=True).exists()
    assert_books_agree(organization)
