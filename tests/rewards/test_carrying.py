"""What wasn't issued is dropped, on record, or carried over until it is enough."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.models import Campaign
from participants.models import Participant
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Reward, RewardTransition
from rewards.services.confirming import reward_cancel, reward_confirm
from rewards.services.releasing import release, release_everywhere
from rewards.services.reversing import transaction_reverse
from rewards.states import RewardStatus, RewardType, WaitingFor
from tests import factories
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db


def program(organization: Organization, **terms: object) -> Participant:
    campaign = factories.campaign(
        organization,
        rules=[factories.referral_rule(once_per="EVENT")],
        **{"remainder": "CARRY", "carry_minimum": 500, **terms},  # type: ignore[arg-type]
    )
    return factories.participant(campaign, referred_by=factories.participant(campaign))


def confirm(reward: Reward, amount: int) -> Reward:
    with tenant(reward.organization):
        return reward_confirm(organization=reward.organization, reward=reward, actor=factories.ACTOR, amount=amount)


def carried(organization: Organization) -> list[Reward]:
    with tenant(organization):
        return list(Reward.objects.filter(carried_from__isnull=False, aggregate__isnull=True).order_by("pk"))


def refund(reward: Reward, amount: int, refund_id: str = "re_1", status: str = "DONE") -> None:
    with tenant(reward.organization):
        transaction_reverse(
            organization=reward.organization,
            campaign_id=reward.campaign_id,
            transaction_id=str(reward.transaction_id),
            report=ReversalReport(refund_id, "REFUND", status, amount),
            actor=factories.ACTOR,
        )


def test_it_works(organization: Organization) -> None:
    """$12 confirmed as $10."""
    friend = program(organization)
    (reward,) = factories.event(friend).rewards
    issued = confirm(reward, 1000)
    assert (issued.status, issued.amount, issued.remainder_amount, issued.earned_amount) == (
        RewardStatus.AVAILABLE,
        1000,
        200,
        1200,
    )
    (rest,) = carried(organization)
    assert (rest.status, rest.waiting_for, rest.amount, rest.target_amount) == (
        RewardStatus.EARNED,
        WaitingFor.CARRY,
        200,
        0,
    )
    assert rest.carried_from_id == reward.pk
    for name in ("event_id", "transaction_id", "rule_id", "type", "participant_id", "currency", "beneficiary"):
        assert getattr(rest, name) == getattr(reward, name)
    # Said again it changes nothing.
    confirm(reward, 1000)
    assert len(carried(organization)) == 1
    assert_books_agree(organization)


def test_dropped_it_is_never_counted_again(organization: Organization) -> None:
    friend = program(organization, remainder="DROP")
    (reward,) = factories.event(friend).rewards
    assert confirm(reward, 1000).remainder_amount == 200
    assert carried(organization) == []


def test_all_become_due_in_the_step_in_which_it_is_enough(organization: Organization) -> None:
    friend = program(organization)
    rewards = [factories.event(friend).rewards[0] for _ in range(3)]
    confirm(rewards[0], 1000)
    confirm(rewards[1], 1000)
    release_everywhere(at=clock.wall() + timedelta(days=400))
    assert [each.status for each in carried(organization)] == [RewardStatus.EARNED] * 2
    confirm(rewards[2], 1100)
    assert [(each.status, each.waiting_for, each.amount) for each in carried(organization)] == [
        (RewardStatus.PENDING, None, 200),
        (RewardStatus.PENDING, None, 200),
        (RewardStatus.PENDING, None, 100),
    ]
    assert_books_agree(organization)


def test_others_and_other_campaigns_do_not_count(organization: Organization) -> None:
    for _ in range(3):
        confirm(factories.event(program(organization)).rewards[0], 1000)
    assert [each.status for each in carried(organization)] == [RewardStatus.EARNED] * 3


def test_a_smaller_minimum_is_found_by_the_sweep(organization: Organization) -> None:
    confirm(factories.event(program(organization)).rewards[0], 1000)
    with tenant(organization):
        Campaign.objects.update(carry_minimum=200)
    assert release_everywhere() == 1
    assert [each.status for each in carried(organization)] == [RewardStatus.PENDING]
    assert release_everywhere() == 0


def test_a_refund_reaches_both(organization: Organization) -> None:
    """Half of what was issued is deducted, and half of the rest isn't owed any more."""
    (reward,) = factories.event(program(organization)).rewards
    confirm(reward, 1000)
    refund(reward, 6000)
    with tenant(organization):
        deduction = Reward.objects.get(deducts=reward.pk)
        reward.refresh_from_db()
    (rest,) = carried(organization)
    assert (deduction.amount, rest.amount, rest.refunded_amount) == (500, 100, 100)
    # Budget: what isn't owed any more is back at once, what was issued once it is deducted.
    assert reward.target_amount == 1100
    refund(reward, 6000, status="FAILED")
    with tenant(organization):
        deduction.refresh_from_db()
        reward.refresh_from_db()
    assert (deduction.status, carried(organization)[0].amount, reward.target_amount) == (
        RewardStatus.CANCELED,
        200,
        1200,
    )
    assert_books_agree(organization)


def test_nothing_is_lost_to_a_second_rounding(organization: Organization) -> None:
    """3 earned, 1 issued, half refunded: round(1.5) = 2 are left, of which nothing is of what was issued."""
    campaign = factories.campaign(
        organization, rules=[factories.referral_rule(amount=3, once_per="EVENT")], remainder="CARRY", carry_minimum=500
    )
    friend = factories.participant(campaign, referred_by=factories.participant(campaign))
    (reward,) = factories.event(friend, 10).rewards
    confirm(reward, 1)
    refund(reward, 5)
    with tenant(organization):
        deducted = Reward.objects.get(deducts=reward.pk).amount
    (rest,) = carried(organization)
    # 1 issued - 1 deducted + 2 open are the 2 that the payment leaves of it.
    assert (deducted, rest.amount) == (1, 2)


def test_the_rest_of_an_aggregate_is_one_too(organization: Organization) -> None:
    begun = datetime(2027, 1, 10, tzinfo=UTC)
    with clock.as_of(begun):
        friend = program(organization, earning_timing="STATEMENT")
        first, _ = (factories.event(friend).rewards[0] for _ in range(2))
    with clock.as_of(begun + timedelta(days=30)):
        release(organization=organization)
        with tenant(organization):
            statement = Reward.objects.get(type=RewardType.STATEMENT)
        confirm(statement, 2000)
        (rest,) = carried(organization)
        assert (rest.type, rest.status, rest.waiting_for, rest.amount) == (
            RewardType.STATEMENT,
            RewardStatus.EARNED,
            WaitingFor.CARRY,
            400,
        )
        assert (rest.carried_from_id, rest.parts_count) == (statement.pk, 2)
        with tenant(organization):
            assert (
                list(Reward.objects.filter(aggregate=rest).values_list("amount", "carried_from__aggregate"))
                == [(200, statement.pk)] * 2
            )
        refund(first, 6000)
        with tenant(organization):
            assert [each.amount for each in Reward.objects.filter(deducts=statement)] == [500]
        assert carried(organization)[0].amount == 300
        assert_books_agree(organization)

        # The next rest makes it enough.
        factories.event(friend)
    with clock.as_of(begun + timedelta(days=60)):
        release(organization=organization)
        with tenant(organization):
            following = Reward.objects.filter(type=RewardType.STATEMENT, carried_from=None).latest("pk")
        assert (following.status, following.amount) == (RewardStatus.PENDING, 700)
        confirm(following, 500)
        assert [(each.status, each.amount) for each in carried(organization)] == [
            (RewardStatus.PENDING, 300),
            (RewardStatus.PENDING, 200),
        ]
    assert_books_agree(organization)


def test_a_canceled_rest_frees_its_budget(organization: Organization) -> None:
    friend = program(organization, carry_minimum=1)
    (reward,) = factories.event(friend).rewards
    confirm(reward, 1000)
    (rest,) = carried(organization)
    assert rest.status == RewardStatus.PENDING
    with tenant(organization):
        reward_cancel(organization=organization, reward=rest, actor=factories.ACTOR, reason="too small to send")
        reward.refresh_from_db()
    assert reward.target_amount == 1000
    refund(reward, 6000)
    refund(reward, 6000, status="FAILED")
    with tenant(organization):
        rest.refresh_from_db()
        assert rest.status == RewardStatus.CANCELED
        assert list(RewardTransition.objects.filter(reward=rest).values_list("to_status", flat=True)) == [
            "EARNED",
            "PENDING",
            "CANCELED",
        ]
    assert_books_agree(organization)
