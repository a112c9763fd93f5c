"""The tenant's side of the faults test, in a process of its own: its database is not the test run's.

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

from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.db.models import F  # noqa: E402

from participants.models import QualifyingEvent  # noqa: E402
from participants.reversals import ReversalReport  # noqa: E402
from referral_rocket.accounts.models import Organization  # noqa: E402
from referral_rocket.accounts.scoping import tenant  # noqa: E402
from referral_rocket.kit.clock import wall  # noqa: E402
from rewards.models import Claim, Reward, RewardTransition  # noqa: E402
from rewards.services.reversing import transaction_reverse  # noqa: E402
from tests import factories  # noqa: E402
from webhooks.outbound.deliveries import deliveries_replay  # noqa: E402
from webhooks.outbound.endpoints import endpoint_create, endpoint_update  # noqa: E402
from webhooks.outbound.models import Delivery  # noqa: E402
from webhooks.outbound.selectors import endpoints  # noqa: E402

ACTOR = "system:test"


class Tenant:
    organization: Organization
    campaign: Any

    def set_up(self, url: str) -> dict[str, str]:
        """Secrets by path: one endpoint confirms orders, the other takes facts."""
        call_command("migrate", verbosity=0)
        self.organization = factories.organization()
        self.campaign = factories.campaign(self.organization, fulfilment_kind="WEBHOOK")
        with tenant(self.organization):
            orders = endpoint_create(
                organization=self.organization, url=f"{url}/orders", status_mode="AVAILABLE", actor=ACTOR
            )
            facts = endpoint_create(
                organization=self.organization,
                url=f"{url}/facts",
                event_types=["EVENT", "REWARD_UPDATED", "PARTICIPANT"],
                actor=ACTOR,
            )
        return {"/orders": orders.secret, "/facts": facts.secret}

    def earn(self, count: int) -> int:
        return len(factories.due_rewards(self.campaign, count))

    def refund(self, count: int) -> int:
        """Half of some issued rewards' payments: orders to take back half of each."""
        with tenant(self.organization):
            issued = list(Reward.objects.filter(status="AVAILABLE", deductions__isnull=True)[:count])
        for reward in issued:
            with tenant(self.organization):
                transaction_reverse(
                    organization=self.organization,
                    campaign_id=reward.campaign_id,
                    transaction_id=str(reward.transaction_id),
                    report=ReversalReport(refund_id=f"r{reward.pk}", amount=6000, kind="REFUND", status="DONE"),
                    actor=ACTOR,
                )
        return len(issued)

    def hurry(self) -> int:
        """What waits for its next attempt is due now: the schedule itself has its own test."""
        with tenant(self.organization):
            for endpoint in endpoints():
                if endpoint.status == "DISABLED":
                    endpoint_update(endpoint=endpoint, status="ENABLED", actor=ACTOR)
                deliveries_replay(endpoint=endpoint, since=endpoint.created_at, only_failed=True, actor=ACTOR)
            waiting = Delivery.objects.filter(status="PENDING", lease_token__isnull=True)
            return waiting.update(next_attempt_at=wall())

    def state(self) -> dict[str, Any]:
        with tenant(self.organization):
            # Steps that only change an amount keep the status.
            outcomes = RewardTransition.objects.filter(to_status__in=["AVAILABLE", "DEDUCTED"]).exclude(
                from_status=F("to_status")
            )
            return {
                "deliveries": {each.webhook_id: each.status for each in Delivery.objects.all()},
                "orders": Delivery.objects.filter(event_type="REWARD").count(),
                "events": QualifyingEvent.objects.count(),
                "told_events": Delivery.objects.filter(event_type="EVENT").count(),
                "rewards": Counter(Reward.objects.values_list("status", flat=True)),
                "confirmed": sorted(Counter(outcomes.values_list("reward", flat=True)).values()),
                "open_claims": Claim.objects.filter(closed_at__isnull=True).count(),
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
