"""A tenant with 100,000 rows in each table that grows, made inside the database from one row of each."""

from typing import Any

from django.db import connection, models

from integrations.models import Connection
from participants.models import (
    Click,
    Customer,
    ImportRow,
    Participant,
    ParticipantImport,
    Payment,
    PaymentReference,
    QualifyingEvent,
)
from participants.services import click_store
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from referral_rocket.kit.clock import wall
from rewards.models import BatchItem, Claim, Decision, IssueAttempt, Reward, RewardBatch, RewardTransition
from rewards.services import issuing
from tests import factories
from tests.participants.importing.files import as_csv, map_as_guessed, upload
from tests.webhooks.stripe_sales import SESSION, deliver, sale
from webhooks.inbound import dispatch
from webhooks.inbound.models import InboundEvent

ROWS = 100_000
# Tables that only single rows are looked up in: enough for the planner to choose, and quicker to fill.
SOME = 25_000
CAMPAIGNS = 20
BATCHES = 500

# A row like the one that is there, but for these columns; `n` runs from 1, `campaign` is one of CAMPAIGNS by turns.
_CLONE = """
INSERT INTO {table}
SELECT made.*
FROM {table} AS one,
    generate_series(1, %(rows)s) AS n,
    LATERAL (SELECT (%(campaigns)s::uuid[])[1 + n %% %(count)s] AS campaign) AS turns,
    LATERAL jsonb_populate_record(one, jsonb_build_object({changes})) AS made
WHERE one.id = (SELECT min(id::text)::uuid FROM {table})
"""


def _id(name: str, number: str = "n") -> str:
    return f"md5('{name}' || {number})::uuid"


_RARELY = "CASE n % 100 WHEN 1 THEN {} WHEN 2 THEN {} WHEN 3 THEN {} ELSE {} END"


def _in_words(cases: dict[int, str], otherwise: str) -> str:
    """By `n` modulo 100."""
    return " ".join(
        ["CASE n % 100", *(f"WHEN {n} THEN '{value}'" for n, value in cases.items()), f"ELSE {otherwise} END"]
    )


# One of a hundred each; what waits for a total or was carried over is of the campaign with the number that is named.
STATEMENT, CARRY, DELAYED = 4, 5, 8
_STANDING = {
    1: "PENDING",
    2: "EARNED",
    3: "EARNED",
    STATEMENT: "EARNED",
    CARRY: "EARNED",
    6: "AGGREGATED",
    7: "PENDING_DEDUCTION",
    DELAYED: "EARNED",
}
_WAITING = {2: "REVIEW", 3: "HOLDING", STATEMENT: "AGGREGATION", CARRY: "CARRY", DELAYED: "AGGREGATION"}
_TERMS: dict[int, dict[str, Any]] = {
    STATEMENT: {"earning_timing": "STATEMENT"},
    # More than anybody has.
    CARRY: {"remainder": "CARRY", "carry_minimum": 100_000},
    DELAYED: {"earning_timing": "DELAYED", "delay_days": 1},
}
_PARTICIPATION = {"campaign_id": "campaign", "participant_id": _id("participant")}
_REWARD = {"reward_id": _id("reward")}
# In an order in which what is pointed to comes first.
CROWD: tuple[tuple[type[models.Model], int, dict[str, str]], ...] = (
    (
        Customer,
        ROWS,
        {
            "id": _id("customer"),
            "email": "'crowd' || n || '@example.com'",
            "email_key": "'crowd' || n || '@example.com'",
            "external_id": "'u_' || n",
            "name": "'Name ' || n",
        },
    ),
    (
        Participant,
        ROWS,
        {
            "id": _id("participant"),
            "customer_id": _id("customer"),
            "campaign_id": "campaign",
            "referral_code": "'CODE' || n",
            # Within a campaign: the one 20 before.
            "referred_by_id": f"CASE WHEN n > {CAMPAIGNS} THEN {_id('participant', f'(n - {CAMPAIGNS})')} END",
        },
    ),
    (Click, SOME, {"id": _id("click"), **_PARTICIPATION}),
    (
        Payment,
        SOME,
        {
            "id": _id("payment"),
            "customer_id": _id("customer"),
            "provider_customer_id": "'cus_' || n",
            "transaction_id": "'order_' || n",
            "occurred_at": "now() - n * interval '1 minute'",
        },
    ),
    (
        PaymentReference,
        SOME,
        {"id": _id("reference"), "payment_id": _id("payment"), "value": "'pi_' || n"},
    ),
    (
        QualifyingEvent,
        ROWS,
        {
            "id": _id("event"),
            **_PARTICIPATION,
            "payment_id": f"CASE WHEN n <= {SOME} THEN {_id('payment')} END",
            "transaction_id": "'order_' || n",
        },
    ),
    (
        Reward,
        ROWS,
        {
            "id": _id("reward"),
            **_PARTICIPATION,
            "customer_id": _id("customer"),
            "event_id": _id("event"),
            "transaction_id": "'order_' || n",
            "status": _in_words(_STANDING, "'AVAILABLE'"),
            "waiting_for": _in_words(_WAITING, "NULL"),
            "releases_at": "now() + interval '1 day'",
            "ready_at": "now() - interval '1 day'",
            "issued_at": "CASE WHEN n % 100 NOT BETWEEN 1 AND 8 THEN now() END",
            # Fifty parts each, of rewards that are due.
            "aggregate_id": f"CASE WHEN n % 100 = 6 THEN {_id('reward', '(n - n % 5000 + 1)')} END",
            "deducts_id": f"CASE WHEN n % 100 = 7 THEN {_id('reward', '(n + 10)')} END",
        },
    ),
    (Decision, SOME, {"id": _id("decision"), "event_id": _id("event"), **_REWARD}),
    (RewardTransition, SOME, {"id": _id("transition"), **_REWARD}),
    (Claim, SOME, {"id": _id("claim"), **_REWARD, "closed_at": "now()"}),
    (RewardBatch, BATCHES, {"id": _id("batch"), "campaign_id": "campaign"}),
    (
        BatchItem,
        ROWS,
        {
            "id": _id("item"),
            "batch_id": _id("batch", f"(1 + n % {BATCHES})"),
            **_REWARD,
            "claim_id": f"CASE WHEN n <= {SOME} THEN {_id('claim')} END",
            "outcome": _RARELY.format("'FAILED'", "'UNKNOWN'", "'WAITING'", "'SUCCEEDED'"),
        },
    ),
    (
        IssueAttempt,
        SOME,
        {"id": _id("attempt"), "item_id": _id("item"), **_REWARD, "idempotency_key": "'key_' || n"},
    ),
    (ParticipantImport, BATCHES, {"id": _id("import"), "campaign_id": "campaign"}),
    (
        ImportRow,
        SOME,
        {
            "id": _id("import_row"),
            "participant_import_id": _id("import", f"(1 + n % {BATCHES})"),
            "line": "n",
            "state": "CASE WHEN n % 2 = 0 THEN 'NEW' ELSE 'WRONG' END",
            "email_key": "'listed' || n || '@example.com'",
            "referrer_email": "'crowd' || n || '@example.com'",
        },
    ),
    (Activity, ROWS, {"id": _id("activity"), "campaign_id": "campaign", "subject_id": _id("reward")}),
    (
        InboundEvent,
        ROWS,
        {
            "id": _id("inbound"),
            "provider_event_id": "'evt_' || n",
            "status": _RARELY.format("'FAILED'", "'IGNORED'", "'IGNORED'", "'PROCESSED'"),
        },
    ),
)
BIG = {model._meta.db_table for model, rows, _ in CROWD if rows >= SOME}


def gather(organization: Organization) -> dict[str, Any]:
    """Fill the organization; answers one row of each kind to ask about."""
    campaigns = [factories.campaign(organization, **_TERMS.get(number, {})) for number in range(CAMPAIGNS)]
    sharer = factories.participant(campaigns[0])
    link = factories.connection(organization)
    listed = upload(organization, as_csv(["email", "referred by"], [["listed@example.com", "crowd@example.com"]]))
    map_as_guessed(campaigns[0], listed)
    deliver(link, [sale(referral_code=sharer.referral_code)[SESSION]])
    dispatch.run()
    with tenant(organization):
        click_store(participant=sharer, referrer_host="example.com", by_bot=False)
        reward = Reward.objects.get()
    batch = factories.batch(organization, [reward])
    issuing.run(seconds=5)
    with tenant(organization):
        item = BatchItem.objects.get()
        IssueAttempt.objects.create(
            organization=organization, item=item, reward=reward, idempotency_key="key_0", started_at=wall()
        )
    with tenant(organization), connection.cursor() as cursor:
        for model, rows, changes in CROWD:
            pairs = ", ".join(f"'{name}', {value}" for name, value in changes.items())
            cursor.execute(
                _CLONE.format(table=model._meta.db_table, changes=pairs.replace("%", "%%")),
                {"rows": rows, "campaigns": [each.pk for each in campaigns], "count": CAMPAIGNS},
            )
        cursor.execute("ANALYZE")
    with tenant(organization):
        found = Reward.objects.select_related("event", "participant", "customer").get(transaction_id="order_4101")
        return {
            "campaign": found.campaign,
            "statements": campaigns[STATEMENT],
            "aggregate": Reward.objects.filter(status="AGGREGATED").select_related("aggregate")[0].aggregate,
            "reward": found,
            "event": found.event,
            "participant": found.participant,
            "customer": found.customer,
            "batch": batch,
            "connection": Connection.objects.get(pk=link.pk),
            "import": ParticipantImport.objects.filter(campaign=found.campaign).order_by("pk").last(),
        }
