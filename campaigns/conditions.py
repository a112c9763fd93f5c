"""Conditions of a rule: `{"all" | "any": [{field, op, value} | nested]}`, checked, answered and put in words.

Fields: `amount currency country product metadata.<key>`; operations: `eq ne in gte lte` (api.md, Shapes).
"""

import re
from collections.abc import Mapping
from typing import Any

FIELDS = ("amount", "currency", "country", "product")
OPERATIONS = {"eq": "is", "ne": "is not", "in": "is one of", "gte": "is at least", "lte": "is at most"}
# Deeper or longer trees than a person would write are refused, so that a rule can't be made slow on purpose.
MAXIMUM_DEPTH = 5
MAXIMUM_PARTS = 100
_METADATA = "metadata."
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_ONE_VALUE = "value is a text or an integer"


class InvalidCondition(ValueError):
    """The tree isn't one; the message says where and what is expected."""


def check(tree: Any, depth: int = 1) -> int:
    """Number of parts of a well-formed tree. Raises InvalidCondition."""
    if not isinstance(tree, Mapping):
        raise InvalidCondition("a condition is an object")
    if depth > MAXIMUM_DEPTH:
        raise InvalidCondition(f"conditions nest at most {MAXIMUM_DEPTH} deep")
    if set(tree) in ({"all"}, {"any"}):
        parts = next(iter(tree.values()))
        if not isinstance(parts, list) or not parts:
            raise InvalidCondition("all and any take a list of at least one condition")
        count = sum(check(part, depth + 1) for part in parts)
        if count > MAXIMUM_PARTS:
            raise InvalidCondition(f"at most {MAXIMUM_PARTS} conditions")
        return count
    if set(tree) != {"field", "op", "value"}:
        raise InvalidCondition("a condition has field, op and value, or all, or any")
    _check_leaf(tree["field"], tree["op"], tree["value"])
    return 1


def _check_leaf(field: Any, operation: Any, value: Any) -> None:
    if not isinstance(field, str) or not _known(field):
        raise InvalidCondition(f"field is one of {', '.join(FIELDS)} or metadata.<key>")
    if not isinstance(operation, str) or operation not in OPERATIONS:
        raise InvalidCondition(f"op is one of {', '.join(OPERATIONS)}")
    values = value if operation == "in" else [value]
    if not isinstance(values, list) or not values or not all(map(_is_simple, values)):
        raise InvalidCondition("in takes a list of texts or integers" if operation == "in" else _ONE_VALUE)
    numbers = all(isinstance(each, int) for each in values)
    if operation in ("gte", "lte") and not numbers:
        raise InvalidCondition(f"{operation} takes an integer")
    if field == "amount" and not numbers:
        raise InvalidCondition("amount is compared with integers in minor units")


def _known(field: str) -> bool:
    return field in FIELDS or (field.startswith(_METADATA) and field != _METADATA)


def _is_simple(value: Any) -> bool:
    # To Python true and false are integers too.
    return isinstance(value, str | int) and not isinstance(value, bool)


def hold(tree: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether the conditions hold for `values`: a value for each of FIELDS (`product` a set) and `metadata`, a mapping.

    A missing value is unequal to everything and neither large nor small.
    """
    if "all" in tree:
        return all(hold(part, values) for part in tree["all"])
    if "any" in tree:
        return any(hold(part, values) for part in tree["any"])
    field, operation, wanted = tree["field"], tree["op"], tree["value"]
    if field == "product":
        return _holds_for_products(operation, wanted, values["product"])
    if field.startswith(_METADATA):
        return _holds(operation, wanted, _as_wanted(values["metadata"].get(field.removeprefix(_METADATA)), wanted))
    return _holds(operation, wanted, values[field])


def _as_wanted(found: Any, wanted: Any) -> Any:
    """A metadata value as what it is compared with: payment systems have texts there only, `"3"` for 3."""
    numbers = all(isinstance(each, int) for each in (wanted if isinstance(wanted, list) else [wanted]))
    if numbers and isinstance(found, str) and _INTEGER.fullmatch(found):
        return int(found)
    return found


def _holds(operation: str, wanted: Any, found: Any) -> bool:
    if operation == "ne":
        return bool(found != wanted)
    if found is None:
        return False
    if operation == "eq":
        return bool(found == wanted)
    if operation == "in":
        return found in wanted
    if isinstance(found, bool) or not isinstance(found, int):
        return False
    return found >= wanted if operation == "gte" else found <= wanted


def _holds_for_products(operation: str, wanted: Any, products: frozenset[str]) -> bool:
    if operation == "ne":
        return wanted not in products
    wanted_set = set(wanted) if operation == "in" else {wanted}
    return bool(wanted_set & products)


def in_words(tree: Mapping[str, Any]) -> str:
    """`amount is at least 5000 and country is one of DE, AT`, with nested parts in brackets."""
    for word, joint in (("all", " and "), ("any", " or ")):
        if word in tree:
            parts = [in_words(part) for part in tree[word]]
            return joint.join(
                f"({part})" if "all" in sub or "any" in sub else part
                for part, sub in zip(parts, tree[word], strict=True)
            )
    value = tree["value"]
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{tree['field'].replace('metadata.', '')} {OPERATIONS[tree['op']]} {shown}"
