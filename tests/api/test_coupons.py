"""What a coupon made for a campaign's rewards does (api.md, Campaign: `coupon`)."""

from decimal import Decimal
from typing import Any

import pytest

from campaigns.models import Campaign
from campaigns.terms import coupon_in_words, coupon_terms
from integrations.base import CouponTerms
from referral_rocket.accounts.scoping import every_organization
from tests.api.client import Caller
from tests.api.test_campaigns import CAMPAIGN, problem

COUPON = {"kind": "PERCENT", "percent_off": "12.5", "duration": "repeating", "duration_months": 3, "expires_days": 30}
DEFAULT = {"kind": "AMOUNT", "percent_off": None, "duration": "once", "duration_months": None, "expires_days": None}


def stored(made: dict[str, Any]) -> Campaign:
    with every_organization("a test looks"):
        return Campaign.objects.get(pk=made["campaign_id"])


def test_it_works(api: Caller) -> None:
    made = api.post("/campaigns", {**CAMPAIGN, "coupon": COUPON})

    assert made["coupon"] == COUPON
    campaign = stored(made)
    assert coupon_terms(campaign) == CouponTerms("PERCENT", Decimal("12.5"), "repeating", 3, 30)
    assert coupon_in_words(campaign) == (
        "Takes 12.5 % off each invoice for 3 months. A code that isn't used ends after 30 days."
    )


def test_without_one_it_takes_off_the_rewards_amount_once(api: Caller) -> None:
    made = api.post("/campaigns", CAMPAIGN)

    assert made["coupon"] == DEFAULT
    campaign = stored(made)
    assert coupon_terms(campaign) == CouponTerms()
    assert coupon_in_words(campaign) == "Takes the reward's amount off the next invoice or purchase."


def test_what_is_not_given_stays(api: Caller) -> None:
    path = f"/campaigns/{api.post('/campaigns', {**CAMPAIGN, 'coupon': COUPON})['campaign_id']}"

    assert api.patch(path, {"coupon": {"percent_off": "20"}})["coupon"] == {**COUPON, "percent_off": "20"}
    assert api.patch(path, {"coupon": {"kind": "AMOUNT"}})["coupon"] == {
        **COUPON,
        "kind": "AMOUNT",
        "percent_off": None,
    }
    assert api.patch(path, {"coupon": {"duration": "once", "expires_days": None}})["coupon"] == DEFAULT


@pytest.mark.parametrize(
    ("coupon", "field", "code"),
    [
        ({"kind": "GIFT"}, "kind", "invalid_choice"),
        ({"kind": "PERCENT"}, "percent_off", "required"),
        ({"percent_off": "10"}, "percent_off", "invalid"),
        ({"kind": "PERCENT", "percent_off": "0"}, "percent_off", "out_of_range"),
        ({"kind": "PERCENT", "percent_off": "100.01"}, "percent_off", "out_of_range"),
        ({"kind": "PERCENT", "percent_off": "1.005"}, "percent_off", "invalid"),
        ({"kind": "PERCENT", "percent_off": 10}, "percent_off", "invalid"),
        ({"duration": "forever"}, "duration", "invalid_choice"),
        ({"duration": "repeating"}, "duration_months", "required"),
        ({"duration_months": 3}, "duration_months", "invalid"),
        ({"duration": "repeating", "duration_months": 37}, "duration_months", "max_value"),
        ({"expires_days": 0}, "expires_days", "min_value"),
    ],
)
def test_a_wrong_coupon_is_refused(api: Caller, coupon: dict[str, Any], field: str, code: str) -> None:
    answer = api.post("/campaigns", {**CAMPAIGN, "coupon": coupon}, expect=400)

    assert problem(answer) == ("invalid", (f"coupon.{field}", code))
    assert api.get("/campaigns")["data"] == []
