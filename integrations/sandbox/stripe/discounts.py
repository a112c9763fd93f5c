"""Subscriptions, coupons and promotion codes of Stripe's stand-in.

As at Stripe: a coupon counts a redemption when it is put on something, and a `once` discount leaves its subscription with
the invoice that used it (control.py pays one). A populated list of discounts replaces what was there.
"""

import re
import time
from collections.abc import Callable
from typing import Any

from stripe.params import (
    CouponCreateParams,
    CouponDeleteParams,
    CouponListParams,
    CouponRetrieveParams,
    CouponUpdateParams,
    PromotionCodeCreateParams,
    PromotionCodeListParams,
    PromotionCodeRetrieveParams,
    PromotionCodeUpdateParams,
    SubscriptionCancelParams,
    SubscriptionListParams,
    SubscriptionRetrieveParams,
    SubscriptionUpdateParams,
)

from integrations.sandbox.stripe import billing_shapes as shapes
from integrations.sandbox.stripe.shelf import PROVIDER, Json, Shelf, refused

_COUPON_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_LONGEST = 5 * 366 * 86400
_GONE = ("canceled", "incomplete_expired")


class Discounts(Shelf):
    # Coupons -----------------------------------------------------------------------------------------------------

    def coupon_create(self, livemode: bool, params: Json) -> Json:
        if ("amount_off" in params) == ("percent_off" in params):
            raise refused("You must pass either percent_off or amount_off.", code="parameter_missing")
        if "amount_off" in params and "currency" not in params:
            raise refused("Must provide a currency with amount_off.", "currency", "parameter_missing")
        if (params.get("duration") == "repeating") != ("duration_in_months" in params):
            raise refused("duration_in_months goes with a repeating duration.", "duration_in_months")
        if params.get("amount_off", 1) <= 0 or not 0 < params.get("percent_off", 1) <= 100:
            raise refused("The discount must be greater than 0.", "amount_off", "parameter_invalid_integer")
        if "redeem_by" in params and not time.time() < params["redeem_by"] <= time.time() + _LONGEST:
            raise refused("redeem_by must be in the future, within 5 years.", "redeem_by")
        if len(params.get("name", "")) > 40:
            raise refused("Invalid string: must be at most 40 characters", "name", "parameter_invalid_string_too_long")
        with self._store.transaction():
            coupon = shapes.coupon(params, livemode)
            if not _COUPON_ID.fullmatch(coupon["id"]):
                raise refused("An id has only letters, digits, - and _.", "id")
            there = self._store.get(PROVIDER, livemode, "coupon", coupon["id"])
            if there is not None and not there.get("deleted"):
                raise refused("Coupon already exists.", "id", "resource_already_exists")
            self._save_coupon(livemode, coupon)
        return coupon

    def coupon_retrieve(self, livemode: bool, params: Json, coupon_id: str) -> Json:
        return self._coupon(livemode, coupon_id)

    def coupon_update(self, livemode: bool, params: Json, coupon_id: str) -> Json:
        with self._store.transaction():
            coupon = self._coupon(livemode, coupon_id)
            coupon["metadata"] |= params.get("metadata") or {}
            coupon["name"] = params.get("name", coupon["name"])
            self._save_coupon(livemode, coupon)
        return coupon

    def coupon_delete(self, livemode: bool, params: Json, coupon_id: str) -> Json:
        coupon = self._coupon(livemode, coupon_id)
        # What was made of it stays where it is: its discounts go on, and show what they were made of.
        self._save_coupon(livemode, coupon | {"deleted": True})
        return shapes.deleted_coupon(coupon_id)

    def coupon_list(self, livemode: bool, params: Json) -> Json:
        return self._page("coupon", livemode, params, url="/v1/coupons", keep=lambda coupon: not coupon.get("deleted"))

    def _coupon(self, livemode: bool, coupon_id: str, parameter: str = "coupon") -> Json:
        coupon = self._object("coupon", livemode, coupon_id, "coupon", parameter)
        if coupon.get("deleted"):
            return self._object("none", livemode, coupon_id, "coupon", parameter)
        return coupon

    def _save_coupon(self, livemode: bool, coupon: Json) -> None:
        coupon["valid"] = _is_valid(coupon)
        reward = coupon["metadata"].get("reward_id", "")
        self._store.put(PROVIDER, livemode, "coupon", coupon, lookup=reward)

    def _redeem(self, livemode: bool, coupon: Json, parameter: str) -> None:
        if not _is_valid(coupon):
            raise refused("This coupon has expired or been used up.", parameter, "coupon_expired")
        self._save_coupon(livemode, coupon | {"times_redeemed": coupon["times_redeemed"] + 1})

    # Promotion codes ---------------------------------------------------------------------------------------------

    def promotion_create(self, livemode: bool, params: Json) -> Json:
        if not params["promotion"].get("coupon"):
            raise refused("A promotion needs its coupon.", "promotion[coupon]", "parameter_missing")
        with self._store.transaction():
            coupon = self._coupon(livemode, params["promotion"]["coupon"], "promotion[coupon]")
            if "customer" in params:
                self._live_customer(livemode, params["customer"])
            code = shapes.promotion_code(params, livemode)
            taken = self._store.find(PROVIDER, "promotion_code", livemode=livemode, lookup=code["code"].upper())
            if any(other["active"] for other in taken):
                raise refused(f"An active promotion code with `code: {code['code']}` already exists.", "code")
            last = coupon["redeem_by"]
            if last and (code["expires_at"] or 0) > last:
                raise refused("expires_at can't be after the coupon's redeem_by.", "expires_at")
            self._save_promotion(livemode, code)
        return code

    def promotion_retrieve(self, livemode: bool, params: Json, code_id: str) -> Json:
        return self._object("promotion_code", livemode, code_id, "promotion code", "promotion_code")

    def promotion_update(self, livemode: bool, params: Json, code_id: str) -> Json:
        with self._store.transaction():
            code = self._object("promotion_code", livemode, code_id, "promotion code", "promotion_code")
            code["metadata"] |= params.get("metadata") or {}
            code["active"] = params.get("active", code["active"])
            self._save_promotion(livemode, code)
        return code

    def promotion_list(self, livemode: bool, params: Json) -> Json:
        def keep(code: Json) -> bool:
            return all(
                wanted is None or wanted == found
                for wanted, found in (
                    (params.get("active"), code["active"]),
                    (params.get("coupon"), code["promotion"]["coupon"]),
                    (params.get("customer"), code["customer"]),
                )
            )

        lookup = params["code"].upper() if "code" in params else None
        return self._page("promotion_code", livemode, params, url="/v1/promotion_codes", lookup=lookup, keep=keep)

    def _save_promotion(self, livemode: bool, code: Json) -> None:
        # Codes are found whatever the case.
        self._store.put(PROVIDER, livemode, "promotion_code", code, lookup=code["code"].upper())

    # Subscriptions -----------------------------------------------------------------------------------------------

    def subscription_list(self, livemode: bool, params: Json) -> Json:
        wanted = params.get("status")
        if "customer" in params:
            self._live_customer(livemode, params["customer"])

        def keep(subscription: Json) -> bool:
            status = subscription["status"]
            return wanted == "all" or (status == wanted if wanted else status not in _GONE)

        page = self._page(
            "subscription", livemode, params, url="/v1/subscriptions", parent=params.get("customer"), keep=keep
        )
        wishes = [path.removeprefix("data.") for path in params.get("expand", [])]
        return page | {"data": [self._expanded(livemode, each, wishes) for each in page["data"]]}

    def subscription_retrieve(self, livemode: bool, params: Json, subscription_id: str) -> Json:
        return self._expanded(livemode, self._subscription(livemode, subscription_id), params.get("expand", []))

    def subscription_update(self, livemode: bool, params: Json, subscription_id: str) -> Json:
        unknown = set(params) - {"discounts", "metadata", "expand", "cancel_at_period_end"}
        if unknown:
            raise refused(f"The stand-in doesn't change {', '.join(sorted(unknown))} of a subscription.")
        with self._store.transaction():
            subscription = self._subscription(livemode, subscription_id)
            if subscription["status"] in _GONE:
                raise refused("A canceled subscription can only update its cancellation details.", "discounts")
            if "discounts" in params:
                subscription["discounts"] = self._discounts(livemode, subscription, params["discounts"] or [])
            if "cancel_at_period_end" in params:
                subscription["cancel_at_period_end"] = params["cancel_at_period_end"]
            subscription["metadata"] |= params.get("metadata") or {}
            self._save_subscription(subscription)
        return self._expanded(livemode, subscription, params.get("expand", []))

    def subscription_cancel(self, livemode: bool, params: Json, subscription_id: str) -> Json:
        with self._store.transaction():
            subscription = self._subscription(livemode, subscription_id)
            subscription |= {"status": "canceled", "canceled_at": int(time.time()), "ended_at": int(time.time())}
            self._save_subscription(subscription)
        return subscription

    def _discounts(self, livemode: bool, subscription: Json, wanted: list[Json]) -> list[str]:
        """The ids of the list that replaces the subscription's."""
        kept = []
        for place, each in enumerate(wanted):
            if len(each) != 1:
                raise refused("Give exactly one of coupon, promotion_code and discount.", f"discounts[{place}]")
            kept.append(self._one_discount(livemode, subscription, place, *next(iter(each.items()))))
        return kept

    def _one_discount(self, livemode: bool, subscription: Json, place: int, kind: str, value: str) -> str:
        parameter = f"discounts[{place}][{kind}]"
        if kind == "discount":
            customer = self._customer(livemode, subscription["customer"])
            inherited = (customer.get("discount") or {}).get("id")
            if value not in subscription["discounts"] and value != inherited:
                self._object("none", livemode, value, "discount", parameter)
            return value
        promotion = None
        if kind == "promotion_code":
            promotion = self._object("promotion_code", livemode, value, "promotion code", parameter)
            if not promotion["active"] or promotion["customer"] not in (None, subscription["customer"]):
                raise refused("This promotion code can't be redeemed by this customer.", parameter)
            self._save_promotion(livemode, promotion | {"times_redeemed": promotion["times_redeemed"] + 1})
            value = promotion["promotion"]["coupon"]
        coupon = self._coupon(livemode, value, parameter)
        if coupon["currency"] not in (None, subscription["currency"]):
            raise refused("The coupon's currency isn't the subscription's.", parameter)
        self._redeem(livemode, coupon, parameter)
        discount = shapes.discount(subscription, coupon, promotion["id"] if promotion else None)
        self._store.put(PROVIDER, livemode, "discount", discount, parent=subscription["id"])
        return discount["id"]

    def _subscription(self, livemode: bool, subscription_id: str) -> Json:
        return self._object("subscription", livemode, subscription_id, "subscription")

    def _save_subscription(self, subscription: Json) -> None:
        livemode, customer = subscription["livemode"], subscription["customer"]
        self._store.put(PROVIDER, livemode, "subscription", subscription, parent=customer)

    def _expanded(self, livemode: bool, subscription: Json, wishes: list[str]) -> Json:
        """With its discounts, and their coupons, where `expand` asks for them."""
        if not any(wish.startswith("discounts") for wish in wishes):
            return subscription
        discounts = [self._store.get(PROVIDER, livemode, "discount", each) for each in subscription["discounts"]]
        if "discounts.source.coupon" in wishes:
            for discount in discounts:
                assert discount is not None
                coupon = self._store.get(PROVIDER, livemode, "coupon", discount["source"]["coupon"])
                discount["source"] = {**discount["source"], "coupon": coupon}
        return {**subscription, "discounts": discounts}


def _is_valid(coupon: Json) -> bool:
    used_up = coupon["max_redemptions"] is not None and coupon["times_redeemed"] >= coupon["max_redemptions"]
    late = coupon["redeem_by"] is not None and coupon["redeem_by"] <= time.time()
    return not used_up and not late and not coupon.get("deleted", False)


_COUPON, _PROMOTION, _SUBSCRIPTION = (
    rf"/v1/{name}/([\w-]+)" for name in ("coupons", "promotion_codes", "subscriptions")
)
ROUTES: tuple[tuple[str, str, type, Callable[..., Any]], ...] = (
    ("POST", "/v1/coupons", CouponCreateParams, Discounts.coupon_create),
    ("GET", "/v1/coupons", CouponListParams, Discounts.coupon_list),
    ("GET", _COUPON, CouponRetrieveParams, Discounts.coupon_retrieve),
    ("POST", _COUPON, CouponUpdateParams, Discounts.coupon_update),
    ("DELETE", _COUPON, CouponDeleteParams, Discounts.coupon_delete),
    ("POST", "/v1/promotion_codes", PromotionCodeCreateParams, Discounts.promotion_create),
    ("GET", "/v1/promotion_codes", PromotionCodeListParams, Discounts.promotion_list),
    ("GET", _PROMOTION, PromotionCodeRetrieveParams, Discounts.promotion_retrieve),
    ("POST", _PROMOTION, PromotionCodeUpdateParams, Discounts.promotion_update),
    ("GET", "/v1/subscriptions", SubscriptionListParams, Discounts.subscription_list),
    ("GET", _SUBSCRIPTION, SubscriptionRetrieveParams, Discounts.subscription_retrieve),
    ("POST", _SUBSCRIPTION, SubscriptionUpdateParams, Discounts.subscription_update),
    ("DELETE", _SUBSCRIPTION, SubscriptionCancelParams, Discounts.subscription_cancel),
)
