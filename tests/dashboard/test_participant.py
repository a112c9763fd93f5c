"""A participant's page: why there is a reward or none, and what is done by hand."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.messages import get_messages

from campaigns.models import Beneficiary, Campaign, CampaignStatus
from participants.models import Participant, QualifyingEvent
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Reward
from rewards.services import issuing
from rewards.services.reversing import transaction_reverse
from rewards.states import RewardStatus, RewardType
from tests import factories
from tests.dashboard.visitor import Visitor, member, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return factories.organization(time_zone="Europe/Berlin")


@pytest.fixture
def campaign(organization: Organization) -> Campaign:
    return factories.campaign(
        organization,
        rules=[
            factories.referral_rule(min_purchase=2500),
            factories.referral_rule(beneficiary=Beneficiary.REFERRED, amount=500),
        ],
    )


@pytest.fixture
def ada(campaign: Campaign) -> Participant:
    return factories.participant(campaign, "ada@example.com", name="Ada")


@pytest.fixture
def bob(campaign: Campaign, ada: Participant) -> Participant:
    return factories.participant(campaign, "bob@example.com", name="Bob", referred_by=ada)


@pytest.fixture
def marketer(organization: Organization) -> Visitor:
    return member(organization, Role.MARKETER)


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def rewards_of(organization: Organization) -> list[tuple[str, int, str]]:
    with tenant(organization):
        return [
            (str(reward.customer), reward.amount, reward.status)
            for reward in Reward.objects.select_related("customer").order_by("pk")
        ]


PURCHASE = {"event-amount": "49.90", "event-transaction_id": "order-1"}


def test_it_works(marketer: Visitor, organization: Organization, bob: Participant) -> None:
    answer = marketer.post("event_mark", bob.pk, **PURCHASE)
    assert answer.headers["Location"] == marketer.url("participant", bob.pk)
    assert said(answer) == ["Event marked complete. 2 rewards earned: $12.00, $5.00."]
    assert rewards_of(organization) == [("Ada", 1200, "PENDING"), ("Bob", 500, "PENDING")]
    with tenant(organization):
        event = QualifyingEvent.objects.get()
    assert (event.amount, event.currency, event.transaction_id, event.source) == (4990, "USD", "order-1", "HAND")
    assert event.actor == f"user:{marketer.user.pk}"
    page = text(marketer.get("participant", bob.pk))
    for words in (
        "Mark qualifying event complete",
        "Referrer: Earns $12.00.",
        "Reward of Ada",
        "Own reward",
        "order-1",
    ):
        assert words in page


def test_why_there_is_no_reward(marketer: Visitor, bob: Participant, ada: Participant) -> None:
    answer = marketer.post("event_mark", bob.pk, **{**PURCHASE, "event-amount": "20"})
    assert said(answer) == ["Event marked complete. 1 reward earned: $5.00."]
    assert "Referrer: $20.00 was paid; the rule asks for at least $25.00." in text(marketer.get("participant", bob.pk))
    alone = marketer.post("event_mark", ada.pk, **{**PURCHASE, "event-transaction_id": "order-2"})
    assert said(alone) == ["Event marked complete. No reward: Nobody referred this participant."]


def test_the_same_event_again_counts_once(marketer: Visitor, organization: Organization, bob: Participant) -> None:
    marketer.post("event_mark", bob.pk, **PURCHASE)
    answer = marketer.post("event_mark", bob.pk, **{**PURCHASE, "event-amount": "60"})
    assert said(answer)[-1] == (
        "This event is on record already with another amount; the first one stands. It counts once."
    )
    assert len(rewards_of(organization)) == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"event-amount": ""}, "This field is required."),
        ({"event-amount": "-5"}, "Enter an amount above 0."),
        ({"event-amount": "1.234"}, "USD has 2 decimals; enter no more."),
        ({"event-amount": "ten"}, "Enter an amount such as 12.50, without a currency sign."),
        ({"event-amount": "99999999999999999"}, "This amount is too large."),
        ({"event-transaction_id": ""}, "This field is required."),
        ({"event-occurred_at": "2099-01-01T00:00"}, "more than 5 minutes from now"),
        ({"event-occurred_at": "2001-01-01T00:00"}, "The campaign was not active"),
        ({"event-transaction_id": "taken"}, "was reported for another participant"),
    ],
)
def test_bad_input_shows_the_dialog_again(
    wrong: dict[str, str],
    message: str,
    marketer: Visitor,
    organization: Organization,
    ada: Participant,
    bob: Participant,
) -> None:
    factories.event(ada, transaction_id="taken")
    answer = marketer.post("event_mark", bob.pk, **{**PURCHASE, **wrong})
    assert answer.status_code == 422
    assert message in text(answer)
    assert 'id="mark-event" aria-labelledby="mark-event-title" data-dialog-now' in text(answer)
    assert rewards_of(organization) == []


def test_the_date_is_read_in_the_organizations_zone(
    marketer: Visitor, organization: Organization, campaign: Campaign
) -> None:
    old = factories.campaign(organization, created_at=clock.wall() - timedelta(days=400))
    person = factories.participant(old)
    yesterday = (clock.wall() - timedelta(days=1)).astimezone(organization.zone).replace(hour=12, minute=30)
    marketer.post("event_mark", person.pk, **PURCHASE, **{"event-occurred_at": yesterday.strftime("%Y-%m-%dT%H:%M")})
    with tenant(organization):
        local = QualifyingEvent.objects.get().occurred_at.astimezone(organization.zone)
    assert (local.date(), local.hour, local.minute) == (yesterday.date(), 12, 30)


def test_a_sign_up_needs_no_amount(marketer: Visitor, organization: Organization) -> None:
    campaign = factories.campaign(organization, qualifying_event="signup")
    person = factories.participant(campaign, referred_by=factories.participant(campaign))
    answer = marketer.post("event_mark", person.pk)
    assert said(answer) == ["Event marked complete. 1 reward earned: $12.00."]


# Undoing


def the_event(organization: Organization) -> QualifyingEvent:
    with tenant(organization):
        return QualifyingEvent.objects.get()


def test_an_event_is_undone_from_the_toast(marketer: Visitor, organization: Organization, bob: Participant) -> None:
    answer = marketer.post("event_mark", bob.pk, **PURCHASE)
    event = the_event(organization)
    (message,) = get_messages(answer.wsgi_request)
    assert message.extra_tags == f"undo:{marketer.url('event_undo', event.pk)}"
    assert marketer.post("event_undo", event.pk).headers["Location"] == marketer.url("participant", bob.pk)
    assert [(status, amount) for _, amount, status in rewards_of(organization)] == [
        ("CANCELED", 1200),
        ("CANCELED", 500),
    ]
    page = marketer.get("participant", bob.pk)
    assert "Undone" in text(page)
    assert [line.undoable for line in page.context["lines"]] == [False]


def test_an_issued_reward_keeps_its_event(marketer: Visitor, organization: Organization, bob: Participant) -> None:
    marketer.post("event_mark", bob.pk, **PURCHASE)
    with tenant(organization):
        rewards = list(Reward.objects.all())
    factories.batch(organization, rewards)
    event = the_event(organization)
    assert [line.undoable for line in marketer.get("participant", bob.pk).context["lines"]] == [False]
    issuing.run(seconds=5)
    assert said(marketer.post("event_undo", event.pk))[-1].startswith("A reward of this event is issued already")
    assert the_event(organization).undone_at is None
    assert {status for _, _, status in rewards_of(organization)} == {RewardStatus.AVAILABLE}


# Rewards, referrers, bans


def test_a_one_time_reward(marketer: Visitor, organization: Organization, ada: Participant) -> None:
    answer = marketer.post(
        "reward_one_time", ada.pk, **{"reward-amount": "7.5", "reward-reason": "Sorry for the delay"}
    )
    assert said(answer) == ["A reward of $7.50 is due."]
    with tenant(organization):
        reward = Reward.objects.get()
    assert (reward.type, reward.amount, reward.reason) == (RewardType.ONE_TIME, 750, "Sorry for the delay")


def test_a_one_time_reward_beyond_the_budget(marketer: Visitor, organization: Organization) -> None:
    person = factories.participant(factories.campaign(organization, budget=1000))
    given = {"reward-amount": "10.01", "reward-reason": "Too much"}
    assert said(marketer.post("reward_one_time", person.pk, **given)) == ["A reward of $10.00 is due."]
    answer = marketer.post("reward_one_time", person.pk, **given)
    assert answer.status_code == 422
    assert "budget" in text(answer)
    assert len(rewards_of(organization)) == 1


def test_the_referrer_is_set_once(marketer: Visitor, ada: Participant, campaign: Campaign) -> None:
    cem = factories.participant(campaign, name="Cem")
    answer = marketer.post("referrer_set", cem.pk, **{"referrer-referral_code": ada.referral_code.lower()})
    assert said(answer) == ["Referred by Ada from now on."]
    again = marketer.post("referrer_set", cem.pk, **{"referrer-referral_code": ada.referral_code})
    assert again.status_code == 422
    assert "a referrer is set once" in text(again)
    own = marketer.post("referrer_set", ada.pk, **{"referrer-referral_code": cem.referral_code})
    assert own.status_code == 422
    assert "referred by this participant" in text(own)


def test_ban_and_back(marketer: Visitor, organization: Organization, ada: Participant, bob: Participant) -> None:
    answer = marketer.post("participant_ban", ada.pk, **{"ban-reason": "Coupon sites"})
    (message,) = get_messages(answer.wsgi_request)
    assert message.extra_tags == f"undo:{marketer.url('participant_unban', ada.pk)}"
    assert "Coupon sites" in text(marketer.get("participant", ada.pk))
    marketer.post("event_mark", bob.pk, **PURCHASE)
    assert rewards_of(organization) == [("Bob", 500, "PENDING")]
    marketer.post("participant_unban", ada.pk)
    with tenant(organization):
        assert Participant.objects.get(pk=ada.pk).banned_at is None


# The page


def test_the_balance_and_what_a_refund_left(
    marketer: Visitor, organization: Organization, ada: Participant, bob: Participant
) -> None:
    marketer.post("event_mark", bob.pk, **PURCHASE)
    with tenant(organization):
        rewards = list(Reward.objects.filter(participant=ada))
    factories.batch(organization, rewards)
    issuing.run(seconds=5)
    with tenant(organization):
        transaction_reverse(
            organization=organization,
            campaign_id=bob.campaign_id,
            transaction_id="order-1",
            report=ReversalReport(refund_id="re_1", amount=2495),
            actor="system:test",
        )
    page = marketer.get("participant", ada.pk)
    (balance,) = page.context["balances"]
    assert (balance.due, balance.issued, balance.waiting, balance.to_take_back) == (0, 1200, 0, 600)
    assert "To take back" in text(page)
    # Each figure leads to what it counts.
    found = re.findall(r'class="figure box" href="([^"]+)"', page.content.decode())
    due, issued, waiting, to_take_back = (marketer.client.get(unescape(url)) for url in found)
    assert due.context["page"].rows == []
    assert [reward.pk for reward in issued.context["page"].rows] == [rewards[0].pk]
    assert waiting.context["page"].rows == []
    assert [reward.amount for reward in to_take_back.context["page"].rows] == [600]
    assert "$24.95</span> left after refunds" in text(marketer.get("participant", bob.pk))


def test_a_viewer_sees_no_actions(organization: Organization, bob: Participant) -> None:
    viewer = member(organization, Role.VIEWER)
    page = text(viewer.get("participant", bob.pk))
    assert "Bob" in page
    for words in ("Mark qualifying event complete", "Give a one-time reward", "Ban from the campaign", "event-form"):
        assert words not in page


def test_the_tree_goes_up_and_down(marketer: Visitor, campaign: Campaign, ada: Participant, bob: Participant) -> None:
    eve = factories.participant(campaign, name="Eve", referred_by=bob)
    tree = marketer.get("participant", bob.pk).context["tree"]
    assert [one.pk for one in tree.above] == [ada.pk]
    assert [one.pk for one in tree.referred] == [eve.pk]


def test_the_share_link_as_a_code(marketer: Visitor, ada: Participant) -> None:
    answer = marketer.get("participant_qr", ada.pk)
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.content.startswith(b"<?xml")
    assert f"/r/{ada.referral_code}" in text(marketer.get("participant", ada.pk))


def test_a_paused_campaign_refuses_events(marketer: Visitor, organization: Organization) -> None:
    paused = factories.campaign(organization, status=CampaignStatus.PAUSED)
    answer = marketer.post("event_mark", factories.participant(paused).pk, **PURCHASE)
    assert answer.status_code == 422
    assert "The campaign was not active" in text(answer)


def test_queries_do_not_grow(marketer: Visitor, campaign: Campaign, ada: Participant) -> None:
    factories.event(factories.participant(campaign, referred_by=ada))
    factories.event(ada)
    before = marketer.queries("participant", ada.pk)
    for _ in range(4):
        factories.event(factories.participant(campaign, referred_by=ada))
        factories.event(ada)
    assert marketer.queries("participant", ada.pk) == before


def test_a_person_is_erased_by_a_typed_word(marketer: Visitor, ada: Participant, bob: Participant) -> None:
    factories.event(bob)
    page = text(marketer.get("participant", ada.pk))
    assert "Erase this person" in page
    assert "Share link" in page

    refused = marketer.post("participant_erase", ada.pk, confirmation="erase")
    assert said(refused) == ["Nothing was erased: type ERASE to confirm."]
    with tenant(ada.organization):
        assert Reward.objects.get(participant=ada).status == RewardStatus.PENDING

    answer = marketer.post("participant_erase", ada.pk, confirmation="ERASE")

    with tenant(ada.organization):
        ada.customer.refresh_from_db()
        assert Reward.objects.get(participant=ada).reason == "participant_erased"
    assert said(answer)[-1:] == [
        f"Erased in all campaigns. What was issued stays on record as {ada.customer.pseudonym}."
    ]
    page = text(marketer.get("participant", ada.pk))
    assert ada.customer.pseudonym in page
    assert "ada@example.com" not in page
    assert "Erase this person" not in page
    assert "Share link" not in page


def test_a_viewer_may_not_erase(organization: Organization, ada: Participant) -> None:
    viewer = member(organization, Role.VIEWER)

    assert "Erase this person" not in text(viewer.get("participant", ada.pk))
    assert viewer.post("participant_erase", ada.pk, confirmation="ERASE").status_code == 403
    with tenant(organization):
        ada.customer.refresh_from_db()
    assert ada.customer.erased_at is None
