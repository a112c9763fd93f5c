"""A deduction is taken in part while a refund of the same payment arrives."""

import threading
from typing import Any

import pytest
from django.db import connections

from participants.reversals import ReversalReport
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward
from rewards.services.confirming import reward_confirm, reward_deduct
from rewards.services.reversing import transaction_reverse
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def refund(reward: Reward, refund_id: str) -> None:
    with tenant(reward.organization):
        transaction_reverse(
            organization=reward.organization,
            campaign_id=reward.campaign_id,
            transaction_id=str(reward.transaction_id),
            report=ReversalReport(refund_id=refund_id, amount=3000),
            actor=factories.ACTOR,
        )


def test_the_rest_of_a_deduction_is_not_taken_twice(referred: Any) -> None:
    reward = factories.event(referred, 12000).rewards[0]
    with tenant(reward.organization):
        reward_confirm(organization=reward.organization, reward=reward, actor=factories.ACTOR)
    refund(reward, "re_1")
    with tenant(reward.organization):
        deduction = Reward.objects.get(deducts=reward)
    errors: list[Exception] = []

    def second() -> None:
        try:
            refund(reward, "re_2")
        except Exception as error:  # noqa: BLE001 - looked at in the test's own thread
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=second, daemon=True)
    with tenant(reward.organization):
        reward_deduct(organization=reward.organization, reward=deduction, actor=factories.ACTOR, amount=100)
        thread.start()
        thread.join(timeout=1)
        # It waits for the deduction, which this transaction has changed.
        assert thread.is_alive()
    thread.join(timeout=20)

    assert not errors
    with tenant(reward.organization):
        found = [(each.status, each.amount) for each in Reward.objects.order_by("pk")]
    assert found[:3] == [("AVAILABLE", 1200), ("DEDUCTED", 100), ("PENDING_DEDUCTION", 200)]
    # 300 for each of two refunds of a quarter.
    assert sum(amount for status, amount in found if status != "AVAILABLE") == 600
