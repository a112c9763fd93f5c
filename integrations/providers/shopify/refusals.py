"""Shopify's errors in our words: the one table of `userErrors`, and the top-level errors of a call.

Codes: https://shopify.dev/docs/api/admin-graphql/2026-10/enums/GiftCardErrorCode, …/DiscountErrorCode, and
https://shopify.dev/docs/api/usage/response-codes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.base import Exchange
from integrations.errors import (
    ConnectionNeedsAttention,
    OutcomeUnknown,
    ProviderError,
    ProviderRejected,
    ProviderRetryable,
)
from integrations.providers.shopify import words
from integrations.providers.shopify.points import seconds_until

Json = Mapping[str, Any]

# A code that is taken is no refusal yet: what has it is looked at.
TAKEN = "TAKEN"
# userErrors by code: our code and sentence. What isn't here is refused in Shopify's own words.
USER_ERRORS: Mapping[str, tuple[str, str]] = {
    "CUSTOMER_NOT_FOUND": ("customer_not_found", words.CUSTOMER_NOT_FOUND),
    "RECIPIENT_NOT_FOUND": ("invalid_recipient", words.INVALID_RECIPIENT),
    "GIFT_CARD_LIMIT_EXCEEDED": ("rejected_by_provider", words.GIFT_CARD_LIMIT),
    "INTERNAL_ERROR": ("outcome_unknown", words.INTERNAL),
}
# Nothing was sent to anybody, and another customer would do: these wait instead of failing.
WAITS = frozenset({"customer_not_found", "invalid_recipient"})


def user_error(errors: Sequence[Json], exchanges: Sequence[Exchange]) -> ProviderError:
    """The error for the first of a mutation's userErrors; there is at least one."""
    first = errors[0]
    said = str(first.get("message") or "")
    code, message = USER_ERRORS.get(
        str(first.get("code")), ("rejected_by_provider", words.REFUSED.format(said=said or first.get("code")))
    )
    if code == "outcome_unknown":
        return OutcomeUnknown(message, exchanges=exchanges)
    return ProviderRejected(message, code=code, exchanges=exchanges)


def is_taken(errors: Sequence[Json]) -> bool:
    """Whether the code that we gave is already some gift card's or discount's."""
    return any(error.get("code") == TAKEN and "code" in (error.get("field") or ["code"]) for error in errors)


def call_error(
    errors: Sequence[Json], cost: Json | None, *, writes: bool, exchanges: Sequence[Exchange]
) -> ProviderError:
    """The error for a call that as a whole was answered with `errors`; what it asked for wasn't done."""
    first = errors[0]
    code = str((first.get("extensions") or {}).get("code") or "")
    said = str(first.get("message") or "")
    if code == "THROTTLED":
        return ProviderRetryable(
            words.BUSY,
            code="rate_limited",
            retry_after=seconds_until(cost) if cost else None,
            sent=True,
            exchanges=exchanges,
        )
    if code == "ACCESS_DENIED":
        return _access_denied(said, exchanges)
    if code == "SHOP_INACTIVE":
        return ConnectionNeedsAttention(words.SHOP_INACTIVE, exchanges=exchanges)
    if code in ("INTERNAL_SERVER_ERROR", ""):
        if writes:
            return OutcomeUnknown(words.INTERNAL, exchanges=exchanges)
        return ProviderRetryable(words.UNREADABLE_READ, sent=True, exchanges=exchanges)
    return ProviderRejected(words.REFUSED.format(said=said), exchanges=exchanges)


# Permissions that only one method, or looking at past orders, needs, by what Shopify's sentence names: the permission, or the field that was asked for.
_OF_ONE_METHOD = (
    (("gift_cards", "giftCard"), words.GIFT_CARDS_NOT_ENABLED),
    (("discounts", "iscount"), words.DISCOUNTS_NOT_ENABLED),
    (("read_orders", "disputes"), words.ORDERS_NOT_ALLOWED),
)


def _access_denied(said: str, exchanges: Sequence[Exchange]) -> ProviderError:
    """A permission that only one method needs refuses that method; any other leaves the connection without use."""
    for names, message in _OF_ONE_METHOD:
        if any(name in said for name in names):
            return ProviderRejected(message, exchanges=exchanges)
    return ConnectionNeedsAttention(words.WITHOUT_PERMISSION.format(said=said), exchanges=exchanges)
