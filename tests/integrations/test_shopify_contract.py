"""What we say to Shopify, and what the stand-in says, held against the schema that Shopify publishes."""

import json
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    execute,
    is_required_argument,
    is_required_input_field,
    parse,
    validate,
)
from graphql.validation import NoDeprecatedCustomRule

from integrations.base import IssueOutcome
from integrations.providers.shopify import queries
from integrations.providers.shopify.account import check
from integrations.providers.shopify.discount import ShopifyDiscount
from integrations.providers.shopify.gift_card import ShopifyGiftCard
from integrations.sandbox.shopify.api import SCHEMA_FILE
from referral_rocket.kit.http import Caller
from tests.integrations.payout_cases import TakeBackCases
from tests.integrations.shopify import access_to, add_customer, order_for
from tests.integrations.shopify_schema import schema_in

DOCUMENTS = {
    name: value
    for name, value in vars(queries).items()
    if name.isupper() and not name.startswith("_") and name != "API_VERSION"
}
OURS = build_schema(SCHEMA_FILE.read_text())
NAMES = [name for name in OURS.type_map if not name.startswith("__")]


@pytest.fixture(scope="module")
def schema(contracts) -> GraphQLSchema:
    return schema_in(contracts)


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_it_works(schema, name):
    """Every document is valid, names only fields that there are, and gives every argument that is needed."""
    assert validate(schema, parse(DOCUMENTS[name])) == []


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_nothing_deprecated_is_asked_for(schema, name):
    assert validate(schema, parse(DOCUMENTS[name]), [NoDeprecatedCustomRule]) == []


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_the_stand_in_answers_every_document(name):
    assert validate(OURS, parse(DOCUMENTS[name])) == []


# The stand-in's schema is a part of Shopify's ---------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_stand_ins_types_are_shopifys(schema, name):
    ours, theirs = OURS.type_map[name], schema.type_map.get(name)
    assert type(theirs) is type(ours)
    match ours:
        case GraphQLEnumType():
            assert set(ours.values) <= set(theirs.values)
        case GraphQLUnionType():
            assert {each.name for each in ours.types} <= {each.name for each in theirs.types}
        case GraphQLObjectType():
            for field_name, field in ours.fields.items():
                assert str(field.type) == str(theirs.fields[field_name].type)
                _same_inputs(field.args, theirs.fields[field_name].args, is_required_argument)
        case GraphQLInputObjectType():
            assert ours.is_one_of == theirs.is_one_of
            _same_inputs(ours.fields, theirs.fields, is_required_input_field)
        case GraphQLScalarType():
            assert name in {
                "Boolean",
                "Date",
                "DateTime",
                "Decimal",
                "Float",
                "ID",
                "Int",
                "String",
                "URL",
                "UnsignedInt64",
            }


def _same_inputs(ours: Any, theirs: Any, is_required: Any) -> None:
    assert {name: str(each.type) for name, each in ours.items()} == {name: str(theirs[name].type) for name in ours}
    assert {name for name, each in theirs.items() if is_required(each)} <= set(ours)


# What is really said, and really answered -------------------------------------------------------------------------


@pytest.fixture
def said(sandbox, monkeypatch) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every request and answer of one reward issued, looked up and taken back by each method, a refusal and a check."""
    spoken: list[tuple[dict[str, Any], dict[str, Any]]] = []
    honest = Caller.send

    def send(self: Caller, method: str, url: str, **named: Any) -> Any:
        assert (method, url.rpartition("/shopify")[2]) == ("POST", "/admin/api/2026-10/graphql.json")
        answer = honest(self, method, url, **named)
        spoken.append((json.loads(named["body"]), json.loads(answer.body)))
        return answer

    monkeypatch.setattr(Caller, "send", send)
    access = access_to(sandbox)
    add_customer(sandbox)
    for adapter in (ShopifyGiftCard(), ShopifyDiscount()):
        order = order_for()
        cases = TakeBackCases()
        cases.send = lambda adapter, access, order: adapter.issue(access, order)  # type: ignore[attr-defined]
        back, _ = cases.deduction(adapter, access, order)
        assert adapter.issue(access, order).outcome == IssueOutcome.SUCCEEDED
        assert adapter.look_up(access, order).outcome == IssueOutcome.SUCCEEDED
        assert adapter.take_back(access, back).outcome == IssueOutcome.SUCCEEDED
        assert adapter.issue(access, order_for("nobody@example.com")).code == "customer_not_found"
    check(access)
    return spoken


def test_what_is_said_and_answered_is_of_shopifys_shapes(schema, said):
    """Executed over Shopify's own schema: variables of its input types, answers that its types can say."""
    assert len(said) > 12
    for asked, answered in said:
        result = execute(
            schema,
            parse(asked["query"]),
            root_value=answered["data"],
            variable_values=asked["variables"],
            type_resolver=_type_of,
        )
        assert result.errors is None
        assert result.data == answered["data"]


def _type_of(value: dict[str, Any], *_: Any) -> str:
    """The stand-in's answers name the types only where they were asked to; the rest shows by its fields."""
    if "__typename" in value:
        return str(value["__typename"])
    return next(name for field, name in _BY_FIELD.items() if field in value)


_BY_FIELD = {
    "customers": "DiscountCustomers",
    "amount": "DiscountAmount",
    "percentage": "DiscountPercentage",
}


def test_every_answer_tells_its_cost(said):
    for _, answered in said:
        cost = answered["extensions"]["cost"]
        assert set(cost) == {"requestedQueryCost", "actualQueryCost", "throttleStatus"}
        assert set(cost["throttleStatus"]) == {"maximumAvailable", "currentlyAvailable", "restoreRate"}


# What Shopify would refuse ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document", ["query A { nothing }", "query A { giftCard { id } }", "nonsense", 'query A { giftCard(id: "1") { id }']
)
def test_the_stand_in_refuses_what_shopify_would(sandbox, document):
    answer = sandbox.call(
        "POST",
        "/shopify/admin/api/2026-10/graphql.json",
        json.dumps({"query": document}),
        {"X-Shopify-Access-Token": "shpat_test_1", "Content-Type": "application/json"},
    )

    assert answer.status_code == 200
    (error, *_) = answer.json()["errors"]
    assert error["message"]
    assert "data" not in answer.json()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/shopify/admin/api/2026-10/graphql.json", {}, 401),
        ("/shopify/admin/api/2026-10/graphql.json", {"X-Shopify-Access-Token": "sk_test_1"}, 401),
        ("/shopify/admin/api/2026-10/shop.json", {"X-Shopify-Access-Token": "shpat_test_1"}, 404),
    ],
)
def test_without_a_token_or_a_place(sandbox, path, headers, status):
    assert sandbox.call("POST", path, json.dumps({"query": queries.ACCOUNT}), headers).status_code == status


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"code": "short77"}, "TOO_SHORT"),
        ({"code": "a" * 21}, "TOO_LONG"),
        ({"code": "with-hyphen"}, "INVALID"),
        ({"initialAmount": None}, "MISSING_ARGUMENT"),
        ({"initialAmount": {"amount": "0", "currencyCode": "USD"}}, "GREATER_THAN"),
        ({"initialAmount": {"amount": "2000.01", "currencyCode": "USD"}}, "GIFT_CARD_LIMIT_EXCEEDED"),
        ({"customerId": "gid://shopify/Customer/1"}, "CUSTOMER_NOT_FOUND"),
    ],
)
def test_a_card_that_the_stand_in_refuses(schema, sandbox, wanted, code):
    assert code in schema.type_map["GiftCardErrorCode"].values
    card = {"code": "abcdefgh1234", "initialAmount": {"amount": "12.00", "currencyCode": "USD"}, **wanted}
    answer = sandbox.call(
        "POST",
        "/shopify/admin/api/2026-10/graphql.json",
        json.dumps({"query": queries.GIFT_CARD_CREATE, "variables": {"input": card}}),
        {"X-Shopify-Access-Token": "shpat_test_1"},
    ).json()

    assert [error["code"] for error in answer["data"]["giftCardCreate"]["userErrors"]] == [code]
    assert sandbox.get("shopify/gift_cards")["gift_cards"] == []
