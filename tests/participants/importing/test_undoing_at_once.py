"""What reaches a participant while an undo removes it: whoever comes too late has done nothing, and is told so."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from participants.importing import undoing
from participants.models import Click, Participant, QualifyingEvent
from referral_rocket.accounts.models import Membership
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward
from tests import factories
from tests.api.client import problem
from tests.api.conftest import caller_of
from tests.concurrency import wait_until_somebody_waits
from tests.participants.importing import files
from tests.webhooks.stripe_sales import SESSION, post, sale
from webhooks.inbound import dispatch
from webhooks.inbound.models import InboundEvent

pytestmark = pytest.mark.django_db(transaction=True)

ANN = files.as_csv(("email", "name"), [("ann@example.com", "Ann")])


@pytest.fixture
def made(organization, campaign):
    return files.imported(campaign, ANN)


def during_the_undo(made, monkeypatch, call: Callable[[], Any]) -> Any:
    """What `call` answers that begins while the undo holds the participant, which it removes once `call` waits for it."""
    held, waits = threading.Event(), threading.Event()
    delete = undoing._delete

    def delete_when_somebody_waits(*arguments: Any) -> None:
        held.set()
        assert waits.wait(30), "nobody came"
        delete(*arguments)

    monkeypatch.setattr(undoing, "_delete", delete_when_somebody_waits)
    answers: list[Any] = []
    worker = threading.Thread(target=ended(lambda: files.undone(made)))
    caller = threading.Thread(target=ended(lambda: answers.append(call())))
    worker.start()
    assert held.wait(30)
    caller.start()
    wait_until_somebody_waits()
    waits.set()
    worker.join(30)
    caller.join(30)
    assert not worker.is_alive()
    assert not caller.is_alive()
    return answers[0]


def ended(call: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        try:
            call()
        finally:
            connections.close_all()

    return run


def nothing_is_left(made, *models):
    assert files.fresh(made).figures["removed"] == 1
    with tenant(made.organization):
        assert not Participant.objects.exists()
        assert [model.objects.count() for model in models] == [0] * len(models)


def ann_of(campaign):
    return files.people(campaign)["ann@example.com"]


def asked(made, monkeypatch, path, body):
    api = caller_of(made.organization)
    return during_the_undo(made, monkeypatch, lambda: api.call("POST", path, body))


def test_it_works(organization, campaign, made, monkeypatch):
    body = {"participant": {"participant_id": str(ann_of(campaign).pk)}, "type": "PURCHASE", "transaction_id": "ord_1"}

    answer = asked(made, monkeypatch, f"/campaigns/{campaign.pk}/events", body | {"amount": 100, "currency": "USD"})

    assert (answer.status_code, problem(answer.json())) == (503, ("unavailable",))
    assert answer["Retry-After"] == "1"
    nothing_is_left(made, QualifyingEvent)


def test_somebody_who_joins_by_the_code_of_who_is_removed(organization, campaign, made, monkeypatch):
    body = {"email": "new@example.com", "referral_code": ann_of(campaign).referral_code}

    answer = asked(made, monkeypatch, f"/campaigns/{campaign.pk}/participants", body)

    assert (answer.status_code, problem(answer.json())) == (503, ("unavailable",))
    nothing_is_left(made)


def test_a_reward_by_hand(organization, campaign, made, monkeypatch):
    body = {"participant_id": str(ann_of(campaign).pk), "amount": 100, "reason": "x"}

    answer = asked(made, monkeypatch, "/rewards", body)

    assert (answer.status_code, problem(answer.json())) == (503, ("unavailable",))
    nothing_is_left(made, Reward)


def test_a_reward_by_hand_in_the_dashboard(organization, campaign, made, monkeypatch):
    with tenant(organization):
        owner = Membership.objects.get().user
    client = Client()
    client.force_login(owner)
    page = f"/o/{organization.slug}/participants/{ann_of(campaign).pk}/"
    form = {"reward-amount": "1.00", "reward-reason": "x"}

    answer = during_the_undo(made, monkeypatch, lambda: client.post(f"{page}reward/", form))

    assert (answer.status_code, client.get(page).status_code) == (404, 404)
    nothing_is_left(made, Reward)


def test_a_click_is_a_link_that_is_not_known(organization, campaign, made, monkeypatch):
    link = f"/r/{ann_of(campaign).referral_code}"

    answer = during_the_undo(made, monkeypatch, lambda: Client().get(link, headers={"User-Agent": "Mozilla/5.0"}))

    assert answer.status_code == 404
    nothing_is_left(made, Click)


def test_a_payment_is_worked_on_once_more(organization, campaign, made, monkeypatch):
    link = factories.connection(organization)
    post(link, sale(email="ann@example.com")[SESSION])

    during_the_undo(made, monkeypatch, dispatch.run)
    dispatch.run()

    nothing_is_left(made, QualifyingEvent)
    with tenant(organization):
        assert list(InboundEvent.objects.values_list("status", flat=True)) == ["PROCESSED"]
