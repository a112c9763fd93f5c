"""One occurrence that a payment system and the API both tell of counts once, in either order, under any of its ids."""

import pytest

from integrations.models import Connection
from participants.models import Participant, QualifyingEvent
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward
from rewards.states import RewardStatus
from tests import factories
from tests.webhooks.stripe_sales import INTENT, SESSION, Event, deliver, sale, set_metadata
from webhooks.inbound import dispatch

pytestmark = pytest.mark.django_db


def sale_to_friend() -> dict[str, Event]:
    """A sale whose intent, too, says whose it is."""
    events = sale()
    events[INTENT]["data"]["object"]["receipt_email"] = "friend@example.com"
    return events


def counted(participant: Participant) -> list[tuple[str | None, int]]:
    with tenant(participant.organization):
        return list(QualifyingEvent.objects.values_list("transaction_id", "repeats"))


def test_it_works(connection: Connection, referred: Participant) -> None:
    factories.event(referred, 12000, transaction_id="ord_1")
    events = sale_to_friend()
    deliver(connection, [set_metadata(events[INTENT], transaction_id="ord_1")])
    dispatch.run(seconds=5)

    assert counted(referred) == [("ord_1", 1)]
    with tenant(referred.organization):
        assert Reward.objects.count() == 1


def test_the_api_tells_by_another_id_of_the_payment(connection: Connection, referred: Participant) -> None:
    events = sale_to_friend()
    deliver(connection, [events[INTENT]])
    dispatch.run(seconds=5)
    deliver(connection, [set_metadata(events[SESSION], transaction_id="ord_1")])
    dispatch.run(seconds=5)
    intent_id = events[INTENT]["data"]["object"]["id"]

    result = factories.event(referred, 12000, transaction_id="ord_1")

    assert (result.outcome, result.event.transaction_id) == ("DUPLICATE", intent_id)
    with tenant(referred.organization):
        assert Reward.objects.count() == 1


def test_a_refund_that_stripe_tells_reaches_the_event_that_the_api_told(
    connection: Connection, referred: Participant
) -> None:
    factories.event(referred, 12000, transaction_id="ord_1")
    events = sale_to_friend()
    intent = set_metadata(events[INTENT], transaction_id="ord_1")
    deliver(connection, [intent])
    dispatch.run(seconds=5)
    charge = intent["data"]["object"]["latest_charge"]
    refunded = {
        "id": charge,
        "amount_refunded": 6000,
        "currency": "usd",
        "payment_intent": intent["data"]["object"]["id"],
    }
    deliver(connection, [{**intent, "id": "evt_refund", "type": "charge.refunded", "data": {"object": refunded}}])
    dispatch.run(seconds=5)

    with tenant(referred.organization):
        assert list(Reward.objects.values_list("status", "amount")) == [(RewardStatus.PENDING, 600)]


def test_two_payments_of_one_own_id_stay_two(connection: Connection, referred: Participant) -> None:
    first, second = sale_to_friend(), sale_to_friend()
    deliver(connection, [set_metadata(each[INTENT], transaction_id="ord_1") for each in (first, second)])
    dispatch.run(seconds=5)

    assert counted(referred) == [("ord_1", 1)]
