"""A statement close of 100,000 customers by one worker: `make bench`; `python -m benchmarks.statements 20000` for fewer.

Baseline, measured in the same run on the same connection: the least that a close has to write, as bare INSERT … SELECT:
for each part and each statement a row of history, of activity and of the outbox, and the statement itself, without
locks, indexes, policies, keys or Python. Memory is what the process holds at its highest, early on and at the end.
"""

import resource
import sys
import time
from datetime import UTC, datetime
from typing import Any

from benchmarks.setting import prepare, show

prepare()

from django.db import connection  # noqa: E402 - the apps have to be loaded first

from benchmarks.crowd import clone  # noqa: E402
from campaigns.models import Campaign  # noqa: E402
from participants.models import Customer, Participant  # noqa: E402
from referral_rocket.accounts.models import Organization  # noqa: E402
from referral_rocket.accounts.scoping import tenant  # noqa: E402
from rewards.models import Reward, RewardTotals  # noqa: E402
from rewards.services import aggregating  # noqa: E402
from tests import factories  # noqa: E402

AIM = 2000
CLOSE = datetime(2030, 1, 1, tzinfo=UTC)
ROW_BYTES = 220


def crowd(organization: Organization, customers: int) -> Campaign:
    """A campaign by statement in which so many customers wait for their statement, every second one with two rewards."""
    campaign = factories.campaign(organization, earning_timing="STATEMENT")
    sharer = factories.participant(campaign)
    reward = factories.event(factories.participant(campaign, referred_by=sharer)).rewards[0]
    person = f"md5('person' || 1 + (n - 1) %% {customers})::uuid"
    copies = (
        (
            Customer,
            sharer.customer_id,
            customers,
            {"id": person, "email_key": "'crowd' || n", "external_id": "'u_' || n"},
        ),
        (Participant, sharer.pk, customers, {"id": person, "customer_id": person, "referral_code": "'CODE' || n"}),
        (
            Reward,
            reward.pk,
            customers * 3 // 2,
            {
                "id": "md5('reward' || n)::uuid",
                "participant_id": person,
                "customer_id": person,
                # One reward for each event and rule: these have no event, as rewards given by hand.
                "event_id": "null::uuid",
                "rule_id": "null::uuid",
            },
        ),
    )
    with tenant(organization):
        for model, one, rows, changes in copies:
            clone(model, one, rows, changes)
        total = Reward.objects.count()
        RewardTotals.objects.filter(status="EARNED").update(
            count=total, amount=total * reward.amount, target=total * reward.amount
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return campaign


def highest_memory() -> float:
    """MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bare_rate(customers: int) -> float:
    """Customers a second of which the same number of rows is written and nothing else."""
    rows = customers * 3 // 2 * 3 + customers * 4
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_row (id uuid PRIMARY KEY, body text)")
        begun = time.perf_counter()
        for start in range(0, rows, 10_000):
            cursor.execute(
                "INSERT INTO bench_row SELECT gen_random_uuid(), repeat('x', %s) FROM generate_series(1, %s)",
                [ROW_BYTES, min(10_000, rows - start)],
            )
        return customers / (time.perf_counter() - begun)


def main(customers: int) -> int:
    organization = factories.organization()
    campaign = crowd(organization, customers)
    marks: list[float] = []
    total = aggregating.parts_join

    def marked(**options: Any) -> None:
        marks.append(highest_memory())
        total(**options)

    aggregating.parts_join = marked
    begun = time.perf_counter()
    made = aggregating.aggregate(organization=organization, moment=CLOSE)
    figure = made / (time.perf_counter() - begun)
    # One more: the sharer, whose reward was the model of the others.
    assert made == customers + 1, made
    with tenant(organization):
        assert not Reward.objects.filter(campaign=campaign, status="EARNED").exists()
    show("statement close", figure, bare_rate(customers), "bare rows")
    early, late = marks[min(10, len(marks) - 1)], marks[-1]
    print(f"memory: {early:.0f} MB after ten of {len(marks)} batches, {late:.0f} MB at the end")
    fine = figure >= AIM and late <= early * 1.1
    print(
        f"{'ok  ' if fine else 'MISS'} {figure:,.0f} customers/s (aim {AIM:,}), memory {late / early:.2f} times (aim 1.1)"
    )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
