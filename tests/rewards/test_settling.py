"""An unknown outcome that a person settles: on record, once, and never paid twice, whenever the provider's answer comes."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, Claim, IssueAttempt, Reward, RewardTransition
from rewards.services import conclusions, issuing
from rewards.services.calling import call
from rewards.services.lanes import next_lane
from rewards.services.outcomes import answers_write
from rewards.services.reconciling import reconcile
from rewards.services.settling import NotSettleable, outcome_settle
from rewards.states import AttemptOutcome
from tests import factories
from tests.dashboard.visitor import member, text
from tests.integrations.stand_in import RunningSandbox, running
from tests.rewards import owing

pytestmark = pytest.mark.django_db


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": f"{sandbox.url}/stripe"}
        yield sandbox


@pytest.fixture
def organization(stand_in: RunningSandbox) -> Organization:
    made = factories.organization()
    factories.connection(made)
    return made


@pytest.fixture
def reward(stand_in: RunningSandbox, organization: Organization) -> Reward:
    (due,) = factories.due_rewards(factories.campaign(organization), 1)
    stand_in.add_customer(due.customer.email, livemode=True)
    return due


def unknown(stand_in: RunningSandbox, reward: Reward, *, acted: bool) -> BatchItem:
    """The reward's item, after Stripe has said nothing for a quarter of an hour; whether it acted all the same."""
    stand_in.fault("server_error" if acted else "unavailable", acts=acted, path="balance_transactions", method="POST")
    stand_in.fault("unavailable", path="balance_transactions", times=None, method="GET")
    factories.batch(reward.organization, [reward], method="STRIPE_CREDIT")
    with tenant(reward.organization):
        item = BatchItem.objects.latest("pk")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(conclusions, "RETRY_SECONDS", ())
        issuing.run(seconds=5)
    stand_in.clear_faults()
    return read(item)


def read(item: BatchItem) -> BatchItem:
    with tenant(item.organization):
        return BatchItem.objects.select_related("batch", "reward", "claim").get(pk=item.pk)


def settle(item: BatchItem, *, issued: bool, reference: str = "cbtxn_seen") -> None:
    with tenant(item.organization):
        outcome_settle(
            organization=item.organization,
            item=item,
            issued=issued,
            reference=reference if issued else "",
            reason="Seen in Stripe.",
            actor="user:1",
        )


def state(reward: Reward) -> tuple[str, str | None, int]:
    """Status, reference, open claims."""
    with tenant(reward.organization):
        reward.refresh_from_db()
        return reward.status, reward.provider_reference, Claim.objects.filter(closed_at__isnull=True).count()


def given(stand_in: RunningSandbox) -> int:
    return len(stand_in.credits()["credits"])


def later(seconds: float) -> None:
    with time_machine.travel(clock.wall() + timedelta(seconds=seconds), tick=True):
        issuing.run(seconds=5)


def test_it_works(stand_in: RunningSandbox, reward: Reward) -> None:
    item = unknown(stand_in, reward, acted=True)
    assert (item.outcome, state(reward)) == ("UNKNOWN", ("PENDING", None, 1))

    settle(item, issued=True)

    assert state(reward) == ("AVAILABLE", "cbtxn_seen", 0)
    settled = read(item)
    assert (settled.outcome, settled.in_doubt, settled.next_attempt_at) == ("SUCCEEDED", False, None)
    with tenant(reward.organization):
        last = RewardTransition.objects.filter(reward=reward).latest("pk")
        (attempt,) = IssueAttempt.objects.filter(reward=reward)
        batch = settled.batch
        batch.refresh_from_db()
    assert (last.actor, last.reason) == ("user:1", "settled by hand as issued: Seen in Stripe.")
    assert (attempt.outcome, attempt.message) == (AttemptOutcome.SETTLED, "Settled by a person: Seen in Stripe.")
    assert attempt.exchanges, "what was sent stays on record"
    assert batch.status == "FINISHED"
    later(700)
    assert given(stand_in) == 1


def test_not_issued_makes_it_due_again(stand_in: RunningSandbox, reward: Reward) -> None:
    item = unknown(stand_in, reward, acted=False)
    settle(item, issued=False)

    assert state(reward) == ("PENDING", None, 0)
    assert (read(item).outcome, read(item).code) == ("FAILED", "outcome_unknown")
    with tenant(reward.organization):
        last = RewardTransition.objects.filter(reward=reward).latest("pk")
    assert (last.from_status, last.to_status) == ("PENDING", "PENDING")
    assert last.reason == "settled by hand as not issued: Seen in Stripe."

    factories.batch(reward.organization, [reward], method="STRIPE_CREDIT")
    issuing.run(seconds=5)
    assert (state(reward)[0], given(stand_in)) == ("AVAILABLE", 1)
    assert list(reconcile(days=1)) == []


def test_who_was_wrong_pays_nothing_twice(stand_in: RunningSandbox, reward: Reward) -> None:
    """Stripe had acted. A day later, when it has forgotten the key, the reward is issued again: it is asked first."""
    item = unknown(stand_in, reward, acted=True)
    settle(item, issued=False)
    stand_in.post("stripe/keys/forget")

    factories.batch(reward.organization, [reward], method="STRIPE_CREDIT")
    issuing.run(seconds=5)

    (credit,) = stand_in.credits()["credits"]
    assert state(reward) == ("AVAILABLE", credit["id"], 0)


def test_issued_another_way_it_is_found(stand_in: RunningSandbox, reward: Reward) -> None:
    """Nothing asks Stripe then: the money is out twice, and a reconciliation says so."""
    item = unknown(stand_in, reward, acted=True)
    settle(item, issued=False)
    factories.batch(reward.organization, [reward], method="MANUAL")
    issuing.run(seconds=5)
    (credit,) = stand_in.credits()["credits"]

    said = " ".join(map(str, reconcile(days=1)))
    assert f"settled as not issued, but the provider has {credit['id']}" in said


# The race with the provider's own answer -------------------------------------------------------------------------


def test_an_answer_that_was_first_stands(stand_in: RunningSandbox, reward: Reward) -> None:
    item = unknown(stand_in, reward, acted=True)
    later(700)
    (credit,) = stand_in.credits()["credits"]
    assert state(reward) == ("AVAILABLE", credit["id"], 0)

    for issued in (False, True):
        with pytest.raises(NotSettleable, match="was issued as"):
            settle(item, issued=issued)
    assert state(reward) == ("AVAILABLE", credit["id"], 0)


def test_not_while_it_is_being_looked_up(stand_in: RunningSandbox, reward: Reward) -> None:
    item = unknown(stand_in, reward, acted=True)
    with time_machine.travel(clock.wall() + timedelta(seconds=700), tick=True):
        lane = next_lane()
        assert lane is not None
        (started,) = issuing.begin(lane)
        for issued in (False, True):
            with pytest.raises(NotSettleable, match="at this moment"):
                settle(item, issued=issued)
        assert state(reward) == ("PENDING", None, 1)
        with tenant(reward.organization):
            answers_write(
                organization=reward.organization, answers=call(started), lease_token=lane.lease.token, actor="test"
            )
    assert state(reward)[0] == "AVAILABLE"


@pytest.mark.parametrize("issued", [True, False])
@pytest.mark.parametrize("acted", [True, False])
def test_an_answer_that_is_late_is_dropped(
    stand_in: RunningSandbox, reward: Reward, *, issued: bool, acted: bool
) -> None:
    """The look-up hung for longer than its lease; meanwhile a person has settled it."""
    item = unknown(stand_in, reward, acted=acted)
    with time_machine.travel(clock.wall() + timedelta(seconds=700), tick=True):
        lane = next_lane()
        assert lane is not None
        (started,) = issuing.begin(lane)
        answers = call(started)
    with time_machine.travel(clock.wall() + timedelta(seconds=800), tick=True):
        settle(item, issued=issued)
        after = state(reward)
        with tenant(reward.organization):
            written = answers_write(
                organization=reward.organization, answers=answers, lease_token=lane.lease.token, actor="test"
            )
    assert written == 0
    assert state(reward) == after == (("AVAILABLE", "cbtxn_seen", 0) if issued else ("PENDING", None, 0))


def test_twice_settled_once(stand_in: RunningSandbox, reward: Reward) -> None:
    item = unknown(stand_in, reward, acted=True)
    settle(item, issued=False)

    with pytest.raises(NotSettleable):
        settle(item, issued=True)
    assert state(reward) == ("PENDING", None, 0)


def test_what_is_queued_can_not_be_settled(stand_in: RunningSandbox, reward: Reward) -> None:
    factories.batch(reward.organization, [reward], method="STRIPE_CREDIT")
    with tenant(reward.organization):
        item = BatchItem.objects.get()

    with pytest.raises(NotSettleable):
        settle(item, issued=True)
    assert (read(item).outcome, state(reward)) == ("QUEUED", ("PENDING", None, 1))


@pytest.mark.parametrize(("issued", "expected"), [(True, ("DEDUCTED", 700)), (False, ("PENDING_DEDUCTION", 0))])
def test_what_was_netted_goes_with_it(
    stand_in: RunningSandbox, organization: Organization, *, issued: bool, expected: tuple[str, int]
) -> None:
    sharer = factories.participant(factories.campaign(organization))
    owed = owing.deduction(sharer, 700)
    stand_in.add_customer(sharer.customer.email, livemode=True)
    reward = owing.due(sharer)
    item = unknown(stand_in, reward, acted=True)
    assert item.netted_amount == 700

    settle(item, issued=issued)

    assert (owing.now(owed).status, owing.now(reward).netted_amount) == expected
    assert state(reward)[2] == 0


# The pages -------------------------------------------------------------------------------------------------------


def test_a_marketer_settles_it(stand_in: RunningSandbox, reward: Reward) -> None:
    item = unknown(stand_in, reward, acted=True)
    marketer = member(reward.organization, Role.MARKETER)
    for page in (("reward", reward.pk), ("batch", item.batch_id), ("reconciliation",)):
        assert marketer.url("unknown", item.pk) in text(marketer.get(*page))
    assert str(reward.pk) in text(marketer.get("unknown", item.pk))

    refused = marketer.post("unknown", item.pk, outcome="issued", reference="", reason="Seen.")
    assert (refused.status_code, state(reward)[0]) == (422, "PENDING")
    done = marketer.post("unknown", item.pk, outcome="issued", reference="cbtxn_seen", reason="Seen.")
    assert (done.status_code, state(reward)) == (302, ("AVAILABLE", "cbtxn_seen", 0))
    again = marketer.post("unknown", item.pk, outcome="not_issued", reason="No.")
    assert (again.status_code, state(reward)) == (302, ("AVAILABLE", "cbtxn_seen", 0))
    assert "settled by hand as issued" in text(marketer.get("reward", reward.pk)).lower()


def test_a_viewer_does_not(stand_in: RunningSandbox, reward: Reward) -> None:
    item = unknown(stand_in, reward, acted=True)
    viewer = member(reward.organization, Role.VIEWER)

    assert viewer.url("unknown", item.pk) not in text(viewer.get("reward", reward.pk))
    assert viewer.post("unknown", item.pk, outcome="not_issued", reason="No.").status_code == 403
    assert state(reward) == ("PENDING", None, 1)
