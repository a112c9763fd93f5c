"""Erasing a person: what is open ends, what was issued stays under a pseudonym, and nothing of the person comes back."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.core.management import call_command

from campaigns.models import Beneficiary, Campaign
from participants.errors import PersonErased, ReferralRefused
from participants.models import Customer, Erasure, ErasureKey, Participant, Payment, ProviderCustomer
from participants.reversals import ReversalReport
from participants.services import customer_change, participant_refer, provider_customer_link
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from referral_rocket.kit import clock
from rewards.errors import InvalidReward
from rewards.models import Claim, IssueAttempt, Reward
from rewards.selectors import budget_spent
from rewards.services import issuing
from rewards.services.confirming import reward_confirm, reward_deduct, reward_give
from rewards.services.erasing import erasures_finish_everywhere, person_erase
from rewards.services.releasing import release
from rewards.services.reversing import transaction_reverse
from rewards.states import RewardStatus
from tests import factories
from tests.integrations.stand_in import RunningSandbox, running
from tests.rewards.books import assert_books_agree

pytestmark = pytest.mark.django_db


def erase(participant: Participant) -> Customer:
    with tenant(participant.organization):
        return person_erase(organization=participant.organization, customer_id=participant.customer_id, actor="user:me")


def rewards_of(participant: Participant) -> list[Reward]:
    with tenant(participant.organization):
        return list(Reward.objects.filter(participant=participant).order_by("pk"))


def confirm(reward: Reward) -> None:
    with tenant(reward.organization):
        reward_confirm(organization=reward.organization, reward=reward, actor="user:me")


def refund(participant: Participant, transaction_id: str, **report: Any) -> None:
    with tenant(participant.organization):
        transaction_reverse(
            organization=participant.organization,
            campaign_id=participant.campaign_id,
            transaction_id=transaction_id,
            report=ReversalReport(**report),
            actor="user:me",
        )


def test_it_works(campaign: Campaign, participant: Participant, referred: Participant) -> None:
    elsewhere = factories.campaign(campaign.organization, name="Second", holding_days=10)
    other = factories.participant(elsewhere, "sharer@example.com")
    issued = factories.event(referred).rewards[0]
    confirm(issued)
    friend = factories.participant(campaign, referred_by=participant)
    due = factories.event(friend).rewards[0]
    held = factories.event(factories.participant(elsewhere, referred_by=other)).rewards[0]
    assert (due.status, held.status) == (RewardStatus.PENDING, RewardStatus.EARNED)

    erased = erase(participant)

    with tenant(campaign.organization):
        for reward in (issued, due, held):
            reward.refresh_from_db()
        erased.refresh_from_db()
        history = list(due.transitions.order_by("id").values_list("to_status", "actor", "reason"))
        kinds = list(Activity.objects.filter(kind="participant.erased").values_list("subject_id", flat=True))
    assert (issued.status, issued.amount, issued.customer_id) == (RewardStatus.AVAILABLE, 1200, erased.pk)
    assert (due.status, due.reason, due.target_amount) == (RewardStatus.CANCELED, "participant_erased", 0)
    assert (held.status, held.reason) == (RewardStatus.CANCELED, "participant_erased")
    assert history[-1] == (RewardStatus.CANCELED, "user:me", "participant_erased")
    assert (erased.email, erased.name, erased.external_id) == (None, "", None)
    assert str(erased) == erased.pseudonym != ""
    assert "@" not in erased.email_key
    assert sorted(kinds) == sorted([participant.pk, other.pk])
    assert_books_agree(campaign.organization)


def test_erasing_again_changes_nothing(campaign: Campaign, participant: Participant) -> None:
    first = erase(participant)
    with tenant(campaign.organization):
        written = Activity.objects.count()

    second = erase(participant)

    assert (second.pseudonym, second.erased_at) == (first.pseudonym, first.erased_at)
    with tenant(campaign.organization):
        assert Activity.objects.count() == written
        assert Erasure.objects.count() == 1


def test_what_others_earned_through_the_person_stands(referred: Participant, participant: Participant) -> None:
    earned = factories.event(referred).rewards[0]

    erase(referred)

    assert [(each.pk, each.status) for each in rewards_of(participant)] == [(earned.pk, RewardStatus.PENDING)]


def test_later_events_earn_nothing_for_anybody(referred: Participant, participant: Participant) -> None:
    erase(referred)

    result = factories.event(referred)

    assert (result.outcome, result.rewards) == ("NOT_QUALIFIED", [])
    assert [decision.code for decision in result.decisions] == ["condition_not_met"]
    assert "erased" in result.decisions[0].message
    assert rewards_of(participant) == []


def test_people_brought_by_an_erased_person_earn_for_themselves(organization: Organization) -> None:
    campaign = factories.campaign(
        organization,
        rules=[factories.referral_rule(), factories.referral_rule(beneficiary=Beneficiary.REFERRED, amount=500)],
    )
    sharer = factories.participant(campaign)
    friend = factories.participant(campaign, referred_by=sharer)
    erase(sharer)

    result = factories.event(friend)

    assert [(reward.participant_id, reward.amount) for reward in result.rewards] == [(friend.pk, 500)]


def test_an_open_deduction_is_written_off_and_stays_so(referred: Participant, participant: Participant) -> None:
    event = factories.event(referred)
    confirm(event.rewards[0])
    refund(referred, event.event.transaction_id or "", refund_id="r1", amount=6000)
    assert [each.status for each in rewards_of(participant)] == [RewardStatus.AVAILABLE, RewardStatus.PENDING_DEDUCTION]

    erase(participant)

    issued, deduction = rewards_of(participant)
    assert (issued.status, issued.amount) == (RewardStatus.AVAILABLE, 1200)
    assert (deduction.status, deduction.reason, deduction.remainder_amount) == (
        RewardStatus.CANCELED,
        "participant_erased",
        600,
    )
    # The rest of the payment comes back later: what it would take back is written off at once, and once.
    refund(referred, event.event.transaction_id or "", refund_id="r2", amount=6000)
    refund(referred, event.event.transaction_id or "", refund_id="r2", amount=6000)
    assert [(each.status, each.remainder_amount) for each in rewards_of(participant)] == [
        (RewardStatus.AVAILABLE, 0),
        (RewardStatus.CANCELED, 600),
        (RewardStatus.CANCELED, 600),
    ]
    assert_books_agree(participant.organization)


def test_an_unissued_total_ends_and_gives_the_budget_back(organization: Organization) -> None:
    campaign = factories.campaign(
        organization,
        rules=[factories.referral_rule(once_per="EVENT")],
        earning_timing="DELAYED",
        delay_days=1,
        budget=100_000,
    )
    sharer = factories.participant(campaign)
    friend = factories.participant(campaign, referred_by=sharer)
    for _ in range(2):
        factories.event(friend)
    release(organization=organization, at=clock.wall() + timedelta(days=3))
    assert [(each.status, each.target_amount) for each in rewards_of(sharer)] == [
        (RewardStatus.AGGREGATED, 1200),
        (RewardStatus.AGGREGATED, 1200),
        (RewardStatus.PENDING, 0),
    ]

    erase(sharer)

    assert [(each.status, each.target_amount) for each in rewards_of(sharer)] == [
        (RewardStatus.AGGREGATED, 0),
        (RewardStatus.AGGREGATED, 0),
        (RewardStatus.CANCELED, 0),
    ]
    with tenant(organization):
        assert budget_spent(campaign.pk) == 0
    assert_books_agree(organization)


def test_a_deduction_that_was_taken_stays(referred: Participant, participant: Participant) -> None:
    event = factories.event(referred)
    confirm(event.rewards[0])
    refund(referred, event.event.transaction_id or "", refund_id="r1", amount=6000)
    deduction = rewards_of(participant)[1]
    with tenant(participant.organization):
        reward_deduct(organization=participant.organization, reward=deduction, actor="user:me")

    erase(participant)

    assert rewards_of(participant)[1].status == RewardStatus.DEDUCTED


def test_a_dispute_won_later_gives_an_erased_person_nothing(referred: Participant, participant: Participant) -> None:
    event = factories.event(referred)
    transaction = event.event.transaction_id or ""
    confirm(event.rewards[0])
    refund(referred, transaction, refund_id="d1", kind="DISPUTE", status="OPEN")
    with tenant(participant.organization):
        reward_deduct(organization=participant.organization, reward=rewards_of(participant)[1], actor="user:me")
    erase(participant)

    refund(referred, transaction, refund_id="d1", kind="DISPUTE", status="WON")
    refund(referred, transaction, refund_id="r9", amount=1)

    statuses = [(each.status, each.amount) for each in rewards_of(participant)]
    assert statuses == [
        (RewardStatus.AVAILABLE, 1200),
        (RewardStatus.DEDUCTED, 1200),
        (RewardStatus.CANCELED, 1200),
    ]
    assert_books_agree(participant.organization)


def test_no_gift_to_an_erased_person(participant: Participant) -> None:
    with tenant(participant.organization):
        stale = Participant.objects.select_related("customer").get(pk=participant.pk)
    erase(participant)

    with tenant(participant.organization), pytest.raises(InvalidReward):
        reward_give(
            organization=participant.organization, participant=stale, amount=100, reason="Sorry", actor="user:me"
        )
    assert rewards_of(participant) == []


# Coming back -------------------------------------------------------------------------------------------------------


def test_nobody_is_referred_again_after_being_erased(participant: Participant, referred: Participant) -> None:
    campaign = participant.campaign
    erase(referred)

    back = factories.participant(campaign, "  Friend@Example.com ", referred_by=participant)

    assert back.customer_id != referred.customer_id
    assert (back.referred_by_id, back.attributed_at) == (None, None)
    with tenant(campaign.organization), pytest.raises(ReferralRefused):
        participant_refer(
            organization=campaign.organization,
            participant=back,
            referral_code=participant.referral_code,
            actor="user:me",
            at=clock.wall(),
        )
    result = factories.event(back)
    assert [decision.code for decision in result.decisions] == ["not_referred"]
    assert rewards_of(participant) == []


def test_somebody_may_be_erased_twice(participant: Participant, referred: Participant) -> None:
    erase(referred)
    back = factories.participant(participant.campaign, "friend@example.com")

    erase(back)

    third = factories.participant(participant.campaign, "friend@example.com", referred_by=participant)
    assert third.referred_by_id is None
    with tenant(participant.organization):
        hashes = list(Customer.objects.filter(erased_hash__isnull=False).values_list("erased_hash", flat=True))
    assert len(hashes) == 2
    assert len(set(hashes)) == 1


def test_the_hash_outlives_a_change_of_the_encryption_keys(
    participant: Participant, referred: Participant, settings: Any
) -> None:
    erase(referred)
    with tenant(participant.organization):
        before = Customer.objects.get(pk=referred.customer_id).erased_hash
    fresh = Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = [fresh, *settings.ENCRYPTION_KEYS]
    call_command("rotate_credentials")
    settings.ENCRYPTION_KEYS = [fresh]

    back = factories.participant(participant.campaign, "friend@example.com", referred_by=participant)

    assert back.referred_by_id is None
    with tenant(participant.organization):
        assert Customer.objects.get(pk=referred.customer_id).erased_hash == before


def test_organizations_have_hashes_of_their_own(participant: Participant, other_organization: Organization) -> None:
    there = factories.participant(factories.campaign(other_organization), "sharer@example.com")
    erase(participant)
    erase(there)

    with tenant(participant.organization):
        ours = Customer.objects.get(pk=participant.customer_id).erased_hash
        assert ErasureKey.objects.count() == 1
    with tenant(other_organization):
        assert Customer.objects.get(pk=there.customer_id).erased_hash != ours


def test_nothing_is_written_about_an_erased_person(participant: Participant) -> None:
    with tenant(participant.organization):
        stale = Customer.objects.get(pk=participant.customer_id)
    erase(participant)

    with tenant(participant.organization):
        with pytest.raises(PersonErased):
            customer_change(customer=stale, name="Ada")
        with pytest.raises(PersonErased):
            provider_customer_link(
                organization=participant.organization, customer=stale, provider="stripe", provider_id="cus_9"
            )
        assert ProviderCustomer.objects.count() == 0
        assert Customer.objects.get(pk=stale.pk).name == ""


def test_payments_and_provider_ids_are_emptied(participant: Participant) -> None:
    organization = participant.organization
    connection = factories.connection(organization)
    with tenant(organization):
        provider_customer_link(
            organization=organization, customer=participant.customer, provider="stripe", provider_id="cus_1"
        )
        made = {"organization": organization, "connection": connection, "source": "STRIPE", "created_at": clock.wall()}
        known = Payment.objects.create(
            **made, customer=participant.customer, email="sharer@example.com", metadata={"name": "Ada"}
        )
        unknown = Payment.objects.create(**made, provider_customer_id="cus_1", email="private@example.com")
        others = Payment.objects.create(**made, provider_customer_id="cus_2", email="other@example.com")

    erase(participant)

    with tenant(organization):
        for payment in (known, unknown, others):
            payment.refresh_from_db()
        assert ProviderCustomer.objects.count() == 0
    assert (known.email, known.metadata, known.customer_id) == (None, {}, participant.customer_id)
    assert (unknown.email, unknown.provider_customer_id) == (None, None)
    assert (others.email, others.provider_customer_id) == ("other@example.com", "cus_2")


# Being issued ------------------------------------------------------------------------------------------------------


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": f"{sandbox.url}/stripe"}
        yield sandbox


@pytest.fixture
def being_issued(stand_in: RunningSandbox, participant: Participant, referred: Participant) -> Reward:
    """A reward that Stripe issued, whose answer was lost."""
    factories.connection(participant.organization)
    reward = factories.event(referred).rewards[0]
    stand_in.add_customer("sharer@example.com", livemode=True)
    stand_in.fault("reset", method="POST", path="balance_transactions")
    factories.batch(participant.organization, [reward], method="STRIPE_CREDIT")
    issuing.run(seconds=5)
    return reward


def later(seconds: float) -> None:
    with time_machine.travel(clock.wall() + timedelta(seconds=seconds), tick=True):
        issuing.run(seconds=5)


def test_one_being_issued_ends_first_and_stays(
    stand_in: RunningSandbox, participant: Participant, being_issued: Reward
) -> None:
    erase(participant)

    with tenant(participant.organization):
        erasure = Erasure.objects.get()
        assert Customer.objects.get(pk=participant.customer_id).email is None
    assert erasure.finished_at is None
    assert erasure.held is not None
    assert erasure.held["email"] == "sharer@example.com"
    assert [each.status for each in rewards_of(participant)] == [RewardStatus.PENDING]
    assert erasures_finish_everywhere() == 0

    later(2)
    assert erasures_finish_everywhere() == 1

    assert [each.status for each in rewards_of(participant)] == [RewardStatus.AVAILABLE]
    assert stand_in.credits()["count"] == 1
    with tenant(participant.organization):
        over = Erasure.objects.get()
        assert over.held is None
        assert over.finished_at is not None
        attempts = list(IssueAttempt.objects.values_list("exchanges", "recipient_provider_id"))
        assert attempts == [([], None)] * 2
        assert ProviderCustomer.objects.count() == 0


def test_one_that_comes_to_nothing_is_canceled(stand_in: RunningSandbox, participant: Participant) -> None:
    factories.connection(participant.organization)
    friend = factories.participant(participant.campaign, referred_by=participant)
    reward = factories.event(friend).rewards[0]
    stand_in.add_customer("sharer@example.com", livemode=True)
    stand_in.fault("unavailable", method="POST", path="balance_transactions", times=None)
    factories.batch(participant.organization, [reward], method="STRIPE_CREDIT")
    issuing.run(seconds=5)
    erase(participant)
    assert [each.status for each in rewards_of(participant)] == [RewardStatus.PENDING]

    for tries in range(1, 7):
        later(700 * tries)
        erasures_finish_everywhere()

    with tenant(participant.organization):
        assert Claim.objects.filter(closed_at__isnull=True).count() == 0
    assert [(each.status, each.reason) for each in rewards_of(participant)] == [
        (RewardStatus.CANCELED, "participant_erased")
    ]
    assert stand_in.credits()["count"] == 0


def test_one_in_a_batch_that_nobody_started_is_canceled(
    stand_in: RunningSandbox, participant: Participant, referred: Participant
) -> None:
    factories.connection(participant.organization)
    reward = factories.event(referred).rewards[0]
    stand_in.add_customer("sharer@example.com", livemode=True)
    factories.batch(participant.organization, [reward], method="STRIPE_CREDIT")

    erase(participant)
    issuing.run(seconds=5)
    erasures_finish_everywhere()

    assert [each.status for each in rewards_of(participant)] == [RewardStatus.CANCELED]
    assert stand_in.credits()["count"] == 0
    with tenant(participant.organization):
        assert Claim.objects.filter(closed_at__isnull=True).count() == 0
        assert Erasure.objects.get().finished_at is not None
