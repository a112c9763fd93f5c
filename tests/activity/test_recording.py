"""What happened is written once, in the transaction in which it happens."""

import pytest
from django.db import transaction

from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit.clock import wall
from referral_rocket.kit.ids import uuid7

pytestmark = pytest.mark.django_db


def test_it_works(organization):
    subject, at = uuid7(), wall()
    with tenant(organization):
        record(
            organization=organization,
            actor="user:1",
            at=at,
            happenings=[
                Happening("thing.made", "thing", subject, data={"n": 1}),
                Happening("thing.used", "thing", subject),
            ],
        )

        entries = list(Activity.objects.order_by("id"))

    assert [(entry.kind, entry.subject_id, entry.actor, entry.at, entry.data) for entry in entries] == [
        ("thing.made", subject, "user:1", at, {"n": 1}),
        ("thing.used", subject, "user:1", at, {}),
    ]


def test_what_is_rolled_back_did_not_happen(organization):
    with tenant(organization):
        with transaction.atomic():
            record(organization=organization, actor="user:1", happenings=[Happening("thing.made", "thing", uuid7())])
            transaction.set_rollback(True)

        assert not Activity.objects.exists()


def test_others_see_nothing_of_it(organization, other_organization):
    with tenant(organization):
        record(organization=organization, actor="user:1", happenings=[Happening("thing.made", "thing", uuid7())])
    with tenant(other_organization):
        assert not Activity.objects.exists()


def test_many_happenings_are_as_many_statements_as_one(organization, django_assert_num_queries):
    happenings = [Happening("thing.made", "thing", uuid7()) for _ in range(50)]

    with tenant(organization), django_assert_num_queries(2):
        record(organization=organization, actor="user:1", happenings=happenings)


def test_nothing_happened(organization):
    with tenant(organization):
        assert record(organization=organization, actor="user:1", happenings=[]) == []
