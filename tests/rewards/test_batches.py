"""Making a batch: what is due of a selection is claimed, the rest is told why not."""

import pytest

from referral_rocket.accounts.scoping import tenant
from rewards.errors import BatchNotCancelable, ConnectionRequired, InvalidReward, UnknownRewards
from rewards.models import BatchItem, Claim, RewardBatch
from rewards.services import issuing
from rewards.services.batches import batch_cancel, batch_create
from rewards.services.confirming import reward_cancel, reward_confirm
from rewards.services.selecting import Selection, batch_plan
from tests import factories
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db


def make(organization, selection, method="MANUAL", **fields):
    with tenant(organization):
        return batch_create(
            organization=organization, method=method, selection=selection, actor=factories.ACTOR, **fields
        )


def items(organization, batch):
    with tenant(organization):
        return {
            item.reward_id: (item.outcome, item.code)
            for item in BatchItem.objects.filter(batch=batch).order_by("reward_id")
        }


def nothing_was_made(organization):
    with tenant(organization):
        assert not RewardBatch.objects.exists()
        assert not BatchItem.objects.exists()
        assert not Claim.objects.exists()


def test_it_works(organization, campaign):
    rewards = factories.due_rewards(campaign, 3)

    batch = make(organization, Selection(campaign_id=campaign.pk), reference="bank 7")
    assert (batch.status, batch.campaign_id) == ("QUEUED", campaign.pk)
    assert issuing.run(seconds=5) == 3

    assert items(organization, batch) == {reward.pk: ("SUCCEEDED", "") for reward in rewards}
    with tenant(organization):
        batch.refresh_from_db()
        assert batch.status == "FINISHED"
        for reward in rewards:
            reward.refresh_from_db()
            assert (reward.status, reward.method, reward.provider_reference) == ("AVAILABLE", "MANUAL", "bank 7")
        assert not Claim.objects.filter(closed_at__isnull=True).exists()
    assert_books_agree(organization)


def test_a_selection_of_which_some_can_not_be_issued(organization, campaign):
    free, taken, issued, canceled = factories.due_rewards(campaign, 4)
    factories.batch(organization, [taken])
    with tenant(organization):
        reward_confirm(organization=organization, reward=issued, actor=factories.ACTOR)
        reward_cancel(organization=organization, reward=canceled, actor=factories.ACTOR, reason="x")
        plan = batch_plan(method="MANUAL", selection=Selection(reward_ids=[free.pk, taken.pk, issued.pk, canceled.pk]))

    batch = make(organization, Selection(reward_ids=[free.pk, taken.pk, issued.pk, canceled.pk, free.pk]))

    assert (plan.issuable, plan.totals, plan.problems) == (
        1,
        [("USD", 1, 1200)],
        [("being_issued", 1), ("not_due", 2)],
    )
    assert items(organization, batch) == {
        free.pk: ("QUEUED", ""),
        taken.pk: ("FAILED", "being_issued"),
        issued.pk: ("FAILED", "not_due"),
        canceled.pk: ("FAILED", "not_due"),
    }


def test_a_plan_stores_nothing(organization, campaign):
    factories.due_rewards(campaign, 2)

    with tenant(organization):
        plan = batch_plan(method="MANUAL", selection=Selection(campaign_id=campaign.pk))

    assert plan.issuable == 2
    nothing_was_made(organization)


def test_rewards_of_others(organization, campaign, other_organization):
    (mine,) = factories.due_rewards(campaign, 1)
    (theirs,) = factories.due_rewards(factories.campaign(other_organization), 1)

    with pytest.raises(UnknownRewards):
        make(organization, Selection(reward_ids=[mine.pk, theirs.pk]))

    nothing_was_made(organization)
    nothing_was_made(other_organization)


@pytest.mark.parametrize(
    ("method", "error"), [("STRIPE_CREDIT", ConnectionRequired), ("CARRIER_PIGEON", InvalidReward), ("", InvalidReward)]
)
def test_a_method_that_is_not_there(organization, campaign, method, error):
    (reward,) = factories.due_rewards(campaign, 1)

    with pytest.raises(error):
        make(organization, Selection(reward_ids=[reward.pk]), method)

    nothing_was_made(organization)


def test_a_connection_of_others(organization, campaign, other_organization):
    (reward,) = factories.due_rewards(campaign, 1)
    theirs = factories.connection(other_organization)

    with pytest.raises(ConnectionRequired):
        make(organization, Selection(reward_ids=[reward.pk]), "STRIPE_CREDIT", connection_id=theirs.pk)

    nothing_was_made(organization)


def test_all_that_is_due_is_fixed_to_that_moment(organization, campaign):
    (early,) = factories.due_rewards(campaign, 1)
    batch = make(organization, Selection(campaign_id=campaign.pk))
    factories.due_rewards(campaign, 1)

    issuing.run(seconds=5)

    assert list(items(organization, batch)) == [early.pk]


def test_a_batch_of_nothing_is_finished(organization, campaign):
    batch = make(organization, Selection(campaign_id=campaign.pk))

    assert batch.status == "FINISHED"
    assert items(organization, batch) == {}


def test_cancel_frees_what_nobody_has_started(organization, campaign):
    rewards = factories.due_rewards(campaign, 2)
    batch = factories.batch(organization, rewards)

    with tenant(organization):
        canceled = batch_cancel(organization=organization, batch=batch, actor=factories.ACTOR)
        again = batch_cancel(organization=organization, batch=batch, actor=factories.ACTOR)

    assert (canceled.status, again.status) == ("CANCELED", "CANCELED")
    assert issuing.run(seconds=5) == 0
    assert items(organization, batch) == {reward.pk: ("FAILED", "canceled") for reward in rewards}
    with tenant(organization):
        assert not Claim.objects.filter(closed_at__isnull=True).exists()
        assert reward_confirm(organization=organization, reward=rewards[0], actor=factories.ACTOR).status == "AVAILABLE"


def test_a_finished_batch_can_not_be_canceled(organization, campaign):
    batch = factories.batch(organization, factories.due_rewards(campaign, 1))
    issuing.run(seconds=5)

    with tenant(organization), pytest.raises(BatchNotCancelable):
        batch_cancel(organization=organization, batch=batch, actor=factories.ACTOR)

    assert set(items(organization, batch).values()) == {("SUCCEEDED", "")}


def test_too_many_rewards_for_one_batch(organization, campaign):
    ids = [factories.next_number() for _ in range(10_001)]

    with pytest.raises(InvalidReward, match="10000"):
        make(organization, Selection(reward_ids=ids))

    nothing_was_made(organization)
