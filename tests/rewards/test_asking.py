"""A participant is asked by mail for what is missing: what, by whom to answer, once a week, and never an erased person."""

from collections.abc import Iterator
from datetime import timedelta
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.mail import EmailMessage

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from referral_rocket.kit import clock
from rewards.models import BatchItem, RecipientRequest, Reward, RewardBatch
from rewards.services import issuing
from rewards.services.asking import ASKABLE, Asked, NobodyToAsk, recipients_ask
from rewards.services.erasing import person_erase
from tests import factories
from tests.dashboard.visitor import member, text
from tests.integrations.stand_in import RunningSandbox, running
from webhooks.outbound import asking

pytestmark = pytest.mark.django_db


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": f"{sandbox.url}/stripe"}
        yield sandbox


@pytest.fixture
def batch(stand_in: RunningSandbox, organization: Organization) -> RewardBatch:
    """Two rewards of people whom Stripe doesn't know."""
    factories.connection(organization)
    made = factories.batch(
        organization, factories.due_rewards(factories.campaign(organization, name="Friends"), 2), method="STRIPE_CREDIT"
    )
    issuing.run(seconds=5)
    return made


def items(batch: RewardBatch) -> list[BatchItem]:
    with tenant(batch.organization):
        return list(BatchItem.objects.select_related("batch", "reward__customer").filter(batch=batch).order_by("pk"))


def ask(batch: RewardBatch, *some: BatchItem) -> Asked:
    with tenant(batch.organization):
        return recipients_ask(
            organization=batch.organization,
            items=some or items(batch),
            actor="user:1",
            reply_to="mia@acme.example",
        )


def sent_later(**span: float) -> int:
    with time_machine.travel(clock.wall() + timedelta(**span), tick=True):
        return asking.run()


def test_it_works(batch: RewardBatch, organization: Organization) -> None:
    first = items(batch)[0]
    assert first.code == "customer_not_found"
    assert ask(batch) == Asked(queued=2, lately=0, gone=0)
    assert mail.outbox == []

    assert asking.run() == 2
    assert asking.run() == 0
    (letter,) = [each for each in mail.outbox if each.to == [first.reward.customer.email]]
    assert letter.reply_to == ["mia@acme.example"]
    assert letter.subject == "Your reward from Acme is waiting"
    assert "- $12.00 from Friends" in letter.body
    assert "we don't know your account with us at Stripe: which e-mail address do you use there?" in letter.body
    assert "Answer this mail, or write to mia@acme.example." in letter.body
    with tenant(organization):
        recorded = Activity.objects.filter(kind="participant.asked", subject_id=first.reward.participant_id)
        assert [(each.actor, each.data["code"]) for each in recorded] == [("user:1", "customer_not_found")]


def test_not_twice_within_a_week(batch: RewardBatch) -> None:
    ask(batch, items(batch)[0])
    assert ask(batch) == Asked(queued=1, lately=1, gone=0)
    assert ask(batch) == Asked(queued=0, lately=2, gone=0)
    with time_machine.travel(clock.wall() + timedelta(days=6, hours=23), tick=True):
        assert ask(batch).queued == 0
    with time_machine.travel(clock.wall() + timedelta(days=7, minutes=1), tick=True):
        assert ask(batch).queued == 2
    with tenant(batch.organization):
        assert RecipientRequest.objects.count() == 4


def test_one_mail_for_all_that_waits_for_a_person(stand_in: RunningSandbox, organization: Organization) -> None:
    factories.connection(organization)
    sharer = factories.participant(factories.campaign(organization))
    rewards = [factories.event(factories.participant(sharer.campaign, referred_by=sharer)).rewards[0] for _ in range(3)]
    made = factories.batch(organization, rewards, method="STRIPE_CREDIT")
    issuing.run(seconds=5)

    assert ask(made) == Asked(queued=1, lately=0, gone=0)
    asking.run()
    (letter,) = mail.outbox
    assert letter.body.count("$12.00") == 3


def test_an_erased_person_is_never_mailed(batch: RewardBatch, organization: Organization) -> None:
    first, second = items(batch)
    ask(batch, first)
    with tenant(organization):
        for item in (first, second):
            person_erase(organization=organization, customer_id=item.reward.customer_id, actor="test")
    assert asking.run() == 0
    with pytest.raises(NobodyToAsk):
        ask(batch, *items(batch))

    assert mail.outbox == []
    with tenant(organization):
        assert RecipientRequest.objects.get().dropped == "The person was erased."


def test_what_was_issued_meanwhile_is_not_asked_about(batch: RewardBatch, organization: Organization) -> None:
    ask(batch)
    with tenant(organization):
        rewards = list(Reward.objects.all())
    factories.batch(organization, rewards, method="MANUAL")
    issuing.run(seconds=5)

    assert asking.run() == 0
    with pytest.raises(NobodyToAsk):
        ask(batch)
    assert mail.outbox == []


def test_a_mail_server_that_refuses_is_tried_again(batch: RewardBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(batch, items(batch)[0])

    def refuses(letter: EmailMessage) -> int:
        raise SMTPServerDisconnected("gone")

    with monkeypatch.context() as patched:
        patched.setattr(EmailMessage, "send", refuses)
        assert asking.run() == 0
    assert sent_later(minutes=9) == 0
    assert sent_later(minutes=11) == 1
    assert len(mail.outbox) == 1


def test_killed_while_sending_it_is_not_sent_again(batch: RewardBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def dies(letter: EmailMessage) -> int:
        raise Killed

    ask(batch, items(batch)[0])
    with monkeypatch.context() as patched:
        patched.setattr(EmailMessage, "send", dies)
        with pytest.raises(Killed):
            asking.run()

    assert sent_later(hours=1) == 0
    assert mail.outbox == []


def test_from_a_test_organization_nobody_is_mailed(stand_in: RunningSandbox, organization: Organization) -> None:
    twin = organization.test_organization
    assert twin is not None
    factories.connection(twin)
    made = factories.batch(twin, factories.due_rewards(factories.campaign(twin), 1), method="STRIPE_CREDIT")
    issuing.run(seconds=5)

    with pytest.raises(NobodyToAsk):
        ask(made)
    with tenant(twin):
        assert RecipientRequest.objects.count() == 0


def test_each_code_has_its_words() -> None:
    assert set(asking.MISSING) == ASKABLE


# The page --------------------------------------------------------------------------------------------------------


def test_a_marketer_asks_one_or_all(batch: RewardBatch, organization: Organization) -> None:
    marketer = member(organization, Role.MARKETER)
    shown = text(marketer.get("batch", batch.pk))
    assert shown.count("Ask by mail") == 2
    assert "Ask these by mail" in shown

    assert marketer.post("batch_ask", batch.pk, item=str(items(batch)[0].pk)).status_code == 302
    shown = text(marketer.get("batch", batch.pk))
    assert (shown.count("Ask by mail"), shown.count("Asked by mail")) == (1, 1)
    marketer.post("batch_ask", batch.pk, code="customer_not_found")
    assert asking.run() == 2
    assert {each.reply_to[0] for each in mail.outbox} == {marketer.user.email}
    with tenant(organization):
        assert {each.actor for each in RecipientRequest.objects.all()} == {f"user:{marketer.user.pk}"}


def test_a_viewer_asks_nobody(batch: RewardBatch, organization: Organization) -> None:
    viewer = member(organization, Role.VIEWER)
    assert "Ask by mail" not in text(viewer.get("batch", batch.pk))
    assert viewer.post("batch_ask", batch.pk, code="customer_not_found").status_code == 403
    with tenant(organization):
        assert RecipientRequest.objects.count() == 0
