"""One payment, told by several messages: in whatever order and whatever claims they come, it counts once, referred."""

import itertools

import pytest

from participants.models import Participant, Payment, QualifyingEvent
from referral_rocket.accounts.scoping import tenant
from rewards.models import Decision, Reward
from rewards.services import issuing
from tests import factories
from tests.rewards.books import assert_books_agree
from tests.webhooks.stripe_sales import INTENT, INVOICE, JOINED, SESSION, deliver, sale, set_metadata
from webhooks.inbound import dispatch
from webhooks.inbound.models import InboundEvent

pytestmark = pytest.mark.django_db
ONE_PAYMENT = (SESSION, INTENT)
SUBSCRIPTION = (SESSION, INTENT, INVOICE, JOINED)


def work_off_each(connection, events):
    """Every message is worked off before the next one arrives."""
    for event in events:
        deliver(connection, [event])
        dispatch.run()


def work_off_together(connection, events):
    deliver(connection, events)
    dispatch.run()


WAYS = pytest.mark.parametrize("work_off", [work_off_each, work_off_together])


def the_one_reward(organization, sharer):
    with tenant(organization):
        event = QualifyingEvent.objects.get(undone_at__isnull=True)
        reward = Reward.objects.exclude(status="CANCELED").get()
        assert (event.amount, event.outcome) == (12000, "QUALIFIED")
        assert (reward.participant_id, reward.amount, reward.event_id) == (sharer.pk, 1200, event.pk)
        assert not InboundEvent.objects.exclude(status__in=["PROCESSED", "IGNORED"]).exists()
        return event


def test_it_works(organization, connection, participant):
    events = sale(referral_code=participant.referral_code)

    deliver(connection, [events[SESSION]])
    assert dispatch.run() == 1

    event = the_one_reward(organization, participant)
    with tenant(organization):
        friend = Participant.objects.get(customer__email_key="friend@example.com")
        stored = InboundEvent.objects.get()
        assert friend.referred_by_id == participant.pk
        assert event.participant_id == friend.pk
        assert (stored.status, stored.reason) == ("PROCESSED", "Friends: earned 1 reward.")


@WAYS
@pytest.mark.parametrize("order", list(itertools.permutations(ONE_PAYMENT)))
@pytest.mark.parametrize("with_code", ONE_PAYMENT)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_code_in_any_message_of_a_checkout(organization, connection, participant, work_off, order, with_code, known):
    if known:
        factories.participant(participant.campaign, "friend@example.com")
    events = sale()
    set_metadata(events[with_code], referral_code=participant.referral_code)

    work_off(connection, [events[event_type] for event_type in order])

    the_one_reward(organization, participant)


@WAYS
@pytest.mark.parametrize("order", list(itertools.permutations(SUBSCRIPTION)))
def test_a_subscription_in_every_order(organization, connection, participant, work_off, order):
    events = sale(subscription=True, referral_code=participant.referral_code)

    work_off(connection, [events[event_type] for event_type in order])

    the_one_reward(organization, participant)
    with tenant(organization):
        assert Payment.objects.filter(same_as__isnull=True).count() == 1


@WAYS
@pytest.mark.parametrize("order", list(itertools.permutations((INTENT, INVOICE, JOINED))))
@pytest.mark.parametrize("with_code", [INTENT, INVOICE])
def test_a_renewal_without_a_session(organization, connection, participant, work_off, order, with_code):
    factories.participant(participant.campaign, "friend@example.com")
    events = sale(subscription=True)
    set_metadata(events[with_code], referral_code=participant.referral_code)

    work_off(connection, [events[event_type] for event_type in order])

    the_one_reward(organization, participant)


@pytest.mark.parametrize("order", list(itertools.permutations((INTENT, INVOICE, JOINED))))
def test_halves_of_one_claim_that_a_message_joins(organization, connection, referred, participant, order):
    """Intent and invoice without a common customer aren't taken for twins; the joining message says that they are."""
    events = sale(subscription=True)
    events[INTENT]["data"]["object"]["customer"] = None
    events[INTENT]["data"]["object"]["receipt_email"] = "friend@example.com"

    work_off_together(connection, [events[event_type] for event_type in order])

    the_one_reward(organization, participant)
    with tenant(organization):
        assert Payment.objects.filter(same_as__isnull=True).count() == 1


@pytest.mark.parametrize("issued", [False, True], ids=["due", "issued"])
@pytest.mark.parametrize("order", [(INTENT, INVOICE, JOINED), (INVOICE, INTENT, JOINED)])
def test_halves_that_were_counted_before_they_were_joined(organization, connection, order, issued):
    """The younger one is taken back by the refund path, and the books hold."""
    campaign = factories.campaign(organization, rules=[factories.referral_rule(rate="0.1")])
    sharer = factories.participant(campaign, "sharer@example.com")
    factories.participant(campaign, "friend@example.com", referred_by=sharer)
    events = sale(subscription=True)
    events[INTENT]["data"]["object"]["customer"] = None
    events[INTENT]["data"]["object"]["receipt_email"] = "friend@example.com"
    work_off_each(connection, [events[event_type] for event_type in order[:2]])
    with tenant(organization):
        assert Reward.objects.filter(status="PENDING").count() == 2
        rewards = list(Reward.objects.order_by("id"))
    if issued:
        factories.batch(organization, rewards)
        issuing.run(seconds=5)

    work_off_each(connection, [events[JOINED]])

    with tenant(organization):
        counted = list(QualifyingEvent.objects.order_by("id").values_list("net_amount", flat=True))
        by_status = sorted(Reward.objects.values_list("status", "amount"))
        assert counted == [12000, 0]
        assert by_status == (
            [("AVAILABLE", 1200), ("AVAILABLE", 1200), ("PENDING_DEDUCTION", 1200)]
            if issued
            else [("CANCELED", by_status[0][1]), ("PENDING", 1200)]
        )
    assert_books_agree(organization)


def test_a_late_code_leaves_what_the_buyer_earned(organization, connection):
    """The buyer's own reward stands; only what failed for want of a referrer is asked again."""
    campaign = factories.campaign(
        organization,
        rules=[
            factories.referral_rule(),
            factories.referral_rule(type="TRANSACTIONAL", beneficiary="BUYER", rate="0.05"),
            factories.referral_rule(beneficiary="REFERRED", amount=300, when_referrer_rewarded=True),
        ],
    )
    sharer = factories.participant(campaign)
    friend = factories.participant(campaign, "friend@example.com")
    events = sale()
    set_metadata(events[INTENT], referral_code=sharer.referral_code)

    work_off_each(connection, [events[SESSION], events[INTENT]])

    with tenant(organization):
        earned = {(reward.participant_id, reward.type, reward.amount) for reward in Reward.objects.all()}
        assert earned == {
            (sharer.pk, "REFERRAL", 1200),
            (friend.pk, "TRANSACTIONAL", 600),
            (friend.pk, "REFERRAL", 300),
        }
        assert set(Decision.objects.values_list("code", flat=True)) == {"rewarded"}
        assert Decision.objects.count() == 3
        assert QualifyingEvent.objects.count() == 1


def test_a_late_code_after_another_event_has_counted_refers_nobody(organization, connection, participant):
    friend = factories.participant(participant.campaign, "friend@example.com")
    factories.event(friend)
    events = sale()
    set_metadata(events[INTENT], referral_code=participant.referral_code)

    work_off_each(connection, [events[SESSION], events[INTENT]])

    with tenant(organization):
        friend.refresh_from_db()
        assert friend.referred_by_id is None
        assert not Reward.objects.exists()
        assert set(Decision.objects.values_list("code", flat=True)) == {"not_referred"}


@WAYS
def test_the_same_events_again_change_nothing(organization, connection, participant, work_off):
    events = sale(subscription=True, referral_code=participant.referral_code)
    work_off(connection, events.values())
    again = [{**event, "id": f"{event['id']}_again"} for event in events.values()]

    work_off(connection, [*events.values(), *again])

    the_one_reward(organization, participant)
    with tenant(organization):
        assert InboundEvent.objects.count() == 2 * len(events)


def test_a_payment_of_nobody_counts_nowhere(organization, connection, participant):
    deliver(connection, sale().values())

    dispatch.run()

    with tenant(organization):
        assert QualifyingEvent.objects.count() == 0
        assert set(InboundEvent.objects.values_list("status", "reason")) == {
            ("PROCESSED", "The payment is of nobody who takes part in a campaign.")
        }


def test_a_payment_of_nothing_qualifies_for_nothing(organization, connection, participant):
    events = sale(amount=0, subscription=True, referral_code=participant.referral_code)
    deliver(connection, events.values())

    dispatch.run()

    with tenant(organization):
        assert QualifyingEvent.objects.count() == 0
        assert Reward.objects.count() == 0


def test_one_s_own_code_refers_nobody(organization, connection, participant):
    events = sale(email="SHARER@example.com ", referral_code=participant.referral_code)
    deliver(connection, events.values())

    dispatch.run()

    with tenant(organization):
        assert Reward.objects.count() == 0
        assert list(Decision.objects.values_list("code", flat=True)) == ["self_referral"]
        participant.refresh_from_db()
        assert participant.referred_by_id is None


def test_a_code_of_another_organization_is_no_code(organization, connection, participant, other_organization):
    theirs = factories.participant(factories.campaign(other_organization))

    work_off_each(connection, sale(referral_code=theirs.referral_code).values())

    with tenant(organization):
        assert QualifyingEvent.objects.count() == 0
    with tenant(other_organization):
        assert QualifyingEvent.objects.count() == 0
        assert Participant.objects.count() == 1


def test_the_payer_s_provider_id_is_enough_next_time(organization, connection, participant):
    events = sale(referral_code=participant.referral_code)
    work_off_each(connection, events.values())
    renewal = sale()[INTENT]
    renewal["data"]["object"] |= {"customer": events[INTENT]["data"]["object"]["customer"], "receipt_email": None}

    work_off_each(connection, [renewal])

    with tenant(organization):
        assert QualifyingEvent.objects.count() == 2
        assert Payment.objects.order_by("-id")[0].attributed_by == "PROVIDER_CUSTOMER"
