"""Batches above a campaign's amount wait for a second person."""

import pytest

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from rewards.errors import BatchNotReady, SamePerson
from rewards.models import Claim, Reward, RewardBatch
from rewards.services import issuing
from rewards.services.automatic import runs_everywhere
from rewards.services.batches import batch_approve, batch_cancel
from tests import factories
from tests.concurrency import at_once

pytestmark = pytest.mark.django_db

MAKER, OTHER = "user:1", "user:2"


def batch_of(organization: Organization, number: int) -> RewardBatch:
    """Of rewards of $12.00; more than $20.00 need a second person."""
    campaign = factories.campaign(organization, auto_issue_approve_above=2000)
    batch = factories.batch(organization, factories.due_rewards(campaign, number))
    with tenant(organization):
        RewardBatch.objects.filter(pk=batch.pk).update(actor=MAKER)
        batch.refresh_from_db()
    return batch


def approve(batch: RewardBatch, actor: str = OTHER) -> RewardBatch:
    with tenant(batch.organization):
        return batch_approve(organization=batch.organization, batch=batch, actor=actor, person=None)


def statuses(batch: RewardBatch) -> set[str]:
    with tenant(batch.organization):
        return set(Reward.objects.values_list("status", flat=True))


def test_it_works(organization: Organization) -> None:
    batch = batch_of(organization, 2)
    assert batch.status == "AWAITING_APPROVAL"
    assert issuing.run(seconds=1) == 0
    assert statuses(batch) == {"PENDING"}

    assert approve(batch).status == "QUEUED"
    assert approve(batch).approved_by == OTHER
    issuing.run(seconds=5)

    assert statuses(batch) == {"AVAILABLE"}


def test_what_is_below_goes_at_once(organization: Organization) -> None:
    batch = batch_of(organization, 1)

    assert batch.status == "QUEUED"
    with pytest.raises(BatchNotReady):
        approve(batch)


def test_its_maker_can_not_approve_it(organization: Organization) -> None:
    batch = batch_of(organization, 2)
    person = organization.pk
    with tenant(organization):
        RewardBatch.objects.filter(pk=batch.pk).update(person_id=person)

    with pytest.raises(SamePerson):
        approve(batch, MAKER)
    with tenant(organization), pytest.raises(SamePerson):
        batch_approve(organization=organization, batch=batch, actor="api_key:7", person=person)

    assert issuing.run(seconds=1) == 0
    with tenant(organization):
        assert RewardBatch.objects.get().status == "AWAITING_APPROVAL"


def test_cancelling_frees_everything(organization: Organization) -> None:
    batch = batch_of(organization, 2)

    with tenant(organization):
        canceled = batch_cancel(organization=organization, batch=batch, actor=MAKER)
        assert not Claim.objects.filter(closed_at__isnull=True).exists()

    assert canceled.status == "CANCELED"
    with pytest.raises(BatchNotReady):
        approve(batch)
    assert statuses(batch) == {"PENDING"}


@pytest.mark.django_db(transaction=True)
def test_approved_and_canceled_at_once(organization: Organization) -> None:
    """One of them is first, and neither waits for the other in a circle."""
    batches = [batch_of(organization, 4) for _ in range(6)]

    def press(number: int) -> None:
        for batch in batches:
            if number % 2:
                approve(batch)
            else:
                with tenant(organization):
                    batch_cancel(organization=organization, batch=batch, actor=MAKER)

    at_once(4, press, expected=(BatchNotReady,))
    issuing.run(seconds=10)

    with tenant(organization):
        assert not Claim.objects.filter(closed_at__isnull=True).exists()
        for batch in batches:
            batch.refresh_from_db()
            assert batch.status in ("FINISHED", "CANCELED")


def test_automatic_issuing_leaves_what_waits_for_approval(organization: Organization) -> None:
    campaign = factories.campaign(
        organization,
        auto_issue_approve_above=2000,
        auto_issue_when="AT_ONCE",
        fulfilment_kind="METHOD",
        fulfilment_method="PAYPAL_FILE",
    )
    factories.batch(organization, factories.due_rewards(campaign, 2))
    assert runs_everywhere() == 0
    with tenant(organization):
        assert RewardBatch.objects.count() == 1
