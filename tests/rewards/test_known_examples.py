"""Examples whose results are known beforehand, worked through the whole product."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from campaigns.models import RuleType
from campaigns.terms import RuleTerms
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Reward
from rewards.services.confirming import reward_confirm
from rewards.services.releasing import release
from rewards.services.reversing import transaction_reverse
from rewards.states import RewardStatus, RewardType
from tests import factories
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db

BEGUN = datetime(2027, 1, 10, tzinfo=UTC)


def test_it_works(organization: Organization) -> None:
    """A minimum of 100 and three payments: 100, 90, 150, 80, 100 qualifies on the fifth."""
    campaign = factories.campaign(
        organization,
        rules=[RuleTerms(type=RuleType.OFFER, amount=500, min_purchase=10_000, min_purchase_count=3)],
    )
    buyer = factories.participant(campaign)
    results = [factories.event(buyer, amount) for amount in (10_000, 9_000, 15_000, 8_000, 10_000)]
    assert [len(result.rewards) for result in results] == [0, 0, 0, 0, 1]
    assert [result.decisions[0].code for result in results] == [
        "below_min_count",
        "below_min_purchase",
        "below_min_count",
        "below_min_purchase",
        "rewarded",
    ]


def test_ten_of_twelve_dollars(organization: Organization) -> None:
    """$12 confirmed as $10; half refunded takes back $5 of it."""
    (reward,) = factories.due_rewards(factories.campaign(organization), 1)
    with tenant(organization):
        reward_confirm(organization=organization, reward=reward, actor=factories.ACTOR, amount=1000)
        transaction_reverse(
            organization=organization,
            campaign_id=reward.campaign_id,
            transaction_id=str(reward.transaction_id),
            report=ReversalReport("re_1", amount=6000),
            actor=factories.ACTOR,
        )
        assert Reward.objects.get(deducts=reward).amount == 500
        reward.refresh_from_db()
    assert (reward.amount, reward.earned_amount, reward.remainder_amount) == (1000, 1200, 200)
    assert_books_agree(organization)


@pytest.mark.parametrize(
    ("currency", "paid", "rate", "each", "total", "half"),
    [
        # A third of 5 cents is 1.67; of three such payments each is rounded by itself.
        ("USD", 5, "0.33333333", 2, 6, 1),
        # Yen have no decimals, Kuwaiti dinars three.
        ("JPY", 1250, "0.05", 62, 186, 31),
        ("KWD", 12_345, "0.1", 1234, 3702, 617),
    ],
)
def test_small_units_in_a_statement(
    organization: Organization, currency: str, paid: int, rate: str, each: int, total: int, half: int
) -> None:
    with clock.as_of(BEGUN):
        campaign = factories.campaign(
            organization,
            currency=currency,
            rules=[factories.referral_rule(rate=Decimal(rate), once_per="EVENT")],
            earning_timing="STATEMENT",
        )
        friend = factories.participant(campaign, referred_by=factories.participant(campaign))
        parts = [factories.event(friend, paid).rewards[0] for _ in range(3)]
    assert [part.amount for part in parts] == [each] * 3
    with clock.as_of(BEGUN + timedelta(days=30)):
        release(organization=organization)
        with tenant(organization):
            statement = Reward.objects.get(type=RewardType.STATEMENT)
            assert (statement.status, statement.amount, statement.currency) == (RewardStatus.PENDING, total, currency)
            transaction_reverse(
                organization=organization,
                campaign_id=campaign.pk,
                transaction_id=str(parts[0].transaction_id),
                report=ReversalReport("re_1", amount=paid - paid // 2),
                actor=factories.ACTOR,
            )
            parts[0].refresh_from_db()
            statement.refresh_from_db()
    expected = round(each * (paid // 2) / paid)
    assert (parts[0].amount, expected) == (expected, half)
    assert statement.amount == 2 * each + half
    assert_books_agree(organization)
