"""Rewards after a refund: the tab, the page of a deduction, and saying that it was taken back or is forgiven."""

import pytest

from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward
from rewards.services import issuing
from rewards.services.reversing import transaction_reverse
from rewards.states import RewardStatus
from tests import factories
from tests.dashboard.visitor import Visitor, member, text
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def marketer(organization: Organization) -> Visitor:
    return member(organization, Role.MARKETER)


@pytest.fixture
def deduction(organization: Organization) -> Reward:
    """$6.00 to be taken back of $12.00 that were issued, because half of the payment was refunded."""
    (reward,) = factories.due_rewards(factories.campaign(organization), 1)
    factories.batch(organization, [reward])
    issuing.run(seconds=5)
    with tenant(organization):
        transaction_reverse(
            organization=organization,
            campaign_id=reward.campaign_id,
            transaction_id=str(reward.transaction_id),
            report=ReversalReport(refund_id="re_1", amount=6000),
            actor=factories.ACTOR,
        )
        return Reward.objects.get(status=RewardStatus.PENDING_DEDUCTION)


def deductions(organization: Organization) -> list[tuple[str, int, int]]:
    with tenant(organization):
        found = Reward.objects.filter(deducts__isnull=False).order_by("pk")
        return [(each.status, each.amount, each.remainder_amount) for each in found]


def test_it_works(deduction: Reward, marketer: Visitor) -> None:
    listed = text(marketer.get("rewards", tab="deductions"))
    assert marketer.url("reward", deduction.pk) in listed
    assert "Taken back" in listed
    assert ">Issued<" not in listed
    page = text(marketer.get("reward", deduction.pk))
    assert "To be taken back" in page
    assert f'Takes back <a class="link-text" href="{marketer.url("reward", deduction.deducts_id)}"' in page
    issued = text(marketer.get("reward", deduction.deducts_id))
    assert f'Taken back by <a class="link-text" href="{marketer.url("reward", deduction.pk)}"' in issued

    answer = marketer.post("reward_deduct", deduction.pk, **{"deduct-amount": "6.00"})
    assert answer.status_code == 302
    assert deductions(deduction.organization) == [(RewardStatus.DEDUCTED, 600, 0)]


def test_part_is_taken_back_and_the_rest_stays(deduction: Reward, marketer: Visitor) -> None:
    marketer.post("reward_deduct", deduction.pk, **{"deduct-amount": "4.00"})
    assert deductions(deduction.organization) == [
        (RewardStatus.DEDUCTED, 400, 0),
        (RewardStatus.PENDING_DEDUCTION, 200, 0),
    ]


def test_the_rest_is_forgiven(deduction: Reward, marketer: Visitor) -> None:
    marketer.post("reward_deduct", deduction.pk, **{"deduct-amount": "4.00", "deduct-forgive": "on"})
    assert deductions(deduction.organization) == [(RewardStatus.DEDUCTED, 400, 200)]


def test_more_than_there_is(deduction: Reward, marketer: Visitor) -> None:
    answer = marketer.post("reward_deduct", deduction.pk, **{"deduct-amount": "6.01"})
    assert answer.status_code == 409
    assert "more than the 600 to be taken back" in text(answer)
    assert deductions(deduction.organization) == [(RewardStatus.PENDING_DEDUCTION, 600, 0)]


def test_forgive_it_all(deduction: Reward, marketer: Visitor) -> None:
    marketer.post("reward_cancel", deduction.pk, **{"cancel-reason": "Goodwill"})
    assert deductions(deduction.organization) == [(RewardStatus.CANCELED, 600, 600)]


def test_what_no_provider_took_back_is_left_to_a_person(deduction: Reward, marketer: Visitor) -> None:
    """The method that issued the reward doesn't matter: somebody can always end it."""
    with tenant(deduction.organization):
        Reward.objects.filter(pk=deduction.pk).update(fulfilment_method="STRIPE_CREDIT")
    page = text(marketer.get("reward", deduction.pk))
    assert "Mark as taken back" in page
    assert "taken off this person's next reward" in page
    marketer.post("reward_deduct", deduction.pk, **{"deduct-amount": "4.00"})
    with tenant(deduction.organization):
        rest = Reward.objects.get(status=RewardStatus.PENDING_DEDUCTION)
    marketer.post("reward_cancel", rest.pk, **{"cancel-reason": "Goodwill"})
    assert deductions(deduction.organization) == [(RewardStatus.DEDUCTED, 400, 0), (RewardStatus.CANCELED, 200, 200)]
    assert_books_agree(deduction.organization)


def test_deduction_is_not_offered_for_issuing(deduction: Reward, marketer: Visitor) -> None:
    assert "Issue Reward" not in text(marketer.get("reward", deduction.pk))
    assert "Nothing to issue" in text(marketer.get("issue", reward=deduction.pk, choice="MANUAL"))


def test_viewer_is_refused(deduction: Reward) -> None:
    viewer = member(deduction.organization, Role.VIEWER)
    assert "Mark as taken back" not in text(viewer.get("reward", deduction.pk))
    assert viewer.post("reward_deduct", deduction.pk, **{"deduct-amount": "6.00"}).status_code == 403
    assert deductions(deduction.organization) == [(RewardStatus.PENDING_DEDUCTION, 600, 0)]
