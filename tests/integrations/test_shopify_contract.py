"""What we say to Shopify, held against the schema that Shopify publishes."""

import pytest
from graphql import GraphQLSchema, parse, validate
from graphql.validation import NoDeprecatedCustomRule

from integrations.providers.shopify import queries
from tests.integrations.shopify_schema import schema_in

DOCUMENTS = {
    name: value
    for name, value in vars(queries).items()
    if name.isupper() and not name.startswith("_") and name != "API_VERSION"
}


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
