from decimal import Decimal

import pytest

from referral_rocket.kit.money import (
    MAXIMUM_AMOUNT,
    InvalidAmount,
    digits,
    format_money,
    is_currency,
    known_currencies,
    parse_money,
    plain,
    rate_of,
    share,
)


def test_it_works():
    assert format_money(1234, "USD") == "$12.34"
    assert parse_money("12.34", "USD") == 1234


@pytest.mark.parametrize(
    ("code", "expected"),
    [("USD", 2), ("JPY", 0), ("KWD", 3), ("CLP", 0), ("ISK", 0), ("HUF", 2), ("UGX", 0), ("CLF", 4)],
)
def test_digits_are_those_of_iso_4217(code, expected):
    assert digits(code) == expected
    assert is_currency(code)


@pytest.mark.parametrize("code", ["usd", "US", "", "XXX", "XAU", "ZZZ", "USDX", " USD", "12"])
def test_what_is_no_currency_to_pay_in(code):
    assert not is_currency(code)
    with pytest.raises(ValueError, match=r"minor unit|not a valid|is not|Currency"):
        digits(code)


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "shown"),
    [
        (0, "USD", "en", "$0.00"),
        (5, "USD", "en", "$0.05"),
        (-5, "USD", "en", "-$0.05"),
        (500, "JPY", "en", "¥500"),
        (1234567, "KWD", "en", "KWD1,234.567"),
        (123456789, "EUR", "de", "1.234.567,89 €"),
        # Beyond what a float holds exactly.
        (999_999_999_999_999, "USD", "en", "$9,999,999,999,999.99"),
        (1234, "USD", "xx-nowhere", "$12.34"),
    ],
)
def test_how_an_amount_is_shown(amount, currency, locale, shown):
    assert format_money(amount, currency, locale).replace("\u00a0", "").replace(" ", "") == shown.replace(" ", "")


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(1234, "USD", "12.34"), (5, "KWD", "0.005"), (500, "JPY", "500"), (0, "EUR", "0.00")],
)
def test_how_an_amount_is_written_to_a_file(amount, currency, text):
    assert plain(amount, currency) == text


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("12", "USD", 1200),
        (" 1 000.50 ", "USD", 100050),
        ("1000", "JPY", 1000),
        ("0.001", "KWD", 1),
        ("12.340", "USD", 1234),
        ("10000000000000.00", "USD", MAXIMUM_AMOUNT),
    ],
)
def test_what_is_typed_as_an_amount(text, currency, amount):
    assert parse_money(text, currency) == amount


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("", "USD"),
        ("twelve", "USD"),
        ("$12", "USD"),
        ("12,50", "USD"),
        ("0", "USD"),
        ("-1", "USD"),
        ("12.345", "USD"),
        ("1.5", "JPY"),
        ("0.0001", "KWD"),
        ("nan", "USD"),
        ("inf", "USD"),
        ("-inf", "USD"),
        ("10000000000000.01", "USD"),
        ("1e400", "USD"),
        ("1e999999", "USD"),
        ("1e-999999", "USD"),
        ("\u0661\u0662..", "USD"),
    ],
)
def test_what_is_no_amount(text, currency):
    with pytest.raises(InvalidAmount):
        parse_money(text, currency)


@pytest.mark.parametrize(
    ("amount", "part", "whole", "expected"),
    [
        (5, 1, 3, 2),
        (5, 1, 2, 2),
        (7, 1, 2, 4),
        (1, 1, 2, 0),
        (3, 1, 2, 2),
        (1000, 0, 7, 0),
        (10**15, 10**15 - 1, 10**15, 10**15 - 1),
    ],
)
def test_a_share_is_rounded_half_to_even(amount, part, whole, expected):
    assert share(amount, part, whole) == expected


@pytest.mark.parametrize(
    ("amount", "rate", "expected"),
    [(5, "0.5", 2), (15, "0.5", 8), (15, "0.1", 2), (25, "0.1", 2), (5, "0.33333333", 2), (0, "0.5", 0)],
)
def test_a_rate_is_rounded_half_to_even(amount, rate, expected):
    assert rate_of(amount, Decimal(rate)) == expected


def test_currencies_to_choose_from():
    codes = [code for code, _ in known_currencies()]

    assert codes == sorted(codes)
    assert {"USD", "EUR", "JPY", "KWD", "INR"} <= set(codes)
    assert all(map(is_currency, codes))
