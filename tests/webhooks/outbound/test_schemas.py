"""Each body that we send fits the one schema that docs/webhooks.md gives for its type, and has nothing besides."""

import json
import re
from collections import defaultdict
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from participants.reversals import ReversalReport
from participants.services import participant_ban, participant_refer, participant_unban
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.clock import wall
from rewards.models import Reward
from rewards.services import issuing
from rewards.services.batches import batch_cancel
from rewards.services.confirming import reward_cancel, reward_confirm, reward_deduct
from rewards.services.erasing import person_erase
from rewards.services.releasing import release
from rewards.services.reversing import transaction_reverse
from rewards.services.undoing import event_undo
from tests import factories
from webhooks.outbound.endpoints import endpoint_create, endpoint_test
from webhooks.outbound.models import Delivery

DOCUMENT = Path(__file__).parents[3] / "docs" / "webhooks.md"
ACTOR = "system:test"
pytestmark = pytest.mark.django_db


@cache
def schemas() -> dict[str, dict[str, Any]]:
    blocks = re.findall(r"```json\n(\{\"\$schema\".*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return {schema["title"]: schema for schema in map(json.loads, blocks)}


def check(body: dict[str, Any]) -> None:
    schema = schemas()[body["object"]]
    jsonschema.validate(body, schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    # Tenants are told that fields may be added; what is sent today has to be in the document.
    assert body.keys() == {"data", "object"}
    assert body["data"].keys() <= schema["properties"]["data"]["properties"].keys()


@pytest.fixture
def told(organization, hand_on):
    """Everything that endpoints were told, by type, once the outbox is empty."""
    with tenant(organization):
        endpoint = endpoint_create(
            organization=organization,
            url="https://example.com/hook",
            event_types=["REWARD", "REWARD_UPDATED", "PARTICIPANT", "EVENT", "BATCH"],
            actor=ACTOR,
        ).endpoint

    def run() -> dict[str, list[dict[str, Any]]]:
        hand_on()
        found = defaultdict(list)
        with tenant(organization):
            endpoint_test(endpoint=endpoint, actor=ACTOR)
            for delivery in Delivery.objects.order_by("id"):
                body = json.loads(delivery.body)
                assert body["object"] == delivery.event_type
                check(body)
                found[body["object"]].append(body["data"])
        return found

    return run


def refund(reward, amount, refund_id="r1", status="DONE", kind="REFUND"):
    with tenant(reward.organization):
        transaction_reverse(
            organization=reward.organization,
            campaign_id=reward.campaign_id,
            transaction_id=reward.transaction_id,
            report=ReversalReport(refund_id=refund_id, amount=amount, kind=kind, status=status),
            actor=ACTOR,
        )


def test_it_works(organization, told):
    campaign = factories.campaign(organization)
    factories.event(factories.participant(campaign, referred_by=factories.participant(campaign, external_id="u_17")))

    assert {name: len(bodies) for name, bodies in told().items()} == {
        "PARTICIPANT": 2,
        "EVENT": 1,
        "REWARD_UPDATED": 1,
        "TEST": 1,
    }


def test_every_type_has_its_schema():
    assert set(schemas()) == {"REWARD", "REWARD_UPDATED", "PARTICIPANT", "EVENT", "BATCH", "TEST"}
    for schema in schemas().values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_what_happens_to_people_and_events(organization, told):
    campaign = factories.campaign(organization)
    referrer, person = factories.participant(campaign), factories.participant(campaign)
    with tenant(organization):
        participant_refer(
            organization=organization,
            participant=person,
            referral_code=referrer.referral_code,
            actor=ACTOR,
            at=wall(),
        )
        participant_ban(organization=organization, participant=person, reason="fraud", actor=ACTOR)
        participant_unban(organization=organization, participant=person, actor=ACTOR)
    factories.event(person, None, type="signup")
    by_hand = factories.event(person, source="HAND").event
    with tenant(organization):
        event_undo(organization=organization, event=by_hand, actor=ACTOR)
        person_erase(organization=organization, customer_id=person.customer_id, actor=ACTOR)

    found = told()

    assert {each["change"] for each in found["PARTICIPANT"]} == {"JOINED", "REFERRED", "BANNED", "UNBANNED", "ERASED"}
    assert {each["change"] for each in found["EVENT"]} == {"RECORDED", "UNDONE"}
    assert {each["outcome"] for each in found["EVENT"]} == {"QUALIFIED", "NOT_QUALIFIED"}


def test_what_happens_to_rewards(organization, told):
    by_webhook = factories.campaign(organization, fulfilment_kind="WEBHOOK")
    held = factories.campaign(organization, holding_days=3)
    first, second = factories.due_rewards(by_webhook, 2)
    factories.due_rewards(held, 1)
    told()
    with tenant(organization):
        reward_confirm(organization=organization, reward=first, actor=ACTOR, amount=1000)
        reward_cancel(organization=organization, reward=second, actor=ACTOR, reason="closed account")
    refund(first, 12000)
    told()
    with tenant(organization):
        deduction = Reward.objects.get(deducts=first)
        reward_deduct(organization=organization, reward=deduction, actor=ACTOR)

    found = told()

    assert {each["status"] for each in found["REWARD_UPDATED"]} == {
        "EARNED",
        "PENDING",
        "AVAILABLE",
        "CANCELED",
        "PENDING_DEDUCTION",
        "DEDUCTED",
    }
    orders = {each["reward_id"]: each for each in found["REWARD"]}
    assert set(orders) == {str(first.pk), str(second.pk), str(deduction.pk)}
    assert orders[str(deduction.pk)]["deducts"] == str(first.pk)
    assert "deducts" not in orders[str(first.pk)]


def test_an_aggregate_has_its_number_of_parts_instead_of_a_transaction(organization, told):
    campaign = factories.campaign(organization, fulfilment_kind="WEBHOOK", earning_timing="DELAYED", delay_days=1)
    referrer = factories.participant(campaign)
    for _ in range(2):
        factories.event(factories.participant(campaign, referred_by=referrer))
    release(organization=organization, at=wall() + timedelta(days=3))

    found = told()

    (order,) = found["REWARD"]
    assert (order["type"], order["amount"], order["parts_count"]) == ("DELAYED", 2400, 2)
    assert "transaction_id" not in order
    assert "AGGREGATED" in {each["status"] for each in found["REWARD_UPDATED"]}


def test_what_happens_to_batches(organization, told):
    campaign = factories.campaign(organization)
    factories.batch(organization, factories.due_rewards(campaign, 2))
    issuing.run(seconds=5)
    canceled = factories.batch(organization, factories.due_rewards(campaign, 1))
    with tenant(organization):
        batch_cancel(organization=organization, batch=canceled, actor=ACTOR)

    assert [each["change"] for each in told()["BATCH"]] == ["CREATED", "FINISHED", "CREATED", "CANCELED"]
