"""The inbound door and what follows it: `make bench`.

Baselines, measured in the same run on the same connection: a committed single-row INSERT, for the door; the five
statements of pgbench's TPC-B as one transaction, for stored events that become rewards.
"""

import itertools
import json
import time

from benchmarks.setting import prepare, rate, show

prepare()

from django.db import connection, transaction  # noqa: E402 - the apps have to be loaded first
from django.test import RequestFactory  # noqa: E402

from integrations.sandbox.stripe.webhooks import signature  # noqa: E402
from referral_rocket.accounts.scoping import tenant  # noqa: E402
from tests import factories  # noqa: E402
from webhooks.inbound import dispatch, door  # noqa: E402

REFERRED = 500
numbers = itertools.count(1)


class Shop:
    """An organization with a campaign, people who were referred, and a Stripe connection."""

    def __init__(self) -> None:
        self.organization = factories.organization()
        self.connection = factories.connection(self.organization)
        campaign = factories.campaign(self.organization, rules=[factories.referral_rule(once_per="EVENT")])
        sharer = factories.participant(campaign)
        people = [factories.participant(campaign, referred_by=sharer) for _ in range(REFERRED)]
        with tenant(self.organization):
            self.emails = [person.customer.email for person in people]
        self.path = f"{door.PREFIX}stripe/{self.connection.pk}"
        self.requests = RequestFactory()

    def post(self) -> int:
        number = next(numbers)
        intent = {
            "id": f"pi_{number}",
            "object": "payment_intent",
            "amount_received": 12000,
            "currency": "usd",
            "receipt_email": self.emails[number % REFERRED],
            "latest_charge": f"ch_{number}",
            "metadata": {},
        }
        event = {
            "id": f"evt_{number}",
            "type": "payment_intent.succeeded",
            "created": int(time.time()),
            "livemode": True,
            "data": {"object": intent},
        }
        body = json.dumps(event).encode()
        header = signature(body, factories.WEBHOOK_SECRET, int(time.time()))
        request = self.requests.post(self.path, body, "application/json", headers={"Stripe-Signature": header})
        answer = door.answer(request)
        if answer.status_code != 200:
            raise RuntimeError(f"the door answered {answer.status_code}: {answer.content!r}")
        return 1


def insert() -> int:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_row (body) VALUES (%s)", [b"x" * 600])
    return 1


def tpc_b() -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        account = next(numbers) % 100_000 + 1
        cursor.execute("UPDATE bench_account SET balance = balance + 1 WHERE id = %s", [account])
        cursor.execute("SELECT balance FROM bench_account WHERE id = %s", [account])
        cursor.execute("UPDATE bench_teller SET balance = balance + 1 WHERE id = %s", [account % 10 + 1])
        cursor.execute("UPDATE bench_branch SET balance = balance + 1 WHERE id = 1")
        cursor.execute("INSERT INTO bench_row (body) VALUES (%s)", [b"x" * 22])
    return 1


def main() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_row (id bigserial PRIMARY KEY, body bytea)")
        for table, rows in (("account", 100_000), ("teller", 10), ("branch", 1)):
            cursor.execute(f"CREATE TABLE bench_{table} (id int PRIMARY KEY, balance bigint)")
            cursor.execute(f"INSERT INTO bench_{table} SELECT n, 0 FROM generate_series(1, {rows}) AS n")
    shop = Shop()
    show("door, signed event stored", rate(shop.post), rate(insert), "single-row INSERTs")
    while dispatch.run(seconds=60):
        pass
    for _ in range(2000):
        shop.post()
    begun = time.perf_counter()
    done = 0
    while count := dispatch.run(seconds=60):
        done += count
    show("stored events become rewards", done / (time.perf_counter() - begun), rate(tpc_b), "TPC-B transactions")


if __name__ == "__main__":
    main()
