"""Many events are worked on once more: those that a filter shows, paced, once each, and safe twice."""

from datetime import timedelta
from typing import Any

import pytest

from integrations.models import Connection
from participants.models import Participant, QualifyingEvent
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from referral_rocket.kit import clock
from rewards.models import Reward
from tests import factories
from tests.rewards.books import assert_books_agree
from tests.webhooks.stored import store
from tests.webhooks.stripe_sales import SESSION, sale
from webhooks.inbound import dispatch, replaying
from webhooks.inbound.models import InboundEvent, Replay
from webhooks.inbound.replaying import ReplayRefused, inbound_replay_many

pytestmark = pytest.mark.django_db


def stored(connection: Connection, status: str, number: int = 1, **fields: Any) -> list[InboundEvent]:
    given = {"status": status, "event_type": SESSION, "livemode": True, "attempts": 7, "reason": "it failed", **fields}
    return [store(connection, sale()[SESSION], **given) for _ in range(number)]


def ask(connection: Connection, status: str = "FAILED", event_type: str = "") -> Replay:
    with tenant(connection.organization):
        return inbound_replay_many(connection=connection, status=status, event_type=event_type, actor="user:me")


def statuses(organization: Organization) -> list[str]:
    with tenant(organization):
        return list(InboundEvent.objects.order_by("pk").values_list("status", flat=True))


@pytest.fixture
def friend(participant: Participant) -> Participant:
    return factories.participant(participant.campaign, "friend@example.com", referred_by=participant)


def test_it_works(organization: Organization, connection: Connection, friend: Participant) -> None:
    stored(connection, "FAILED", 3)
    stored(connection, "IGNORED", 1)
    stored(connection, "PROCESSED", 1)

    replay = ask(connection)
    assert (replay.total, replaying.run(), replaying.run()) == (3, 3, 0)
    dispatch.run()

    assert statuses(organization) == ["PROCESSED"] * 3 + ["IGNORED", "PROCESSED"]
    with tenant(organization):
        replay.refresh_from_db()
        assert (replay.taken, replay.finished_at is not None) == (3, True)
        assert replaying.progress([replay])[replay.pk] == {"RECEIVED": 0, "PROCESSED": 3, "IGNORED": 0, "FAILED": 0}
        assert QualifyingEvent.objects.count() == 3
        assert Activity.objects.get(kind="inbound.replayed_many").data == {"status": "FAILED", "type": "", "number": 3}
    assert_books_agree(organization)


def test_what_counted_is_not_counted_again(
    organization: Organization, connection: Connection, friend: Participant
) -> None:
    """Replayed twice, with a failure in between that lost nothing: each payment has one reward."""
    stored(connection, "FAILED", 2)
    for _ in range(2):
        ask(connection)
        replaying.run()
        dispatch.run()
        with tenant(organization):
            InboundEvent.objects.update(status="FAILED")

    with tenant(organization):
        assert (QualifyingEvent.objects.count(), Reward.objects.filter(status="PENDING").count()) == (2, 1)
    assert_books_agree(organization)


@pytest.mark.parametrize(
    ("status", "event_type", "again"),
    [("IGNORED", "", [2, 3]), ("", "", [0, 1, 2, 3]), ("", "orders/paid", [1, 3]), ("FAILED", "orders/paid", [1])],
)
def test_only_what_the_filter_shows(
    organization: Organization, connection: Connection, status: str, event_type: str, again: list[int]
) -> None:
    for each in ("FAILED", "IGNORED"):
        stored(connection, each)
        stored(connection, each, event_type="orders/paid")
    stored(connection, "PROCESSED", event_type="orders/paid")

    ask(connection, status, event_type)
    replaying.run()

    assert [place for place, each in enumerate(statuses(organization)) if each == "RECEIVED"] == again


def test_what_arrives_later_or_is_elsewhere_is_left_alone(
    organization: Organization, connection: Connection, other_organization: Organization
) -> None:
    stored(connection, "FAILED")
    stored(factories.connection(organization), "FAILED")
    stored(factories.connection(other_organization), "FAILED")
    ask(connection)
    (later,) = stored(connection, "FAILED")
    with tenant(organization):
        InboundEvent.objects.filter(pk=later.pk).update(received_at=clock.wall() + timedelta(seconds=1))

    assert replaying.run() == 1

    assert statuses(organization) == ["RECEIVED", "FAILED", "FAILED"]
    assert statuses(other_organization) == ["FAILED"]


def test_a_second_one_at_the_same_time_is_refused(organization: Organization, connection: Connection) -> None:
    stored(connection, "FAILED")
    ask(connection)

    with pytest.raises(ReplayRefused):
        ask(connection)

    with tenant(organization):
        assert Replay.objects.count() == 1


@pytest.mark.parametrize("status", ["PROCESSED", "RECEIVED"])
def test_what_counted_or_waits_can_t_be_asked_for(
    organization: Organization, connection: Connection, status: str
) -> None:
    stored(connection, status)

    with pytest.raises(ReplayRefused):
        ask(connection, status)
    with pytest.raises(ReplayRefused):
        ask(connection, "")

    assert statuses(organization) == [status]
    with tenant(organization):
        assert not Replay.objects.exists()


def test_it_goes_on_where_it_stopped_and_keeps_the_queue_short(
    organization: Organization, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two parts, the next sweep takes the rest; no more than so many wait at a time."""
    monkeypatch.setattr(replaying, "CHUNK", 2)
    monkeypatch.setattr(replaying, "MOST_WAITING", 4)
    stored(connection, "FAILED", 7, event_type="other.type")
    replay = ask(connection)

    taken = []
    for _ in range(4):
        taken.append(replaying.run())
        dispatch.run()
        # Whatever failed again isn't taken twice.
        with tenant(organization):
            InboundEvent.objects.filter(status="IGNORED").update(status="FAILED")

    assert taken == [4, 3, 0, 0]
    with tenant(organization):
        replay.refresh_from_db()
        assert (replay.taken, replay.finished_at is not None) == (7, True)


def test_a_part_that_broke_off_is_taken_whole_the_next_time(
    organization: Organization, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(connection, "FAILED", 3)
    ask(connection)
    with monkeypatch.context() as broken:
        broken.setattr(replaying, "F", lambda name: 1 / 0)
        assert replaying.run() == 0
    assert statuses(organization) == ["FAILED"] * 3

    assert replaying.run() == 3
