"""Working off messages and a refund by the API of the same payment wait for each other, and never in a circle."""

import threading

import pytest
from django.db import connections

from participants.models import QualifyingEvent
from participants.reversals import ReversalReport
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward
from rewards.services import reversing
from rewards.services.reversing import transaction_reverse
from tests import factories
from tests.concurrency import at_once, wait_until_somebody_waits
from tests.rewards.books import assert_books_agree
from tests.webhooks.stored import store
from tests.webhooks.stripe_sales import INTENT, sale
from webhooks.inbound import dispatch
from webhooks.inbound.models import InboundEvent

pytestmark = pytest.mark.django_db(transaction=True)


def intent_of(email):
    intent = sale(email=email)[INTENT]
    intent["data"]["object"]["receipt_email"] = email
    return intent


def refund_of(intent, amount):
    charge = {
        "id": intent["data"]["object"]["latest_charge"],
        "amount_refunded": amount,
        "currency": "usd",
        "payment_intent": intent["data"]["object"]["id"],
    }
    return {**intent, "type": "charge.refunded", "data": {"object": charge}}


def test_it_works(organization, connection, campaign, referred, monkeypatch):
    """The API's refund stops between the event's row and the totals; the worker, with another sale too, comes by."""
    first, second = intent_of("friend@example.com"), intent_of("second@example.com")
    factories.participant(campaign, "second@example.com", referred_by=factories.participant(campaign))
    store(connection, first)
    dispatch.run()
    store(connection, second)
    store(connection, refund_of(first, 9000))
    holds, worker = threading.Event(), []
    move = reversing.rewards_move

    def work():
        try:
            holds.wait(20)
            worker.append(dispatch.run())
        finally:
            connections.close_all()

    def moves_when_the_worker_waits(**fields):
        if threading.current_thread() is threading.main_thread():
            holds.set()
            wait_until_somebody_waits()
        move(**fields)

    monkeypatch.setattr(reversing, "rewards_move", moves_when_the_worker_waits)
    thread = threading.Thread(target=work)
    thread.start()
    with tenant(organization):
        transaction_reverse(
            organization=organization,
            campaign_id=campaign.pk,
            transaction_id=first["data"]["object"]["id"],
            report=ReversalReport("own_1", amount=6000),
            actor=factories.ACTOR,
        )
    thread.join(60)

    assert worker == [2]
    with tenant(organization):
        assert set(InboundEvent.objects.values_list("status", "attempts")) == {("PROCESSED", 0)}
        assert sorted(QualifyingEvent.objects.values_list("net_amount", flat=True)) == [3000, 12000]
        assert sorted(Reward.objects.values_list("status", "amount")) == [("PENDING", 300), ("PENDING", 1200)]
    assert_books_agree(organization)


def test_refunds_by_both_of_a_payment_of_many_campaigns(organization, connection):
    """Each of them is stored and settled at its first try, whatever the interleaving."""
    for _ in range(4):
        campaign = factories.campaign(organization, rules=[factories.referral_rule(rate="0.1")])
        factories.participant(campaign, "friend@example.com", referred_by=factories.participant(campaign))
    intent = intent_of("friend@example.com")
    store(connection, intent)
    dispatch.run()
    with tenant(organization):
        campaigns = list(QualifyingEvent.objects.values_list("campaign", flat=True))
    for step in range(1, 7):
        store(connection, refund_of(intent, 1000 * step), provider_event_id=f"evt_{step}")

    def refund(number):
        with tenant(organization):
            transaction_reverse(
                organization=organization,
                campaign_id=campaigns[number % 4],
                transaction_id=intent["data"]["object"]["id"],
                report=ReversalReport(f"own_{number}", amount=500),
                actor=factories.ACTOR,
            )

    def tell(number):
        return dispatch.run(seconds=5) if number == 0 else refund(number)

    at_once(8, tell)
    dispatch.run()

    with tenant(organization):
        assert set(QualifyingEvent.objects.values_list("net_amount", flat=True)) == {6000}
        assert sorted(Reward.objects.values_list("amount", flat=True)) == [600] * 4
    assert_books_agree(organization)
