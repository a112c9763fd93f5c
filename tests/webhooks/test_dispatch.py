"""Working off what is stored: one worker an organization, and a bad event stops only itself."""

import threading
from datetime import timedelta

import pytest
from django.db import connections

from participants.models import QualifyingEvent
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.clock import wall
from rewards.models import Reward, RewardTotals
from tests import factories
from tests.concurrency import at_once
from tests.webhooks.stripe_sales import INTENT, SESSION, deliver, sale, set_metadata
from webhooks.inbound import dispatch
from webhooks.inbound.models import InboundEvent

pytestmark = pytest.mark.django_db


def sales(participant, count):
    """Sales to as many people, each with the participant's code."""
    return [
        sale(email=f"friend{number}@example.com", referral_code=participant.referral_code)[SESSION]
        for number in range(count)
    ]


def statuses(organization):
    with tenant(organization):
        return sorted(InboundEvent.objects.values_list("status", flat=True))


def test_it_works(organization, connection, participant):
    deliver(connection, sales(participant, 3))

    assert dispatch.run() == 3

    assert statuses(organization) == ["PROCESSED"] * 3
    with tenant(organization):
        assert Reward.objects.filter(participant=participant, status="PENDING").count() == 3
        totals = RewardTotals.objects.get(status="PENDING")
        assert (totals.count, totals.amount, totals.target) == (3, 3600, 3600)
        connection.refresh_from_db()
        assert connection.last_event_at == max(InboundEvent.objects.values_list("received_at", flat=True))
    assert dispatch.run() == 0


@pytest.fixture
def poison(monkeypatch):
    """Makes working on one provider event id fail, as a bug would."""
    read = dispatch._read
    bad = set()

    def failing(organization, event):
        if event.provider_event_id in bad:
            raise ZeroDivisionError("a bug")
        return read(organization, event)

    monkeypatch.setattr(dispatch, "_read", failing)
    return bad


def test_a_bad_event_stops_only_itself(organization, connection, participant, poison):
    events = sales(participant, 5)
    poison.add(events[2]["id"])
    deliver(connection, events)

    dispatch.run()

    assert statuses(organization) == ["PROCESSED"] * 4 + ["RECEIVED"]
    with tenant(organization):
        assert Reward.objects.count() == 4
        kept = InboundEvent.objects.get(status="RECEIVED")
        assert (kept.provider_event_id, kept.attempts) == (events[2]["id"], 1)
        assert kept.reason == "ZeroDivisionError: a bug"
        assert timedelta(seconds=3) < kept.next_attempt_at - wall() <= timedelta(seconds=5)


def test_a_bad_event_is_tried_with_growing_pauses_and_then_left_to_a_person(
    organization, connection, participant, poison
):
    (event,) = sales(participant, 1)
    poison.add(event["id"])
    deliver(connection, [event])
    pauses = []
    for _ in dispatch.RETRY_SECONDS:
        dispatch.run()
        with tenant(organization):
            kept = InboundEvent.objects.get()
            pauses.append(round((kept.next_attempt_at - wall()).total_seconds()))
        assert dispatch.run() == 0
        with tenant(organization):
            InboundEvent.objects.update(next_attempt_at=wall())
    dispatch.run()

    assert pauses == [5, 30, 120, 600, 3600, 21600]
    with tenant(organization):
        kept = InboundEvent.objects.get()
        assert (kept.status, kept.attempts) == ("FAILED", 7)
        assert not QualifyingEvent.objects.exists()
    assert dispatch.run() == 0


def test_a_bad_event_that_is_mended_counts_in_the_end(organization, connection, participant, poison):
    (event,) = sales(participant, 1)
    poison.add(event["id"])
    deliver(connection, [event])
    dispatch.run()
    poison.clear()
    with tenant(organization):
        InboundEvent.objects.update(next_attempt_at=wall())

    dispatch.run()

    assert statuses(organization) == ["PROCESSED"]
    with tenant(organization):
        assert Reward.objects.count() == 1


def test_an_event_that_stripe_would_never_send(organization, connection, participant):
    """Authentic, but without what its meaning hangs on: ignored with the reason, and others go on."""
    broken = sale()[INTENT]
    del broken["data"]["object"]["amount_received"]
    deliver(connection, [broken, *sales(participant, 1)])

    dispatch.run()

    assert statuses(organization) == ["IGNORED", "PROCESSED"]
    with tenant(organization):
        assert "amount_received" in InboundEvent.objects.get(status="IGNORED").reason


@pytest.mark.parametrize(
    "wrong",
    [
        {"currency": "zzz"},
        {"amount_received": "12000"},
        {"amount_received": -5},
        {"amount_received": 10**17},
        {"metadata": {"referral_code": "x" * 5000}},
        {"metadata": {"transaction_id": "x" * 5000}},
        {"metadata": {"note": "nul \u0000 here"}},
        {"receipt_email": "x" * 400 + "@example.com"},
        {"receipt_email": "no address"},
        {"customer": "cus_" + "x" * 400},
        {"shipping": {"address": {"country": "Germany"}}},
    ],
    ids=lambda wrong: next(iter(wrong)) + "_" + str(next(iter(wrong.values())))[:18],
)
def test_a_payment_with_a_value_that_does_not_fit(organization, connection, participant, wrong):
    """Whatever becomes of it, it is told apart from the others in the same claim, which count."""
    event = sale()[INTENT]
    event["data"]["object"] |= wrong
    deliver(connection, [event, *sales(participant, 1)])

    dispatch.run()

    with tenant(organization):
        assert Reward.objects.count() == 1
        assert InboundEvent.objects.get(provider_event_id=event["id"]).status in ("PROCESSED", "IGNORED", "RECEIVED")


@pytest.mark.django_db(transaction=True)
def test_a_second_worker_leaves_the_organization_to_the_first(organization, connection, participant, monkeypatch):
    deliver(connection, sales(participant, 2))
    inside, go_on = threading.Event(), threading.Event()
    process = dispatch.process

    def slowly(*arguments):
        inside.set()
        assert go_on.wait(20)
        return process(*arguments)

    monkeypatch.setattr(dispatch, "process", slowly)
    first = threading.Thread(target=lambda: (dispatch.run(), connections.close_all()))
    first.start()
    assert inside.wait(20)

    assert dispatch.run() == 0

    go_on.set()
    first.join(20)
    assert statuses(organization) == ["PROCESSED"] * 2


@pytest.mark.django_db(transaction=True)
def test_another_organization_does_not_wait(organization, connection, participant, other_organization, monkeypatch):
    theirs = factories.connection(other_organization)
    sharer = factories.participant(factories.campaign(other_organization))
    deliver(connection, sales(participant, 1))
    deliver(theirs, sales(sharer, 1))
    with tenant(organization):
        assert dispatch._lock(organization)

        answers = at_once(1, lambda _: dispatch.run())

    assert answers == [1]
    assert statuses(organization) == ["RECEIVED"]
    assert statuses(other_organization) == ["PROCESSED"]


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_count_everything_once(organization, connection, participant):
    deliver(connection, sales(participant, 40))

    at_once(6, lambda _: dispatch.run())
    dispatch.run()

    assert statuses(organization) == ["PROCESSED"] * 40
    with tenant(organization):
        assert QualifyingEvent.objects.count() == 40
        assert Reward.objects.count() == 40
        assert RewardTotals.objects.get(status="PENDING").amount == 40 * 1200


@pytest.mark.parametrize(
    "metadata",
    [
        {"referral_code": "K7\0Q"},
        {"referral_code": "\ud83d"},
        {"referral_code": "x" * 500, "note\0": "\udc00"},
        {"transaction_id": "ord_\0"},
        {"transaction_id": "x" * 500},
    ],
)
def test_what_no_column_keeps_stops_no_payment(organization, connection, campaign, metadata):
    sharer = factories.participant(campaign)
    factories.participant(campaign, "friend@example.com", referred_by=sharer)
    intent = set_metadata(sale()[INTENT], **metadata)
    intent["data"]["object"]["receipt_email"] = "friend@example.com"
    deliver(connection, [intent])

    assert dispatch.run() == 1

    assert statuses(organization) == ["PROCESSED"]
    with tenant(organization):
        assert Reward.objects.get().participant_id == sharer.pk
        named = {"ord_\0": "ord_\ufffd"}.get(metadata.get("transaction_id"), intent["data"]["object"]["id"])
        assert QualifyingEvent.objects.get().transaction_id == named
