"""Orders: the tenant's own system issues, told once by one endpoint, and what it answers counts once."""

import json

import pytest
from django.db import connection

from campaigns.services import campaign_update, terms_of
from integrations.models import Endpoint
from participants.reversals import ReversalReport
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.errors import BeingIssued, InvalidRewardTransition
from rewards.models import Claim, Reward
from rewards.services.confirming import reward_cancel, reward_confirm
from rewards.services.reversing import transaction_reverse
from rewards.services.selecting import Selection, batch_plan
from tests import factories
from tests.concurrency import at_once
from webhooks.outbound import claiming
from webhooks.outbound.deliveries import deliveries_replay, delivery_retry
from webhooks.outbound.endpoints import endpoint_create, endpoint_delete, endpoint_update
from webhooks.outbound.errors import EndpointConflict
from webhooks.outbound.models import Delivery
from webhooks.outbound.orders import endpoints_stay, order_take_back, orders_make_everywhere
from webhooks.outbound.results import Result, results_write

ACTOR = "system:test"
pytestmark = pytest.mark.django_db


def endpoint_of(organization, status_mode="PENDING", event_types=("REWARD",), path="hook"):
    with tenant(organization):
        return endpoint_create(
            organization=organization,
            url=f"https://example.com/{path}",
            status_mode=status_mode,
            event_types=event_types,
            actor=ACTOR,
        ).endpoint


def campaign_of(organization, **terms):
    return factories.campaign(organization, **{"fulfilment_kind": "WEBHOOK", **terms})


def earn(campaign, hand_on, amount=12000, **customer):
    referrer = factories.participant(campaign, **customer)
    result = factories.event(factories.participant(campaign, referred_by=referrer), amount)
    hand_on()
    return result.rewards[0]


def claim():
    return claiming.claim(token=claiming.new_token(), room=500, rooms={}, usual_room=500)


def answer(shipments, status_code):
    return results_write([Result(each, clock.wall(), 5, status_code) for each in shipments])


def fail_for_good(organization):
    for _ in range(10):
        with tenant(organization):
            Delivery.objects.filter(status="PENDING").update(next_attempt_at=clock.wall())
        answer(claim(), 500)


def state(reward):
    with tenant(reward.organization):
        fresh = Reward.objects.get(pk=reward.pk)
        open_claims = Claim.objects.filter(reward=reward, closed_at__isnull=True)
        return (fresh.status, fresh.amount, [each.kind for each in open_claims])


def test_it_works(organization, hand_on):
    endpoint = endpoint_of(organization, "AVAILABLE")
    reward = earn(campaign_of(organization), hand_on, external_id="u_17")

    assert state(reward) == ("PENDING", 1200, ["ORDER"])
    shipments = claim()
    body = json.loads(shipments[0].body)
    created = reward.created_at
    assert body == {
        "data": {
            "amount": 1200,
            "created_at": f"{created:%Y-%m-%dT%H:%M:%S}.{created.microsecond // 1000:03}Z",
            "currency": "USD",
            "customer_id": str(reward.customer_id),
            "external_id": "u_17",
            "campaign_id": str(reward.campaign_id),
            "reward_id": str(reward.pk),
            "transaction_id": reward.transaction_id,
            "type": "REFERRAL",
            "status": "AVAILABLE",
        },
        "object": "REWARD",
    }
    answer(shipments, 200)

    assert state(reward) == ("AVAILABLE", 1200, [])
    with tenant(organization):
        issued = Reward.objects.get(pk=reward.pk)
        assert (issued.method, issued.provider_reference) == ("WEBHOOK", shipments[0].webhook_id)
        assert issued.fulfilment_endpoint_id == endpoint.pk
        assert issued.transitions.filter(to_status="AVAILABLE").count() == 1
    assert claim() == []


def test_pending_mode_leaves_the_confirmation_to_the_tenant(organization, hand_on):
    endpoint_of(organization, "PENDING")
    reward = earn(campaign_of(organization), hand_on)
    shipments = claim()
    assert json.loads(shipments[0].body)["data"]["status"] == "PENDING"
    answer(shipments, 204)

    assert state(reward) == ("PENDING", 1200, ["ORDER"])
    with tenant(organization):
        reward_confirm(organization=organization, reward=reward, actor=ACTOR, amount=1000)
    assert state(reward) == ("AVAILABLE", 1000, [])
    with tenant(organization):
        confirmed = Reward.objects.get(pk=reward.pk)
        assert (confirmed.remainder_amount, confirmed.method) == (200, "WEBHOOK")
        reward_confirm(organization=organization, reward=reward, actor=ACTOR, amount=1000)
    assert state(reward) == ("AVAILABLE", 1000, [])


def test_the_tenant_may_say_that_it_wont(organization, hand_on):
    endpoint_of(organization)
    reward = earn(campaign_of(organization), hand_on)
    answer(claim(), 200)
    with tenant(organization):
        reward_cancel(organization=organization, reward=reward, actor=ACTOR, reason="closed account")
        delivery = Delivery.objects.get()
        assert delivery_retry(delivery=delivery, actor=ACTOR).status == "SKIPPED"

    assert state(reward) == ("CANCELED", 1200, [])
    assert claim() == []


def test_one_endpoint_gets_the_order_and_the_others_only_facts(organization, hand_on):
    first = endpoint_of(organization, event_types=("REWARD_UPDATED",), path="facts")
    second = endpoint_of(organization, path="oldest")
    endpoint_of(organization, path="younger")
    earn(campaign_of(organization), hand_on)

    with tenant(organization):
        assert list(Delivery.objects.order_by("event_type").values_list("event_type", "endpoint")) == [
            ("REWARD", second.pk),
            ("REWARD_UPDATED", first.pk),
        ]


def test_the_endpoint_that_the_campaign_names_gets_it_also_while_disabled(organization, hand_on):
    endpoint_of(organization, path="oldest")
    named = endpoint_of(organization, path="named")
    campaign = campaign_of(organization, fulfilment_endpoint_id=named.pk)
    with tenant(organization):
        endpoint_update(endpoint=named, status="DISABLED", actor=ACTOR)
    reward = earn(campaign, hand_on)

    assert claim() == []
    with tenant(organization):
        assert Delivery.objects.get().endpoint_id == named.pk
        endpoint_update(endpoint=named, status="ENABLED", actor=ACTOR)
    assert [each.target.endpoint_id for each in claim()] == [named.pk]
    assert state(reward)[2] == ["ORDER"]


def test_without_an_endpoint_it_waits_unclaimed_and_says_so(organization, hand_on):
    reward = earn(campaign_of(organization), hand_on)

    assert state(reward) == ("PENDING", 1200, [])
    with tenant(organization):
        assert Reward.objects.get(pk=reward.pk).waiting_for == "NO_ENDPOINT"
        assert Delivery.objects.count() == 0
    assert orders_make_everywhere() == 0

    endpoint_of(organization)

    assert state(reward) == ("PENDING", 1200, ["ORDER"])
    with tenant(organization):
        assert Reward.objects.get(pk=reward.pk).waiting_for is None
    assert len(claim()) == 1


def test_a_changed_amount_replaces_the_unsent_body_and_no_sent_one(organization, hand_on):
    endpoint_of(organization)
    reward = earn(campaign_of(organization, base_discounts=True), hand_on)
    refund(organization, reward, "r1", 6000)
    shipments = claim()
    assert json.loads(shipments[0].body)["data"]["amount"] == 600
    refund(organization, reward, "r2", 3000)
    answer(shipments, 500)
    with tenant(organization):
        Delivery.objects.filter(event_type="REWARD").update(next_attempt_at=clock.wall())
    again = claim()

    assert again[0].body == shipments[0].body
    with tenant(organization):
        assert Reward.objects.get(pk=reward.pk).pending_reduction == 300


def refund(organization, reward, refund_id, amount):
    with tenant(organization):
        transaction_reverse(
            organization=organization,
            campaign_id=reward.campaign_id,
            transaction_id=reward.transaction_id,
            report=ReversalReport(refund_id=refund_id, amount=amount, kind="REFUND", status="DONE"),
            actor=ACTOR,
        )


def test_a_refund_after_the_order_becomes_an_order_to_take_back(organization, hand_on):
    endpoint_of(organization, "AVAILABLE")
    reward = earn(campaign_of(organization), hand_on)
    answer(claim(), 200)
    refund(organization, reward, "r1", 6000)
    hand_on()

    shipments = claim()
    data = json.loads(shipments[0].body)["data"]
    assert (data["status"], data["amount"], data["deducts"]) == ("DEDUCTED", 600, str(reward.pk))
    answer(shipments, 200)
    with tenant(organization):
        deduction = Reward.objects.get(deducts=reward)
        assert (deduction.status, deduction.method) == ("DEDUCTED", "WEBHOOK")
        assert not Claim.objects.filter(closed_at__isnull=True).exists()


def test_a_refund_before_it_was_sent_leaves_nothing_to_order(organization, hand_on):
    endpoint_of(organization)
    reward = earn(campaign_of(organization), hand_on)
    refund(organization, reward, "r1", 12000)

    assert claim() == []
    assert state(reward)[0] == "CANCELED"
    with tenant(organization):
        assert Delivery.objects.get().status == "SKIPPED"


def test_when_all_attempts_failed_it_stays_due_for_a_person(organization, hand_on):
    endpoint_of(organization, "AVAILABLE")
    reward = earn(campaign_of(organization), hand_on)
    fail_for_good(organization)

    assert state(reward) == ("PENDING", 1200, ["ORDER"])
    with tenant(organization):
        delivery = Delivery.objects.get()
        assert delivery.status == "FAILED"
        plan = batch_plan(method="MANUAL", selection=Selection(reward_ids=[reward.pk]))
        assert [item.code for item in plan.items] == ["fulfilled_by_webhook"]
        assert batch_plan(method="MANUAL", selection=Selection(campaign_id=reward.campaign_id)).items == []
        delivery_retry(delivery=delivery, actor=ACTOR)
    answer(claim(), 200)
    assert state(reward) == ("AVAILABLE", 1200, [])


def test_a_person_may_take_it_back_unless_it_is_being_sent(organization, hand_on):
    endpoint_of(organization, "AVAILABLE")
    reward = earn(campaign_of(organization), hand_on)
    shipments = claim()
    with tenant(organization), pytest.raises(BeingIssued):
        order_take_back(organization=organization, reward=reward, actor=ACTOR)
    answer(shipments, 500)
    with tenant(organization):
        order_take_back(organization=organization, reward=reward, actor=ACTOR)
        back = Reward.objects.get(pk=reward.pk)
        assert (back.fulfilment_kind, back.fulfilment_method) == ("METHOD", "MANUAL")
        assert Delivery.objects.get().status == "SKIPPED"
        plan = batch_plan(method="MANUAL", selection=Selection(reward_ids=[reward.pk]))
        assert [item.code for item in plan.items] == [None]
        with pytest.raises(InvalidRewardTransition):
            order_take_back(organization=organization, reward=reward, actor=ACTOR)
    assert state(reward) == ("PENDING", 1200, [])
    assert claim() == []


def test_what_was_taken_back_is_never_sent_again(organization, hand_on):
    """Issued from here since, it would be issued by the tenant's system too."""
    endpoint = endpoint_of(organization, "AVAILABLE")
    reward = earn(campaign_of(organization), hand_on)
    fail_for_good(organization)
    with tenant(organization):
        order_take_back(organization=organization, reward=reward, actor=ACTOR)
        reward_confirm(organization=organization, reward=reward, actor=ACTOR)
        (delivery,) = Delivery.objects.all()
        assert delivery_retry(delivery=delivery, actor=ACTOR).status == "FAILED"
        assert deliveries_replay(endpoint=endpoint, since=reward.created_at, actor=ACTOR) == 0
        # Queued again in the moment before it was taken back.
        Delivery.objects.update(status="PENDING", forced=True, next_attempt_at=clock.wall())

    assert claim() == []
    with tenant(organization):
        assert Delivery.objects.get().status == "SKIPPED"
    assert state(reward) == ("AVAILABLE", 1200, [])


def test_an_endpoint_is_not_deleted_while_an_order_is_made(organization, hand_on):
    endpoint = endpoint_of(organization)
    with tenant(organization), connection.cursor() as cursor:
        # This connection's own: another worker's tests take the like on the same server.
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = %s AND pid = pg_backend_pid()"
        endpoints_stay(organization)
        cursor.execute(locks, ["ShareLock"])
        assert cursor.fetchone() == (1,)
        endpoint_delete(endpoint=endpoint, actor=ACTOR)
        cursor.execute(locks, ["ExclusiveLock"])
        assert cursor.fetchone() == (1,)


def test_confirmed_while_it_was_tried_it_isnt_sent_again(organization, hand_on):
    endpoint_of(organization)
    reward = earn(campaign_of(organization), hand_on)
    answer(claim(), 500)
    with tenant(organization):
        reward_confirm(organization=organization, reward=reward, actor=ACTOR)
        Delivery.objects.update(next_attempt_at=clock.wall())

    assert claim() == []
    with tenant(organization):
        assert Delivery.objects.get().status == "SKIPPED"
    assert state(reward) == ("AVAILABLE", 1200, [])


def test_replaying_an_acknowledged_order_moves_nothing(organization, hand_on):
    endpoint_of(organization, "AVAILABLE")
    reward = earn(campaign_of(organization), hand_on)
    answer(claim(), 200)
    with tenant(organization):
        delivery_retry(delivery=Delivery.objects.get(), actor=ACTOR)
    again = claim()
    answer(again, 200)

    assert len(again) == 1
    assert state(reward) == ("AVAILABLE", 1200, [])
    with tenant(organization):
        assert Reward.objects.get(pk=reward.pk).transitions.filter(to_status="AVAILABLE").count() == 1


def test_an_endpoint_with_open_orders_stays(organization, hand_on):
    endpoint = endpoint_of(organization)
    reward = earn(campaign_of(organization), hand_on)
    answer(claim(), 200)
    with tenant(organization):
        with pytest.raises(EndpointConflict) as caught:
            endpoint_delete(endpoint=endpoint, actor=ACTOR)
        assert caught.value.code == "orders_open"
        reward_confirm(organization=organization, reward=reward, actor=ACTOR)
        endpoint_delete(endpoint=endpoint, actor=ACTOR)
        assert Endpoint.objects.get().deleted_at is not None


def test_changing_the_campaign_affects_what_becomes_due_later(organization, hand_on):
    endpoint_of(organization)
    campaign = campaign_of(organization)
    reward = earn(campaign, hand_on)
    with tenant(organization):
        terms = terms_of(campaign)
        changed = campaign_update(
            organization=organization,
            campaign=campaign,
            terms=type(terms)(**{**terms.__dict__, "fulfilment_kind": "METHOD"}),
            actor=ACTOR,
        )
    later = earn(changed, hand_on)

    assert state(reward) == ("PENDING", 1200, ["ORDER"])
    assert state(later) == ("PENDING", 1200, [])


@pytest.mark.django_db(transaction=True)
def test_twenty_acknowledgements_at_once_confirm_once(organization, hand_on):
    endpoint_of(organization, "AVAILABLE")
    reward = earn(campaign_of(organization), hand_on)
    shipments = claim()

    counted = at_once(20, lambda _: answer(shipments, 200))

    assert sorted(counted) == [0] * 19 + [1]
    assert state(reward) == ("AVAILABLE", 1200, [])
    with tenant(organization):
        assert Reward.objects.get(pk=reward.pk).transitions.filter(to_status="AVAILABLE").count() == 1
