"""One payment told by Stripe and by the API: it counts once, and what is refunded of it counts wherever it is told."""

import time

import pytest

from integrations.sandbox.store import Store
from integrations.sandbox.stripe.webhooks import Webhooks
from participants.models import QualifyingEvent
from participants.reversals import ReversalReport
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward
from rewards.services.reversing import transaction_reverse
from tests import factories
from tests.webhooks.stripe_sales import INTENT, deliver
from webhooks.inbound import dispatch
from webhooks.inbound.models import InboundEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def stripe():
    return Webhooks(Store(":memory:"))


@pytest.fixture
def paid(stripe, referred):
    """(the intent's id, the event that tells of it): 120.00 USD, paid by the referred participant."""
    with tenant(referred.organization):
        email = referred.customer.email
    ids, events = stripe._sale({"email": email, "amount": 12000, "currency": "usd", "livemode": True})
    told = next(event for event in events if event["type"] == INTENT)
    told["data"]["object"]["receipt_email"] = email
    return ids["payment_intent"], told


def rows(organization):
    with tenant(organization):
        return list(Reward.objects.order_by("pk").values_list("status", "amount"))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_refund_at_stripe_reaches_an_event_that_the_api_told_first(
    organization, connection, referred, stripe, paid, when
):
    intent, told = paid
    factories.event(referred, 12000, transaction_id=intent)
    refund = stripe._refund({"payment_intent": intent, "amount": 6000})[1]
    for event in [*refund, told] if when == "before" else [told, *refund]:
        deliver(connection, [event])
        dispatch.run()

    assert rows(organization) == [("PENDING", 600)]
    with tenant(organization):
        assert QualifyingEvent.objects.get().net_amount == 6000


def test_a_refund_told_by_the_api_reaches_every_campaign_of_the_payment(
    organization, connection, campaign, referred, paid
):
    intent, told = paid
    other = factories.campaign(organization)
    with tenant(organization):
        email = referred.customer.email
    factories.participant(other, email, referred_by=factories.participant(other))
    deliver(connection, [told])
    dispatch.run()
    assert rows(organization) == [("PENDING", 1200), ("PENDING", 1200)]

    with tenant(organization):
        transaction_reverse(
            organization=organization,
            campaign_id=campaign.pk,
            transaction_id=intent,
            report=ReversalReport("re_1", amount=6000),
            actor=factories.ACTOR,
        )

    assert rows(organization) == [("PENDING", 600), ("PENDING", 600)]


def test_two_running_totals_of_one_second_both_count(organization, connection, referred, stripe, paid, monkeypatch):
    intent, told = paid
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    totals = []
    for _ in range(2):
        totals += stripe._refund({"payment_intent": intent, "amount": 3000, "events": ["charge.refunded"]})[1]
    deliver(connection, [told, *totals])
    dispatch.run()

    assert rows(organization) == [("PENDING", 600)]


def test_an_event_that_failed_at_the_end_is_worked_on_again(organization, connection, referred, paid, monkeypatch):
    def broken(**fields):
        raise ZeroDivisionError("a bug")

    deliver(connection, [paid[1]])
    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "connection_heard", broken)
        dispatch.run()

    assert rows(organization) == []
    with tenant(organization):
        assert InboundEvent.objects.get().status == "RECEIVED"
        InboundEvent.objects.update(next_attempt_at=InboundEvent.objects.get().received_at)
    dispatch.run()

    assert rows(organization) == [("PENDING", 1200)]
