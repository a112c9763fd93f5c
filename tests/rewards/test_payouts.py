"""The runner with PayPal's and Wise's stand-ins: groups of rewards, from due to issued, and back where money came back."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from integrations.models import Connection
from integrations.sandbox.paypal.signing import Signer
from integrations.sandbox.wise.shapes import profile_of
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, Claim, IssueAttempt, Reward, RewardBatch, RewardTransition
from rewards.services import issuing
from rewards.services.files import batch_file, batch_results
from rewards.states import ItemOutcome, RewardStatus
from tests import factories
from tests.integrations.stand_in import RunningSandbox, running
from webhooks.inbound import dispatch
from webhooks.inbound.models import InboundEvent, InboundStatus

pytestmark = pytest.mark.django_db
PAYPAL = {"client_id": "AClientIdOfTheStandIn", "client_secret": "ESecretOfTheStandIn"}
TOKEN = "ab12cd34-ef56-4a78-9b01-23456789abcd"
SETTINGS = {"profile_id": str(profile_of(TOKEN)), "source_currency": "USD"}
PAYOUTS = {"provider": "paypal", "method": "POST", "path": "/v1/payments/payouts"}


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        bases = {name: f"{sandbox.url}/{name}" for name in ("paypal", "wise")}
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, **bases}
        yield sandbox


@pytest.fixture
def due(stand_in: RunningSandbox) -> list[Reward]:
    """Five rewards of $12.00 of an organization that has both."""
    organization = factories.organization()
    factories.connection(organization, provider="paypal", credentials=PAYPAL, webhook_secret=None)
    factories.connection(
        organization, provider="wise", credentials={"api_token": TOKEN}, settings=SETTINGS, webhook_secret=None
    )
    rewards = factories.due_rewards(factories.campaign(organization), 5)
    with tenant(organization):
        for reward in rewards:
            reward.customer.name = "A Friend"
            reward.customer.save(update_fields=["name"])
    return rewards


def issue(rewards: list[Reward], method: str = "PAYPAL") -> RewardBatch:
    batch = factories.batch(rewards[0].organization, rewards, method=method)
    issuing.run(seconds=10)
    return batch


def later(seconds: float) -> None:
    with time_machine.travel(clock.wall() + timedelta(seconds=seconds), tick=True):
        issuing.run(seconds=10)


def outcomes(batch: RewardBatch) -> set[tuple[str, str]]:
    with tenant(batch.organization):
        return set(BatchItem.objects.filter(batch=batch).values_list("outcome", "code"))


def statuses(rewards: list[Reward]) -> list[str]:
    with tenant(rewards[0].organization):
        found = Reward.objects.in_bulk([reward.pk for reward in rewards])
    return [found[reward.pk].status for reward in rewards]


def open_claims(batch: RewardBatch) -> int:
    with tenant(batch.organization):
        return Claim.objects.filter(closed_at__isnull=True).count()


def paid_by_paypal(stand_in: RunningSandbox, reward: Reward) -> list[str]:
    """The keys under which a reward was paid, in order."""
    items = stand_in.get("paypal/items", sender_item_id=str(reward.pk))["items"][::-1]
    return [item["sender_item_id"] for item in items if item["state"] == "SUCCESS"]


def test_it_works(stand_in: RunningSandbox, due: list[Reward]) -> None:
    batch = issue(due)

    assert outcomes(batch) == {(ItemOutcome.SUCCEEDED, "")}
    assert statuses(due) == [RewardStatus.AVAILABLE] * 5
    assert [paid_by_paypal(stand_in, reward) for reward in due] == [[f"{reward.pk}:1"] for reward in due]
    items = stand_in.get("paypal/items")["items"]
    assert {(item["value"], item["currency"]) for item in items} == {("12.00", "USD")}
    with tenant(batch.organization):
        groups = set(IssueAttempt.objects.values_list("group_key", flat=True))
        references = dict(Reward.objects.values_list("pk", "provider_reference"))
    assert {item["sender_batch_id"] for item in items} == groups
    assert {str(pk): reference for pk, reference in references.items() if reference} == {
        item["sender_item_id"].partition(":")[0]: item["payout_item_id"] for item in items
    }
    assert open_claims(batch) == 0


def test_answers_that_stay_lost_pay_each_once(stand_in: RunningSandbox, due: list[Reward]) -> None:
    stand_in.fault("reset", times=2, **PAYOUTS)
    batch = issue(due)
    assert outcomes(batch) == {(ItemOutcome.QUEUED, "outcome_unknown")}
    assert open_claims(batch) == 5

    later(2)

    assert outcomes(batch) == {(ItemOutcome.SUCCEEDED, "")}
    assert [paid_by_paypal(stand_in, reward) for reward in due] == [[f"{reward.pk}:1"] for reward in due]
    assert open_claims(batch) == 0


def test_a_group_that_never_arrived_is_sent_in_another(
    stand_in: RunningSandbox, due: list[Reward], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.fault("timeout_before", times=2, **PAYOUTS)
    with monkeypatch.context() as patched:
        stand_in.held_answers_time_out(patched)
        batch = issue(due)
    stand_in.clear_faults()

    later(2)
    later(4)

    assert outcomes(batch) == {(ItemOutcome.SUCCEEDED, "")}
    assert [paid_by_paypal(stand_in, reward) for reward in due] == [[f"{reward.pk}:1"] for reward in due]
    with tenant(batch.organization):
        groups = IssueAttempt.objects.filter(group_key__isnull=False)
        assert groups.values("group_key").distinct().count() == 2


def test_unclaimed_money_that_came_back_is_due_again_and_paid_under_a_new_key(
    stand_in: RunningSandbox, due: list[Reward]
) -> None:
    stand_in.post("paypal/receivers", email=due[0].customer.email, state="unregistered")
    batch = issue(due[:1])
    assert outcomes(batch) == {(ItemOutcome.WAITING, "unclaimed")}
    assert (statuses(due[:1]), open_claims(batch)) == ([RewardStatus.PENDING], 1)

    stand_in.post("paypal/items", sender_item_id=f"{due[0].pk}:1", state="RETURNED")
    later(120)

    with tenant(batch.organization):
        item = BatchItem.objects.get(batch=batch)
        assert (item.outcome, item.code) == (ItemOutcome.FAILED, "invalid_recipient")
        assert "30 days" in item.message
    assert (statuses(due[:1]), open_claims(batch)) == ([RewardStatus.PENDING], 0)
    stand_in.post("paypal/receivers", email=due[0].customer.email, state="registered")
    again = issue(due[:1])
    assert outcomes(again) == {(ItemOutcome.SUCCEEDED, "")}
    assert paid_by_paypal(stand_in, due[0]) == [f"{due[0].pk}:2"]


def test_too_little_money_fails_all_and_pays_none(stand_in: RunningSandbox, due: list[Reward]) -> None:
    stand_in.post("paypal/balance", client_id=PAYPAL["client_id"], currency="USD", value="59.99")

    batch = issue(due)

    assert outcomes(batch) == {(ItemOutcome.FAILED, "insufficient_funds")}
    assert stand_in.get("paypal/items")["items"] == []
    assert (statuses(due), open_claims(batch)) == ([RewardStatus.PENDING] * 5, 0)


def wise_paid(stand_in: RunningSandbox) -> int:
    found = stand_in.get("wise/transfers")["transfers"]
    return len([one for one in found if one["status"] == "outgoing_payment_sent"])


def test_wise_pays_a_group(stand_in: RunningSandbox, due: list[Reward]) -> None:
    batch = issue(due, "WISE")

    assert outcomes(batch) == {(ItemOutcome.SUCCEEDED, "")}
    assert statuses(due) == [RewardStatus.AVAILABLE] * 5
    assert wise_paid(stand_in) == 5
    assert len(stand_in.get("wise/groups")["groups"]) == 1


def test_wise_waits_for_an_approval(stand_in: RunningSandbox, due: list[Reward]) -> None:
    stand_in.post("wise/settings", token=TOKEN, approval=True)
    batch = issue(due, "WISE")
    assert outcomes(batch) == {(ItemOutcome.WAITING, "needs_a_person")}
    assert (wise_paid(stand_in), open_claims(batch)) == (0, 5)
    (group,) = stand_in.get("wise/groups")["groups"]

    stand_in.post("wise/groups", name=group["name"], status="PAID")
    later(120)

    assert outcomes(batch) == {(ItemOutcome.SUCCEEDED, "")}
    assert statuses(due) == [RewardStatus.AVAILABLE] * 5
    assert (wise_paid(stand_in), open_claims(batch)) == (5, 0)


def test_wise_interrupted_before_it_pays_sends_anew(stand_in: RunningSandbox, due: list[Reward], monkeypatch) -> None:
    stand_in.fault("timeout_before", provider="wise", method="POST", path="/payments")
    with monkeypatch.context() as patched:
        stand_in.held_answers_time_out(patched)
        batch = issue(due, "WISE")
    stand_in.clear_faults()
    assert wise_paid(stand_in) == 0

    later(2)

    # Cancelled at Wise, so due again; nothing is sent by itself under another key.
    assert {outcome for outcome, _ in outcomes(batch)} == {ItemOutcome.FAILED}
    assert (statuses(due), open_claims(batch), wise_paid(stand_in)) == ([RewardStatus.PENDING] * 5, 0, 0)
    again = issue(due, "WISE")
    assert outcomes(again) == {(ItemOutcome.SUCCEEDED, "")}
    assert wise_paid(stand_in) == 5


def told(stand_in: RunningSandbox, reward: Reward) -> None:
    """PayPal's webhook about the reward's payout, as the door has stored it."""
    captured: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Signer, "tell", lambda self, url, event, webhook_id, base: captured.append(event) or {"status": 200}
        )
        stand_in.post("paypal/webhooks", url="", webhook_id="x", sender_item_id=str(reward.pk))
    event = json.loads(captured[0])
    with tenant(reward.organization):
        InboundEvent.objects.create(
            organization=reward.organization,
            connection=Connection.objects.get(provider="paypal"),
            provider_event_id=event["id"],
            event_type=event["event_type"],
            livemode=None,
            body=captured[0],
            received_at=clock.wall(),
            next_attempt_at=clock.wall(),
            status=InboundStatus.RECEIVED,
        )
    dispatch.run(seconds=5)


def test_an_issued_reward_whose_money_came_back_is_due_again(stand_in: RunningSandbox, due: list[Reward]) -> None:
    issue(due[:2])
    assert statuses(due[:2]) == [RewardStatus.AVAILABLE] * 2
    stand_in.post("paypal/items", sender_item_id=f"{due[0].pk}:1", state="REFUNDED")

    told(stand_in, due[0])
    later(1)

    assert statuses(due[:2]) == [RewardStatus.PENDING, RewardStatus.AVAILABLE]
    with tenant(due[0].organization):
        event = InboundEvent.objects.get()
        assert event.status == InboundStatus.PROCESSED
        last = RewardTransition.objects.filter(reward=due[0]).order_by("-pk").first()
        assert (last.from_status, last.to_status, last.reason) == ("AVAILABLE", "PENDING", "returned_by_provider")
    again = issue(due[:1])
    assert outcomes(again) == {(ItemOutcome.SUCCEEDED, "")}
    assert paid_by_paypal(stand_in, due[0]) == [f"{due[0].pk}:2"]


def test_a_message_alone_changes_nothing(stand_in: RunningSandbox, due: list[Reward]) -> None:
    """What it says isn't believed: PayPal is asked."""
    issue(due[:1])
    stand_in.post("paypal/items", sender_item_id=f"{due[0].pk}:1", state="REFUNDED")
    told(stand_in, due[0])
    stand_in.post("paypal/items", sender_item_id=f"{due[0].pk}:1", state="SUCCESS")

    later(1)

    assert statuses(due[:1]) == [RewardStatus.AVAILABLE]


def test_a_file_and_its_report(stand_in: RunningSandbox, due: list[Reward]) -> None:
    organization = due[0].organization
    batch = factories.batch(organization, due, method="PAYPAL_FILE")
    issuing.run(seconds=5)
    with tenant(organization):
        file = batch_file(organization=organization, batch=batch, actor="test")
        assert file is not None
    lines = list(csv.reader(io.StringIO(file.content.decode(), newline="")))
    assert [(line[0], line[1], line[2], line[5]) for line in lines] == [
        (reward.customer.email, "12.00", "USD", "PAYPAL") for reward in due
    ]
    states = ["Completed", "Unclaimed", "Returned", "Denied"]
    report = "Status,Currency,Transaction ID,Custom Number\n" + "".join(
        f"{state},USD,T{place},{line[3]}\n" for place, (state, line) in enumerate(zip(states, lines, strict=False))
    )

    with tenant(organization):
        results = batch_results(organization=organization, batch=batch, content=report.encode(), actor="test")

    assert results.told == 4
    assert statuses(due) == [RewardStatus.AVAILABLE, *[RewardStatus.PENDING] * 4]
    with tenant(organization):
        found = list(BatchItem.objects.filter(batch=batch).order_by("pk").values_list("outcome", "code"))
    assert found[:2] == [(ItemOutcome.SUCCEEDED, ""), (ItemOutcome.WAITING, "unclaimed")]
    assert [outcome for outcome, _ in found[2:4]] == [ItemOutcome.FAILED] * 2
    assert open_claims(batch) == 2
