"""Backfill: the last days of payments of a connected Stripe account, as a dry run first, against the stand-in."""

from collections.abc import Iterator
from typing import Any

import pytest

from integrations.errors import ProviderRetryable
from integrations.models import Connection, ConnectionStatus
from participants.models import Payment, QualifyingEvent
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Reward, RewardTotals
from tests import factories
from tests.integrations.stand_in import RunningSandbox, running
from tests.webhooks.stripe_sales import deliver, sale
from webhooks.inbound import backfilling, dispatch
from webhooks.inbound.backfilling import BackfillRefused, backfill_dry_run, backfill_import
from webhooks.inbound.models import Backfill, BackfillStatus, InboundEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def sandbox(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": f"{sandbox.url}/stripe"}
        yield sandbox


@pytest.fixture
def campaign(organization: Organization) -> Any:
    return factories.campaign(organization)


@pytest.fixture
def code(campaign: Any) -> str:
    return factories.participant(campaign, "referrer@example.com").referral_code


def sold(sandbox: RunningSandbox, **wanted: Any) -> dict[str, Any]:
    """A sale at the stand-in that nobody told us of."""
    fields = {"email": "friend@example.com", "amount": 12000, "currency": "usd", "livemode": True}
    return sandbox.post(
        "stripe/webhooks", url="http://127.0.0.1:9", secret="x", events=["none"], **{**fields, **wanted}
    )


def worked(organization: Organization, backfill: Backfill) -> Backfill:
    assert backfilling.run() == 1
    with tenant(organization):
        return Backfill.objects.get(pk=backfill.pk)


def dry_run(organization: Organization, connection: Connection, days: int = 30) -> Backfill:
    with tenant(organization):
        queued = backfill_dry_run(connection=connection, days=days, actor="test")
    return worked(organization, queued)


def imported(organization: Organization, shown: Backfill) -> Backfill:
    with tenant(organization):
        queued = backfill_import(dry_run=shown, actor="test")
    done = worked(organization, queued)
    dispatch.run()
    return done


def everything(organization: Organization) -> dict[str, Any]:
    with tenant(organization):
        return {
            "events": QualifyingEvent.objects.count(),
            "payments": Payment.objects.count(),
            "rewards": sorted(Reward.objects.values_list("amount", "status")),
            "totals": sorted(RewardTotals.objects.exclude(count=0).values_list("status", "count", "amount")),
            "inbound": InboundEvent.objects.count(),
        }


NOTHING = {"events": 0, "payments": 0, "rewards": [], "totals": [], "inbound": 0}


def test_it_works(organization, connection, sandbox, code):
    sold(sandbox, referral_code=code)
    sold(sandbox, email="other@example.com", amount=500)

    shown = dry_run(organization, connection)

    assert (shown.status, shown.message) == (BackfillStatus.FINISHED, "")
    assert (shown.found, shown.known, shown.attributed, shown.unreadable) == (2, 0, 1, 0)
    assert shown.sums == [{"currency": "USD", "number": 2, "amount": 12500}]
    assert shown.would_earn == [{"currency": "USD", "number": 1, "amount": 1200}]
    assert everything(organization) == NOTHING

    done = imported(organization, shown)

    assert done.status == BackfillStatus.FINISHED
    after = everything(organization)
    assert (after["events"], after["payments"], after["rewards"]) == (1, 2, [(1200, "PENDING")])
    with tenant(organization):
        counts = backfilling.progress([done])[done.pk]
    assert counts["PROCESSED"] == 4


def test_importing_twice_counts_once(organization, connection, sandbox, code):
    sold(sandbox, referral_code=code)
    imported(organization, dry_run(organization, connection))
    once = everything(organization)

    again = dry_run(organization, connection)
    imported(organization, again)

    assert (again.found, again.known, again.would_earn) == (1, 1, [])
    assert everything(organization) == once


def test_a_payment_that_a_webhook_told_of_counts_once(organization, connection, sandbox, code):
    told = sandbox.post(
        "stripe/webhooks", url="http://127.0.0.1:9", secret="x", events=["none"],
        email="friend@example.com", amount=12000, currency="usd", livemode=True, referral_code=code,
    )  # fmt: skip
    events = sale(referral_code=code)
    events["payment_intent.succeeded"]["data"]["object"]["id"] = told["payment_intent"]
    events["checkout.session.completed"]["data"]["object"] |= {
        "id": told["checkout_session"],
        "payment_intent": told["payment_intent"],
    }
    deliver(connection, events.values())
    dispatch.run()
    before = everything(organization)
    assert before["rewards"] == [(1200, "PENDING")]

    shown = dry_run(organization, connection)
    imported(organization, shown)

    assert (shown.found, shown.known, shown.would_earn) == (1, 1, [])
    assert everything(organization)["rewards"] == before["rewards"]


def test_subscriptions_and_their_invoices_are_one_payment(organization, connection, sandbox, code):
    sold(sandbox, referral_code=code, subscription=True)

    shown = dry_run(organization, connection)
    imported(organization, shown)

    assert (shown.found, shown.would_earn[0]["number"]) == (1, 1)
    assert everything(organization)["rewards"] == [(1200, "PENDING")]


def test_what_was_refunded_since_earns_less(organization, connection, sandbox, code):
    told = sold(sandbox, referral_code=code)
    quiet = {"url": "http://127.0.0.1:9", "secret": "x", "events": ["none"]}
    sandbox.post("stripe/webhooks", type="refund", payment_intent=told["payment_intent"], amount=6000, **quiet)

    shown = dry_run(organization, connection)
    imported(organization, shown)

    assert shown.would_earn == [{"currency": "USD", "number": 1, "amount": 600}]
    assert everything(organization)["rewards"] == [(600, "PENDING")]


def test_a_lost_dispute_leaves_nothing(organization, connection, sandbox, code):
    told = sold(sandbox, referral_code=code)
    quiet = {"url": "http://127.0.0.1:9", "secret": "x"}
    sandbox.post("stripe/webhooks", type="dispute", payment_intent=told["payment_intent"], status="lost", **quiet)

    shown = dry_run(organization, connection)
    imported(organization, shown)

    assert shown.would_earn == []
    assert everything(organization)["rewards"] == [(1200, "CANCELED")]


def test_what_is_older_stays_out(organization, connection, sandbox, code):
    sold(sandbox, referral_code=code, age_seconds=40 * 86400)

    assert dry_run(organization, connection, days=30).found == 0
    assert dry_run(organization, connection, days=90).found == 1


def test_parts_keep_a_person_together(organization, connection, sandbox, code, monkeypatch):
    monkeypatch.setattr(backfilling, "CHUNK", 3)
    for number in range(4):
        sold(sandbox, email=f"friend{number}@example.com", referral_code=code, age_seconds=600)
        sold(sandbox, email=f"friend{number}@example.com")

    shown = dry_run(organization, connection)

    # The rule rewards the first purchase of each referred person: eight payments of four people.
    assert (shown.found, shown.attributed) == (8, 8)
    assert shown.would_earn == [{"currency": "USD", "number": 4, "amount": 4800}]
    imported(organization, shown)
    assert len(everything(organization)["rewards"]) == 4


def test_the_provider_is_asked_again_after_a_pause(organization, connection, sandbox, code):
    sold(sandbox, referral_code=code)
    sandbox.fault("rate_limited", path="/v1/invoices", retry_after=77)

    waiting = dry_run(organization, connection)

    assert (waiting.status, waiting.attempts) == (BackfillStatus.QUEUED, 1)
    assert 70 < (waiting.next_attempt_at - clock.wall()).total_seconds() < 78
    assert backfilling.run() == 0
    with tenant(organization):
        Backfill.objects.update(next_attempt_at=clock.wall())
    assert worked(organization, waiting).found == 1


def test_a_revoked_connection_ends_it_and_is_shown(organization, connection, sandbox):
    sandbox.fault("revoked", times=None)

    ended = dry_run(organization, connection)

    assert ended.status == BackfillStatus.FAILED
    assert "credentials" in ended.message
    with tenant(organization):
        assert Connection.objects.get(pk=connection.pk).status == ConnectionStatus.NEEDS_ATTENTION
    assert everything(organization) == NOTHING


def test_too_much_of_it_is_said(organization, connection, sandbox, code, monkeypatch):
    monkeypatch.setattr(backfilling, "MOST_MESSAGES", 1)
    sold(sandbox, referral_code=code)

    ended = dry_run(organization, connection)

    assert (ended.status, ended.message) == (BackfillStatus.FAILED, "There is more than 1 of it: choose fewer days.")


def test_killed_in_the_middle_it_is_begun_anew(organization, connection, sandbox, code, monkeypatch):
    monkeypatch.setattr(backfilling, "CHUNK", 1)
    sold(sandbox, referral_code=code)
    shown = dry_run(organization, connection)
    with tenant(organization):
        queued = backfill_import(dry_run=shown, actor="test")
    honest, stored = backfilling._store, []

    class Killed(BaseException):
        pass

    def dies(*arguments):
        if stored:
            raise Killed
        stored.append(1)
        return honest(*arguments)

    monkeypatch.setattr(backfilling, "_store", dies)
    with pytest.raises(Killed):
        backfilling.run()
    assert everything(organization)["inbound"] == 1
    monkeypatch.setattr(backfilling, "_store", honest)
    assert backfilling.run() == 0, "its lease holds for a while"
    with tenant(organization):
        Backfill.objects.filter(pk=queued.pk).update(leased_until=clock.wall())

    assert worked(organization, queued).status == BackfillStatus.FINISHED
    dispatch.run()
    assert everything(organization)["rewards"] == [(1200, "PENDING")]
    assert everything(organization)["inbound"] == 2


def test_a_worker_that_lost_its_lease_writes_nothing_more(organization, connection, sandbox, code, monkeypatch):
    sold(sandbox, referral_code=code)
    with tenant(organization):
        queued = backfill_dry_run(connection=connection, days=30, actor="test")
    honest = backfilling._judge

    def taken_over(work, messages):
        with tenant(organization):
            Backfill.objects.update(lease_token=None)
        honest(work, messages)

    monkeypatch.setattr(backfilling, "_judge", taken_over)

    after = worked(organization, queued)

    assert (after.status, after.found) == (BackfillStatus.JUDGING, 0)


@pytest.mark.parametrize("days", [0, 29, 4000])
def test_other_spans_are_refused(organization, connection, sandbox, days):
    with tenant(organization), pytest.raises(BackfillRefused):
        backfill_dry_run(connection=connection, days=days, actor="test")
    assert backfilling.run() == 0


def test_one_at_a_time(organization, connection, sandbox):
    with tenant(organization):
        backfill_dry_run(connection=connection, days=30, actor="test")
        with pytest.raises(BackfillRefused) as caught:
            backfill_dry_run(connection=connection, days=7, actor="test")
        assert "under way" in caught.value.message
        assert Backfill.objects.count() == 1


def test_nothing_is_imported_unseen(organization, connection, sandbox):
    with tenant(organization):
        queued = backfill_dry_run(connection=connection, days=30, actor="test")
        with pytest.raises(BackfillRefused):
            backfill_import(dry_run=queued, actor="test")


def test_what_can_not_be_reached_is_told_in_the_end(organization, connection, sandbox, monkeypatch):
    def fails(*_):
        raise ProviderRetryable("Stripe can't be reached.", sent=False)

    monkeypatch.setattr(backfilling, "_listed", fails)
    with tenant(organization):
        queued = backfill_dry_run(connection=connection, days=30, actor="test")
    for _ in range(len(backfilling.RETRY_SECONDS)):
        assert worked(organization, queued).status == BackfillStatus.QUEUED
        with tenant(organization):
            Backfill.objects.update(next_attempt_at=clock.wall())

    ended = worked(organization, queued)

    assert (ended.status, ended.message) == (BackfillStatus.FAILED, "Stripe can't be reached.")
