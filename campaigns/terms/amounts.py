"""The one check of every amount that is put in."""

from typing import Any

from referral_rocket.kit.money import MAXIMUM_AMOUNT

# Field, code and message.
Error = tuple[str, str, str]


def amount_errors(name: str, value: Any, *, least: int) -> list[Error]:
    if value is None:
        return []
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAXIMUM_AMOUNT:
        return [(name, "out_of_range", f"Use a whole number of minor units from {least} to {MAXIMUM_AMOUNT}.")]
    return []
