"""Many rows by one statement: what is stored is what `bulk_create` would store."""

from datetime import UTC, datetime

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from participants.models import Customer
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity, PendingActivity
from referral_rocket.kit.inserting import rows_insert
from tests import factories

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 11, 24, 18, 0, 0, 123456, tzinfo=UTC)


def activities(organization, number):
    return [
        Activity(
            organization=organization,
            at=MOMENT,
            actor=factories.ACTOR,
            kind='a "kind"\\ of {0} %s ☕',
            subject_type="x",
            subject_id=organization.pk,
            data={"deep": [1, None, "\n", {"é": True}], "number": place},
        )
        for place in range(number)
    ]


def customer(organization, name, **fields):
    return Customer(organization=organization, email_key=f"{name}@example.com", name=name, created_at=MOMENT, **fields)


def test_it_works(organization):
    rows = activities(organization, 3)
    with tenant(organization):
        with CaptureQueriesContext(connection) as captured:
            inserted = rows_insert(rows)
        assert len(captured) == 1
        stored = list(Activity.objects.filter(pk__in=inserted).order_by("data__number").values())

    assert inserted == {row.pk for row in rows}
    assert stored == [{field: getattr(row, field) for field in stored[0]} for row in rows]
    assert not any(row._state.adding for row in rows)


def test_nothing_is_no_statement(organization):
    with CaptureQueriesContext(connection) as captured:
        assert rows_insert([]) == set()
    assert len(captured) == 0


def test_a_row_that_is_there_is_left_out(organization):
    with tenant(organization):
        known = customer(organization, "ann", external_id="1")
        assert rows_insert([known]) == {known.pk}
        again, other = customer(organization, "ann"), customer(organization, "ben")

        assert rows_insert([again, other], skip_conflicts=True) == {other.pk}

        assert set(Customer.objects.values_list("pk", "external_id", "email")) == {
            (known.pk, "1", None),
            (other.pk, None, None),
        }


def test_what_is_too_long_is_refused_and_not_cut_off(organization):
    with tenant(organization):
        with pytest.raises(DataError), transaction.atomic():
            rows_insert([customer(organization, "x" * 201)])
        assert not Customer.objects.exists()


def test_row_level_security_holds(organization, other_organization):
    with pytest.raises(Exception, match="row-level security"), tenant(organization):
        rows_insert([customer(other_organization, "ann")])


def test_no_value_is_not_the_null_of_json(organization):
    rows = [
        PendingActivity(organization=organization, activity_id=organization.pk, snapshot=snapshot, available_at=MOMENT)
        for snapshot in (None, {"empty": None})
    ]
    with tenant(organization):
        rows_insert(rows)

        assert list(PendingActivity.objects.filter(snapshot__isnull=True)) == [rows[0]]
        assert PendingActivity.objects.get(snapshot__isnull=False).snapshot == {"empty": None}
