"""Amounts as PayPal takes them: decimal texts, by PayPal's own number of decimals.

From PayPal's page "Currency codes": the currencies it pays out in, and the three of them that it takes without
decimals. JPY has none in ISO 4217 either; HUF and TWD have two there.
"""

from referral_rocket.kit.money import digits, plain

CURRENCIES = frozenset(
    [
        "AUD",
        "BRL",
        "CAD",
        "CHF",
        "CNY",
        "CZK",
        "DKK",
        "EUR",
        "GBP",
        "HKD",
        "HUF",
        "ILS",
        "JPY",
        "MXN",
        "MYR",
        "NOK",
        "NZD",
        "PHP",
        "PLN",
        "SEK",
        "SGD",
        "THB",
        "TWD",
        "USD",
    ]
)
_WHOLE = frozenset({"HUF", "JPY", "TWD"})


class NotPayable(ValueError):
    """An amount that PayPal has no text for."""


def to_paypal(amount: int, currency: str) -> str:
    """`1234, USD` is `12.34`; `120000, HUF` is `1200`. Raises NotPayable for a part of a unit that PayPal doesn't have."""
    if currency not in _WHOLE:
        return plain(amount, currency)
    unit = 10 ** digits(currency)
    if amount % unit:
        raise NotPayable(currency)
    return str(amount // unit)


def smallest(currency: str) -> str:
    """The smallest amount that can be written in a currency."""
    return to_paypal(10 ** digits(currency) if currency in _WHOLE else 1, currency)
