"""Two rewards of one customer as Stripe coupons: the first is issued, the second is queued until that one is used up."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from integrations.services import connection_disconnect
from participants.models import Payment
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from referral_rocket.kit import clock
from rewards.models import BatchItem, Claim, QueuedReward, Reward, RewardBatch
from rewards.services import issuing, queueing
from rewards.services.queueing import NotQueueable, queued_issue_everywhere, reward_unqueue, rewards_queue
from tests import factories
from tests.concurrency import at_once
from tests.dashboard.visitor import member, text
from tests.integrations.stand_in import RunningSandbox, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": f"{sandbox.url}/stripe"}
        yield sandbox


@pytest.fixture
def subscription(stand_in: RunningSandbox, rewards: list[Reward]) -> Any:
    email = rewards[0].customer.email
    return stand_in.post("stripe/subscriptions", email=email, amount=5000, currency="usd", livemode=True)


@pytest.fixture
def rewards(organization: Organization) -> list[Reward]:
    """Two rewards of $12.00 of one referrer."""
    factories.connection(organization)
    campaign = factories.campaign(organization)
    referrer = factories.participant(campaign)
    return [factories.event(factories.participant(campaign, referred_by=referrer)).rewards[0] for _ in range(2)]


@pytest.fixture
def batch(stand_in: RunningSandbox, rewards: list[Reward], subscription: Any) -> RewardBatch:
    made = factories.batch(rewards[0].organization, rewards, method="STRIPE_COUPON")
    issuing.run(seconds=5)
    return made


def waiting_item(batch: RewardBatch) -> BatchItem:
    with tenant(batch.organization):
        (item,) = BatchItem.objects.select_related("batch", "reward").filter(batch=batch, outcome="WAITING")
        return item


def queue(batch: RewardBatch) -> BatchItem:
    item = waiting_item(batch)
    with tenant(batch.organization):
        rewards_queue(organization=batch.organization, items=[item], actor="test")
    return item


def sweep(**span: float) -> int:
    """What the beat does, so much later."""
    with time_machine.travel(clock.wall() + timedelta(**span), tick=True):
        tried = queued_issue_everywhere()
        issuing.run(seconds=5)
    return tried


def state(organization: Organization) -> tuple[list[str], int, int]:
    """The rewards' statuses, and how many wait and are being issued."""
    with tenant(organization):
        statuses = sorted(Reward.objects.values_list("status", flat=True))
        return statuses, QueuedReward.objects.count(), Claim.objects.filter(closed_at__isnull=True).count()


def test_it_works(stand_in, batch, subscription, organization):
    assert state(organization) == (["AVAILABLE", "PENDING"], 0, 0)
    item = queue(batch)
    assert state(organization) == (["AVAILABLE", "PENDING"], 1, 0)

    assert sweep(hours=23) == 0
    assert sweep(hours=25) == 1, "the discount is still there, so it waits on"
    assert state(organization) == (["AVAILABLE", "PENDING"], 1, 0)

    stand_in.post("stripe/invoices", subscription=subscription["id"])
    assert sweep(hours=50) == 1
    assert state(organization) == (["AVAILABLE", "AVAILABLE"], 1, 0)
    made = stand_in.get("stripe/rewards", reward_id=item.reward_id)
    assert [coupon["times_redeemed"] for coupon in made["coupons"]] == [1]

    assert sweep(hours=75) == 0, "what was issued waits no more"
    assert state(organization) == (["AVAILABLE", "AVAILABLE"], 0, 0)


def test_a_payment_of_the_customer_makes_it_try_at_once(stand_in, batch, subscription, organization):
    item = queue(batch)
    stand_in.post("stripe/invoices", subscription=subscription["id"])
    with tenant(organization):
        Payment.objects.create(
            organization=organization, connection_id=item.connection_id, source="STRIPE", amount=3800, currency="USD",
            transaction_id="pi_1", occurred_at=clock.wall() + timedelta(seconds=5), created_at=clock.wall(),
            customer=item.reward.customer,
        )  # fmt: skip

    assert sweep(seconds=30) == 0, "Stripe may still be at it"
    assert sweep(minutes=2) == 1
    assert state(organization)[0] == ["AVAILABLE", "AVAILABLE"]


def test_asked_twice_it_waits_once(batch, organization):
    queue(batch)
    queue(batch)

    assert state(organization)[1] == 1


def test_one_that_waits_for_nothing_is_refused(batch, organization):
    with tenant(organization):
        issued = BatchItem.objects.select_related("batch").get(batch=batch, outcome="SUCCEEDED")
        with pytest.raises(NotQueueable):
            rewards_queue(organization=organization, items=[issued], actor="test")
    assert state(organization)[1] == 0


def test_given_another_way_it_waits_no_more(batch, organization):
    item = queue(batch)
    factories.batch(organization, [item.reward], method="MANUAL")
    issuing.run(seconds=5)

    assert sweep(hours=25) == 0
    assert state(organization) == (["AVAILABLE", "AVAILABLE"], 0, 0)
    with tenant(organization):
        assert RewardBatch.objects.count() == 2


def test_it_can_be_called_off(batch, organization):
    item = queue(batch)
    with tenant(organization):
        for _ in range(2):
            reward_unqueue(organization=organization, reward_id=item.reward_id, actor="test")

    assert sweep(hours=25) == 0
    assert state(organization) == (["AVAILABLE", "PENDING"], 0, 0)


def test_a_connection_that_does_not_work_is_asked_again_the_next_day(batch, organization):
    item = queue(batch)
    with tenant(organization):
        connection_disconnect(connection=item.connection, actor="test")

    assert sweep(hours=25) == 0
    assert sweep(hours=26) == 0
    assert state(organization) == (["AVAILABLE", "PENDING"], 1, 0)


def test_killed_between_batch_and_time_nothing_happened(batch, organization, monkeypatch):
    queue(batch)

    class Killed(BaseException):
        pass

    def dies(rows):
        raise Killed

    monkeypatch.setattr(queueing, "_put_off", dies)
    with pytest.raises(Killed):
        sweep(hours=25)

    assert state(organization) == (["AVAILABLE", "PENDING"], 1, 0)
    with tenant(organization):
        assert RewardBatch.objects.count() == 1


def test_the_batchs_page_offers_to_queue_it_or_to_give_credit(batch, organization):
    marketer = member(organization, Role.MARKETER)
    item = waiting_item(batch)
    shown = text(marketer.get("batch", batch.pk))
    assert (
        "An earlier reward&#x27;s discount is still on" in shown
        or "one-time discount that no invoice has used" in shown
    )
    assert "Queue it" in shown
    assert f"?reward={item.reward_id}&amp;choice=STRIPE_CREDIT" in shown

    assert marketer.post("item_queue", batch.pk, item.pk).status_code == 302

    shown = text(marketer.get("batch", batch.pk))
    assert "It is queued: tried again each day, and once the customer has paid." in shown
    assert "Don't wait" in shown
    assert state(organization)[1] == 1

    marketer.post("item_queue", batch.pk, item.pk, stop="1")
    assert state(organization)[1] == 0


def test_all_of_a_batch_are_queued_with_one_press(stand_in, organization):
    """Neither of two people has used the code of an earlier reward."""
    factories.connection(organization)
    campaign = factories.campaign(organization)
    sharers = [factories.participant(campaign) for _ in range(2)]
    for sharer in sharers:
        stand_in.add_customer(sharer.customer.email, livemode=True)
    for _ in range(2):
        friends = [factories.participant(campaign, referred_by=sharer) for sharer in sharers]
        rewards = [factories.event(friend).rewards[0] for friend in friends]
        batch = factories.batch(organization, rewards, method="STRIPE_COUPON")
        issuing.run(seconds=5)
    marketer = member(organization, Role.MARKETER)

    def press() -> Any:
        return marketer.client.post(marketer.url("batch_queue", batch.pk), follow=True)

    shown = text(marketer.get("batch", batch.pk))
    assert "The discount of an earlier reward isn&#x27;t used yet." in shown
    assert "Queue these" in shown

    assert "2 queued. Tried again each day" in text(press())
    assert state(organization)[1] == 2
    assert "0 queued." in text(press())
    assert state(organization)[1] == 2


@pytest.mark.django_db(transaction=True)
def test_pressed_six_times_at_once_it_waits_once(batch, organization):
    item = waiting_item(batch)

    def press(_: int) -> None:
        with tenant(organization):
            rewards_queue(organization=organization, items=[item], actor="test")

    at_once(6, press)

    assert state(organization)[1] == 1
    with tenant(organization):
        assert Activity.objects.filter(kind="reward.queued").count() == 1


def test_who_may_not_issue_may_not_queue(batch, organization):
    viewer = member(organization, Role.VIEWER)

    assert "Queue it" not in text(viewer.get("batch", batch.pk))
    assert viewer.post("item_queue", batch.pk, waiting_item(batch).pk).status_code == 403
    assert viewer.post("batch_queue", batch.pk).status_code == 403
    assert state(organization)[1] == 0
