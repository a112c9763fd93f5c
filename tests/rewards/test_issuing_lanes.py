"""One connection whose items can't be begun stops only itself."""

from typing import Any

import pytest

from referral_rocket.accounts.scoping import tenant
from rewards.services import issuing
from rewards.states import RewardStatus
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_lane_that_fails_stops_only_itself(monkeypatch: Any) -> None:
    broken, sound = factories.organization(), factories.organization()
    factories.connection(broken)
    factories.batch(broken, factories.due_rewards(factories.campaign(broken), 1), method="STRIPE_CREDIT")
    rewards = factories.due_rewards(factories.campaign(sound), 1)
    factories.batch(sound, rewards)

    def unreadable(*arguments: Any) -> Any:
        raise ValueError("its credentials can't be decrypted")

    monkeypatch.setattr(issuing, "provider_call", unreadable)
    issuing.run(seconds=5)

    with tenant(sound):
        rewards[0].refresh_from_db()
        assert rewards[0].status == RewardStatus.AVAILABLE
