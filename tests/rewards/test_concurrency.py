"""The same thing, and things that compete, done by many at the same moment: real threads, real PostgreSQL."""

import threading

import pytest
from django.db import connections, transaction

from participants.models import Participant, QualifyingEvent
from participants.services import participant_refer
from referral_rocket.accounts.scoping import tenant
from rewards.errors import BeingIssued, InvalidRewardTransition, TransactionConflict
from rewards.models import BatchItem, Claim, Decision, Reward, RewardBatch, RewardTransition
from rewards.services import issuing
from rewards.services.confirming import reward_cancel, reward_confirm, reward_give
from rewards.services.door import Move, rewards_move
from rewards.services.earning import event_record
from rewards.services.releasing import release
from rewards.services.undoing import event_undo
from tests import factories
from tests.concurrency import at_once
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db(transaction=True)


def reward_codes(organization):
    with tenant(organization):
        return sorted(Decision.objects.values_list("code", flat=True))


def test_it_works(organization, referred):
    """Twenty reports of one event are one event and one reward."""
    report = factories.report(referred, transaction_id="order_1")

    def tell(_):
        with tenant(organization):
            return event_record(organization=organization, report=report, actor=factories.ACTOR).outcome

    outcomes = at_once(20, tell)

    assert sorted(outcomes) == ["DUPLICATE"] * 19 + ["QUALIFIED"]
    with tenant(organization):
        assert QualifyingEvent.objects.get().repeats == 19
        assert Reward.objects.get().amount == 1200
    assert_books_agree(organization)


def test_an_event_without_a_transaction_twenty_times(organization, referred):
    def tell(_):
        return factories.event(referred, None).outcome

    assert sorted(at_once(20, tell)) == ["DUPLICATE"] * 19 + ["QUALIFIED"]
    with tenant(organization):
        assert Reward.objects.count() == 1
    assert_books_agree(organization)


def test_one_transaction_of_many_people_is_one_person_s(organization, campaign, participant):
    people = [factories.participant(campaign, referred_by=participant) for _ in range(8)]

    def tell(number):
        return factories.event(people[number], transaction_id="order_1").outcome

    outcomes = at_once(8, tell, expected=(TransactionConflict,))

    assert outcomes.count("QUALIFIED") == 1
    assert sum(isinstance(outcome, TransactionConflict) for outcome in outcomes) == 7
    with tenant(organization):
        assert QualifyingEvent.objects.count() == Reward.objects.count() == 1
    assert_books_agree(organization)


def test_a_budget_for_three_and_a_half_is_never_exceeded(organization):
    campaign = factories.campaign(organization, budget=3 * 1200 + 600)
    people = [factories.participant(campaign, referred_by=factories.participant(campaign)) for _ in range(20)]

    at_once(20, lambda number: factories.event(people[number]).outcome)

    assert reward_codes(organization) == ["budget_cut"] + ["budget_exhausted"] * 16 + ["rewarded"] * 3
    with tenant(organization):
        assert sorted(Reward.objects.values_list("amount", flat=True)) == [600, 1200, 1200, 1200]
        assert Reward.objects.get(amount=600).uncut_amount == 1200
    assert_books_agree(organization)


def test_rewards_given_by_hand_share_the_budget(organization):
    campaign = factories.campaign(organization, budget=3000)
    people = [factories.participant(campaign, referred_by=factories.participant(campaign)) for _ in range(10)]

    def give_or_earn(number):
        if number % 2:
            return factories.event(people[number]).outcome
        with tenant(organization):
            return reward_give(
                organization=organization,
                participant=people[number],
                amount=1000,
                reason="sorry",
                actor=factories.ACTOR,
            )

    at_once(10, give_or_earn, expected=(Exception,))

    with tenant(organization):
        assert 0 < sum(Reward.objects.values_list("target_amount", flat=True)) <= 3000
    assert_books_agree(organization)


def test_a_cap_per_participant_holds(organization):
    campaign = factories.campaign(organization, rules=[factories.referral_rule(max_rewards_per_participant=3)])
    sharer = factories.participant(campaign)
    people = [factories.participant(campaign, referred_by=sharer) for _ in range(20)]

    at_once(20, lambda number: factories.event(people[number]).outcome)

    assert reward_codes(organization) == ["cap_reached"] * 17 + ["rewarded"] * 3
    assert_books_agree(organization)


def test_a_cap_per_month_holds(organization):
    campaign = factories.campaign(organization, rules=[factories.referral_rule(max_amount_per_month=3000)])
    sharer = factories.participant(campaign)
    people = [factories.participant(campaign, referred_by=sharer) for _ in range(12)]

    at_once(12, lambda number: factories.event(people[number]).outcome)

    with tenant(organization):
        assert sorted(Reward.objects.values_list("amount", flat=True)) == [600, 1200, 1200]
    assert_books_agree(organization)


def test_once_for_each_referred_person_holds(organization, referred):
    at_once(12, lambda _: factories.event(referred).outcome)

    assert reward_codes(organization) == ["already_rewarded"] * 11 + ["rewarded"]
    assert_books_agree(organization)


def test_the_fifth_payment_is_the_fifth_whoever_is_first(organization):
    campaign = factories.campaign(organization, rules=[factories.referral_rule(min_purchase_count=5)])
    person = factories.participant(campaign, referred_by=factories.participant(campaign))

    at_once(9, lambda _: factories.event(person).outcome)

    assert reward_codes(organization) == ["already_rewarded"] * 4 + ["below_min_count"] * 4 + ["rewarded"]
    assert_books_agree(organization)


def test_every_second_referral_holds(organization):
    rule = factories.referral_rule(type="OFFER", every_n_referrals=2)
    campaign = factories.campaign(organization, rules=[rule])
    sharer = factories.participant(campaign)
    people = [factories.participant(campaign, referred_by=sharer) for _ in range(9)]

    at_once(9, lambda number: factories.event(people[number]).outcome)

    assert reward_codes(organization) == ["below_min_count"] * 5 + ["rewarded"] * 4
    assert_books_agree(organization)


def test_fifty_confirmations_are_one(organization, campaign):
    (reward,) = factories.due_rewards(campaign, 1)

    def confirm(_):
        with tenant(organization):
            return reward_confirm(organization=organization, reward=reward, actor=factories.ACTOR, amount=1000).status

    assert at_once(50, confirm) == ["AVAILABLE"] * 50
    with tenant(organization):
        reward.refresh_from_db()
        assert (reward.status, reward.amount, reward.earned_amount, reward.remainder_amount) == (
            "AVAILABLE",
            1000,
            1200,
            200,
        )
        assert RewardTransition.objects.filter(reward=reward, to_status="AVAILABLE").count() == 1
        assert not Claim.objects.filter(closed_at__isnull=True).exists()
    assert_books_agree(organization)


def test_issued_or_canceled_but_not_both(organization, campaign):
    (reward,) = factories.due_rewards(campaign, 1)

    def confirm_or_cancel(number):
        with tenant(organization):
            if number % 2:
                return reward_confirm(organization=organization, reward=reward, actor=factories.ACTOR).status
            return reward_cancel(
                organization=organization, reward=reward, actor=factories.ACTOR, reason="no longer"
            ).status

    answers = at_once(20, confirm_or_cancel, expected=(InvalidRewardTransition,))

    won = {answer for answer in answers if isinstance(answer, str)}
    assert len(won) == 1
    assert won <= {"AVAILABLE", "CANCELED"}
    with tenant(organization):
        assert RewardTransition.objects.filter(reward=reward).count() == 2
    assert_books_agree(organization)


def test_the_door_lets_one_of_two_through(organization, campaign):
    (reward,) = factories.due_rewards(campaign, 1)
    with tenant(organization):
        # Read before any of them begins: one that reads what another has canceled would only touch it again.
        copies = [Reward.objects.get(pk=reward.pk) for _ in range(10)]

    def cancel(number):
        with tenant(organization):
            move = Move(copies[number], "CANCELED", target_amount=0)
            rewards_move(organization=organization, moves=[move], actor=factories.ACTOR, reason="x")
            return copies[number].status

    answers = at_once(10, cancel, expected=(InvalidRewardTransition,))

    assert answers.count("CANCELED") == 1
    assert sum(isinstance(answer, InvalidRewardTransition) for answer in answers) == 9
    assert_books_agree(organization)


def test_doors_over_the_same_rewards_in_other_orders_do_not_deadlock(organization, campaign):
    rewards = factories.due_rewards(campaign, 6)

    def lower(number):
        with tenant(organization), transaction.atomic():
            mine = list(Reward.objects.filter(pk__in=[reward.pk for reward in rewards]))
            mine = mine if number % 2 else mine[::-1]
            moves = [Move(reward, reward.status, amount=reward.amount, reason="touched") for reward in mine]
            rewards_move(organization=organization, moves=moves, actor=factories.ACTOR, reason="touched")
            return len(moves)

    assert at_once(10, lower) == [6] * 10
    assert_books_agree(organization)


def test_twenty_batches_of_the_same_rewards_issue_each_once(organization, campaign):
    rewards = factories.due_rewards(campaign, 5)

    batches = at_once(20, lambda number: factories.batch(organization, rewards if number % 2 else rewards[::-1]).pk)

    with tenant(organization):
        assert RewardBatch.objects.count() == 20
        assert Claim.objects.count() == 5
        assert BatchItem.objects.filter(outcome="QUEUED").count() == 5
        assert set(BatchItem.objects.exclude(outcome="QUEUED").values_list("outcome", "code")) == {
            ("FAILED", "being_issued")
        }
    at_once(4, lambda _: issuing.run(seconds=5))
    with tenant(organization):
        assert set(RewardBatch.objects.values_list("status", flat=True)) == {"FINISHED"}
        assert len(set(batches)) == 20
        assert BatchItem.objects.filter(outcome="SUCCEEDED").count() == 5
        assert RewardTransition.objects.filter(to_status="AVAILABLE").count() == 5
    assert_books_agree(organization)


def test_a_batch_and_confirmations_share_the_rewards(organization, campaign):
    rewards = factories.due_rewards(campaign, 4)

    def issue(number):
        if number % 5 == 0:
            return factories.batch(organization, rewards).pk
        with tenant(organization):
            return reward_confirm(
                organization=organization, reward=rewards[number % 5 - 1], actor=factories.ACTOR
            ).status

    at_once(20, issue, expected=(BeingIssued,))
    issuing.run(seconds=5)

    with tenant(organization):
        assert set(Reward.objects.values_list("status", flat=True)) == {"AVAILABLE"}
        assert RewardTransition.objects.filter(to_status="AVAILABLE").count() == 4
    assert_books_agree(organization)


def test_releasing_by_many_at_once_releases_each_once(organization):
    campaign = factories.campaign(organization, holding_days=7)
    held = [
        factories.event(factories.participant(campaign, referred_by=factories.participant(campaign))) for _ in "abc"
    ]
    at = max(result.rewards[0].releases_at for result in held)

    counts = at_once(8, lambda _: release(organization=organization, at=at))

    assert sum(counts) == 3
    with tenant(organization):
        assert set(Reward.objects.values_list("status", flat=True)) == {"PENDING"}
        assert RewardTransition.objects.filter(to_status="PENDING").count() == 3
    assert_books_agree(organization)


def test_an_event_is_undone_or_its_reward_issued(organization, referred):
    result = factories.event(referred, source="HAND")

    def undo_or_issue(number):
        with tenant(organization):
            if number % 2:
                event_undo(organization=organization, event=result.event, actor=factories.ACTOR)
                return "undone"
            return reward_confirm(organization=organization, reward=result.rewards[0], actor=factories.ACTOR).status

    answers = at_once(10, undo_or_issue, expected=(Exception,))

    assert len({answer for answer in answers if isinstance(answer, str)}) == 1
    with tenant(organization):
        undone = QualifyingEvent.objects.get().undone_at is not None
        assert Reward.objects.get().status == ("CANCELED" if undone else "AVAILABLE")
    assert_books_agree(organization)


def test_a_referrer_who_is_set_while_the_event_is_on_its_way(organization, campaign, participant):
    """The event waits for the participant's row and then finds a referrer whom it hadn't read before."""
    friend = factories.participant(campaign)
    answers = []

    def tell():
        answers.append(factories.event(friend))
        connections.close_all()

    with tenant(organization):
        participant_refer(
            organization=organization,
            participant=friend,
            referral_code=participant.referral_code,
            actor=factories.ACTOR,
            at=friend.joined_at,
        )
        thread = threading.Thread(target=tell)
        thread.start()
        thread.join(1)
        assert thread.is_alive(), "the event should wait for the participant's row"
    thread.join(20)

    assert [reward.participant_id for reward in answers[0].rewards] == [participant.pk]


def test_a_referrer_is_set_before_an_event_or_not_at_all(organization, campaign, participant):
    people = [factories.participant(campaign) for _ in range(10)]

    def refer_or_tell(number):
        friend = people[number // 2]
        if number % 2:
            return factories.event(friend).outcome
        with tenant(organization):
            participant_refer(
                organization=organization,
                participant=friend,
                referral_code=participant.referral_code,
                actor=factories.ACTOR,
                at=friend.joined_at,
            )
            return "referred"

    at_once(20, refer_or_tell, expected=(Exception,))

    with tenant(organization):
        for friend in Participant.objects.filter(pk__in=[person.pk for person in people]):
            code = Decision.objects.get(event__participant=friend).code
            assert code == ("not_referred" if friend.referred_by_id is None else "rewarded")
