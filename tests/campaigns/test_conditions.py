import pytest

from campaigns.conditions import MAXIMUM_DEPTH, MAXIMUM_PARTS, InvalidCondition, check, in_words

LEAF = {"field": "country", "op": "eq", "value": "DE"}


def nested(depth):
    tree = LEAF
    for _ in range(depth - 1):
        tree = {"all": [tree]}
    return tree


def test_it_works():
    tree = {"all": [LEAF, {"any": [{"field": "amount", "op": "gte", "value": 5000}, LEAF]}]}

    assert check(tree) == 3
    assert in_words(tree) == "country is DE and (amount is at least 5000 or country is DE)"


@pytest.mark.parametrize(
    "tree",
    [
        None,
        [],
        "x",
        {},
        {"all": []},
        {"all": LEAF},
        {"all": [LEAF], "any": [LEAF]},
        {"not": [LEAF]},
        {"field": "country", "op": "eq"},
        {**LEAF, "extra": 1},
        {**LEAF, "field": "email"},
        {**LEAF, "field": "metadata"},
        {**LEAF, "field": ["country"]},
        {**LEAF, "op": "like"},
        {**LEAF, "op": ["eq"]},
        {**LEAF, "value": None},
        {**LEAF, "value": 1.5},
        {**LEAF, "value": True},
        {**LEAF, "value": ["DE"]},
        {**LEAF, "op": "in"},
        {**LEAF, "op": "in", "value": []},
        {**LEAF, "op": "in", "value": [["DE"]]},
        {**LEAF, "op": "in", "value": [True]},
        {"field": "amount", "op": "gte", "value": "5000"},
        {"field": "amount", "op": "eq", "value": "5000"},
        {"field": "amount", "op": "in", "value": ["5000"]},
        {"field": "metadata.", "op": "eq", "value": "x"},
        nested(MAXIMUM_DEPTH + 1),
        nested(2000),
        {"all": [LEAF] * (MAXIMUM_PARTS + 1)},
    ],
    ids=range(30),
)
def test_what_is_no_condition(tree):
    with pytest.raises(InvalidCondition):
        check(tree)


def test_how_deep_and_long_a_tree_may_be():
    assert check(nested(MAXIMUM_DEPTH)) == 1
    assert check({"any": [LEAF] * MAXIMUM_PARTS}) == MAXIMUM_PARTS
