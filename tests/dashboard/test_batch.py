"""A batch's page: progress while it runs, then who was rewarded and who wasn't, and what to do about it."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from campaigns.models import Campaign
from integrations.models import Connection
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.dashboard.batches.next_steps import next_step, shown_outcome
from rewards.models import BatchItem, RewardBatch
from rewards.services import freezing, issuing
from rewards.states import BatchStatus, ItemOutcome, RewardStatus
from tests import factories
from tests.dashboard.visitor import Visitor, member, stranger, text
from tests.integrations.stand_in import RunningSandbox, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def campaign(organization: Organization) -> Campaign:
    return factories.campaign(organization)


@pytest.fixture
def marketer(organization: Organization) -> Visitor:
    return member(organization, Role.MARKETER)


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": f"{sandbox.url}/stripe"}
        yield sandbox


@pytest.fixture
def connection(organization: Organization) -> Connection:
    return factories.connection(organization)


def test_it_works(campaign: Campaign, marketer: Visitor, connection: Connection, stand_in: RunningSandbox) -> None:
    known, unknown = factories.due_rewards(campaign, 2)
    with tenant(campaign.organization):
        stand_in.add_customer(str(known.customer.email), livemode=True)
    batch = factories.batch(campaign.organization, [known, unknown], method="STRIPE_CREDIT")
    waiting = text(marketer.get("batch", batch.pk))
    assert f'hx-get="{marketer.url("batch_progress", batch.pk)}"' in waiting
    assert "0 of 2" in waiting

    issuing.run(seconds=5)
    page = text(marketer.get("batch", batch.pk))
    assert 'hx-trigger="every 1s"' not in page
    assert "Sandbox" in page
    rewarded, not_rewarded = (
        page.split('id="rewarded"')[1],
        page.split('id="not-rewarded"')[1].split('id="rewarded"')[0],
    )
    assert (str(known.pk) in rewarded, str(unknown.pk) in rewarded) == (True, False)
    assert (str(known.pk) in not_rewarded, str(unknown.pk) in not_rewarded) == (False, True)
    assert "Stripe has no customer with this e-mail address" in not_rewarded
    issue = marketer.url("issue")
    assert f"{issue}?reward={unknown.pk}&amp;choice=STRIPE_CREDIT%3A{connection.pk}" in not_rewarded
    assert f"{issue}?reward={unknown.pk}&amp;choice=MANUAL" in not_rewarded
    assert marketer.url("participant", unknown.participant_id) in not_rewarded


def test_a_big_batch_says_how_far_it_is_prepared(
    campaign: Campaign, marketer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "SLICE", 2)
    monkeypatch.setattr(freezing, "FROZEN_AT_ONCE", 2)
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 3), method="PAYPAL_FILE")
    freezing.freeze_next(organization=campaign.organization)
    page = text(marketer.get("batch", batch.pk))
    assert "Preparing 2 of 3" in page
    assert f'hx-get="{marketer.url("batch_progress", batch.pk)}"' in page
    assert "Download the file" not in page
    assert "HX-Refresh" not in marketer.get("batch_progress", batch.pk)

    freezing.freeze_everywhere()
    assert marketer.get("batch_progress", batch.pk)["HX-Refresh"] == "true"
    assert "Download the file" in text(marketer.get("batch", batch.pk))


def test_progress_is_a_fragment_that_ends_itself(campaign: Campaign, marketer: Visitor) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 2))
    running_now = marketer.get("batch_progress", batch.pk)
    assert "<html" not in text(running_now)
    assert 'hx-trigger="every 1s"' in text(running_now)
    # The state beside the title is in another place of the page.
    assert '<span id="batch-status" hx-swap-oob="true">' in text(running_now)
    assert 'id="batch-status"><span' in text(marketer.get("batch", batch.pk))
    assert "HX-Refresh" not in running_now
    issuing.run(seconds=5)
    finished = marketer.get("batch_progress", batch.pk)
    assert finished["HX-Refresh"] == "true"
    assert "hx-trigger" not in text(finished)


def test_left_over_can_be_tried_again_together(
    campaign: Campaign, marketer: Visitor, connection: Connection, stand_in: RunningSandbox
) -> None:
    rewards = factories.due_rewards(campaign, 3)
    batch = factories.batch(campaign.organization, rewards, method="STRIPE_CREDIT")
    issuing.run(seconds=5)
    again = f"STRIPE_CREDIT:{connection.pk}"
    page = marketer.get("issue", batch=batch.pk, code="customer_not_found", choice=again)
    assert "Send with Stripe: 3 rewards" in text(page)
    assert "Nothing to issue" in text(marketer.get("issue", batch=batch.pk, code="currency_mismatch", choice=again))


def test_what_was_issued_since_is_not_offered_again(
    campaign: Campaign, marketer: Visitor, connection: Connection, stand_in: RunningSandbox
) -> None:
    rewards = factories.due_rewards(campaign, 2)
    batch = factories.batch(campaign.organization, rewards, method="STRIPE_CREDIT")
    issuing.run(seconds=5)
    assert "Mark these as issued" in text(marketer.get("batch", batch.pk))

    factories.batch(campaign.organization, rewards)
    issuing.run(seconds=5)

    shown = text(marketer.get("batch", batch.pk))
    assert "It was issued since, another way." in shown
    assert "Mark these as issued" not in shown
    assert "Try these again" not in shown


def test_cancel_frees_what_was_not_sent(campaign: Campaign, marketer: Visitor) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 2))
    assert marketer.post("batch_stop", batch.pk).status_code == 302
    with tenant(campaign.organization):
        assert RewardBatch.objects.get().status == BatchStatus.CANCELED
    page = text(marketer.get("batch", batch.pk))
    assert "It is still due: issue it whenever you like." in page


def test_finished_batch_cannot_be_canceled(campaign: Campaign, marketer: Visitor) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 1))
    issuing.run(seconds=5)
    answer = marketer.client.post(marketer.url("batch_stop", batch.pk), follow=True)
    assert "The batch is finished; there is nothing left to cancel." in text(answer)
    with tenant(campaign.organization):
        assert RewardBatch.objects.get().status == BatchStatus.FINISHED


def test_unknown_outcome_is_explained_and_offers_no_retry(campaign: Campaign, marketer: Visitor) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 1))
    with tenant(campaign.organization):
        BatchItem.objects.update(outcome=ItemOutcome.UNKNOWN, code="outcome_unknown", message="No answer came.")
    page = text(marketer.get("batch", batch.pk))
    assert "never sent again blindly" in page
    assert ">Retry<" not in page
    assert ">Mark issued<" not in page


def test_outcome_that_waits_for_nothing_is_a_no(campaign: Campaign) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 1))
    with tenant(campaign.organization):
        item = BatchItem.objects.select_related("reward").get(batch=batch)
    item.outcome, item.code = ItemOutcome.WAITING, "customer_not_found"
    item.free = True  # type: ignore[attr-defined]
    assert (shown_outcome(item), next_step(item).retry) == (ItemOutcome.FAILED, True)
    item.free = False  # type: ignore[attr-defined]
    assert (shown_outcome(item), next_step(item).retry) == (ItemOutcome.WAITING, False)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (RewardStatus.PENDING_DEDUCTION, "Open it to mark it as taken back, or to forgive it."),
        (RewardStatus.DEDUCTED, "It was taken back since."),
        (RewardStatus.CANCELED, "Nothing is owed any more."),
    ],
)
def test_what_to_do_about_a_deduction(campaign: Campaign, status: RewardStatus, words: str) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 1))
    with tenant(campaign.organization):
        item = BatchItem.objects.select_related("reward").get(batch=batch)
    item.free = True  # type: ignore[attr-defined]
    item.outcome, item.reward.status = ItemOutcome.FAILED, status
    assert next_step(item).text == words


def test_a_batch_that_takes_back_says_so(campaign: Campaign, marketer: Visitor) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 1), method="PAYPAL_FILE")
    with tenant(campaign.organization):
        RewardBatch.objects.filter(pk=batch.pk).update(takes_back=True, actor="system:taking-back")
    page = text(marketer.get("batch", batch.pk))
    assert "To be taken back with PayPal" in page
    assert "by Referral Rocket (taking back)" in page
    assert "Rewarded" not in page


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        (ItemOutcome.SUCCEEDED, "Taken back with Stripe"),
        (ItemOutcome.FAILED, "Nothing was taken back with Stripe"),
        (ItemOutcome.UNKNOWN, "To be taken back with Stripe"),
    ],
)
def test_a_batch_that_takes_back_says_whether_it_did(
    campaign: Campaign, connection: Connection, marketer: Visitor, outcome: ItemOutcome, title: str
) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 1), method="STRIPE_CREDIT")
    with tenant(campaign.organization):
        RewardBatch.objects.filter(pk=batch.pk).update(takes_back=True, status=BatchStatus.FINISHED)
        BatchItem.objects.filter(batch=batch).update(outcome=outcome)
    page = text(marketer.get("batch", batch.pk))
    assert f"{title}</h2>" in page
    assert "Send rewards with Stripe" not in page
    listed = text(marketer.get("batches"))
    assert "Takes back deductions" in listed
    assert "Send rewards with Stripe" not in listed


def test_viewer_sees_and_may_not_cancel(campaign: Campaign) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 1))
    viewer = member(campaign.organization, Role.VIEWER)
    assert "Cancel" not in text(viewer.get("batch", batch.pk))
    assert viewer.post("batch_stop", batch.pk).status_code == 403
    with tenant(campaign.organization):
        assert RewardBatch.objects.get().status == BatchStatus.QUEUED


def test_stranger_finds_nothing(campaign: Campaign) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 1))
    visitor = stranger(campaign.organization)
    for name in ("batch", "batch_progress"):
        assert visitor.get(name, batch.pk).status_code == 404
    assert visitor.post("batch_stop", batch.pk).status_code == 404
    assert member(factories.organization()).get("batch", batch.pk).status_code == 404


def test_list(campaign: Campaign, marketer: Visitor) -> None:
    assert "Nothing was issued yet" in text(marketer.get("batches"))
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 2))
    assert marketer.url("batch", batch.pk) in text(marketer.get("batches"))
    assert marketer.url("batch", batch.pk) not in text(marketer.get("batches", status="FINISHED"))


def test_queries_do_not_grow(campaign: Campaign, marketer: Visitor) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 1))
    issuing.run(seconds=5)
    before = marketer.queries("batch", batch.pk), marketer.queries("batches")
    larger = factories.batch(campaign.organization, factories.due_rewards(campaign, 6))
    factories.batch(campaign.organization, factories.due_rewards(campaign, 1))
    issuing.run(seconds=5)
    assert (marketer.queries("batch", larger.pk), marketer.queries("batches")) == before


def test_a_file_of_a_finished_batch_still_takes_results(campaign: Campaign, marketer: Visitor) -> None:
    paid, unclaimed, failed = factories.due_rewards(campaign, 3)
    batch = factories.batch(campaign.organization, [paid, unclaimed, failed], method="PAYPAL_FILE")
    keys = downloaded(marketer, batch)
    states = dict(zip(keys, ("Completed", "Unclaimed", "Failed"), strict=True))
    upload(marketer, batch, states)

    page = text(marketer.get("batch", batch.pk))
    assert "Download it again" not in page
    assert "Upload a later result file above" in page
    # Nothing of it had been sent, so nothing came back.
    assert "The money came back" not in page
    assert f"{marketer.url('issue')}?reward={failed.pk}&amp;choice=PAYPAL_FILE" in page

    upload(marketer, batch, {keys[1]: "Completed"})
    page = text(marketer.get("batch", batch.pk))
    assert "The file told of 1 reward." in page
    assert "Upload a later result file above" not in page
    with tenant(campaign.organization):
        unclaimed.refresh_from_db()
    assert unclaimed.status == RewardStatus.AVAILABLE


def test_a_line_of_a_result_file_that_is_left_out_says_why(campaign: Campaign, marketer: Visitor) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 2), method="PAYPAL_FILE")
    one, other = downloaded(marketer, batch)
    upload(marketer, batch, {one: "Completed", other: "Wobbly"})

    page = text(marketer.get("batch", batch.pk))
    assert "Line 3 was left out: it is of no reward in this batch, or its status isn&#x27;t known here" in page


def downloaded(marketer: Visitor, batch: RewardBatch) -> list[str]:
    """What names each reward in the batch's PayPal file."""
    lines = marketer.post("batch_file", batch.pk).content.decode().splitlines()
    return [line.split(",")[3] for line in lines]


def upload(marketer: Visitor, batch: RewardBatch, states: Mapping[str, str]) -> None:
    lines = ["Customer ID,Status", *(f"{key},{state}" for key, state in states.items())]
    results = SimpleUploadedFile("results.csv", "\n".join(lines).encode())
    marketer.post("batch_results", batch.pk, results=results)


def test_who_approved_it_is_shown(organization: Organization, marketer: Visitor) -> None:
    campaign = factories.campaign(organization, auto_issue_approve_above=1000)
    batch = factories.batch(organization, factories.due_rewards(campaign, 1), person=factories.user().pk)
    assert "approved by" not in text(marketer.get("batch", batch.pk))
    marketer.post("batch_approve", batch.pk)
    assert f"approved by {marketer.user}" in text(marketer.get("batch", batch.pk))


def test_what_holds_a_batch_up_is_said(campaign: Campaign, marketer: Visitor) -> None:
    batch = factories.batch(campaign.organization, factories.due_rewards(campaign, 2))
    with tenant(campaign.organization):
        BatchItem.objects.update(message="Acme can't be reached (timeout). It is tried again by itself.")
    said = "Acme can&#x27;t be reached (timeout). It is tried again by itself."
    assert said in text(marketer.get("batch", batch.pk))
    assert said in text(marketer.get("batch_progress", batch.pk))
    issuing.run(seconds=5)
    assert said not in text(marketer.get("batch", batch.pk))


def test_which_way_of_its_provider_it_went_is_said(
    campaign: Campaign, marketer: Visitor, connection: Connection
) -> None:
    labels = {
        "STRIPE_COUPON": "Send rewards as Stripe coupons",
        "PAYPAL_FILE": "Pay with a file for PayPal",
    }
    for reward, method in zip(factories.due_rewards(campaign, len(labels)), labels, strict=True):
        batch = factories.batch(campaign.organization, [reward], method=method)
        assert labels[method] in text(marketer.get("batch", batch.pk))
    page = text(marketer.get("batches"))
    assert [label in page for label in labels.values()] == [True, True]
