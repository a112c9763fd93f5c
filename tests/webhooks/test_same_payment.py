"""What a payment system and the API tell of one payment counts once, in every order in which it can be told.

The payment system names the tenant's own id in one of its messages only; the API knows the payment by that id, or by
another of the provider's. Whichever event is younger when they prove to be one is undone by the refund path.
"""

import itertools
from decimal import Decimal

import pytest

from campaigns.models import OncePer, RewardRule
from participants.models import QualifyingEvent
from participants.reversals import ReversalReport
from referral_rocket.accounts.scoping import tenant
from rewards.errors import EventNotUndoable
from rewards.models import Reward
from rewards.services import issuing
from rewards.services.reversing import transaction_reverse
from rewards.services.undoing import event_undo
from tests import factories
from tests.concurrency import at_once
from tests.rewards.books import assert_books_agree
from tests.webhooks.stored import work_off
from tests.webhooks.stripe_sales import INTENT, SESSION, sale, set_metadata

pytestmark = pytest.mark.django_db
ORDER = "ord_1"


class Story:
    """One payment of 120.00 and everybody who can tell of it."""

    def __init__(self, connection, referred):
        self.connection, self.referred = connection, referred
        events = sale()
        self.intent = events[INTENT]
        self.intent["data"]["object"]["receipt_email"] = "friend@example.com"
        self.session = set_metadata(events[SESSION], transaction_id=ORDER)
        self.intent_id = self.intent["data"]["object"]["id"]
        self.charge_id = self.intent["data"]["object"]["latest_charge"]

    def tell(self, what):
        getattr(self, what)()

    def counted(self):
        work_off(self.connection, self.intent)

    def named(self):
        work_off(self.connection, self.session)

    def told(self):
        factories.event(self.referred, 12000, transaction_id=ORDER)

    def told_by_charge(self):
        factories.event(self.referred, 12000, transaction_id=self.charge_id)

    def refunded_at_stripe(self):
        charge = {"id": self.charge_id, "amount_refunded": 3000, "currency": "usd", "payment_intent": self.intent_id}
        work_off(self.connection, {**self.intent, "type": "charge.refunded", "data": {"object": charge}})

    def refunded_by_api(self, transaction_id=ORDER, refund_id="own_1"):
        organization = self.referred.organization
        with tenant(organization):
            return transaction_reverse(
                organization=organization,
                campaign_id=self.referred.campaign_id,
                transaction_id=transaction_id,
                report=ReversalReport(refund_id, amount=6000),
                actor=factories.ACTOR,
            )


@pytest.fixture
def story(connection, referred):
    return Story(connection, referred)


def standing(organization):
    """(net amounts of the events that stand, what is owed for them): the books agree besides."""
    assert_books_agree(organization)
    with tenant(organization):
        events = QualifyingEvent.objects.filter(undone_at__isnull=True)
        owed = Reward.objects.filter(status="PENDING").values_list("event", "amount")
        return sorted(events.values_list("net_amount", flat=True)), sorted(
            amount for event, amount in owed if event in {each.pk for each in events}
        ) + [amount for event, amount in owed if event not in {each.pk for each in events}]


def test_it_works(organization, story):
    story.counted()
    story.told()
    assert standing(organization) == ([12000, 12000], [1200])

    story.named()

    assert standing(organization) == ([12000], [1200])
    with tenant(organization):
        younger = QualifyingEvent.objects.get(undone_at__isnull=False)
        assert (younger.transaction_id, younger.net_amount) == (ORDER, 0)
        assert younger.same_as.transaction_id == story.intent_id


@pytest.mark.parametrize("order", list(itertools.permutations(("counted", "told", "named", "told_by_charge"))))
def test_every_order_of_messages_and_reports(organization, participant, story, order):
    give_each_event_a_reward(participant.campaign)

    for what in order:
        story.tell(what)

    assert standing(organization) == ([12000], [1200])
    for again in order:
        story.tell(again)
    assert standing(organization) == ([12000], [1200])


@pytest.mark.parametrize("order", list(itertools.permutations(("counted", "told", "named", "refunded_by_api"))))
def test_a_refund_told_by_the_api_at_any_moment(organization, participant, story, order):
    give_each_event_a_reward(participant.campaign)

    for what in order:
        story.tell(what)

    assert standing(organization) == ([6000], [600])


@pytest.mark.parametrize("order", list(itertools.permutations(("counted", "told", "named", "refunded_at_stripe"))))
def test_a_refund_at_stripe_at_any_moment(organization, participant, story, order):
    give_each_event_a_reward(participant.campaign)

    for what in order:
        story.tell(what)

    assert standing(organization) == ([9000], [900])


def test_a_refund_under_any_id_of_the_payment_is_one_refund(organization, participant, story):
    give_each_event_a_reward(participant.campaign)
    for what in ("counted", "told", "named"):
        story.tell(what)

    answers = [story.refunded_by_api(name) for name in (ORDER, story.intent_id, story.charge_id)]

    assert [answer.created for answer in answers] == [True, False, False]
    assert {answer.net_amount for answer in answers} == {6000}
    assert standing(organization) == ([6000], [600])


def test_what_the_younger_has_issued_is_taken_back(organization, participant, story):
    give_each_event_a_reward(participant.campaign)
    story.counted()
    story.told()
    with tenant(organization):
        younger = Reward.objects.latest("pk")
    factories.batch(organization, [younger])
    issuing.run(seconds=5)

    story.named()

    with tenant(organization):
        assert sorted(Reward.objects.values_list("status", "amount", "reason")) == [
            ("AVAILABLE", 1200, None),
            ("PENDING", 1200, None),
            ("PENDING_DEDUCTION", 1200, None),
        ]
        assert Reward.objects.get(status="PENDING_DEDUCTION").deducts_id == younger.pk
    assert_books_agree(organization)


def test_payments_that_share_the_tenants_id_count_once(organization, connection, participant, referred):
    """Also where the id came after both had counted, and a third one comes later still."""
    give_each_event_a_reward(participant.campaign)
    stories = [Story(connection, referred) for _ in range(3)]
    for each in stories[:2]:
        each.counted()
    for each in stories[:2]:
        each.named()
    assert standing(organization) == ([12000], [1200])

    stories[2].named()
    stories[2].counted()
    stories[0].told()

    assert standing(organization) == ([12000], [1200])


def test_a_hand_made_event_that_proved_to_be_a_payment_stays(organization, referred, story):
    event = factories.event(referred, 12000, transaction_id=ORDER, source="HAND").event
    story.named()

    with tenant(organization), pytest.raises(EventNotUndoable):
        event_undo(organization=organization, event=event, actor=factories.ACTOR)

    assert standing(organization) == ([12000], [1200])


@pytest.mark.django_db(transaction=True)
def test_a_message_and_the_api_at_the_same_moment(organization, participant, story):
    give_each_event_a_reward(participant.campaign)
    story.counted()
    tellers = (story.named, story.told, story.told_by_charge, story.refunded_at_stripe, story.refunded_by_api)

    at_once(len(tellers), lambda number: tellers[number]())
    story.named()

    assert standing(organization) == ([6000], [600])


@pytest.mark.django_db(transaction=True)
def test_two_sources_tell_one_refund_at_the_same_moment(organization, participant, story):
    """By two ids of the payment, so that they don't meet at one transaction's lock."""
    give_each_event_a_reward(participant.campaign)
    story.named()
    story.counted()
    names = (ORDER, story.intent_id, story.charge_id)

    answers = at_once(6, lambda number: story.refunded_by_api(names[number % 3]))

    assert sorted(answer.created for answer in answers) == [False] * 5 + [True]
    assert standing(organization) == ([6000], [600])


def give_each_event_a_reward(campaign):
    """10 % of each payment, so that an event that counts twice shows in the money."""
    with tenant(campaign.organization):
        RewardRule.objects.filter(campaign=campaign).update(amount=None, rate=Decimal("0.1"), once_per=OncePer.EVENT)
