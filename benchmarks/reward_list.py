"""Page 10,000 of a list of 2,000,000 rewards against page 1.

`python -m embedded.throwaway .venv/bin/python -m benchmarks.reward_list [rows]`

Through the API's list code, as the application's role under row-level security. The aim (issue 3): at most 1.5 times
page 1. With 200 rewards a page, page 10,000 is the end of the list; with 50, the default, it is a quarter down.
"""

import statistics
import sys
import time
from collections.abc import Callable, Mapping

from benchmarks.setting import prepare

prepare()

from django.db import connection  # noqa: E402 - the apps have to be loaded first
from django.test import Client  # noqa: E402

from referral_rocket.accounts.models import Organization, Scope  # noqa: E402
from referral_rocket.accounts.scoping import tenant  # noqa: E402
from referral_rocket.accounts.services import api_key_create  # noqa: E402
from referral_rocket.api.pagination import page, write_cursor  # noqa: E402
from referral_rocket.api.payloads.rewards import rewards as shown  # noqa: E402
from rewards.models import Reward  # noqa: E402
from rewards.selectors import rewards  # noqa: E402
from tests import factories  # noqa: E402

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
PAGE = 10_000
AIM = 1.5
REPEATS = 100
AT_ONCE = 100_000

# Copies of one reward, with ids in the order of their making; every hundredth is due, the others were issued.
_FILL = """
INSERT INTO rewards_reward
SELECT made.* FROM rewards_reward AS one, generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
    LATERAL jsonb_populate_record(one, jsonb_build_object(
        'id', ('01900000-' || lpad(to_hex(n >> 16), 4, '0') || '-7' || lpad(to_hex((n >> 4) & 4095), 3, '0')
            || '-8' || lpad(to_hex(n & 15), 3, '0') || '-000000000000')::uuid,
        'event_id', NULL, 'transaction_id', 'order_' || n,
        'status', CASE n %% 100 WHEN 0 THEN 'PENDING' ELSE 'AVAILABLE' END, 'issued_at', now()
    )) AS made
WHERE one.id = %(one)s
"""


def fill(organization: Organization) -> None:
    """Indexes and foreign keys are taken away meanwhile and put back: filling is not what is measured."""
    campaign = factories.campaign(organization)
    (one,) = factories.due_rewards(campaign, 1)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'rewards_reward' AND indexname NOT IN"
            " (SELECT conname FROM pg_constraint WHERE conrelid = 'rewards_reward'::regclass)"
        )
        indexes = cursor.fetchall()
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = 'rewards_reward'::regclass AND contype = 'f'"
        )
        keys = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        for name, _ in keys:
            cursor.execute(f"ALTER TABLE rewards_reward DROP CONSTRAINT {name}")
    for first in range(1, ROWS + 1, AT_ONCE):
        with tenant(organization), connection.cursor() as cursor:
            last = min(first + AT_ONCE - 1, ROWS)
            cursor.execute(_FILL, {"first": first, "last": last, "one": one.pk})
    with connection.cursor() as cursor:
        for _, definition in indexes:
            cursor.execute(definition)
        for name, definition in keys:
            cursor.execute(f"ALTER TABLE rewards_reward ADD CONSTRAINT {name} {definition} NOT VALID")
        cursor.execute("VACUUM ANALYZE")


def cursor_of(organization: Organization, limit: int) -> str:
    """Where the page before page 10,000 ends."""
    with tenant(organization):
        last = min((PAGE - 1) * limit, ROWS - limit) - 1
        return write_cursor(Reward.objects.order_by("-pk").values_list("pk", flat=True)[last])


def milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def compare(name: str, first: Callable[[], object], deep: Callable[[], object]) -> bool:
    """Whether the aim is reached. By turns, so that the machine's drift meets both; medians."""
    for _ in range(10):
        first(), deep()
    times = [(milliseconds(first), milliseconds(deep)) for _ in range(REPEATS)]
    one, other = (statistics.median(column) for column in zip(*times, strict=True))
    fine = other <= one * AIM
    print(
        f"{'ok  ' if fine else 'MISS'} {name}: page {PAGE:,} takes {other / one:.2f} of page 1 (aim ≤ {AIM};"
        f" {other:.2f} ms against {one:.2f} ms)"
    )
    return fine


def main() -> int:
    organization = factories.organization()
    fill(organization)
    with tenant(organization):
        print(f"{Reward.objects.count():,} rewards")
    token = api_key_create(organization=organization, name="bench", scopes=Scope.values, user=None).token
    held: list[bool] = []
    client = Client(headers={"Authorization": f"Bearer {token}"}, SERVER_NAME="localhost")
    for limit in (50, 200):
        cursor = cursor_of(organization, limit)

        def listed(query: Mapping[str, object]) -> int:
            with tenant(organization):
                body = page(rewards(), query, shown).body
                assert isinstance(body, Mapping)
                return len(body["data"])

        def asked(query: str) -> None:
            answer = client.get(f"/api/v1/rewards?{query}")
            assert answer.status_code == 200, answer.content

        first, deep = {"limit": limit}, {"limit": limit, "cursor": cursor}
        assert listed(first) == listed(deep) == limit
        held.append(
            compare(f"list code, {limit} a page", lambda q=first: listed(q), lambda q=deep: listed(q))  # type: ignore[misc]
        )
        held.append(
            compare(
                f"whole call, {limit} a page",
                lambda n=limit: asked(f"limit={n}"),  # type: ignore[misc]
                lambda n=limit, c=cursor: asked(f"limit={n}&cursor={c}"),  # type: ignore[misc]
            )
        )
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
