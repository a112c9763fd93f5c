"""A reward's page: its story and arithmetic, and what a person can do with it."""

from typing import Any

import pytest

from campaigns.models import Campaign
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward, RewardTransition
from rewards.services import issuing
from rewards.states import RewardStatus
from tests import factories
from tests.dashboard.visitor import Visitor, member, stranger, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def campaign(organization: Organization) -> Campaign:
    return factories.campaign(organization)


@pytest.fixture
def marketer(organization: Organization) -> Visitor:
    return member(organization, Role.MARKETER)


def stored(reward: Reward) -> Reward:
    with tenant(reward.organization):
        return Reward.objects.select_related("customer").get(pk=reward.pk)


def test_it_works(campaign: Campaign, marketer: Visitor) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    batch = factories.batch(campaign.organization, [reward])
    issuing.run(seconds=5)
    page = text(marketer.get("reward", reward.pk))
    customer = stored(reward).customer
    steps = [f"came through {customer}", "joined the campaign", ": purchase", "Decided", ">Due<", "Issued by hand"]
    places = [page.index(step) for step in steps]
    assert places == sorted(places)
    assert marketer.url("batch", batch.pk) in page
    assert "Fixed amount of the rule" in page
    assert "Issue Reward" not in page


def test_attempts_are_shown_without_secrets(campaign: Campaign, marketer: Visitor, settings: Any) -> None:
    settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": "http://127.0.0.1:1/stripe"}
    connection = factories.connection(campaign.organization)
    (reward,) = factories.due_rewards(campaign, 1)
    factories.batch(campaign.organization, [reward], method="STRIPE_CREDIT")
    issuing.run(seconds=2)
    page = text(marketer.get("reward", reward.pk))
    assert f"{reward.pk}:1" in page
    assert "no answer" in page
    with tenant(campaign.organization):
        connection.refresh_from_db()
    assert connection.credentials["api_key"] not in page


def test_confirm_part_of_it(campaign: Campaign, marketer: Visitor) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    sent = {"confirm-amount": "10.00", "confirm-reference": "transfer 7"}
    assert marketer.post("reward_confirm", reward.pk, **sent).status_code == 302
    held = stored(reward)
    assert (held.status, held.amount, held.remainder_amount) == (RewardStatus.AVAILABLE, 1000, 200)
    assert held.provider_reference == "transfer 7"
    page = text(marketer.get("reward", reward.pk))
    assert "Not issued, and dropped" in page


@pytest.mark.parametrize(
    ("amount", "message", "status"),
    [
        ("", "This field is required.", 422),
        ("-1", "Enter an amount above 0.", 422),
        ("1.234", "USD has 2 decimals", 422),
        ("ten", "Enter an amount such as 12.50", 422),
        ("12.01", "1201 is more than the 1200 owed.", 409),
    ],
)
def test_amount_that_cannot_be_confirmed(
    campaign: Campaign, marketer: Visitor, amount: str, message: str, status: int
) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    answer = marketer.post("reward_confirm", reward.pk, **{"confirm-amount": amount, "confirm-reference": "kept"})
    assert answer.status_code == status
    assert message in text(answer)
    assert 'value="kept"' in text(answer)
    assert stored(reward).status == RewardStatus.PENDING


def test_cancel_needs_a_reason(campaign: Campaign, marketer: Visitor) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    assert marketer.post("reward_cancel", reward.pk).status_code == 422
    assert stored(reward).status == RewardStatus.PENDING
    assert marketer.post("reward_cancel", reward.pk, **{"cancel-reason": "A mistake"}).status_code == 302
    assert stored(reward).status == RewardStatus.CANCELED
    assert "A mistake" in text(marketer.get("reward", reward.pk))


def test_reject(organization: Organization, marketer: Visitor) -> None:
    (reward,) = factories.due_rewards(factories.campaign(organization, review_above=100), 1)
    assert "Waits for a review" in text(marketer.get("reward", reward.pk))
    assert marketer.post("reward_reject", reward.pk, **{"reject-reason": "Not a customer"}).status_code == 302
    assert stored(reward).status == RewardStatus.CANCELED


def test_only_who_may_decide_is_asked_to(organization: Organization, marketer: Visitor) -> None:
    (reward,) = factories.due_rewards(factories.campaign(organization, review_above=100), 1)
    assert "Approve or reject it." in text(marketer.get("reward", reward.pk))
    page = text(member(organization, Role.VIEWER).get("reward", reward.pk))
    assert "It is above what the campaign lets through by itself." in page
    assert "Approve or reject it." not in page


def test_review_that_is_over_is_said(campaign: Campaign, marketer: Visitor) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    answer = marketer.client.post(marketer.url("reward_approve", reward.pk), follow=True)
    assert "not in review" in text(answer)
    assert marketer.post("reward_reject", reward.pk, **{"reject-reason": "No"}).status_code == 409
    assert stored(reward).status == RewardStatus.PENDING


def test_reward_of_a_provider_is_not_confirmed_by_hand(organization: Organization, marketer: Visitor) -> None:
    factories.connection(organization)
    (reward,) = factories.due_rewards(factories.campaign(organization, fulfilment_method="STRIPE_CREDIT"), 1)
    assert "Confirm amount" not in text(marketer.get("reward", reward.pk))
    answer = marketer.post("reward_confirm", reward.pk, **{"confirm-amount": "12.00"})
    assert answer.status_code == 409
    assert stored(reward).status == RewardStatus.PENDING


@pytest.mark.parametrize("action", ["confirm", "cancel", "approve", "reject"])
def test_viewer_is_refused(campaign: Campaign, action: str) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    viewer = member(campaign.organization, Role.VIEWER)
    page = text(viewer.get("reward", reward.pk))
    assert "Issue Reward" not in page
    assert "Confirm amount" not in page
    assert viewer.post(f"reward_{action}", reward.pk).status_code == 403
    with tenant(campaign.organization):
        assert RewardTransition.objects.filter(reward=reward).count() == 1


def test_stranger_finds_nothing(campaign: Campaign) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    assert stranger(campaign.organization).get("reward", reward.pk).status_code == 404
    assert member(factories.organization()).get("reward", reward.pk).status_code == 404


@pytest.mark.parametrize(
    ("timing", "words"),
    [
        ({}, "It becomes due by itself on"),
        ({"earning_timing": "STATEMENT"}, "and then joins the next total."),
        ({"earning_timing": "DELAYED", "delay_days": 2}, "and then joins the total of its day, or the next one."),
    ],
)
def test_what_comes_after_holding_is_said(
    organization: Organization, marketer: Visitor, timing: dict[str, Any], words: str
) -> None:
    (reward,) = factories.due_rewards(factories.campaign(organization, holding_days=7, **timing), 1)
    page = text(marketer.get("reward", reward.pk))
    assert "In its holding period" in page
    assert words in page
    assert ("due by itself" in page) is (not timing)


def test_a_number_stays_on_one_line_with_its_percent_sign(organization: Organization, marketer: Visitor) -> None:
    campaign = factories.campaign(organization, rules=[factories.referral_rule(rate="0.08")])
    friend = factories.participant(campaign, referred_by=factories.participant(campaign))
    factories.event(friend, 10_000)
    with tenant(organization):
        (reward,) = Reward.objects.all()
    pages = [
        marketer.get("reward", reward.pk),
        marketer.get("due_row", campaign.pk, reward.participant_id, "USD"),
        marketer.get("participant", friend.pk),
        marketer.get("campaign", campaign.pk),
        marketer.get("campaign", campaign.pk, tab="rules"),
    ]
    assert [" %" in page.content.decode() for page in pages] == [False] * 5
    said = pages[0].content.decode()
    assert said.count("The rate of 8\N{NO-BREAK SPACE}% is of $100.00.") == 2
    assert "The referrer earns 8\N{NO-BREAK SPACE}% of each qualifying event." in said
