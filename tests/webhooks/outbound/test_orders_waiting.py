"""Rewards that wait for an endpoint don't keep one another waiting."""

from datetime import timedelta

import pytest

from campaigns.services import campaign_update
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.clock import wall
from rewards.models import Reward
from rewards.services.releasing import release
from tests import factories
from tests.webhooks.outbound.test_orders import ACTOR, campaign_of, earn, endpoint_of, state
from webhooks.outbound import orders
from webhooks.outbound.endpoints import endpoint_delete

pytestmark = pytest.mark.django_db


def test_those_whose_own_endpoint_is_gone_are_passed_by(organization, hand_on, monkeypatch):
    monkeypatch.setattr(orders, "CLAIM", 1)
    gone = endpoint_of(organization, path="gone")
    names_it = campaign_of(organization, fulfilment_endpoint_id=gone.pk, holding_days=1)
    stays = earn(names_it, hand_on)
    with tenant(organization):
        campaign_update(organization=organization, campaign=names_it, status="ENDED", actor=ACTOR)
        endpoint_delete(endpoint=gone, actor=ACTOR)
    release(organization=organization, at=wall() + timedelta(days=2))
    hand_on()
    waits = earn(factories.campaign(organization, fulfilment_kind="WEBHOOK"), hand_on)
    with tenant(organization):
        assert Reward.objects.filter(waiting_for="NO_ENDPOINT").count() == 2
    endpoint_of(organization)

    assert orders.orders_make_everywhere() == 1

    assert state(stays) == ("PENDING", 1200, [])
    assert state(waits) == ("PENDING", 1200, ["ORDER"])
