"""What needs a person is mailed once to each member who may do something about it and wants to know."""

from datetime import timedelta
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
import time_machine

from integrations.services import connection_needs_attention
from referral_rocket.accounts.models import Membership, Organization, User
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity import outbox
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit.clock import wall
from referral_rocket.kit.ids import uuid7
from referral_rocket.notices import sending
from referral_rocket.notices.kinds import NoticeKind
from referral_rocket.notices.models import PendingNotice
from referral_rocket.notices.services import notices_choose, notices_wanted
from tests import factories
from tests.concurrency import at_once

pytestmark = pytest.mark.django_db


def join(organization: Organization, role: str, **fields: Any) -> User:
    user = factories.user(**fields)
    with tenant(organization):
        Membership.objects.create(organization=organization, user=user, role=role)
    return user


def break_connection(organization: Organization) -> None:
    connection = factories.connection(organization)
    with tenant(organization):
        connection_needs_attention(connection=connection, reason="Stripe refuses the key.", actor="system:test")
    outbox.run()


def batch(organization: Organization, kind: str, **told: Any) -> None:
    happening = Happening(kind, "batch", uuid7(), snapshot={"counts": {"total": 8, **told.pop("counts", {})}, **told})
    with tenant(organization):
        record(organization=organization, actor="system:test", happenings=[happening])
    outbox.run()


def owed(organization: Organization) -> int:
    with tenant(organization):
        return PendingNotice.objects.count()


def test_it_works(organization: Organization, mailoutbox: list[Any]) -> None:
    admin = join(organization, Role.ADMIN)
    join(organization, Role.MARKETER)
    join(organization, Role.ADMIN, is_active=False)
    break_connection(organization)

    assert sending.run() == 2
    assert sending.run() == 0
    assert admin.email in [mail.to[0] for mail in mailoutbox]
    assert mailoutbox[0].subject == "Acme: a connection needs attention"
    assert "Stripe refuses the key." in mailoutbox[0].body
    assert f"/o/{organization.slug}/integrations/" in mailoutbox[0].body
    assert owed(organization) == 0


def test_a_test_organization_is_named(organization: Organization, mailoutbox: list[Any]) -> None:
    break_connection(organization.test_organization)

    assert sending.run() == 1
    assert mailoutbox[0].subject == "Acme (test): a connection needs attention"
    assert f"/o/{organization.test_organization.slug}/integrations/" in mailoutbox[0].body
    assert f"/o/{organization.slug}/settings/notifications/" in mailoutbox[0].body


def test_who_declined_it_gets_none(organization: Organization, mailoutbox: list[Any]) -> None:
    admin = join(organization, Role.ADMIN)
    with tenant(organization):
        notices_choose(organization=organization, user=admin, wanted=[NoticeKind.APPROVAL])
        notices_choose(organization=organization, user=admin, wanted=[NoticeKind.APPROVAL])
        assert notices_wanted(user=admin) == [NoticeKind.APPROVAL]
    break_connection(organization)

    assert sending.run() == 1
    assert admin.email not in mailoutbox[0].to
    with tenant(organization):
        notices_choose(organization=organization, user=admin, wanted=NoticeKind.values)
        assert notices_wanted(user=admin) == NoticeKind.values


def test_a_batch_for_a_second_person(organization: Organization, mailoutbox: list[Any]) -> None:
    batch(organization, "batch.created", status="QUEUED")
    assert owed(organization) == 0
    batch(organization, "batch.created", status="AWAITING_APPROVAL")

    assert sending.run() == 1
    assert mailoutbox[0].subject == "Acme: a batch waits for approval"
    assert "A batch of 8 rewards is prepared." in mailoutbox[0].body


def test_a_batch_with_rewards_left(organization: Organization, mailoutbox: list[Any]) -> None:
    batch(organization, "batch.finished", status="FINISHED", counts={"succeeded": 8, "failed": 0})
    assert owed(organization) == 0
    batch(organization, "batch.finished", status="FINISHED", counts={"succeeded": 5, "failed": 2, "waiting": 1})

    assert sending.run() == 1
    assert mailoutbox[0].subject == "Acme: some rewards weren't issued"
    assert "Of 8 rewards in a batch, 3 couldn't be issued." in mailoutbox[0].body


def test_a_mail_server_that_fails_half_way_tells_nobody_twice(
    organization: Organization, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    join(organization, Role.ADMIN)
    break_connection(organization)
    real, calls = sending.send_mail, []

    def failing(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise SMTPServerDisconnected
        return real(*arguments)

    monkeypatch.setattr(sending, "send_mail", failing)
    assert sending.run() == 1
    assert sending.run() == 0
    with time_machine.travel(wall() + timedelta(minutes=11), tick=False):
        assert sending.run() == 1
    assert len({mail.to[0] for mail in mailoutbox}) == len(mailoutbox) == 2
    assert owed(organization) == 0


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_send_it_once(mailoutbox: list[Any]) -> None:
    organization = factories.organization("Acme")
    break_connection(organization)

    assert sorted(at_once(2, lambda number: sending.run())) == [0, 1]
    assert len(mailoutbox) == 1
