"""Working off a claim of events takes a number of queries that doesn't grow with the events."""

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from integrations.models import Connection
from participants.models import Participant
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward
from tests import factories
from tests.webhooks.stripe_sales import deliver, sale
from webhooks.inbound import dispatch

pytestmark = pytest.mark.django_db


def queries_for(connection: Connection, participant: Participant, count: int) -> int:
    """Of working off `count` payments, three events each, of people who were referred and are new to Stripe."""
    for number in range(count):
        friend = factories.participant(participant.campaign, f"f{count}-{number}@example.com", referred_by=participant)
        with tenant(friend.organization):
            email = friend.customer.email
        deliver(connection, sale(email=email).values())
    with CaptureQueriesContext(
        database,
    ) as captured:
        dispatch.run(seconds=10)
    return len(captured)


def test_it_works(connection: Connection, participant: Participant) -> None:
    queries_for(connection, participant, 1)  # what a connection's first event needs besides
    few = queries_for(connection, participant, 2)
    many = queries_for(connection, participant, 12)

    assert many == few
    with tenant(participant.organization):
        assert Reward.objects.count() == 15
