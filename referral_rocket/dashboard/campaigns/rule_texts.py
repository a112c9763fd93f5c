"""Tiers and conditions of a rule as lines of text, and back. What is typed is in major units and percents."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from campaigns.conditions import OPERATIONS
from campaigns.terms import percent
from referral_rocket.kit.money import InvalidAmount, parse_money, plain

_BY_WORDS = {words: operation for operation, words in OPERATIONS.items()}
# The longer words first: "is not" begins with "is".
_WORDS = sorted(_BY_WORDS, key=len, reverse=True)


class UnreadableText(ValueError):
    """A line can't be read; the message says which, and how one looks."""


def rate_text(rate: Decimal) -> str:
    """`0.05` is `5`: what stands in a field for percents."""
    return percent(rate).removesuffix(" %")


def read_rate(text: str) -> Decimal:
    """`5`, `5 %` and `2.5%` as a fraction. Raises UnreadableText."""
    cleaned = text.strip().removesuffix("%").strip()
    try:
        value = Decimal(cleaned)
    except InvalidOperation as error:
        raise UnreadableText("Enter a percentage such as 5 or 2.5.") from error
    if not value.is_finite():
        raise UnreadableText("Enter a percentage such as 5 or 2.5.")
    return value / 100


def tiers_text(tiers: Sequence[Mapping[str, Any]] | None, currency: str) -> str:
    """`1: 10.00` and `5: 15 %`, a line each."""
    lines = []
    for tier in tiers or []:
        much = plain(tier["amount"], currency) if tier.get("amount") else percent(Decimal(tier["rate"]))
        lines.append(f"{tier['from_referrals']}: {much}")
    return "\n".join(lines)


def read_tiers(text: str, currency: str) -> list[dict[str, Any]]:
    """Raises UnreadableText."""
    return [_read_tier(line, currency) for line in text.splitlines() if line.strip()]


def _read_tier(line: str, currency: str) -> dict[str, Any]:
    start, colon, much = (part.strip() for part in line.partition(":"))
    if not colon or not start.isdecimal():
        raise UnreadableText(f"“{line.strip()}” is no tier. Write a number of referrals, a colon and what it earns.")
    if much.endswith("%"):
        return {"from_referrals": int(start), "rate": f"{read_rate(much).normalize():f}"}
    try:
        return {"from_referrals": int(start), "amount": parse_money(much, currency)}
    except InvalidAmount as error:
        raise UnreadableText(f"“{line.strip()}”: {error}") from error


def conditions_text(tree: Mapping[str, Any] | None, currency: str) -> str:
    """A line for each condition of a flat tree; a nested one as the JSON that the API takes."""
    if tree is None:
        return ""
    parts = tree.get("all") or tree.get("any") or [tree]
    if any("field" not in part for part in parts):
        return json.dumps(tree, indent=2, ensure_ascii=False)
    return "\n".join(_condition_text(part, currency) for part in parts)


def _condition_text(part: Mapping[str, Any], currency: str) -> str:
    value = part["value"]
    if part["field"] == "amount":
        shown = ", ".join(plain(each, currency) for each in (value if isinstance(value, list) else [value]))
    else:
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{part['field']} {OPERATIONS[part['op']]} {shown}"


def joined_by(tree: Mapping[str, Any] | None) -> str:
    return "any" if tree is not None and "any" in tree else "all"


def read_conditions(text: str, joint: str, currency: str) -> dict[str, Any] | None:
    """None without any. Raises UnreadableText; whether the conditions make sense is the core's to say."""
    text = text.strip()
    if not text:
        return None
    if text.startswith("{"):
        try:
            tree: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise UnreadableText(f"This isn't well-formed JSON: {error}.") from error
        return tree
    return {joint: [_read_condition(line.strip(), currency) for line in text.splitlines() if line.strip()]}


def _read_condition(line: str, currency: str) -> dict[str, Any]:
    field, _, rest = line.partition(" ")
    words = next((words for words in _WORDS if rest.startswith(f"{words} ")), None)
    if words is None:
        raise UnreadableText(f"“{line}” is no condition. Write such as: country is one of DE, AT")
    operation = _BY_WORDS[words]
    value = rest.removeprefix(words).strip()
    if operation == "in":
        return {
            "field": field, "op": operation, "value": [_value(field, operation, each, currency) for each in value.split(",")]
        }  # fmt: skip
    return {"field": field, "op": operation, "value": _value(field, operation, value, currency)}


def _value(field: str, operation: str, text: str, currency: str) -> str | int:
    text = text.strip()
    if field == "amount":
        try:
            return parse_money(text, currency)
        except InvalidAmount as error:
            raise UnreadableText(f"“{text}”: {error}") from error
    if operation in ("gte", "lte"):
        if not text.lstrip("-").isdecimal():
            raise UnreadableText(f"“{text}” isn't a whole number.")
        return int(text)
    return text
