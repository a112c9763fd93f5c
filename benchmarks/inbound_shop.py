"""The tenants' side of the inbound benchmark, in processes of its own: `set_up`, then `work_off`.

Two organizations, since one worker at a time works for one organization and two processors are there to be used.
"""

import json
import multiprocessing
import os
import sys
import time

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, connections  # noqa: E402

from integrations.models import Connection  # noqa: E402
from referral_rocket.accounts.models import Organization  # noqa: E402
from referral_rocket.accounts.scoping import every_organization  # noqa: E402
from rewards.models import Reward  # noqa: E402
from tests import factories  # noqa: E402
from webhooks.inbound import dispatch, door  # noqa: E402
from webhooks.inbound.models import InboundEvent, InboundStatus  # noqa: E402

REFERRED = 100
PROCESSES = 2
# At most so many of those that the door stored are worked off; the rest is put out of the way.
EVENTS = 4000


def set_up() -> dict[str, object]:
    call_command("migrate", verbosity=0)
    emails = [f"friend{number}@example.com" for number in range(REFERRED)]
    paths = []
    for _ in range(PROCESSES):
        organization = factories.organization()
        link = factories.connection(organization, webhook_secret=os.environ["WEBHOOK_SECRET"])
        campaign = factories.campaign(organization, rules=[factories.referral_rule(once_per="EVENT")])
        sharer = factories.participant(campaign)
        for email in emails:
            factories.participant(campaign, email, referred_by=sharer)
        paths.append(f"{door.PREFIX}stripe/{link.pk}")
    return {"path": paths[0], "emails": emails}


def work_off() -> tuple[int, float]:
    """How many events became rewards, and in what time."""
    events = _share_out()
    begun = time.perf_counter()
    workers = [multiprocessing.get_context("spawn").Process(target=_work) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - begun - _start_seconds()
    with every_organization("counting"):
        rewards = Reward.objects.count()
        left = InboundEvent.objects.filter(status=InboundStatus.RECEIVED).count()
    if left or rewards != events:
        raise SystemExit(f"{rewards} rewards of {events} events, {left} are left")
    return events, took


def _share_out() -> int:
    """The door wrote to one organization, as fast as it could: half of what is worked off moves to the other one.

    Answers how many there are to be worked off.
    """
    with every_organization("sharing out"):
        organizations = list(Organization.objects.filter(mode="LIVE").order_by("pk"))
        links = {each.organization_id: each for each in Connection.objects.all()}
    with every_organization("sharing out"), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE chosen AS SELECT id, row_number() OVER (ORDER BY id) AS n FROM inbound_inboundevent"
        )
        cursor.execute("DELETE FROM inbound_inboundevent WHERE id IN (SELECT id FROM chosen WHERE n > %s)", [EVENTS])
        cursor.execute(
            "UPDATE inbound_inboundevent SET organization_id = %s, connection_id = %s"
            " WHERE id IN (SELECT id FROM chosen WHERE n %% 2 = 0)",
            [organizations[1].pk, links[organizations[1].pk].pk],
        )
    with connection.cursor() as cursor:
        # Not of the tables that are still empty: PostgreSQL would keep reading them from one end to the other.
        cursor.execute("ANALYZE inbound_inboundevent")
    with every_organization("counting"):
        return InboundEvent.objects.count()


def _work() -> None:
    while dispatch.run(seconds=60):
        pass
    connections.close_all()


def _start_seconds() -> float:
    """What a process takes to start with all that it imports: a worker is there already."""
    begun = time.perf_counter()
    process = multiprocessing.get_context("spawn").Process(target=_nothing)
    process.start()
    process.join()
    return time.perf_counter() - begun


def _nothing() -> None:
    pass


if __name__ == "__main__":
    print(json.dumps({"set_up": set_up, "work_off": work_off}[sys.argv[1]]()))
