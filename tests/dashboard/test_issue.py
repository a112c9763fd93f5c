"""From Issue Reward to a batch: the preview sends nothing, what it showed is issued, and only once."""

import re
from typing import Any
from uuid import uuid4

import pytest

from campaigns.models import Campaign
from integrations.models import Connection
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, Claim, Reward, RewardBatch
from rewards.services import issuing
from rewards.states import ItemOutcome, RewardStatus, WaitingFor
from tests import factories
from tests.concurrency import at_once
from tests.dashboard.visitor import Visitor, member, stranger, text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_is_nudged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("referral_rocket.dashboard.batches.issue.nudge", lambda task: None)


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def campaign(organization: Organization) -> Campaign:
    return factories.campaign(organization)


@pytest.fixture
def marketer(organization: Organization) -> Visitor:
    return member(organization, Role.MARKETER)


def row(reward: Reward) -> str:
    return f"{reward.participant_id}:{reward.currency}"


def preview_of(page: Any) -> str:
    found = re.search(r'name="preview" value="([^"]+)"', page.content.decode())
    assert found is not None
    return found[1]


def batches(organization: Organization) -> list[RewardBatch]:
    with tenant(organization):
        return list(RewardBatch.objects.order_by("pk"))


def test_it_works(campaign: Campaign, marketer: Visitor) -> None:
    first, second, left = factories.due_rewards(campaign, 3)
    asked: dict[str, Any] = {"campaign": campaign.pk, "selected": [row(first), row(second)], "choice": "MANUAL"}
    page = marketer.get("issue", **asked)
    assert page.status_code == 200
    assert "$24.00" in text(page)
    assert batches(campaign.organization) == []

    answer = marketer.post(
        "issue", **asked, preview=preview_of(page), note="By bank transfer", reference="2026-11-21/7"
    )
    (batch,) = batches(campaign.organization)
    assert (answer.status_code, answer.url) == (302, marketer.url("batch", batch.pk))
    assert (batch.method, batch.note, batch.reference) == ("MANUAL", "By bank transfer", "2026-11-21/7")
    assert batch.actor == f"user:{marketer.user.pk}"
    issuing.run(seconds=5)
    with tenant(campaign.organization):
        status = dict(Reward.objects.values_list("pk", "status"))
    assert status == {
        first.pk: RewardStatus.AVAILABLE,
        second.pk: RewardStatus.AVAILABLE,
        left.pk: RewardStatus.PENDING,
    }


def test_second_click_lands_on_the_same_batch(campaign: Campaign, marketer: Visitor) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    asked = {"reward": reward.pk, "choice": "MANUAL"}
    preview = preview_of(marketer.get("issue", **asked))
    first = marketer.post("issue", **asked, preview=preview)
    second = marketer.post("issue", **asked, preview=preview)
    (batch,) = batches(campaign.organization)
    assert first.url == second.url == marketer.url("batch", batch.pk)


@pytest.mark.django_db(transaction=True)
def test_twenty_clicks_at_once_make_one_batch(campaign: Campaign, marketer: Visitor) -> None:
    rewards = factories.due_rewards(campaign, 3)
    asked: dict[str, Any] = {"campaign": campaign.pk, "everything": "1", "choice": "MANUAL"}
    preview = preview_of(marketer.get("issue", **asked))
    visitors = [Visitor(campaign.organization, marketer.user) for _ in range(20)]
    answers = at_once(20, lambda number: visitors[number].post("issue", **asked, preview=preview))
    (batch,) = batches(campaign.organization)
    assert {(answer.status_code, answer.url) for answer in answers} == {(302, marketer.url("batch", batch.pk))}  # type: ignore[union-attr]
    with tenant(campaign.organization):
        assert BatchItem.objects.filter(outcome=ItemOutcome.QUEUED).count() == len(rewards)
        assert Claim.objects.count() == len(rewards)


def test_nothing_is_issued_that_the_preview_did_not_show(campaign: Campaign, marketer: Visitor) -> None:
    factories.due_rewards(campaign, 2)
    asked = {"campaign": campaign.pk, "everything": "1", "choice": "MANUAL"}
    preview = preview_of(marketer.get("issue", **asked))
    factories.due_rewards(campaign, 1)
    answer = marketer.post("issue", **asked, preview=preview, note="typed")
    assert answer.status_code == 409
    assert "The selection has changed since you looked" in text(answer)
    assert "$36.00" in text(answer)
    assert 'value="typed"' in text(answer)
    assert batches(campaign.organization) == []
    with tenant(campaign.organization):
        assert Claim.objects.count() == 0


def test_somebody_else_was_first(campaign: Campaign, marketer: Visitor) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    asked = {"reward": reward.pk, "choice": "MANUAL"}
    preview = preview_of(marketer.get("issue", **asked))
    others = factories.batch(campaign.organization, [reward])
    answer = marketer.post("issue", **asked, preview=preview)
    assert answer.status_code == 409
    assert "being issued by somebody else right now" in text(answer)
    assert batches(campaign.organization) == [others]


def test_everything_that_matches_a_filter(campaign: Campaign, marketer: Visitor) -> None:
    rewards = factories.due_rewards(campaign, 3)
    with tenant(campaign.organization):
        email = Reward.objects.select_related("customer").get(pk=rewards[1].pk).customer.email
    asked = {"campaign": campaign.pk, "everything": "1", "q": email, "choice": "MANUAL"}
    marketer.post("issue", **asked, preview=preview_of(marketer.get("issue", **asked)))
    with tenant(campaign.organization):
        assert [item.reward_id for item in BatchItem.objects.all()] == [rewards[1].pk]


def test_nothing_selected(campaign: Campaign, marketer: Visitor) -> None:
    factories.due_rewards(campaign, 1)
    page = marketer.get("issue", campaign=campaign.pk, choice="MANUAL")
    assert "Nothing to issue" in text(page)
    assert 'name="preview"' not in text(page)


def test_real_money_needs_the_number_typed(campaign: Campaign, marketer: Visitor, settings: Any) -> None:
    settings.PROVIDER_API_BASES = {}
    connection = factories.connection(campaign.organization)
    factories.due_rewards(campaign, 2)
    asked = {"campaign": campaign.pk, "everything": "1", "choice": f"STRIPE_CREDIT:{connection.pk}"}
    page = marketer.get("issue", **asked)
    assert "Real money is sent" in text(page)
    refused = marketer.post("issue", **asked, preview=preview_of(page), confirmation="3")
    assert refused.status_code == 422
    assert batches(campaign.organization) == []
    answer = marketer.post("issue", **asked, preview=preview_of(refused), confirmation="2")
    (batch,) = batches(campaign.organization)
    assert answer.url == marketer.url("batch", batch.pk)
    assert (batch.method, batch.connection_id) == ("STRIPE_CREDIT", connection.pk)


def test_stand_in_is_marked_and_asks_for_nothing(campaign: Campaign, marketer: Visitor, settings: Any) -> None:
    settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": "http://127.0.0.1:1/stripe"}
    connection = factories.connection(campaign.organization)
    factories.due_rewards(campaign, 1)
    asked = {"campaign": campaign.pk, "everything": "1", "choice": f"STRIPE_CREDIT:{connection.pk}"}
    page = marketer.get("issue", **asked)
    assert "Sandbox" in text(page)
    assert "Real money" not in text(page)
    assert marketer.post("issue", **asked, preview=preview_of(page)).status_code == 302


def test_what_a_batch_left_over(campaign: Campaign, marketer: Visitor) -> None:
    rewards = factories.due_rewards(campaign, 2)
    factories.batch(campaign.organization, rewards[:1])
    failed = factories.batch(campaign.organization, rewards)
    issuing.run(seconds=5)
    page = marketer.get("issue", batch=failed.pk, choice="MANUAL")
    assert "Nothing to issue" in text(page)


@pytest.mark.parametrize("preview", ["", "forged", "W10:1:x"])
def test_form_that_no_preview_made_is_400(campaign: Campaign, marketer: Visitor, preview: str) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    assert marketer.post("issue", reward=reward.pk, choice="MANUAL", preview=preview).status_code == 400
    assert batches(campaign.organization) == []


def test_preview_of_another_way_is_400(campaign: Campaign, marketer: Visitor) -> None:
    connection = factories.connection(campaign.organization)
    (reward,) = factories.due_rewards(campaign, 1)
    preview = preview_of(marketer.get("issue", reward=reward.pk, choice="MANUAL"))
    answer = marketer.post(
        "issue", reward=reward.pk, choice=f"STRIPE_CREDIT:{connection.pk}", preview=preview, confirmation="1"
    )
    assert answer.status_code == 400
    assert batches(campaign.organization) == []


def test_way_that_is_not_offered_is_404(campaign: Campaign, marketer: Visitor) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    for choice in ("", "STRIPE_CREDIT", f"STRIPE_CREDIT:{uuid4()}", "GOLD"):
        assert marketer.get("issue", reward=reward.pk, choice=choice).status_code == 404, choice


def test_what_is_not_in_this_organization(campaign: Campaign) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    batch = factories.batch(campaign.organization, [reward])
    outsider = member(factories.organization())
    assert outsider.get("issue", campaign=campaign.pk, everything="1", choice="MANUAL").status_code == 404
    assert outsider.get("issue", batch=batch.pk, choice="MANUAL").status_code == 404
    page = outsider.get("issue", reward=reward.pk, choice="MANUAL")
    assert "No such reward" in text(page)
    assert 'name="preview"' not in text(page)


def test_malformed_ids_are_400(marketer: Visitor) -> None:
    for asked in ({"reward": "x"}, {"campaign": "x"}, {"batch": "x"}):
        assert marketer.get("issue", choice="MANUAL", **asked).status_code == 400, asked


def test_viewer_is_refused(campaign: Campaign) -> None:
    (reward,) = factories.due_rewards(campaign, 1)
    viewer = member(campaign.organization, Role.VIEWER)
    assert viewer.get("issue", reward=reward.pk, choice="MANUAL").status_code == 403
    assert viewer.post("issue", reward=reward.pk, choice="MANUAL").status_code == 403
    assert stranger(campaign.organization).get("issue", reward=reward.pk, choice="MANUAL").status_code == 404
    assert batches(campaign.organization) == []


def test_queries_do_not_grow(campaign: Campaign, marketer: Visitor) -> None:
    factories.due_rewards(campaign, 1)
    before = marketer.queries("issue", campaign=campaign.pk, everything="1", choice="MANUAL")
    factories.due_rewards(campaign, 7)
    assert marketer.queries("issue", campaign=campaign.pk, everything="1", choice="MANUAL") == before


def test_only_the_provider_that_did_not_find_somebody_is_warned_about(
    organization: Organization, campaign: Campaign, marketer: Visitor
) -> None:
    asked, other = factories.connection(organization), factories.connection(organization)
    (reward,) = factories.due_rewards(campaign, 1)
    factories.batch(organization, [reward], method="STRIPE_CREDIT", connection_id=asked.pk)
    with tenant(organization):
        Reward.objects.update(waiting_for=WaitingFor.RECIPIENT)
        BatchItem.objects.update(outcome=ItemOutcome.WAITING, connection=asked)
        Claim.objects.update(closed_at=clock.wall())

    def preview(connection: Connection) -> str:
        return text(marketer.get("issue", reward=reward.pk, choice=f"STRIPE_CREDIT:{connection.pk}"))

    assert "couldn&#x27;t be sent before" in preview(asked)
    assert "couldn&#x27;t be sent before" not in preview(other)
