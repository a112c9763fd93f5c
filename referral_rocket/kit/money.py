"""Money: integers in a currency's minor unit, beside its ISO 4217 code. Never a float.

The number of decimals is ISO 4217's (JPY 0, USD 2, KWD 3), which differs from the CLDR's for some currencies; so
Babel's patterns are used for showing, with our own number of decimals.
"""

import copy
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from iso4217 import Currency

# A bigint holds 9.2e18; a tenth of that leaves room for sums. Larger amounts are refused at the edge.
MAXIMUM_AMOUNT = 10**15
_LARGEST_EXPONENT = 18


class InvalidAmount(ValueError):
    """The text is no amount of that currency; the message says why, for a person."""


@lru_cache(maxsize=512)
def is_currency(code: str) -> bool:
    """Whether `code` is an ISO 4217 currency with a minor unit (so not XAU, not lower case)."""
    try:
        return Currency(code).exponent is not None
    except ValueError:
        return False


@lru_cache(maxsize=512)
def digits(code: str) -> int:
    """Decimals of a currency. Raises ValueError for an unknown one."""
    exponent = Currency(code).exponent
    if exponent is None:
        raise ValueError(f"{code} has no minor unit")
    return int(exponent)


def share(amount: int, part: int, whole: int) -> int:
    """`amount × part ÷ whole`, rounded half to even once. `whole` above 0."""
    quotient, remainder = divmod(amount * part, whole)
    twice = 2 * remainder
    if twice > whole or (twice == whole and quotient % 2):
        quotient += 1
    return quotient


def rate_of(amount: int, rate: Decimal) -> int:
    """`amount × rate`, rounded half to even once: half of 5 cents is 2, a tenth of 15 is 2."""
    numerator, denominator = rate.as_integer_ratio()
    return share(amount, numerator, denominator)


@lru_cache(maxsize=64)
def _locale(name: str) -> Locale:
    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en")


def format_money(amount: int, currency: str, locale: str = "en") -> str:
    """`format_money(1234, "USD")` is `$12.34`; `format_money(500, "JPY")` is `¥500`."""
    places = digits(currency)
    babel_locale = _locale(locale)
    pattern = copy.copy(babel_locale.currency_formats["standard"])
    pattern.frac_prec = (places, places)
    value = Decimal(amount).scaleb(-places)
    return str(pattern.apply(value, babel_locale, currency=currency, currency_digits=False))


def plain(amount: int, currency: str) -> str:
    """The amount in major units for files and form fields: `12.34`, without sign of currency or grouping."""
    places = digits(currency)
    return f"{Decimal(amount).scaleb(-places):.{places}f}"


def parse_money(text: str, currency: str) -> int:
    """`12.34` in USD is 1234. Raises InvalidAmount for anything but a positive amount with the currency's decimals."""
    cleaned = text.strip().replace(" ", "").replace("\u00a0", "")
    try:
        value = Decimal(cleaned)
    except InvalidOperation as error:
        raise InvalidAmount("Enter an amount such as 12.50, without a currency sign.") from error
    if not value.is_finite() or value <= 0:
        raise InvalidAmount("Enter an amount above 0.")
    # Before any arithmetic: an exponent of a million digits would overflow it.
    if value.adjusted() > _LARGEST_EXPONENT:
        raise InvalidAmount("This amount is too large.")
    if value.adjusted() < -_LARGEST_EXPONENT:
        raise InvalidAmount(f"{currency} has {digits(currency)} decimals; enter no more.")
    minor = value.scaleb(digits(currency))
    if minor != minor.to_integral_value():
        raise InvalidAmount(f"{currency} has {digits(currency)} decimals; enter no more.")
    if minor > MAXIMUM_AMOUNT:
        raise InvalidAmount("This amount is too large.")
    return int(minor)


def known_currencies() -> list[tuple[str, str]]:
    """(code, English name) of the currencies in use today, by code, for choices in forms."""
    in_use = {
        code
        for spans in get_global("territory_currencies").values()
        for code, _, end, tender in spans
        if end is None and tender
    }
    names = _locale("en").currencies
    return sorted((code, str(names.get(code, code))) for code in in_use if is_currency(code))
