"""What deductions settle of a reward is shown beside what is sent: before sending, in the result, on both pages."""

from html.parser import HTMLParser

import pytest

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from rewards.models import RewardBatch
from rewards.services import issuing
from tests import factories
from tests.dashboard.visitor import member
from tests.rewards import owing

pytestmark = pytest.mark.django_db


def words(response: object) -> str:
    """The page's text without its tags."""

    class Text(HTMLParser):
        said = ""

        def handle_data(self, data: str) -> None:
            self.said += data

    parser = Text()
    parser.feed(response.content.decode())  # type: ignore[attr-defined]
    return " ".join(parser.said.split())


def test_it_works(organization: Organization) -> None:
    marketer = member(organization, Role.MARKETER)
    sharer = factories.participant(factories.campaign(organization))
    owed = owing.deduction(sharer, 300)
    reward = owing.due(sharer)

    preview = words(marketer.get("issue", reward=str(reward.pk), choice="MANUAL"))
    assert "$12.00 less $3.00 taken back = $9.00 to be sent" in preview

    batch = factories.batch(organization, [reward])
    issuing.run(seconds=5)
    with tenant(organization):
        assert RewardBatch.objects.get(pk=batch.pk).status == "FINISHED"
    result = words(marketer.get("batch", batch.pk))
    assert result.count("$12.00 less $3.00 taken back = $9.00 sent") == 2, "in the head and in its row"
    page = words(marketer.get("reward", reward.pk))
    assert "Issued$12.00Takenbackfromit\N{MINUS SIGN}$3.00Sent$9.00" in page.replace(" ", "")
    assert "Less the deduction" in page
    assert "Taken back from" in words(marketer.get("reward", owed.pk))


def test_without_a_deduction_nothing_is_said(organization: Organization) -> None:
    marketer = member(organization, Role.MARKETER)
    (reward,) = factories.due_rewards(factories.campaign(organization), 1)
    assert "taken back" not in words(marketer.get("issue", reward=str(reward.pk), choice="MANUAL"))
    batch = factories.batch(organization, [reward])
    issuing.run(seconds=5)

    assert "taken back" not in words(marketer.get("batch", batch.pk))
    assert "Taken back" not in words(marketer.get("reward", reward.pk))
