"""The coupon that is made for one reward: its id, its terms, and what became of it.

Its id is derived from the reward's idempotency key, so Stripe itself refuses a second one, and it can be redeemed once.
A redemption is counted when the coupon is put on something, not when an invoice uses it. So a reward's coupon is in one
of four states, each of which Stripe shows:

    absent      no coupon of that id: nothing was done
    unused      the coupon is there, `times_redeemed` is 0 and no promotion code leads to it: nobody has it yet
    promised    a promotion code leads to it: the customer can use it
    given       `times_redeemed` is 1: it is, or was, on a subscription (or the promotion code was used)
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from integrations.base import IssueOrder
from integrations.errors import OutcomeUnknown
from integrations.providers.stripe import words
from integrations.providers.stripe.amounts import to_stripe
from integrations.providers.stripe.client import Conversation, Missing, Refused
from integrations.providers.stripe.customers import PAGE, Json, NotIssuable
from referral_rocket.kit.clock import wall

REWARD_KEY = "reward_id"
CUSTOMER_KEY = "customer"
# Stripe shows a coupon's name on invoices and takes 40 characters.
_NAME_LENGTH = 40
AMOUNT, PERCENT, REPEATING = "AMOUNT", "PERCENT", "repeating"


@dataclass(frozen=True)
class CouponState:
    """The reward's coupon at Stripe, and the promotion code that leads to it. Both None where it is absent."""

    coupon: Json | None = None
    promotion: Json | None = None

    @property
    def is_done(self) -> bool:
        return self.promotion is not None or (self.coupon is not None and self.coupon["times_redeemed"] > 0)

    @property
    def reference(self) -> str:
        """What the coupon is known by afterwards: its promotion code's id, else its own."""
        assert self.coupon is not None or self.promotion is not None
        return str((self.promotion or self.coupon or {})["id"])


def coupon_id(order: IssueOrder) -> str:
    return "rr-" + order.idempotency_key.replace(":", "-")


def state_of(talk: Conversation, wanted_id: str) -> CouponState:
    """Two reads at most."""
    try:
        with talk.reading():
            coupon = talk.api.coupons.retrieve(wanted_id).to_dict()
            int(coupon["times_redeemed"])
            page = talk.api.promotion_codes.list({"coupon": wanted_id, "limit": PAGE})
            codes = [code.to_dict() for code in page.data]
    except Missing:
        return CouponState()
    return CouponState(coupon, codes[0] if codes else None)


def terms(order: IssueOrder, *, repeating: bool) -> Json:
    """What the coupon is made of, but for whom. Raises NotIssuable where the campaign doesn't say enough, InexactAmount.

    `repeating`: it has to last several months.
    """
    asked = order.coupon
    if repeating and asked.duration != REPEATING:
        raise NotIssuable("needs_a_person", words.NEEDS_MONTHS)
    if asked.duration == REPEATING and not asked.duration_months:
        raise NotIssuable("needs_a_person", words.NEEDS_MONTHS)
    fields: Json = {"name": order.description[:_NAME_LENGTH], "duration": asked.duration, "max_redemptions": 1}
    if asked.kind == PERCENT:
        if asked.percent_off is None:
            raise NotIssuable("needs_a_person", words.NEEDS_PERCENT)
        fields["percent_off"] = float(asked.percent_off)
    else:
        fields |= {"amount_off": to_stripe(order.amount, order.currency), "currency": order.currency.lower()}
    if asked.duration == REPEATING:
        fields["duration_in_months"] = asked.duration_months
    if asked.expires_days is not None:
        since = order.first_attempt_at or wall()
        fields["redeem_by"] = int((since + timedelta(days=asked.expires_days)).timestamp())
    return fields


def made_for(talk: Conversation, order: IssueOrder, fields: Json, customer_id: str, there: Json | None) -> Json:
    """The reward's coupon with these terms, for this customer: the one that is there, unused, or a new one.

    One that an earlier try left with other terms (a refund has lowered the amount since, say) is replaced.
    """
    mark = {REWARD_KEY: str(order.reward_id), CUSTOMER_KEY: customer_id}
    if there is not None:
        if _is_as_wanted(there, fields, mark):
            return there
        delete(talk, there["id"])
    try:
        with talk.writing():
            params: Any = {"id": coupon_id(order), **fields, "metadata": {**order.metadata, **mark}}
            coupon = talk.api.coupons.create(params).to_dict()
    except Refused as refused:
        if refused.stripe_code != "resource_already_exists":
            raise
        # Another try of the same reward made it a moment ago: what it was made for is looked at anew.
        raise OutcomeUnknown(words.UNREADABLE, exchanges=talk.exchanges) from refused
    if coupon.get("id") != coupon_id(order) or not _is_as_wanted(coupon, fields, mark):
        raise OutcomeUnknown(words.UNREADABLE, exchanges=talk.exchanges)
    return coupon


def delete(talk: Conversation, unused_id: str) -> None:
    try:
        with talk.writing():
            talk.api.coupons.delete(unused_id)
    except Missing:
        return


def _is_as_wanted(coupon: Json, fields: Json, mark: dict[str, str]) -> bool:
    # When it ends was fixed at the first try, and a later one reckons from the same moment.
    shown = {name: value for name, value in fields.items() if name not in ("name", "redeem_by")}
    absent = {name: None for name in ("amount_off", "percent_off") if name not in fields}
    metadata = coupon.get("metadata") or {}
    same = all(coupon.get(name) == value for name, value in {**shown, **absent}.items())
    return same and all(metadata.get(name) == value for name, value in mark.items())
