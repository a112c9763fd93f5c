"""What happened is handed to its consumers once, whatever fails on the way."""

from datetime import timedelta

import pytest
from django.db import transaction

from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity import outbox
from referral_rocket.activity.models import Activity, PendingActivity
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit.ids import uuid7
from tests import factories
from tests.concurrency import at_once

handed: list[outbox.Told] = []
poison: set[str] = set()


def consumer(organization, told):
    for each in told:
        if each.activity.kind in poison:
            raise RuntimeError("this one can't be handed on")
    handed.extend(told)


@pytest.fixture(autouse=True)
def _consumer(settings):
    settings.ACTIVITY_CONSUMERS = [f"{__name__}.consumer"]
    handed.clear()
    poison.clear()


@pytest.fixture
def tenant_of(db):
    """An organization whose outbox is empty."""
    found = factories.organization()
    outbox.run()
    handed.clear()
    return found


def happen(organization, *kinds):
    with tenant(organization):
        record(
            organization=organization,
            actor="system:test",
            happenings=[Happening(kind, "thing", uuid7(), snapshot={"kind": kind}) for kind in kinds],
        )


def waiting(organization):
    with tenant(organization):
        return PendingActivity.objects.count()


@pytest.mark.django_db
def test_it_works(tenant_of):
    happen(tenant_of, "one", "two")

    assert outbox.run() == 2
    assert [(each.activity.kind, each.snapshot) for each in handed] == [
        ("one", {"kind": "one"}),
        ("two", {"kind": "two"}),
    ]
    assert outbox.run() == 0
    assert waiting(tenant_of) == 0
    with tenant(tenant_of):
        assert Activity.objects.filter(kind__in=["one", "two"]).count() == 2


@pytest.mark.django_db
def test_what_rolls_back_is_not_told(tenant_of):
    with transaction.atomic():
        happen(tenant_of, "one")
        transaction.set_rollback(True)

    assert outbox.run() == 0
    assert handed == []


@pytest.mark.django_db
def test_a_bad_one_stops_only_itself_and_is_tried_again(tenant_of):
    poison.add("bad")
    happen(tenant_of, "one", "bad", "two")

    outbox.run()

    assert [each.activity.kind for each in handed] == ["one", "two"]
    with tenant(tenant_of):
        left = PendingActivity.objects.get()
        assert left.attempts == 1
        PendingActivity.objects.update(available_at=left.available_at - timedelta(seconds=5))

    poison.clear()
    outbox.run()

    assert [each.activity.kind for each in handed] == ["one", "two", "bad"]
    assert waiting(tenant_of) == 0


@pytest.mark.django_db
def test_organizations_take_turns(tenant_of):
    other = factories.organization()
    outbox.run()
    handed.clear()
    happen(tenant_of, *["many"] * 250)
    happen(other, "one")

    outbox.run()

    position = [each.activity.kind for each in handed].index("one")
    assert position <= outbox.CLAIM
    assert len(handed) == 251


@pytest.mark.django_db(transaction=True)
def test_many_at_once_hand_each_on_once(tenant_of):
    happen(tenant_of, *[f"kind {number}" for number in range(400)])

    at_once(6, lambda _: outbox.run())

    assert sorted(each.activity.kind for each in handed) == sorted(f"kind {number}" for number in range(400))
    assert waiting(tenant_of) == 0
