"""The OpenAPI document is true: what it describes is taken, answered and refused as it says."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis.generation import GenerationMode

from tests.api.client import Caller, one_connection
from tests.api.conftest import Scene, set_up

# A few random examples of each call in CI; with SCHEMATHESIS_EXAMPLES=100 so many, and each limit of each field besides.
LONG = os.environ.get("SCHEMATHESIS_EXAMPLES")
EXAMPLES = int(LONG or "10")

CONFIGURATION = {
    "generation": {"deterministic": True},
    "phases": {"coverage": {"enabled": LONG is not None}},
    "checks": {
        # Rules that span fields (exactly one of amount, rate and tiers) and ISO 4217 are in words, not in JSON Schema.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "400", "403", "404", "409", "422"]},
        # An unparsable id in the path is a 404 like an id that nobody has; another content type is a 415; what is longer
        # than a text may be can make a body that is larger than a body may be, 413.
        "negative_data_rejection": {
            "expected-statuses": ["400", "401", "403", "404", "405", "406", "413", "415", "422"]
        },
    },
}


def test_it_works(db: None) -> None:
    response = Client().get("/api/v1/schema", headers={"Accept": "application/json"})
    assert response.status_code == 200
    assert "/api/v1/campaigns/{campaign_id}/events" in response.json()["paths"]


def test_it_is_made_without_a_warning() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", file=os.devnull)


def test_its_page_is_served_without_a_key_and_from_here(db: None) -> None:
    page = Client().get("/api/v1/docs")
    assert page.status_code == 200
    assert b"https://" not in page.content.replace(b"https://www.w3.org", b"")


@pytest.fixture
def sample(api: Caller) -> Iterator[Scene]:
    scene = set_up(api, review_above=1)
    with one_connection():
        yield scene


def described() -> Any:
    # Made here rather than fetched, since tests are collected before there is a database.
    found = schemathesis.openapi.from_dict(
        SchemaGenerator().get_schema(request=None, public=True), config=schemathesis.Config.from_dict(CONFIGURATION)
    )
    found.app = get_wsgi_application()
    return found


document = described()


@document.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
def test_each_call_keeps_to_it(case: schemathesis.Case, sample: Scene) -> None:
    real = {
        "campaign_id": sample.campaign["campaign_id"],
        "participant_id": sample.ben["participant_id"],
        "customer_id": sample.ben["customer_id"],
    }
    if case.meta is None or case.meta.generation.mode == GenerationMode.POSITIVE:
        case.path_parameters |= {name: real[name] for name in real if name in case.path_parameters}
    case.call_and_validate(headers={"Authorization": f"Bearer {sample.api.token}"})
