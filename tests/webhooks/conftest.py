from collections.abc import Iterator

import pytest

from integrations.models import Connection
from referral_rocket.accounts.models import Organization
from tests import factories
from webhooks.inbound import door, tasks


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The door forgets the connections of other tests, and nobody is nudged: a test runs the sweep itself."""
    door._doors.clear()
    monkeypatch.setattr(tasks.work_off, "apply_async", lambda *args, **options: None)
    yield
    door._doors.clear()


@pytest.fixture
def connection(organization: Organization) -> Connection:
    return factories.connection(organization)
