"""No list and no look-up reads a whole table, as PostgreSQL plans it for the application's role under its policies."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign
from integrations.base import PaymentSeen, Reference
from integrations.listing import Listed, ListedPage, Listing
from participants import erasing as participants_erasing
from participants.importing import running as importing
from participants.importing import selectors as import_selectors
from participants.importing import undoing, working
from participants.importing.checking import code_owners
from participants.importing.resolving import rows_resolve
from participants.models import Customer, Forgetting, Participant, Payment, ProviderCustomer, QualifyingEvent
from participants.payments import Ledger
from participants.selectors import (
    customer_by_email,
    customers_beginning_with,
    events,
    has_counted_event,
    participant_by_code,
    participants,
    shared_link,
)
from referral_rocket.accounts.models import Scope
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.accounts.services import api_key_create
from referral_rocket.activity.models import Activity
from referral_rocket.kit.clock import wall
from referral_rocket.kit.leases import Lease
from rewards import selectors
from rewards.balances import balances
from rewards.due import DueFilter, due_rows, free_sum, rewards_of_row
from rewards.models import BatchItem, Finding, Reconciliation, Reward
from rewards.services import erasing, freezing, issuing, queueing, recipients
from rewards.services.aggregating import next_close
from rewards.services.asking import last_asked
from rewards.services.automatic import ahead_of
from rewards.services.claims import claimed
from rewards.services.earning import decisions_and_rewards
from rewards.services.lanes import Lane, next_lane
from rewards.services.netting import nettable, places_of
from rewards.services.recognising import payments_recognise
from rewards.services.reconciling import runs
from rewards.services.reconciling.comparing import to_compare
from rewards.services.reconciling.listed import _rewards_of_own_ids, hold_against, people_of
from rewards.services.releasing import release_everywhere
from rewards.services.remainders import rows_of_remainder
from rewards.services.reversing import _event_and_payment
from rewards.services.selecting import Selection, batch_plan, selected
from rewards.services.standing import Scene, load
from rewards.states import OPEN_STATUSES
from tests.project.crowd import BIG, gather
from webhooks.inbound import backfilling, completing, dispatch, forgetting, replaying
from webhooks.inbound.models import Backfill, InboundEvent, Replay
from webhooks.outbound import asking

# A million rows on a busy machine take their time.
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]

Row = dict[str, Any]
PAGE = 50


def nodes(plan: Row) -> Iterator[Row]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def whole_reads(sql: str) -> list[str]:
    """The big tables that a statement would read from end to end."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        (answer,) = cursor.fetchone()
    plans = json.loads(answer) if isinstance(answer, str) else answer
    return [
        node["Relation Name"]
        for node in nodes(plans[0]["Plan"])
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in BIG
    ]


@contextmanager
def looked_at(found: list[str], name: str, scope: Callable[[], Any]) -> Iterator[None]:
    """Adds to `found` each statement of the block that reads a big table from end to end."""
    with CaptureQueriesContext(connection) as captured:
        yield
    statements = [query["sql"] for query in captured.captured_queries]
    with scope():
        for sql in dict.fromkeys(statements):
            if sql.lstrip().upper().startswith(("SELECT", "WITH", "UPDATE", "DELETE")) and "set_config" not in sql:
                found += [f"{name}: {table}: {sql[:400]}" for table in whole_reads(sql)]


def inside_tenant(organization: Any, one: Row) -> dict[str, Callable[[], Any]]:
    campaign, reward, event = one["campaign"], one["reward"], one["event"]
    participant, customer, batch, link = one["participant"], one["customer"], one["batch"], one["connection"]
    intent = PaymentSeen(
        references=(Reference("payment_intent", "pi_new"),),
        transaction_id="pi_new",
        transaction_rank=2,
        amount=12000,
        currency="USD",
        occurred_at=wall(),
        provider_customer_id="cus_4101",
    )
    lane = Lane(organization, link, Lease.new())
    item = BatchItem.objects.filter(reward=reward).first() or BatchItem(pk=reward.pk)

    def credits_of_nobody(*_: object) -> ListedPage:
        return ListedPage(())

    return {
        "participants of a campaign": lambda: list(participants(campaign.pk).order_by("-id")[:PAGE]),
        "participants": lambda: list(participants().order_by("-id")[:PAGE]),
        "participants on a later page": lambda: list(
            participants().filter(pk__lt=participant.pk).order_by("-id")[:PAGE]
        ),
        "participants by prefix": lambda: list(
            participants().filter(customer__in=customers_beginning_with("crowd4101@")).order_by("-id")[:PAGE]
        ),
        "participants of a customer": lambda: list(Participant.objects.filter(customer=customer)),
        "who was referred": lambda: list(Participant.objects.filter(referred_by=participant).order_by("-id")[:PAGE]),
        "a code": lambda: participant_by_code(campaign.pk, "code4101"),
        "a customer by e-mail": lambda: customer_by_email("Crowd4101@example.com"),
        "a customer by external id": lambda: Customer.objects.filter(external_id="u_4101").first(),
        "customers by prefix": lambda: list(customers_beginning_with("Name 4101")[:PAGE]),
        "a customer by the provider's id": lambda: ProviderCustomer.objects.filter(
            provider="stripe", provider_id="cus_4101"
        ).first(),
        "whether somebody was erased": lambda: list(Customer.objects.filter(erased_hash="none")),
        "rewards that somebody leaves": lambda: list(
            Reward.objects.filter(customer=customer, status__in=OPEN_STATUSES).order_by("pk")
        ),
        "attempts that somebody leaves": lambda: erasing._forget_exchanges(Reward.objects.filter(customer=customer)),
        "events": lambda: list(events().order_by("-id")[:PAGE]),
        "events of a campaign": lambda: list(events().filter(campaign=campaign).order_by("-id")[:PAGE]),
        "events by transaction": lambda: list(events().filter(transaction_id="order_4101").order_by("-id")[:PAGE]),
        "events of a participant": lambda: list(events().filter(participant=participant).order_by("-id")[:PAGE]),
        "an event of a campaign's transaction": lambda: QualifyingEvent.objects.filter(
            campaign=campaign, transaction_id="order_4101", undone_at__isnull=True
        ).first(),
        "whether an event has counted": lambda: has_counted_event(participant, besides_payment=event.payment_id),
        "decisions and rewards": lambda: decisions_and_rewards([event.pk]),
        "what counted before": lambda: load(
            Scene(campaign, list(campaign.rules.all()), [participant], [event.pk]), organization.zone
        ),
        "payments by reference": lambda: Ledger(organization).load(
            [link], [], [Reference("payment_intent", "pi_4101")]
        ),
        "the other half of a payment": lambda: Ledger(organization).load([link], [intent], []),
        "what counts of payments": lambda: payments_recognise(
            organization=organization, payments=list(Payment.objects.filter(customer=customer)[:5])
        ),
        "a transaction to reverse": lambda: _event_and_payment(campaign.pk, "nowhere_4101"),
        "payments of a customer": lambda: list(Payment.objects.filter(customer=customer).order_by("-occurred_at")),
        "rewards": lambda: list(selectors.rewards().order_by("-id")[:PAGE]),
        "rewards by status": lambda: list(selectors.rewards().filter(status="PENDING").order_by("-id")[:PAGE]),
        "rewards of a campaign": lambda: list(selectors.rewards().filter(campaign=campaign).order_by("-id")[:PAGE]),
        "rewards of a campaign by status": lambda: list(
            selectors.rewards().filter(campaign=campaign, status="EARNED").order_by("-id")[:PAGE]
        ),
        "rewards of a participant": lambda: list(
            selectors.rewards().filter(participant=participant).order_by("-id")[:PAGE]
        ),
        "rewards of a customer": lambda: list(selectors.rewards().filter(customer=customer).order_by("-id")[:PAGE]),
        "rewards of an event": lambda: list(selectors.rewards().filter(event=event).order_by("-id")[:PAGE]),
        "rewards by transaction": lambda: list(
            selectors.rewards().filter(transaction_id="order_4101").order_by("-id")[:PAGE]
        ),
        "history of a reward": lambda: list(selectors.history(reward)),
        "rewards on a later page": lambda: list(selectors.rewards().filter(pk__lt=reward.pk).order_by("-id")[:PAGE]),
        "parts of an aggregate": lambda: list(selectors.parts_of(one["aggregate"]).order_by("-id")[:PAGE]),
        "what the parts of an aggregate come to": lambda: selectors.parts_sums(one["aggregate"]),
        "what waits for a total": lambda: selectors.waiting_for_total(one["statements"].pk),
        "when a statement closes": lambda: next_close(one["statements"]),
        "closes of a campaign": lambda: list(selectors.periods(one["statements"].pk).order_by("-id")[:PAGE]),
        "statements of a campaign": lambda: list(
            selectors.rewards_matching(
                selectors.RewardFilter(campaign_id=one["statements"].pk, type="STATEMENT")
            ).order_by("-id")[:PAGE]
        ),
        "deductions due": lambda: list(
            selectors.rewards_matching(selectors.RewardFilter(statuses=["PENDING_DEDUCTION"])).order_by("-id")[:PAGE]
        ),
        "what was carried over": lambda: list(
            selectors.rewards_matching(selectors.RewardFilter(statuses=["EARNED"], waiting_for=["CARRY"])).order_by(
                "-id"
            )[:PAGE]
        ),
        "numbers of what waits": selectors.waiting_counts,
        "totals of campaigns": lambda: selectors.campaign_totals([campaign.pk]),
        "a balance": lambda: balances(customer.pk),
        "deductions to net": lambda: nettable(places_of([reward.pk])),
        "what a remainder changes": lambda: rows_of_remainder(one["aggregate"]),
        "number of what is due": selectors.due_count,
        "campaigns with rewards due": selectors.campaigns_due,
        "the due table": lambda: due_rows(DueFilter(campaign.pk), limit=PAGE),
        "the due table by oldest": lambda: due_rows(DueFilter(campaign.pk), sort="oldest", limit=PAGE),
        "the due table by name": lambda: due_rows(DueFilter(campaign.pk), sort="name", limit=PAGE),
        "the due table by prefix": lambda: due_rows(DueFilter(campaign.pk, search="crowd41"), limit=PAGE),
        "what can be selected": lambda: free_sum(DueFilter(campaign.pk)),
        "a row of the due table": lambda: list(rewards_of_row(DueFilter(campaign.pk), participant.pk, "USD")),
        "a plan of all that is due": lambda: batch_plan(method="MANUAL", selection=Selection(campaign_id=campaign.pk)),
        "whether a selection is big": lambda: freezing.is_big(selected(Selection(campaign_id=campaign.pk))),
        "freezing some": lambda: freezing.freeze(batch, freezing.Chosen([reward.pk], [1200], [""])),
        "who has claimed": lambda: claimed([reward.pk]),
        "batches": lambda: list(selectors.batches().order_by("-id")[:PAGE]),
        "items of a batch": lambda: list(selectors.items_of(batch, ["SUCCEEDED"]).order_by("id")[:PAGE]),
        "numbers of a batch": lambda: selectors.batch_counts([batch]),
        "why a batch didn't issue": lambda: selectors.reasons_for_no(batch),
        "items of a reward": lambda: list(BatchItem.objects.filter(reward=reward)),
        "items to issue": lambda: issuing._claim_items(lane, limit=50),
        "queued rewards to try again": lambda: list(queueing._due()),
        "findings that are open": lambda: list(Finding.objects.filter(settled_at__isnull=True).order_by("-id")[:PAGE]),
        "the last reconciliation": lambda: Reconciliation.objects.order_by("-pk").first(),
        "what is looked up": lambda: list(to_compare(link, wall() - timedelta(days=7))[:PAGE]),
        "what a list shows": lambda: hold_against(
            link, Listing("", ("STRIPE_CREDIT",), credits_of_nobody), [Listed("cbtxn_4101", wall(), reward.pk)]
        ),
        "whose lists are read": lambda: people_of(link, Listing("", ("STRIPE_CREDIT",), credits_of_nobody), [item.pk]),
        "what an unknown sending was": lambda: _rewards_of_own_ids(
            link,
            Listing("", ("WISE",), credits_of_nobody, own_id=lambda key, group: key),
            [Listed("1", wall(), own_id="none")],
        ),
        "who was asked": lambda: last_asked([customer.pk]),
        "what issues itself": lambda: ahead_of(
            [Campaign(pk=campaign.pk, organization=organization, auto_issue_when="DAILY")]
        ),
        "activity": lambda: list(Activity.objects.order_by("-id")[:PAGE]),
        "activity of a campaign": lambda: list(Activity.objects.filter(campaign_id=campaign.pk).order_by("-id")[:PAGE]),
        "activity of a reward": lambda: list(Activity.objects.filter(subject_id=reward.pk).order_by("-id")[:PAGE]),
        "imports": lambda: list(import_selectors.imports().order_by("-id")[:PAGE]),
        "rows of an import": lambda: import_selectors.rows_in(one["import"].pk, "WRONG", 0, PAGE),
        "rows of an import to be shown": lambda: import_selectors.first_rows(one["import"], "NEW", PAGE),
        "rows of an import to be written": lambda: importing._next(one["import"]),
        "rows of an import to be taken back": lambda: undoing._next(one["import"]),
        "rows of an import settled": lambda: rows_resolve(one["import"]),
        "rows of an erased person": lambda: participants_erasing._forget_rows("listed4101@example.com"),
        "what points to participants": lambda: undoing._what_happened([participant.pk]),
        "what points to customers": lambda: undoing._delete_customers({customer.pk}),
        "inbound events": lambda: list(InboundEvent.objects.order_by("-id")[:PAGE]),
        "inbound events of a connection": lambda: list(
            InboundEvent.objects.filter(connection=link).order_by("-id")[:PAGE]
        ),
        "events of a backfill": lambda: backfilling.progress([Backfill(pk=link.pk)]),
        "events of a replay": lambda: replaying.progress([Replay(pk=link.pk)]),
        "inbound events to replay": lambda: list(
            replaying._wanted(Replay(connection=link, of_status="FAILED", created_at=wall()))
            .defer("body")
            .order_by("pk")[:PAGE]
        ),
        "inbound events to work off": lambda: dispatch._claim(100),
        "inbound events to look through": lambda: forgetting._events_page(
            Forgetting(requested_at=wall(), events_seen=event.pk), forgetting._Marks.of({"emails": ["x@example.com"]})
        ),
        "payments to look through": lambda: forgetting._payments_page(
            Forgetting(payments_seen=event.pk), forgetting._Marks.of({"emails": ["x@example.com"]})
        ),
    }


# These open their own door.
def outside(organization: Any) -> dict[str, Callable[[], Any]]:
    return {
        "a share link": lambda: shared_link("CODE4101"),
        "sweep of inbound events": lambda: dispatch._next_organization(set()),
        "sweep of backfills": backfilling._claim,
        "sweep of what webhooks left out": completing._claim,
        "sweep of batches": next_lane,
        "sweep of reconciliations": runs.run,
        "daily reconciliations": runs.begin_everywhere,
        "sweep of mails to participants": asking.run,
        "sweep of replays": replaying.run,
        "sweep of forgettings": forgetting.run,
        "sweep of imports": lambda: working._claim(1),
        "sweep of old imports": working.forget_old,
        "codes that are in use": lambda: code_owners({"CODE4101", "FREE"}),
        "sweep of what is to be frozen": freezing.freeze_everywhere,
        "sweep of who can be paid now": recipients.recipients_retry_everywhere,
        "sweep of erasures": erasing.erasures_finish_everywhere,
        # Holding periods end, a month closes, days are due, and what was carried over is looked through.
        "sweep of what is over": lambda: release_everywhere(at=wall() + timedelta(days=40)),
    }


def api(one: Row) -> list[str]:
    campaign, reward, event, participant, customer = (
        one[name].pk for name in ("campaign", "reward", "event", "participant", "customer")
    )
    return [
        "campaigns",
        f"campaigns/{campaign}/participants",
        f"campaigns/{campaign}/participants?email=crowd4101@example.com",
        f"campaigns/{campaign}/participants?referral_code=CODE4101",
        f"campaigns/{campaign}/participants?external_id=u_4101",
        f"campaigns/{campaign}/participants?customer_id={customer}",
        f"participants/{participant}",
        "events",
        f"events?campaign_id={campaign}",
        "events?transaction_id=order_4101",
        f"events?participant_id={participant}",
        f"events/{event}",
        "rewards",
        *(f"rewards?status={status}" for status in ("EARNED", "PENDING", "AVAILABLE", "CANCELED", "DEDUCTED")),
        f"rewards?campaign_id={campaign}",
        f"rewards?campaign_id={campaign}&status=PENDING",
        f"rewards?customer_id={customer}",
        f"rewards?participant_id={participant}",
        f"rewards?event_id={event}",
        "rewards?transaction_id=order_4101",
        f"rewards/{reward}",
        f"rewards/{reward}/history",
        f"rewards/{one['aggregate'].pk}/parts",
        "rewards?waiting_for=CARRY",
        "rewards?type=STATEMENT",
        f"customers/{customer}",
        f"customers/{customer}/rewards",
        f"customers/{customer}/balance",
        "reward-batches",
        f"reward-batches/{one['batch'].pk}/items",
        "connections",
    ]


def test_it_works(organization):
    one = gather(organization)
    found: list[str] = []

    with tenant(organization):
        assert whole_reads("SELECT * FROM participants_customer WHERE email_key LIKE '%4101%'"), (
            "a search that no index serves must be found out"
        )
        assert not whole_reads(
            f"SELECT * FROM participants_customer WHERE email_key = 'x' AND organization_id = '{organization.pk}'"
        )
        cases = inside_tenant(organization, one)
    for name, call in cases.items():
        with tenant(organization), looked_at(found, name, lambda: tenant(organization)):
            call()
    for name, call in outside(organization).items():
        with looked_at(found, name, lambda: every_organization("plans")):
            call()
    token = api_key_create(organization=organization, name="all", scopes=Scope.values, user=None).token
    client = Client(headers={"Authorization": f"Bearer {token}"})
    for path in api(one):
        with looked_at(found, path, lambda: every_organization("plans")):
            answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, (path, answer.content[:500])

    # Rolled back as it is: checking the foreign keys of a million rows that nobody keeps would take half as long again.
    transaction.set_rollback(True)
    assert found == []
