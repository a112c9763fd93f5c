"""STRIPE_COUPON and STRIPE_SUBSCRIPTION: a reward as a discount.

STRIPE_COUPON makes a coupon by the campaign's terms and puts it on the customer's next invoice: on the subscription that
is invoiced soonest, beside the discounts that are there; where the customer has no subscription, as a promotion code that
only this customer can use. STRIPE_SUBSCRIPTION changes a subscription's price by a repeating discount.

An earlier discount is never lost: a `once` discount on that subscription, whoever made it, and a discount of another
reward that the customer hasn't used up, make the reward wait (`unredeemed_discount`, nothing sent).

What was done can always be told, wherever a call was cut off (coupons.py has the states):

    1. reading who and what is there      nothing was done
    2. the coupon is created              absent, or unused: nobody has it, and the next try goes on with it
    3. it is put on the subscription      unused, or given; a second try would be refused, since it is redeemed once
       or a promotion code is made        unused, or promised; the code is the reward's, so a second one is refused

Between 2 and 3 the next try may find the reward unissuable by now (a `once` discount has been added): then the unused
coupon is deleted before the reward is let go. Between the reading in 1 and the change in 3 only this process's threads
are kept away from the customer (subscriptions.py); a discount that a person adds in Stripe within that half second is
overwritten, and one that an invoice uses up in it makes Stripe refuse the list, which is then read again.
"""

import base64
import hashlib

from integrations.base import Access, AccountCheck, IssueOrder, IssueOutcome, IssueResult, TakeBack
from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderRetryable
from integrations.providers.stripe import account, coupons, taking_back, words
from integrations.providers.stripe.amounts import InexactAmount
from integrations.providers.stripe.client import Conversation, Missing, Refused
from integrations.providers.stripe.coupons import CUSTOMER_KEY, PERCENT, REWARD_KEY, CouponState
from integrations.providers.stripe.customers import PAGE, Json, NotIssuable, the_customer, waiting
from integrations.providers.stripe.subscriptions import (
    alone_with,
    coupons_on,
    discounts_set,
    inherited_discount,
    subscriptions_of,
    will_be_invoiced,
)
from referral_rocket.kit.clock import wall

# How often the list is read anew because what was on it went away meanwhile.
READINGS = 3


class StripeDiscount:
    """The payout adapter of both methods. See `integrations.base.PayoutAdapter` and `ReturnsMoney`."""

    def __init__(self, *, changes_price: bool) -> None:
        self._changes_price = changes_price

    def issue(self, access: Access, order: IssueOrder) -> IssueResult:
        talk = Conversation(access)
        # The first try finds nothing of itself, so it needn't ask.
        state = coupons.state_of(talk, coupons.coupon_id(order)) if order.first_attempt_at else CouponState()
        if state.is_done:
            return _done(talk, state)
        try:
            return self._issue(access, talk, order, state)
        except NotIssuable as reason:
            if state.coupon is not None:
                coupons.delete(talk, state.coupon["id"])
            return reason.result(talk)
        except InexactAmount as error:
            raise ProviderRejected(f"{error} Choose another method.", exchanges=talk.exchanges) from error
        except Missing as gone:
            # The customer was deleted since it was found.
            if gone.code == "customer_not_found":
                return waiting(talk, gone.code, gone.message)
            raise

    def _issue(self, access: Access, talk: Conversation, order: IssueOrder, state: CouponState) -> IssueResult:
        fields = coupons.terms(order, repeating=self._changes_price)
        customer = the_customer(talk, order, any_currency=order.coupon.kind == PERCENT)
        try:
            with alone_with(talk, access.connection_id, customer["id"], order.reward_id):
                return self._give(talk, order, customer, fields, state)
        except OutcomeUnknown as unknown:
            unknown.recipient_provider_id = customer["id"]
            raise

    def _give(
        self, talk: Conversation, order: IssueOrder, customer: Json, fields: Json, state: CouponState
    ) -> IssueResult:
        coupon = state.coupon
        for _ in range(READINGS):
            subscription, kept = self._place(talk, order, customer)
            coupon = coupons.made_for(talk, order, fields, customer["id"], coupon)
            if subscription is None:
                return _promise(talk, order, customer, coupon)
            try:
                return _put_on(talk, subscription, kept, coupon)
            except Missing:
                # One of the discounts that were to be kept was used up or taken off since we looked.
                continue
            except Refused as refused:
                return _after_refusal(talk, coupon, refused)
        raise ProviderRetryable(words.BUSY, code="provider_busy", sent=True, exchanges=talk.exchanges)

    def _place(self, talk: Conversation, order: IssueOrder, customer: Json) -> tuple[Json | None, list[str]]:
        """The subscription that takes it, with the discounts to be kept; None for a promotion code. Raises NotIssuable."""
        live = will_be_invoiced(subscriptions_of(talk, customer["id"]))
        if not live:
            if self._changes_price:
                raise NotIssuable("no_subscription", words.NO_SUBSCRIPTION)
            _refuse_second_promise(talk, order, customer)
            return None, []
        fitting = live
        if order.coupon.kind != PERCENT:
            fitting = [each for each in live if each["currency"].upper() == order.currency]
        if not fitting:
            theirs = live[0]["currency"].upper()
            raise NotIssuable("currency_mismatch", words.subscription_currency(theirs, order.currency))
        chosen = fitting[0]
        inherited = inherited_discount(talk, customer, chosen)
        there = [*coupons_on(chosen), *([inherited["source"]["coupon"]] if inherited else [])]
        if any(coupon["duration"] == "once" for coupon in there):
            raise NotIssuable("unredeemed_discount", words.UNREDEEMED)
        if any((coupon.get("metadata") or {}).get(REWARD_KEY) for each in live for coupon in coupons_on(each)):
            raise NotIssuable("unredeemed_discount", words.UNREDEEMED_REWARD)
        kept = [inherited["id"]] if inherited else [discount["id"] for discount in chosen["discounts"]]
        return chosen, kept

    def look_up(self, access: Access, order: IssueOrder) -> IssueResult | None:
        talk = Conversation(access)
        state = coupons.state_of(talk, coupons.coupon_id(order))
        return _done(talk, state) if state.is_done else None

    def check(self, access: Access) -> AccountCheck:
        return account.check(access)

    def take_back(self, access: Access, order: TakeBack) -> IssueResult:
        return taking_back.take_back(access, order)

    def look_up_taken_back(self, access: Access, order: TakeBack) -> IssueResult | None:
        return taking_back.look_up(access, order)


def _put_on(talk: Conversation, subscription: Json, kept: list[str], coupon: Json) -> IssueResult:
    wanted = [*({"discount": each} for each in kept), {"coupon": coupon["id"]}]
    changed = discounts_set(talk, subscription["id"], wanted)
    if coupon["id"] not in [each["id"] for each in coupons_on(changed)]:
        raise OutcomeUnknown(words.UNREADABLE, exchanges=talk.exchanges)
    return _done(talk, CouponState(coupon))


def _after_refusal(talk: Conversation, coupon: Json, refused: Refused) -> IssueResult:
    """A coupon that is used up was given by a request that we had given up on; any other refusal leaves nobody with it."""
    state = coupons.state_of(talk, coupon["id"])
    if state.is_done:
        return _done(talk, state)
    coupons.delete(talk, coupon["id"])
    raise ProviderRejected(refused.message, exchanges=talk.exchanges) from refused


# Without a subscription ------------------------------------------------------------------------------------------


def _refuse_second_promise(talk: Conversation, order: IssueOrder, customer: Json) -> None:
    """Raises NotIssuable while a promotion code of an earlier reward waits to be used by this customer."""
    with talk.reading():
        page = talk.api.promotion_codes.list({"customer": customer["id"], "active": True, "limit": PAGE})
        for each in page.auto_paging_iter():
            code = each.to_dict()
            ours = (code.get("metadata") or {}).get(REWARD_KEY)
            ended = code.get("expires_at") is not None and code["expires_at"] <= wall().timestamp()
            if ours and ours != str(order.reward_id) and not code["times_redeemed"] and not ended:
                raise NotIssuable("unredeemed_discount", words.unredeemed_code(code["code"]))


def code_of(order: IssueOrder) -> str:
    """The code that the customer types in, derived from the reward: Stripe refuses to have it twice."""
    digest = hashlib.sha256(order.idempotency_key.encode()).digest()
    return "THANKS-" + base64.b32encode(digest)[:10].decode()


def _promise(talk: Conversation, order: IssueOrder, customer: Json, coupon: Json) -> IssueResult:
    params: Json = {
        "promotion": {"type": "coupon", "coupon": coupon["id"]},
        "code": code_of(order),
        "customer": customer["id"],
        "max_redemptions": 1,
        "metadata": {**order.metadata, REWARD_KEY: str(order.reward_id)},
    }
    if coupon.get("redeem_by"):
        params["expires_at"] = coupon["redeem_by"]
    try:
        with talk.writing():
            code = talk.api.promotion_codes.create(params).to_dict()  # type: ignore[arg-type]
            if code["promotion"]["coupon"] != coupon["id"] or code["customer"] != customer["id"]:
                raise OutcomeUnknown(words.UNREADABLE, exchanges=talk.exchanges)
    except Refused as refused:
        return _after_refusal(talk, coupon, refused)
    return _done(talk, CouponState(coupon, code))


def _done(talk: Conversation, state: CouponState) -> IssueResult:
    promotion, coupon = state.promotion, state.coupon or {}
    customer = (promotion or {}).get("customer") or (coupon.get("metadata") or {}).get(CUSTOMER_KEY)
    message = words.promised(promotion["code"]) if promotion else words.ON_NEXT_INVOICE
    if not promotion and coupon.get("duration") == coupons.REPEATING:
        message = words.on_invoices(coupon["duration_in_months"])
    return IssueResult(
        IssueOutcome.SUCCEEDED,
        sent=True,
        provider_reference=state.reference,
        recipient_provider_id=customer,
        message=message,
        exchanges=tuple(talk.exchanges),
    )
