"""A reward that waits for its recipient is due again once something about that person has changed."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from integrations.models import Connection
from participants.services import customer_change, provider_customer_link
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, IssueAttempt, Reward, RewardTransition
from rewards.services import issuing
from rewards.services.automatic import runs_everywhere
from rewards.services.recipients import recipients_retry_everywhere
from tests import factories
from tests.concurrency import at_once
from tests.integrations.stand_in import RunningSandbox, running
from tests.rewards.books import assert_books_agree
from tests.webhooks.stripe_sales import deliver
from webhooks.inbound import dispatch

pytestmark = pytest.mark.django_db


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": f"{sandbox.url}/stripe"}
        yield sandbox


@pytest.fixture
def connection(stand_in: RunningSandbox, organization: Organization) -> Connection:
    return factories.connection(organization)


@pytest.fixture
def reward(connection: Connection) -> Reward:
    """Of somebody whom Stripe doesn't know, after it was tried."""
    campaign = factories.campaign(
        connection.organization,
        fulfilment_kind="METHOD",
        fulfilment_method="STRIPE_CREDIT",
        auto_issue_when="AT_ONCE",
    )
    (found,) = factories.due_rewards(campaign, 1)
    factories.batch(connection.organization, [found], method="STRIPE_CREDIT")
    issuing.run(seconds=5)
    assert now(found) == ("PENDING", "RECIPIENT")
    with tenant(connection.organization):
        return Reward.objects.select_related("customer", "campaign", "participant__campaign").get(pk=found.pk)


def now(reward: Reward) -> tuple[str, str | None]:
    with tenant(reward.organization):
        return Reward.objects.values_list("status", "waiting_for").get(pk=reward.pk)


def told(connection: Connection, event_type: str, customer_id: str, email: str | None) -> None:
    """Stripe's webhook about a customer, worked off."""
    customer = {"id": customer_id, "object": "customer", "email": email}
    event = {
        "id": f"evt_{factories.next_number()}",
        "object": "event",
        "type": event_type,
        "created": int(time.time()),
        "livemode": True,
        "data": {"object": customer},
    }
    deliver(connection, [event])
    dispatch.run(seconds=5)


def tries(reward: Reward) -> list[tuple[str, str]]:
    with tenant(reward.organization):
        return list(BatchItem.objects.filter(reward=reward).order_by("pk").values_list("outcome", "code"))


def test_it_works(stand_in, connection, reward):
    assert runs_everywhere() == recipients_retry_everywhere() == 0
    customer_id = stand_in.add_customer(reward.customer.email, livemode=True)

    told(connection, "customer.created", customer_id, reward.customer.email)
    assert recipients_retry_everywhere() == 1
    assert now(reward) == ("PENDING", None)
    assert recipients_retry_everywhere() == 0
    assert runs_everywhere() == 1
    issuing.run(seconds=5)

    assert now(reward) == ("AVAILABLE", None)
    assert [credit["reward_id"] for credit in stand_in.credits()["credits"]] == [str(reward.pk)]
    assert tries(reward) == [("WAITING", "customer_not_found"), ("SUCCEEDED", "")]
    with tenant(reward.organization):
        reasons = list(RewardTransition.objects.filter(reward=reward).order_by("pk").values_list("reason", "actor"))
    assert reasons[1:3] == [("customer_not_found", "system:issuing"), ("recipient_changed", "system:recipients")]
    assert_books_agree(reward.organization)


def test_a_change_of_somebody_else_changes_nothing(stand_in, connection, reward):
    told(connection, "customer.created", "cus_other", "somebody.else@example.com")
    assert recipients_retry_everywhere() == 0
    assert now(reward) == ("PENDING", "RECIPIENT")
    assert runs_everywhere() == 0


def test_a_customer_that_is_billed_in_another_currency(stand_in, connection, reward):
    stand_in.add_customer(reward.customer.email, livemode=True, currency="cad")
    (other,) = factories.event(factories.participant(reward.campaign, referred_by=reward.participant)).rewards
    factories.batch(reward.organization, [other], method="STRIPE_CREDIT")
    issuing.run(seconds=5)
    assert tries(other) == [("WAITING", "currency_mismatch")]
    assert now(other) == ("PENDING", "RECIPIENT")

    told(connection, "customer.updated", "cus_1", reward.customer.email)
    assert recipients_retry_everywhere() == 2
    assert now(other) == ("PENDING", None)


def test_a_customer_known_by_id_whose_address_differs_there(connection, reward):
    with tenant(reward.organization):
        provider_customer_link(
            organization=reward.organization, customer=reward.customer, provider="stripe", provider_id="cus_7"
        )
    recipients_retry_everywhere()
    factories.batch(reward.organization, [reward], method="STRIPE_CREDIT")
    issuing.run(seconds=5)
    assert now(reward) == ("PENDING", "RECIPIENT")

    told(connection, "customer.updated", "cus_7", "another@example.com")
    assert recipients_retry_everywhere() == 1


@pytest.mark.parametrize("change", ["name", "id"])
def test_what_is_changed_here(reward, change):
    with tenant(reward.organization):
        if change == "name":
            customer_change(customer=reward.customer, name="Ann Other")
        else:
            provider_customer_link(
                organization=reward.organization, customer=reward.customer, provider="stripe", provider_id="cus_9"
            )
    assert recipients_retry_everywhere() == 1
    assert now(reward) == ("PENDING", None)


def test_a_webhook_that_comes_while_the_provider_is_being_asked_is_not_lost(reward):
    # The customer appeared after Stripe was asked and before its answer was written.
    with tenant(reward.organization):
        (attempt,) = IssueAttempt.objects.filter(reward=reward)
        assert attempt.finished_at is not None
        between = attempt.started_at + (attempt.finished_at - attempt.started_at) / 2
        type(reward.customer).objects.filter(pk=reward.customer_id).update(reachable_at=between)
    assert recipients_retry_everywhere() == 1


def test_what_was_heard_before_it_was_tried_changes_nothing(reward):
    with tenant(reward.organization):
        before = clock.wall() - timedelta(hours=1)
        type(reward.customer).objects.filter(pk=reward.customer_id).update(reachable_at=before)
    assert recipients_retry_everywhere() == 0
    assert now(reward) == ("PENDING", "RECIPIENT")


def test_one_that_was_issued_another_way_meanwhile_stays_so(reward):
    factories.batch(reward.organization, [reward])
    issuing.run(seconds=5)
    with tenant(reward.organization):
        customer_change(customer=reward.customer, name="Ann Other")
    assert recipients_retry_everywhere() == 0
    assert now(reward) == ("AVAILABLE", None)


@pytest.mark.django_db(transaction=True)
def test_four_sweeps_at_once(stand_in, connection, reward):
    stand_in.add_customer(reward.customer.email, livemode=True)
    with tenant(reward.organization):
        customer_change(customer=reward.customer, name="Ann Other")

    freed = at_once(4, lambda number: recipients_retry_everywhere())
    at_once(4, lambda number: runs_everywhere())
    at_once(4, lambda number: issuing.run(seconds=5))

    assert sorted(freed) == [0, 0, 0, 1]
    assert now(reward) == ("AVAILABLE", None)
    assert stand_in.credits()["count"] == 1
