"""The tenant's side of the outage test, in a process of its own: its database is not the test run's.

Takes a command a line on standard input, `{"do": …, …}`, and answers with a line of JSON.
"""

import json
import os
import sys
from collections import Counter
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "referral_rocket.settings")

import django

django.setup()

from django.db import connections  # noqa: E402
from django.db.models import Count, Sum  # noqa: E402

from referral_rocket.accounts.models import Organization  # noqa: E402
from referral_rocket.accounts.scoping import tenant  # noqa: E402
from rewards.models import Reward  # noqa: E402
from tests import factories  # noqa: E402
from tests.rewards.books import assert_books_agree  # noqa: E402
from webhooks.inbound import dispatch, door  # noqa: E402
from webhooks.inbound.models import InboundEvent  # noqa: E402

REFERRED = 50


class Tenant:
    organization: Organization

    def set_up(self) -> dict[str, Any]:
        """Where to send to, and the addresses of people whose every payment earns somebody 1200."""
        self.organization = factories.organization()
        link = factories.connection(self.organization)
        campaign = factories.campaign(self.organization, rules=[factories.referral_rule(once_per="EVENT")])
        sharer = factories.participant(campaign)
        emails = [f"friend{number}@example.com" for number in range(REFERRED)]
        for email in emails:
            factories.participant(campaign, email, referred_by=sharer)
        return {"path": f"{door.PREFIX}stripe/{link.pk}", "emails": emails}

    def state(self) -> dict[str, Any]:
        """After all that is stored has been worked off."""
        dispatch.run(seconds=60)
        assert_books_agree(self.organization)
        with tenant(self.organization):
            rewards = Reward.objects.filter(status="PENDING").aggregate(number=Count("pk"), total=Sum("amount"))
            events = list(InboundEvent.objects.values_list("provider_event_id", "status"))
        return {
            "stored": [event for event, _ in events],
            "statuses": Counter(status for _, status in events),
            "rewards": [rewards["number"], rewards["total"]],
        }


def main() -> None:
    driven = Tenant()
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(driven, command.pop("do"))(**command)
        # The database is restarted between commands.
        connections.close_all()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
