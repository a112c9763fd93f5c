"""The campaigns of the sample data: their terms, how long they ran, and how busy they were."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from campaigns.models import Beneficiary, CampaignStatus, EarningTiming, OncePer, Remainder, RuleType
from campaigns.terms import RuleTerms

STRIPE_CREDIT = "STRIPE_CREDIT"
MANUAL = "MANUAL"


@dataclass(frozen=True)
class Recipe:
    """Days count back from now. `share_buying`: how many of those who join buy at least once.

    `prices` are in minor units. `batches` says how many days ago Issue Reward was pressed. `last_status` is set
    `stopped` days ago.
    """

    name: str
    rules: tuple[RuleTerms, ...]
    terms: dict[str, Any]
    started: int
    people: int = 0
    currency: str = "USD"
    last_status: str = CampaignStatus.ACTIVE
    stopped: int = 0
    share_referred: float = 0.7
    share_buying: float = 0.62
    again: float = 0.45
    prices: tuple[int, ...] = (1800, 2400, 3200, 4500, 6400)
    batches: tuple[int, ...] = field(default=())
    # Issued outside in steps of so much, and confirmed one by one, instead of in batches.
    steps: int | None = None


FRIENDS = Recipe(
    name="Give $10, get $10",
    started=89,
    people=150,
    terms={
        "holding_days": 14,
        "budget": 500_000,
        "landing_url": "https://shop.example.com/welcome",
        "fulfilment_method": STRIPE_CREDIT,
    },
    rules=(
        RuleTerms(
            type=RuleType.REFERRAL,
            beneficiary=Beneficiary.REFERRER,
            amount=1000,
            min_purchase=2500,
            max_rewards_per_participant=10,
        ),
        RuleTerms(type=RuleType.REFERRAL, beneficiary=Beneficiary.REFERRED, amount=1000, min_purchase=2500),
    ),
    batches=(52, 38, 24, 12),
)

AMBASSADORS = Recipe(
    name="Ambassador commission",
    started=82,
    people=70,
    again=0.7,
    terms={
        "holding_days": 7,
        "review_above": 1500,
        "attribution_window_days": 90,
        "landing_url": "https://shop.example.com/ambassadors",
        "fulfilment_method": STRIPE_CREDIT,
    },
    rules=(
        RuleTerms(
            type=RuleType.REFERRAL,
            beneficiary=Beneficiary.REFERRER,
            rate=Decimal("0.10"),
            once_per=OncePer.EVENT,
            max_per_reward=2500,
            max_amount_per_month=12_000,
            commission_months=12,
        ),
    ),
    prices=(4500, 6400, 8900, 12_900, 18_500),
    batches=(45, 21, 9),
)

THIRD_BAG = Recipe(
    name="Third bag on us",
    started=75,
    people=55,
    again=0.78,
    share_referred=0.35,
    terms={"landing_url": "https://shop.example.com/third-bag"},
    rules=(
        RuleTerms(type=RuleType.OFFER, beneficiary=Beneficiary.BUYER, amount=1600, min_purchase_count=3),
        RuleTerms(type=RuleType.OFFER, every_n_referrals=3, amount=2500, beneficiary=Beneficiary.REFERRER),
        RuleTerms(type=RuleType.TRANSACTIONAL, rate=Decimal("0.02"), min_purchase=3000),
    ),
    batches=(30, 10),
)

BERLIN = Recipe(
    name="Berlin roastery opening",
    started=64,
    people=50,
    currency="EUR",
    last_status=CampaignStatus.PAUSED,
    stopped=5,
    terms={"holding_days": 3, "fulfilment_method": STRIPE_CREDIT},
    rules=(
        RuleTerms(type=RuleType.REFERRAL, beneficiary=Beneficiary.REFERRER, amount=800, min_purchase=2000),
        RuleTerms(
            type=RuleType.REFERRAL,
            beneficiary=Beneficiary.REFERRED,
            rate=Decimal("0.15"),
            once_per=OncePer.REFERRED,
            max_per_reward=1000,
            when_referrer_rewarded=True,
        ),
    ),
    batches=(33, 15),
)

ICED = Recipe(
    name="Summer iced coffee",
    started=90,
    people=35,
    last_status=CampaignStatus.ENDED,
    stopped=48,
    terms={"budget": 20_000},
    rules=(RuleTerms(type=RuleType.REFERRAL, beneficiary=Beneficiary.REFERRER, amount=500, min_purchase=1500),),
    batches=(50, 40),
)

HOLIDAYS = Recipe(
    name="Holiday gift subscription",
    started=4,
    last_status=CampaignStatus.DRAFT,
    terms={"holding_days": 30, "qualifying_event": "subscription"},
    rules=(
        RuleTerms(
            type=RuleType.REFERRAL,
            beneficiary=Beneficiary.REFERRER,
            tiers=[
                {"from_referrals": 1, "amount": 1000},
                {"from_referrals": 5, "amount": 1500},
                {"from_referrals": 10, "amount": 2500},
            ],
        ),
        RuleTerms(type=RuleType.REFERRAL, beneficiary=Beneficiary.REFERRED, amount=1000),
    ),
)

PARTNERS = Recipe(
    name="Partner statements",
    started=85,
    people=40,
    again=0.75,
    share_referred=0.85,
    share_buying=0.85,
    terms={"holding_days": 3, "earning_timing": EarningTiming.STATEMENT, "attribution_window_days": 90},
    rules=(
        RuleTerms(
            type=RuleType.REFERRAL, beneficiary=Beneficiary.REFERRER, rate=Decimal("0.08"), once_per=OncePer.EVENT
        ),
    ),
    prices=(4500, 6400, 8900, 12_900),
    batches=(57, 40, 27),
)

CASH_BACK = Recipe(
    name="Cash back in fives",
    started=60,
    people=30,
    again=0.8,
    share_referred=0.3,
    terms={
        "earning_timing": EarningTiming.DELAYED,
        "delay_days": 7,
        "remainder": Remainder.CARRY,
        "carry_minimum": 500,
        "landing_url": "https://shop.example.com/cash-back",
    },
    rules=(RuleTerms(type=RuleType.TRANSACTIONAL, rate=Decimal("0.10")),),
    prices=(6400, 8900, 12_900),
    batches=(35, 20, 6),
    steps=500,
)

LIVE = (ICED, FRIENDS, AMBASSADORS, THIRD_BAG, BERLIN, HOLIDAYS, PARTNERS, CASH_BACK)

TRIAL = Recipe(
    name="Give $10, get $10 (trial)",
    started=20,
    people=12,
    terms={"holding_days": 2, "fulfilment_method": STRIPE_CREDIT},
    rules=FRIENDS.rules,
    batches=(8,),
)
TEST = (TRIAL,)
