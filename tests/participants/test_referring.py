"""Who referred somebody is set once, while no event has counted, and never in a circle."""

import pytest

from participants.errors import ReferralRefused, SelfReferral, UnknownReferralCode
from participants.models import Participant
from participants.services import participant_refer
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from referral_rocket.kit.clock import wall
from rewards.services.undoing import event_undo
from tests import factories
from tests.concurrency import at_once

pytestmark = pytest.mark.django_db


def refer(participant, code, at=None):
    with tenant(participant.organization):
        return participant_refer(
            organization=participant.organization,
            participant=participant,
            referral_code=code,
            actor=factories.ACTOR,
            at=at or wall(),
        )


def referrer_of(participant):
    with tenant(participant.organization):
        return Participant.objects.get(pk=participant.pk).referred_by_id


def test_it_works(organization, campaign, participant):
    friend, at = factories.participant(campaign), wall()

    referred = refer(friend, participant.referral_code.lower(), at)

    assert (referred.referred_by_id, referred.attributed_at) == (participant.pk, at)
    assert referrer_of(friend) == participant.pk
    with tenant(organization):
        assert Activity.objects.get(kind="participant.referred").data == {"by": str(participant.pk)}


def test_a_referrer_is_set_once(campaign, participant, referred):
    other = factories.participant(campaign)

    with pytest.raises(ReferralRefused, match="already"):
        refer(referred, other.referral_code)

    assert referrer_of(referred) == participant.pk


def test_not_after_an_event_has_counted(organization, campaign, participant):
    friend = factories.participant(campaign)
    event = factories.event(friend, source="HAND").event

    with pytest.raises(ReferralRefused, match="counted"):
        refer(friend, participant.referral_code)
    assert referrer_of(friend) is None
    with tenant(organization):
        event_undo(organization=organization, event=event, actor=factories.ACTOR)

    assert refer(friend, participant.referral_code).referred_by_id == participant.pk


def test_a_code_of_one_s_own_or_of_nobody(campaign, participant):
    with pytest.raises(SelfReferral):
        refer(participant, participant.referral_code)
    with pytest.raises(UnknownReferralCode):
        refer(participant, "NOBODYS1")
    assert referrer_of(participant) is None


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_chain_never_closes(campaign, participant, length):
    last = participant
    for _ in range(length):
        last = factories.participant(campaign, referred_by=last)

    with pytest.raises(ReferralRefused, match="directly or through others"):
        refer(participant, last.referral_code)

    assert referrer_of(participant) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", [2, 3, 8])
def test_people_who_refer_one_another_at_once_do_not_close_a_circle(organization, campaign, size):
    people = [factories.participant(campaign) for _ in range(size)]

    answers = at_once(
        size,
        lambda number: refer(people[number], people[(number + 1) % size].referral_code),
        expected=(ReferralRefused,),
    )

    assert sum(isinstance(answer, ReferralRefused) for answer in answers) == 1
    assert [referrer_of(person) for person in people].count(None) == 1
