"""Conditions of a rule: `{"all" | "any": [{field, op, value} | nested]}`, checked, answered and put in words.

Fields: `amount currency country product metadata.<key>`; operations: `eq ne in gte lte` (api.md, Shapes).
"""

from collections.abc import Mapping
from typing import Any

FIELDS = ("amount", "currency", "country", "product")
OPERATIONS = {"eq": "is", "ne": "is not", "in": "is one of", "gte": "is at least", "lte": "is at most"}
# Deeper or longer trees than a person would write are refused, so that a rule can't be made slow on purpose.
MAXIMUM_DEPTH = 5
MAXIMUM_PARTS = 100


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
    if not isinstance(field, str) or (field not in FIELDS and not field.removeprefix("metadata.") != field):
        raise InvalidCondition(f"field is one of {', '.join(FIELDS)} or metadata.<key>")
    if operation not in OPERATIONS:
        raise InvalidCondition(f"op is one of {', '.join(OPERATIONS)}")
    if operation == "in":
        if not isinstance(value, list) or not value or not all(isinstance(each, str | int) for each in value):
            raise InvalidCondition("in takes a list of texts or integers")
        return
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidCondition("value is a text or an integer")
    if operation in ("gte", "lte") and not isinstance(value, int):
        raise InvalidCondition(f"{operation} takes an integer")
    if field == "amount" and not isinstance(value, int):
        raise InvalidCondition("amount is compared with an integer in minor units")


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
    found = values["metadata"].get(field.removeprefix("metadata.")) if field.startswith("metadata.") else values[field]
    return _holds(operation, wanted, found)


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
