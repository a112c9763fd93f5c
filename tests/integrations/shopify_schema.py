"""Shopify's Admin API 2026-10 as Shopify publishes it, for tests to hold requests and answers against."""

import gzip
import json
from functools import lru_cache
from pathlib import Path

from graphql import GraphQLSchema, build_client_schema


@lru_cache(maxsize=1)
def schema_in(contracts: Path) -> GraphQLSchema:
    """Building it takes two seconds, so a test process does it once.

    It is taken as valid: Shopify deprecates some fields that an interface doesn't, which graphql-core would refuse.
    """
    published = json.loads(gzip.decompress((contracts / "shopify-admin-2026-10.json.gz").read_bytes()))
    return build_client_schema(published["data"], assume_valid=True)
