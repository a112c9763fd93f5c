"""An organization with its twin, keys for both, and a campaign whose referrer has brought somebody."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from referral_rocket.accounts.models import Organization, Scope, User
from referral_rocket.accounts.services import api_key_create, organization_create
from tests.api.client import Caller


@pytest.fixture(autouse=True)
def _empty_buckets() -> Iterator[None]:
    # The buckets of the limit outlive a test's rollback; keys of theirs don't come again, but Redis fills up.
    yield
    store = redis.Redis.from_url(settings.REDIS_URL)
    for name in store.scan_iter("api-rate:*"):
        store.delete(name)


def new_organization(name: str = "Acme") -> Organization:
    owner = User.objects.create_user(f"{uuid4()}@example.com")
    return organization_create(name=name, owner=owner)


def caller_of(organization: Organization, *scopes: str) -> Caller:
    key = api_key_create(organization=organization, name="Tests", scopes=scopes or Scope.values, user=None)
    return Caller(organization, key.token)


@pytest.fixture
def organization(db: None) -> Organization:
    return new_organization()


@pytest.fixture
def api(organization: Organization) -> Caller:
    """All scopes, live."""
    return caller_of(organization)


@pytest.fixture
def test_api(organization: Organization) -> Caller:
    """All scopes, of the test twin."""
    return caller_of(organization.test_organization)


@pytest.fixture
def stranger(db: None) -> Caller:
    """All scopes, of another organization."""
    return caller_of(new_organization("Stranger"))


CAMPAIGN: dict[str, Any] = {
    "name": "Friends",
    "currency": "USD",
    "status": "ACTIVE",
    "rules": [{"type": "REFERRAL", "beneficiary": "REFERRER", "amount": 1200, "once_per": "EVENT"}],
}


@dataclass
class Scene:
    """A campaign of `api`, with Ann, who shared, and Ben, whom she brought. As the API answered them."""

    api: Caller
    campaign: Any
    ann: Any
    ben: Any

    @property
    def events(self) -> str:
        return f"/campaigns/{self.campaign['campaign_id']}/events"

    @property
    def participants(self) -> str:
        return f"/campaigns/{self.campaign['campaign_id']}/participants"

    def purchase(self, transaction_id: str = "ord_1", amount: int = 12000, **more: Any) -> dict[str, Any]:
        return {
            "participant": {"participant_id": self.ben["participant_id"]},
            "type": "purchase",
            "transaction_id": transaction_id,
            "amount": amount,
            "currency": "USD",
            **more,
        }

    def earn(self, transaction_id: str = "ord_1", **more: Any) -> Any:
        """The reward that a purchase of Ben's gives Ann."""
        return self.api.post(self.events, self.purchase(transaction_id, **more))["rewards"][0]


def set_up(api: Caller, **campaign: Any) -> Scene:
    made = api.post("/campaigns", {**CAMPAIGN, **campaign})
    path = f"/campaigns/{made['campaign_id']}/participants"
    ann = api.post(path, {"email": "ann@example.com", "name": "Ann"})
    ben = api.post(path, {"email": "ben@example.com", "referral_code": ann["referral_code"]})
    return Scene(api, made, ann, ben)


@pytest.fixture
def scene(api: Caller) -> Scene:
    return set_up(api)


@pytest.fixture
def scene_with(api: Caller) -> Callable[..., Scene]:
    """A scene whose campaign has other terms."""
    return lambda **campaign: set_up(api, **campaign)
