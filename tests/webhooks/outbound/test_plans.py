"""Writing results goes by key, also when the statistics are from before a burst."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit.clock import wall
from webhooks.outbound import claiming
from webhooks.outbound.endpoints import endpoint_create
from webhooks.outbound.models import Delivery
from webhooks.outbound.results import Result, results_write

pytestmark = pytest.mark.django_db


def add(organization, endpoint, number, status):
    now = wall()
    with tenant(organization):
        Delivery.objects.bulk_create(
            Delivery(
                organization=organization,
                endpoint=endpoint,
                event_type="EVENT",
                body="{}",
                status=status,
                next_attempt_at=now,
                created_at=now,
            )
            for _ in range(number)
        )


def walked_again_and_again(plan):
    """The indexes, other than the key, by which a nested loop would read deliveries; None is the whole table."""
    found = []
    for below in plan.get("Plans", ()):
        found += walked_again_and_again(below)
        if plan["Node Type"] == "Nested Loop" and below.get("Relation Name") == "outbound_delivery":
            found.append(below.get("Index Name"))
    return [name for name in found if name != "outbound_delivery_pkey"]


def test_it_works(organization):
    with tenant(organization):
        endpoint = endpoint_create(
            organization=organization, url="https://example.com/", event_types=["EVENT"], actor="system:test"
        ).endpoint
    add(organization, endpoint, 500, "DELIVERED")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE outbound_delivery")
    # To the planner nothing is due now, whatever comes.
    add(organization, endpoint, 300, "PENDING")
    shipments = claiming.claim(token=claiming.new_token(), room=200, rooms={}, usual_room=200)

    with CaptureQueriesContext(connection) as captured:
        assert results_write([Result(each, wall(), 5, 204) for each in shipments]) == 200

    (sql,) = [query["sql"] for query in captured.captured_queries if "json_to_recordset" in query["sql"]][:1]
    with every_organization("test"), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        (answer,) = cursor.fetchone()
    plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    assert walked_again_and_again(plan) == []
