"""Stripe's amounts and ISO 4217 minor units, converted in this one place.

Stripe mostly counts as ISO 4217 does. What differs is from its page "Supported currencies":
- MGA is zero-decimal at Stripe, two decimals in ISO;
- ISK and UGX have no decimals in ISO, and Stripe keeps two for them for backward compatibility, always `00`;
- three-decimal currencies are counted in thousandths whose last digit must be 0.
"""

from referral_rocket.kit.money import digits

_STRIPE_DIGITS = {"MGA": 0, "ISK": 2, "UGX": 2}
_STEP_OF_THREE_DIGITS = 10


class InexactAmount(ValueError):
    """An amount that Stripe can't carry exactly; the message says which steps it takes."""


def _factor(currency: str) -> tuple[int, int]:
    """(numerator, denominator) that takes ISO minor units to Stripe's. Raises ValueError for an unknown currency."""
    iso = digits(currency)
    stripe = _STRIPE_DIGITS.get(currency, iso)
    return 10 ** max(stripe - iso, 0), 10 ** max(iso - stripe, 0)


def to_stripe(amount: int, currency: str) -> int:
    """Stripe's integer for an amount in ISO minor units. Raises InexactAmount where Stripe has no such amount."""
    numerator, denominator = _factor(currency)
    step = _STEP_OF_THREE_DIGITS if digits(currency) == 3 else denominator
    if amount % step:
        raise InexactAmount(f"Stripe takes {currency} only in steps of {step} minor units.")
    return amount * numerator // denominator


def from_stripe(amount: int, currency: str) -> int:
    """ISO minor units for Stripe's integer. A part of a unit that ISO doesn't have is rounded down.

    Raises TypeError for anything but an integer, ValueError for a negative one or an unknown currency.
    """
    if type(amount) is not int:
        raise TypeError(f"an amount is an integer, not {amount!r}")
    if amount < 0:
        raise ValueError(f"an amount of {amount}")
    numerator, denominator = _factor(currency)
    return amount * denominator // numerator
