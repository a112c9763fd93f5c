"""Events become decisions and rewards, once, judged by what held when they occurred."""

import itertools
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import CampaignStatus
from campaigns.services import campaign_update
from participants.models import QualifyingEvent
from participants.services import participant_ban
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from referral_rocket.kit.clock import wall
from rewards.errors import EventRefused, TransactionConflict
from rewards.models import Decision, Reward, RewardTotals, RewardTransition
from rewards.services.confirming import reward_cancel
from rewards.services.earning import events_record
from tests import factories
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db


def nothing_happened(organization):
    with tenant(organization):
        assert not QualifyingEvent.objects.exists()
        assert not Decision.objects.exists()
        assert not Reward.objects.exists()
        assert not Activity.objects.filter(kind="event.recorded").exists()


def codes(organization):
    with tenant(organization):
        return list(Decision.objects.order_by("id").values_list("code", flat=True))


def test_it_works(organization, campaign, participant, referred):
    result = factories.event(referred, transaction_id="order_1")

    assert (result.outcome, result.differs) == ("QUALIFIED", False)
    with tenant(organization):
        event, reward, decision = QualifyingEvent.objects.get(), Reward.objects.get(), Decision.objects.get()
        assert (event.outcome, event.amount, event.net_amount, event.transaction_id) == (
            "QUALIFIED",
            12000,
            12000,
            "order_1",
        )
        assert (reward.participant_id, reward.customer_id) == (participant.pk, participant.customer_id)
        assert (reward.status, reward.waiting_for, reward.amount, reward.earned_amount, reward.target_amount) == (
            "PENDING",
            None,
            1200,
            1200,
            1200,
        )
        assert (reward.type, reward.beneficiary, reward.transaction_id, reward.event_id) == (
            "REFERRAL",
            "REFERRER",
            "order_1",
            event.pk,
        )
        assert (decision.outcome, decision.code, decision.reward_id) == ("REWARDED", "rewarded", reward.pk)
        step = RewardTransition.objects.get()
        assert (step.from_status, step.to_status, step.amount_before, step.amount_after, step.reason) == (
            None,
            "PENDING",
            0,
            1200,
            "earned",
        )
        totals = RewardTotals.objects.get()
        assert (totals.status, totals.currency, totals.count, totals.amount, totals.target) == (
            "PENDING",
            "USD",
            1,
            1200,
            1200,
        )
    assert_books_agree(organization)


# Repeats -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "differs"), [({}, False), ({"amount": 12001}, True), ({"currency": "EUR"}, True), ({"tax": 5}, False)]
)
def test_a_repeat_is_answered_with_the_first_one_s_rewards(organization, referred, change, differs):
    first = factories.event(referred, transaction_id="order_1")

    again = factories.event(referred, **{"transaction_id": "order_1", **change})

    assert (again.outcome, again.differs, again.event.pk) == ("DUPLICATE", differs, first.event.pk)
    assert [reward.pk for reward in again.rewards] == [reward.pk for reward in first.rewards]
    assert [decision.pk for decision in again.decisions] == [decision.pk for decision in first.decisions]
    with tenant(organization):
        event = QualifyingEvent.objects.get()
        assert (event.amount, event.currency, event.differs, event.repeats) == (12000, "USD", differs, 1)
        assert Reward.objects.count() == 1


def test_a_repeat_within_one_claim(organization, referred):
    reports = [factories.report(referred, transaction_id="order_1") for _ in range(3)]

    with tenant(organization):
        results = events_record(organization=organization, reports=reports, actor=factories.ACTOR)

    assert [result.outcome for result in results] == ["QUALIFIED", "DUPLICATE", "DUPLICATE"]
    with tenant(organization):
        assert Reward.objects.count() == 1
        assert QualifyingEvent.objects.get().repeats == 2


@pytest.mark.parametrize("status", [CampaignStatus.PAUSED, CampaignStatus.ENDED])
def test_a_repeat_after_the_campaign_stopped_is_still_a_repeat(organization, campaign, referred, status):
    first = factories.event(referred, transaction_id="order_1")
    with tenant(organization):
        campaign_update(organization=organization, campaign=campaign, status=status, actor=factories.ACTOR)

    again = factories.event(referred, transaction_id="order_1")

    assert again.outcome == "DUPLICATE"
    assert [reward.pk for reward in again.rewards] == [reward.pk for reward in first.rewards]


def test_the_transaction_of_another_participant_is_a_conflict(organization, campaign, participant, referred):
    factories.event(referred, transaction_id="order_1")
    other = factories.participant(campaign, referred_by=participant)

    with pytest.raises(TransactionConflict):
        factories.event(other, transaction_id="order_1")

    with tenant(organization):
        assert QualifyingEvent.objects.get().repeats == 0
        assert Reward.objects.count() == 1


def test_the_same_transaction_in_another_campaign_counts_there(organization, referred):
    factories.event(referred, transaction_id="order_1")
    elsewhere = factories.campaign(organization)
    friend = factories.participant(elsewhere, "friend@example.com", referred_by=factories.participant(elsewhere))

    assert factories.event(friend, transaction_id="order_1").outcome == "QUALIFIED"


def test_an_event_without_a_transaction_counts_once_for_each_person_and_type(organization, campaign, participant):
    one, other = (factories.participant(campaign, referred_by=participant) for _ in range(2))

    outcomes = [
        factories.event(one, None).outcome,
        factories.event(one, None).outcome,
        factories.event(one, None, type="signup").outcome,
        factories.event(other, None).outcome,
        factories.event(one, transaction_id="order_1").outcome,
    ]

    assert outcomes == ["QUALIFIED", "DUPLICATE", "NOT_QUALIFIED", "QUALIFIED", "NOT_QUALIFIED"]
    with tenant(organization):
        assert QualifyingEvent.objects.count() == 4


# Refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"transaction_id": None}, "required", "transaction_id"),
        ({"currency": None}, "unknown_currency", "currency"),
        ({"currency": "usd"}, "unknown_currency", "currency"),
        ({"currency": "XXX"}, "unknown_currency", "currency"),
        ({"amount": -1}, "out_of_range", "amount"),
        ({"amount": 10**15 + 1}, "out_of_range", "amount"),
        ({"occurred_at": wall() + timedelta(days=1)}, "occurred_in_future", "occurred_at"),
    ],
)
def test_what_can_not_be_recorded(organization, referred, change, code, field):
    with pytest.raises(EventRefused) as caught:
        factories.event(referred, **change)

    assert (caught.value.code, caught.value.field) == (code, field)
    nothing_happened(organization)


def test_a_refusal_in_a_claim_refuses_only_itself(organization, campaign, participant):
    people = [factories.participant(campaign, referred_by=participant) for _ in range(3)]
    reports = [
        factories.report(people[0]),
        factories.report(people[1], amount=-1),
        factories.report(people[2]),
    ]

    with tenant(organization):
        results = events_record(organization=organization, reports=reports, actor=factories.ACTOR)

    assert [getattr(result, "code", None) or result.outcome for result in results] == [
        "QUALIFIED",
        "out_of_range",
        "QUALIFIED",
    ]
    with tenant(organization):
        assert Reward.objects.count() == 2
    assert_books_agree(organization)


def test_how_far_ahead_a_clock_may_be(organization, referred):
    now = wall()

    factories.event(referred, occurred_at=now + timedelta(minutes=4, seconds=55))
    with pytest.raises(EventRefused, match="5 minutes"):
        factories.event(referred, occurred_at=now + timedelta(minutes=5, seconds=10))

    with tenant(organization):
        assert QualifyingEvent.objects.count() == 1


# What a reward begins as -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "status", "waiting_for", "code"),
    [(1200, "PENDING", None, "rewarded"), (1199, "EARNED", "REVIEW", "in_review")],
)
def test_review_above_an_amount(organization, limit, status, waiting_for, code):
    campaign = factories.campaign(organization, review_above=limit)
    result = factories.event(factories.participant(campaign, referred_by=factories.participant(campaign)))

    assert result.outcome == "QUALIFIED"
    assert (result.rewards[0].status, result.rewards[0].waiting_for) == (status, waiting_for)
    assert [(decision.outcome, decision.code) for decision in result.decisions] == [("REWARDED", code)]


def test_another_currency_is_stored_and_earns_nothing(organization, referred):
    result = factories.event(referred, currency="EUR")

    assert (result.outcome, result.rewards) == ("NOT_QUALIFIED", [])
    assert codes(organization) == ["currency_mismatch"]
    with tenant(organization):
        assert QualifyingEvent.objects.get().currency == "EUR"


@pytest.mark.parametrize("who", ["referrer", "referred"])
def test_a_banned_person_earns_nothing(organization, participant, referred, who):
    banned = participant if who == "referrer" else referred
    campaign = factories.campaign(
        organization, rules=[factories.referral_rule(), factories.referral_rule(beneficiary="REFERRED", amount=100)]
    )
    sharer = factories.participant(campaign)
    friend = factories.participant(campaign, referred_by=sharer)
    banned = sharer if who == "referrer" else friend
    with tenant(organization):
        participant_ban(organization=organization, participant=banned, reason="fraud", actor=factories.ACTOR)

    result = factories.event(friend)

    assert [decision.code for decision in result.decisions] == (
        ["condition_not_met", "rewarded"] if who == "referrer" else ["rewarded", "condition_not_met"]
    )


def test_a_canceled_reward_frees_its_place(organization, referred):
    first = factories.event(referred)
    with tenant(organization):
        reward_cancel(organization=organization, reward=first.rewards[0], actor=factories.ACTOR, reason="refunded")

    second = factories.event(referred)

    assert [decision.code for decision in second.decisions] == ["rewarded"]
    assert_books_agree(organization)


def test_a_canceled_reward_gives_its_part_of_the_budget_back(organization):
    campaign = factories.campaign(organization, budget=1200)
    people = [factories.participant(campaign, referred_by=factories.participant(campaign)) for _ in range(3)]
    first = factories.event(people[0])
    assert codes(organization) == ["rewarded"]
    factories.event(people[1])
    with tenant(organization):
        reward_cancel(organization=organization, reward=first.rewards[0], actor=factories.ACTOR, reason="refunded")

    factories.event(people[2])

    assert codes(organization) == ["rewarded", "budget_exhausted", "rewarded"]


# Together or one after the other ------------------------------------------------------------------------------------

_RULES = {
    "count": {"min_purchase": 100, "min_purchase_count": 3, "once_per": "EVENT"},
    "spent": {"min_total_spent": 500, "once_per": "EVENT"},
    "every": {"type": "OFFER", "every_n_referrals": 2, "beneficiary": "REFERRER"},
    "tiers": {
        "tiers": [{"from_referrals": 2, "amount": 10}, {"from_referrals": 3, "rate": "0.1"}],
        "once_per": "EVENT",
    },
    "buyer's tiers": {
        "type": "OFFER",
        "beneficiary": "BUYER",
        "tiers": [{"from_referrals": 1, "amount": 70}],
        "once_per": "EVENT",
    },
    "month": {"rate": "0.1", "max_amount_per_month": 30},
    "cap": {"rate": "0.1", "max_rewards_per_participant": 2},
    "once": {},
    "months": {"rate": "0.1", "commission_months": 1},
}
# (who, amount, currency): 0 to 2 are referred by 3, and 3 by nobody.
_HISTORY = [
    (0, 100, "USD"),
    (0, 90, "USD"),
    (1, 150, "EUR"),
    (0, 150, "USD"),
    (3, 500, "USD"),
    (2, 0, "USD"),
    (1, 100, "USD"),
    (0, 80, "USD"),
    (0, 100, "USD"),
    (2, 100, "USD"),
    (3, 700, "USD"),
    (1, 400, "USD"),
]


@pytest.mark.parametrize("rule", _RULES)
def test_what_was_counted_before_is_read_as_it_was_counted(organization, rule):
    """Events of one claim are judged in memory, those of several by what the database says of the earlier ones."""

    def tell(claim_size):
        terms = _RULES[rule] if {"rate", "tiers"} & _RULES[rule].keys() else {"amount": 60, **_RULES[rule]}
        campaign = factories.campaign(organization, rules=[factories.referral_rule(**terms)], budget=190)
        sharer = factories.participant(campaign)
        people = [*(factories.participant(campaign, referred_by=sharer) for _ in range(3)), sharer]
        reports = [
            factories.report(people[who], amount, currency=currency, transaction_id=f"order_{number}")
            for number, (who, amount, currency) in enumerate(_HISTORY)
        ]
        answers = []
        for start in range(0, len(reports), claim_size):
            with tenant(organization):
                results = events_record(
                    organization=organization, reports=reports[start : start + claim_size], actor=factories.ACTOR
                )
            answers += [
                [(decision.code, decision.reward and decision.reward.amount) for decision in result.decisions]
                for result in results
            ]
        return answers

    together = tell(len(_HISTORY))

    assert tell(1) == together
    assert tell(5) == together
    assert "rewarded" in {code for code, _ in itertools.chain(*together)}
    assert_books_agree(organization)


def test_recording_takes_a_fixed_number_of_queries(organization, campaign, participant):

    def queries(count):
        reports = [factories.report(factories.participant(campaign, referred_by=participant)) for _ in range(count)]
        with tenant(organization), CaptureQueriesContext(connection) as captured:
            events_record(organization=organization, reports=reports, actor=factories.ACTOR)
        return len(captured)

    assert queries(3) == queries(30)
