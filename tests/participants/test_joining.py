"""Joining a campaign: one person is one participant, with one referrer at most."""

import pytest

from participants import joining
from participants.attribution import InvalidEmail
from participants.errors import IdTaken, SelfReferral, UnknownReferralCode
from participants.models import Customer, Participant, ProviderCustomer
from participants.services import participant_ban, participant_join, participant_unban
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from tests import factories
from tests.concurrency import at_once

pytestmark = pytest.mark.django_db


def join(organization, campaign, email="friend@example.com", **fields):
    with tenant(organization):
        return participant_join(
            organization=organization, campaign=campaign, email=email, actor=factories.ACTOR, **fields
        )


def people(organization):
    with tenant(organization):
        return Customer.objects.count(), Participant.objects.count()


def test_it_works(organization, campaign, participant):
    joined = join(
        organization,
        campaign,
        "Friend@Example.com",
        name="A Friend",
        external_id="u_17",
        referral_code=participant.referral_code.lower(),
        provider_ids={"stripe": "cus_1"},
    )

    friend = joined.participant
    assert joined.created
    assert (friend.referred_by_id, friend.attributed_at) == (participant.pk, friend.joined_at)
    assert (friend.customer.email, friend.customer.email_key) == ("Friend@Example.com", "friend@example.com")
    assert (friend.customer.name, friend.customer.external_id) == ("A Friend", "u_17")
    assert friend.referral_code != participant.referral_code
    with tenant(organization):
        assert ProviderCustomer.objects.get().provider_id == "cus_1"
        entry = Activity.objects.get(subject_id=friend.pk)
        assert (entry.kind, entry.data) == (
            "participant.joined",
            {"referred_by": str(participant.pk), "erased_before": False},
        )


@pytest.mark.parametrize("again", ["friend@example.com", " FRIEND@example.COM "])
def test_joining_again_changes_nothing(organization, campaign, participant, referred, again):
    other = factories.participant(campaign)
    with tenant(organization):
        before = Customer.objects.filter(pk=referred.customer_id).values().get()

    joined = join(
        organization,
        campaign,
        again,
        name="Somebody Else",
        external_id="u_99",
        referral_code=other.referral_code,
        provider_ids={"stripe": "cus_99"},
    )

    assert (joined.created, joined.participant.pk) == (False, referred.pk)
    assert joined.participant.referred_by_id == participant.pk
    with tenant(organization):
        assert Customer.objects.filter(pk=referred.customer_id).values().get() == before
        assert not ProviderCustomer.objects.exists()


def test_joining_again_does_not_send_rewards_elsewhere(organization, campaign):
    """The provider's id says where credit goes: a second join must not be able to change it."""
    join(organization, campaign, provider_ids={"stripe": "cus_mine"})

    join(organization, campaign, provider_ids={"stripe": "cus_evil"})

    with tenant(organization):
        assert ProviderCustomer.objects.get().provider_id == "cus_mine"


def test_one_person_in_two_campaigns_is_one_customer(organization, campaign):
    first = join(organization, campaign, name="Ann").participant
    second = join(organization, factories.campaign(organization), name="Not Ann", external_id="u_1").participant

    assert first.customer_id == second.customer_id
    assert second.customer.name == "Ann"
    assert second.customer.external_id == "u_1"
    assert first.referral_code != second.referral_code


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"email": "no address"}, InvalidEmail),
        ({"referral_code": "NOBODYS1"}, UnknownReferralCode),
        ({"email": "Sharer@example.com", "referral_code": "own"}, SelfReferral),
        ({"external_id": "taken"}, IdTaken),
        ({"provider_ids": {"stripe": "cus_taken"}}, IdTaken),
    ],
)
def test_what_refuses_a_join_leaves_nobody_behind(organization, campaign, participant, fields, error):
    join(organization, campaign, "other@example.com", external_id="taken", provider_ids={"stripe": "cus_taken"})
    before = people(organization)
    if fields.get("referral_code") == "own":
        fields = {**fields, "referral_code": participant.referral_code}

    with pytest.raises(error):
        join(organization, campaign, **fields)

    assert people(organization) == before


def test_a_code_of_another_campaign_or_organization(organization, campaign, other_organization):
    elsewhere = factories.participant(factories.campaign(organization))
    theirs = factories.participant(factories.campaign(other_organization))

    for code in (elsewhere.referral_code, theirs.referral_code):
        with pytest.raises(UnknownReferralCode):
            join(organization, campaign, referral_code=code)

    with tenant(organization):
        assert not Participant.objects.filter(campaign=campaign).exists()


def test_the_same_person_in_two_organizations_is_two(organization, campaign, other_organization):
    mine = join(organization, campaign).participant
    theirs = join(other_organization, factories.campaign(other_organization), external_id="u_1").participant

    assert mine.customer_id != theirs.customer_id
    assert people(organization) == people(other_organization) == (1, 1)


def test_a_code_that_is_taken_is_drawn_again(organization, campaign, participant, monkeypatch):
    codes = iter([participant.referral_code, participant.referral_code, "FREECODE"])
    monkeypatch.setattr(joining, "new_code", lambda: next(codes))

    assert join(organization, campaign).participant.referral_code == "FREECODE"


def test_a_ban_is_noted_once_and_lifted(organization, participant):
    for reason in ("fraud", "again"):
        with tenant(organization):
            participant_ban(organization=organization, participant=participant, reason=reason, actor=factories.ACTOR)
    with tenant(organization):
        participant.refresh_from_db()
        assert participant.ban_reason == "fraud"
        participant_unban(organization=organization, participant=participant, actor=factories.ACTOR)
        participant_unban(organization=organization, participant=participant, actor=factories.ACTOR)
        participant.refresh_from_db()
        assert (participant.banned_at, participant.ban_reason) == (None, "")
        kinds = list(Activity.objects.filter(subject_id=participant.pk).order_by("id").values_list("kind", flat=True))
    assert kinds == ["participant.joined", "participant.banned", "participant.unbanned"]


@pytest.mark.django_db(transaction=True)
def test_twenty_joins_of_one_person_are_one(organization, campaign, participant):
    answers = at_once(
        20,
        lambda number: join(
            organization, campaign, "Friend@Example.com" if number % 2 else "friend@example.com", external_id="u_1"
        ),
    )

    assert len({answer.participant.pk for answer in answers}) == 1
    assert sum(answer.created for answer in answers) == 1
    assert people(organization) == (2, 2)


@pytest.mark.django_db(transaction=True)
def test_twenty_people_with_one_external_id_are_one_and_refusals(organization, campaign):
    answers = at_once(
        20,
        lambda number: join(organization, campaign, f"person{number}@example.com", external_id="u_1"),
        expected=(IdTaken,),
    )

    assert sum(isinstance(answer, IdTaken) for answer in answers) == 19
    assert people(organization) == (1, 1)
