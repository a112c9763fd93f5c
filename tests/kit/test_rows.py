"""Many rows are written by one statement, each value as the model's field stores it."""

from datetime import UTC, datetime

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from participants.models import Payment
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.rows import rows_update
from tests import factories

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
FIELDS = ("amount", "currency", "occurred_at", "metadata", "items", "email", "customer")


def payments(organization: Organization) -> list[Payment]:
    link = factories.connection(organization)
    with tenant(organization):
        rows = [
            Payment(organization=organization, connection=link, source="STRIPE", tax=7, created_at=AT) for _ in range(3)
        ]
        return Payment.objects.bulk_create(rows)


def test_it_works(organization: Organization) -> None:
    first, second, other = payments(organization)
    first.amount, first.currency, first.occurred_at, first.email = 1200, "USD", AT, "a@example.com"
    first.metadata, first.items = {"note": 'it\'s \u00e4 "quote"', "none": None}, [{"product": "p", "quantity": 1}]
    second.amount = None

    with tenant(organization):
        with CaptureQueriesContext(connection) as captured:
            assert rows_update([first, second], FIELDS) == 2
        stored = {row.pk: row for row in Payment.objects.all()}

    assert len(captured) == 1
    assert [getattr(stored[first.pk], name) for name in FIELDS] == [getattr(first, name) for name in FIELDS]
    assert [stored[second.pk].amount, stored[second.pk].metadata, stored[second.pk].customer_id] == [None, {}, None]
    assert (stored[other.pk].amount, stored[first.pk].tax) == (None, 7)


def test_nothing_is_no_statement(organization: Organization) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert rows_update([], ["amount"]) == 0
    assert len(captured) == 0


def test_what_is_too_long_is_refused_and_not_cut(organization: Organization) -> None:
    first, *_ = payments(organization)
    first.currency = "EURO"

    with pytest.raises(DataError), tenant(organization):
        rows_update([first], ["currency"])


def test_another_tenant_s_row_isn_t_written(organization: Organization, other_organization: Organization) -> None:
    first, *_ = payments(organization)
    first.amount = 1

    with tenant(other_organization):
        assert rows_update([first], ["amount"]) == 0

    with tenant(organization):
        assert Payment.objects.get(pk=first.pk).amount is None
