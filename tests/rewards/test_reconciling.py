"""What a reconciliation finds at the providers' stand-ins: what isn't on record here, doubles, what is missing there."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
import requests
import time_machine
from django.core.management import CommandError, call_command
from django.db import connections

from integrations import registry
from integrations.models import Connection, ConnectionStatus
from integrations.sandbox.tremendous.shapes import CAMPAIGN
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from referral_rocket.kit.leases import LeaseLost
from rewards.models import BatchItem, Finding, Reconciliation, Reward, RewardTotals
from rewards.reconciliations import Settled
from rewards.services import issuing
from rewards.services.reconciling import reconcile, runs
from rewards.services.reconciling.findings import NotSettleable, finding_settle
from tests import factories
from tests.integrations.stand_in import RunningSandbox, running

pytestmark = pytest.mark.django_db
KEY = "TEST_reconcile0001"


@pytest.fixture
def stand_in(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        bases = {provider: f"{sandbox.url}/{provider}" for provider in ("stripe", "tremendous", "paypal")}
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, **bases}
        yield sandbox


@pytest.fixture
def organization(stand_in: RunningSandbox) -> Organization:
    twin = factories.organization().test_organization
    assert twin is not None
    return twin


@pytest.fixture
def tremendous(organization: Organization) -> Connection:
    return factories.connection(
        organization,
        provider="tremendous",
        credentials={"api_key": KEY},
        settings={"funding_source_id": "BALANCE", "campaign_id": CAMPAIGN},
    )


@pytest.fixture
def issued(organization: Organization, tremendous: Connection) -> list[Reward]:
    """Three rewards of $12.00, issued as orders at Tremendous."""
    return issue(organization, "TREMENDOUS", 3)


def issue(organization: Organization, method: str, count: int) -> list[Reward]:
    rewards = factories.due_rewards(factories.campaign(organization), count)
    factories.batch(organization, rewards, method=method)
    issuing.run(seconds=5)
    with tenant(organization):
        return list(Reward.objects.filter(pk__in=[each.pk for each in rewards]).order_by("pk"))


def order_at_tremendous(stand_in: RunningSandbox, external_id: str) -> str:
    """An order that the product didn't make: another installation, say. What it is known by."""
    wanted = {
        "external_id": external_id,
        "payment": {"funding_source_id": "BALANCE"},
        "reward": {
            "value": {"denomination": 12, "currency_code": "USD"},
            "recipient": {"name": "A Friend", "email": "friend@example.com"},
            "delivery": {"method": "EMAIL"},
            "campaign_id": CAMPAIGN,
        },
    }
    url = f"{stand_in.url}/tremendous/api/v2/orders"
    answer = requests.post(url, json=wanted, headers={"Authorization": f"Bearer {KEY}"}, timeout=10)
    return str(answer.json()["order"]["rewards"][0]["id"])


def found(organization: Organization) -> list[tuple[str, str]]:
    """Kind and reference of what is open after a reconciliation."""
    list(reconcile(days=7))
    return open_findings(organization)


def open_findings(organization: Organization) -> list[tuple[str, str]]:
    with tenant(organization):
        return list(
            Finding.objects.filter(settled_at__isnull=True)
            .order_by("kind", "provider_reference")
            .values_list("kind", "provider_reference")
        )


def last(organization: Organization) -> Reconciliation:
    with tenant(organization):
        return Reconciliation.objects.latest("pk")


def test_it_works(organization: Organization, issued: list[Reward]) -> None:
    assert list(map(str, reconcile(days=7))) == []

    done = last(organization)
    assert (done.status, done.to_compare, done.compared, done.listed, done.remarks) == ("FINISHED", 3, 3, 3, [])
    assert open_findings(organization) == []


def test_what_is_not_on_record_here_is_found_once(
    stand_in: RunningSandbox, organization: Organization, issued: list[Reward]
) -> None:
    stranger = uuid4()
    reference = order_at_tremendous(stand_in, f"{stranger}:1")
    order_at_tremendous(stand_in, "a order of somebody's own")

    for _ in range(2):
        assert found(organization) == [("ORPHAN", reference)]
    with tenant(organization):
        finding = Finding.objects.get()
    assert (finding.named_reward, finding.amount, finding.currency) == (stranger, 1200, "USD")
    assert (finding.reward, finding.method) == (None, "TREMENDOUS")
    assert finding.first_seen_at < finding.seen_at


def test_what_is_issued_there_and_due_here(
    stand_in: RunningSandbox, organization: Organization, tremendous: Connection
) -> None:
    (due,) = factories.due_rewards(factories.campaign(organization), 1)
    reference = order_at_tremendous(stand_in, f"{due.pk}:1")

    assert found(organization) == [("NOT_ISSUED_HERE", reference)]
    with tenant(organization):
        due.refresh_from_db()
        assert (due.status, Finding.objects.get().reward_id) == ("PENDING", due.pk), "a finding moves nothing"

    factories.batch(organization, [due], method="TREMENDOUS")
    issuing.run(seconds=5)
    assert found(organization) == [], "the order was known by its id, and nothing was sent twice"
    with tenant(organization):
        assert Finding.objects.get().settled_as == Settled.AGREES


def test_a_reward_twice_at_the_provider(
    stand_in: RunningSandbox, organization: Organization, issued: list[Reward]
) -> None:
    reference = order_at_tremendous(stand_in, f"{issued[1].pk}:2")

    assert found(organization) == [("DOUBLE_THERE", reference)]


def test_what_the_provider_has_lost(stand_in: RunningSandbox, organization: Organization, issued: list[Reward]) -> None:
    with tenant(organization):
        BatchItem.objects.filter(reward=issued[0]).update(amount=700)
    assert found(organization) == [
        ("NOT_SHOWN", issued[0].provider_reference),
        ("OTHER_AMOUNT", issued[0].provider_reference),
    ]
    with tenant(organization):
        BatchItem.objects.filter(reward=issued[0]).update(amount=1200)
    assert found(organization) == []

    stand_in.post("reset")
    missing = [("MISSING", str(each.provider_reference)) for each in issued]
    assert found(organization) == sorted(missing)


def test_a_credit_is_found_by_its_customer(stand_in: RunningSandbox, organization: Organization) -> None:
    """A customer's list shows a credit that nobody here knows of, and one that was given twice."""
    factories.connection(organization)
    rewards = factories.due_rewards(factories.campaign(organization), 1)
    customer = stand_in.add_customer(rewards[0].customer.email)
    factories.batch(organization, rewards, method="STRIPE_CREDIT")
    issuing.run(seconds=5)
    made = {}
    for kind, reward_id in (("DOUBLE_THERE", rewards[0].pk), ("ORPHAN", uuid4())):
        body = urlencode({"amount": -1200, "currency": "usd", "metadata[reward_id]": str(reward_id)})
        path = f"/stripe/v1/customers/{customer}/balance_transactions"
        answer = stand_in.call("POST", path, body, {"Authorization": "Bearer sk_test_other0001"})
        made[kind] = answer.json()["id"]

    # Which of the two a look-up of the reward sees is the newer one.
    assert found(organization) == sorted([*made.items(), ("OTHER_REFERENCE", made["DOUBLE_THERE"])])


def test_ours_twice(organization: Organization, issued: list[Reward]) -> None:
    with tenant(organization):
        first, second = BatchItem.objects.filter(reward__in=issued[:2]).order_by("pk")
        BatchItem.objects.filter(pk=second.pk).update(provider_reference=first.provider_reference)
    kinds = [kind for kind, _ in found(organization)]

    assert "DOUBLE_HERE" in kinds


def test_our_own_books(organization: Organization, issued: list[Reward]) -> None:
    with tenant(organization):
        RewardTotals.objects.filter(status="AVAILABLE").update(count=9)
    (said,) = reconcile(days=7)

    assert f"campaign {issued[0].campaign_id}, AVAILABLE: the totals say 9 rewards" in str(said)
    with tenant(organization):
        RewardTotals.objects.filter(status="AVAILABLE").update(count=3)
    assert list(reconcile(days=7)) == []


def test_the_command_says_so_and_exits_with_1(
    stand_in: RunningSandbox, organization: Organization, issued: list[Reward], capsys: Any
) -> None:
    call_command("reconcile", days=7)
    assert capsys.readouterr().out == "Everything agrees.\n"
    reference = order_at_tremendous(stand_in, f"{uuid4()}:1")

    with pytest.raises((SystemExit, CommandError)):
        call_command("reconcile", days=7)
    assert reference in capsys.readouterr().out


def test_a_person_settles_it_for_good(
    stand_in: RunningSandbox, organization: Organization, tremendous: Connection
) -> None:
    order_at_tremendous(stand_in, f"{uuid4()}:1")
    found(organization)
    with tenant(organization):
        finding = Finding.objects.get()
        finding_settle(organization=organization, finding=finding, actor="user:1", note="Canceled there.")
        with pytest.raises(NotSettleable):
            finding_settle(organization=organization, finding=finding, actor="user:2", note="No.")

    assert found(organization) == []
    with tenant(organization):
        kept = Finding.objects.get()
    assert (kept.settled_as, kept.settled_by, kept.note) == (Settled.BY_A_PERSON, "user:1", "Canceled there.")


def test_the_rate_limit_is_kept(
    stand_in: RunningSandbox, organization: Organization, issued: list[Reward], monkeypatch: Any
) -> None:
    """Each request goes through the lane's pace, and so through its lease."""
    asked = []
    monkeypatch.setattr("rewards.services.lanes.Pace.__call__", lambda pace: asked.append(pace._gap))
    list(reconcile(days=7))

    assert len(asked) == 3 + 1, "three look-ups and one page of the list"
    assert set(asked) == {1 / (10 * 0.95)}


def test_nothing_is_asked_inside_a_transaction(
    organization: Organization, issued: list[Reward], monkeypatch: Any
) -> None:
    inside = []
    # This thread's, whichever thread asks.
    ours = connections["default"]
    depth = len(ours.savepoint_ids)
    monkeypatch.setattr(
        "rewards.services.lanes.Pace.__call__", lambda pace: inside.append(len(ours.savepoint_ids) - depth)
    )
    list(reconcile(days=7))

    assert inside
    assert set(inside) == {0}


@pytest.mark.parametrize("slow", ["look-up", "list"])
def test_what_takes_longer_than_a_lease_is_asked_once(
    organization: Organization, issued: list[Reward], monkeypatch: Any, settings: Any, slow: str
) -> None:
    settings.LEASE_SECONDS = 0.6
    asked = []

    def slowly(real: Any) -> Any:
        def ask(access: Any, *arguments: Any) -> Any:
            asked.append(arguments)
            for _ in range(4):
                time.sleep(0.25)
                # Right before each request: the connection is still ours.
                access.pace()
            return real(access, *arguments)

        return ask

    if slow == "look-up":
        adapter = registry.adapter_of("TREMENDOUS")
        monkeypatch.setattr(adapter, "look_up", slowly(adapter.look_up))
    else:
        (listing,) = registry.provider_of("tremendous").listings
        found = replace(listing, page=slowly(listing.page))
        changed = replace(registry.provider_of("tremendous"), listings=(found,))
        monkeypatch.setitem(registry.PROVIDERS, "tremendous", changed)
    with tenant(organization):
        runs.reconciliation_begin(organization=organization, days=7, actor="test")
    runs.run(seconds=30)

    done = last(organization)
    assert (done.status, done.compared, done.listed, done.remarks) == ("FINISHED", 3, 3, [])
    assert len(asked) == (3 if slow == "look-up" else 1)


def test_who_has_lost_the_reconciliation_asks_nothing_more(
    organization: Organization, issued: list[Reward], monkeypatch: Any, settings: Any
) -> None:
    settings.LEASE_SECONDS = 0.6
    asked, refused = [], []

    def ask(access: Any, order: Any) -> Any:
        asked.append(order)
        time.sleep(0.8)
        try:
            access.pace()
        except LeaseLost:
            refused.append(order)
            raise

    monkeypatch.setattr(registry.adapter_of("TREMENDOUS"), "look_up", ask)
    with tenant(organization):
        begun = runs.reconciliation_begin(organization=organization, days=7, actor="test")
    real = runs._compare_some

    def overtaken(*arguments: Any) -> None:
        with tenant(organization):
            Reconciliation.objects.filter(pk=begun.pk).update(lease_token=uuid4())
        real(*arguments)

    monkeypatch.setattr(runs, "_compare_some", overtaken)
    runs.run(seconds=30)

    assert len(asked) == len(refused) == 1
    assert (last(organization).finished_at, last(organization).compared) == (None, 0)
    with tenant(organization):
        assert Connection.objects.get().leased_until is None


def test_the_runner_comes_first(organization: Organization, tremendous: Connection) -> None:
    (due,) = factories.due_rewards(factories.campaign(organization), 1)
    factories.batch(organization, [due], method="TREMENDOUS")
    with tenant(organization):
        begun = runs.reconciliation_begin(organization=organization, days=7, actor="test")
    assert runs.run() == 1
    with tenant(organization):
        begun.refresh_from_db()
        assert (begun.finished_at, begun.listed, begun.leased_until) == (None, 0, None)
        assert begun.next_attempt_at is not None
        assert begun.next_attempt_at > clock.wall()

    issuing.run(seconds=5)
    with time_machine.travel(clock.wall() + timedelta(seconds=3), tick=True):
        assert runs.run() == 1
    assert (last(organization).status, last(organization).listed) == ("FINISHED", 1)


def test_the_command_does_not_wait_for_a_worker_that_is_not_there(
    organization: Organization, issued: list[Reward]
) -> None:
    (due,) = factories.due_rewards(factories.campaign(organization), 1)
    factories.batch(organization, [due], method="TREMENDOUS")

    assert list(reconcile(days=7)) == []
    assert (last(organization).status, last(organization).compared) == ("FINISHED", 3)


def test_killed_it_goes_on_where_it_was(organization: Organization, issued: list[Reward], monkeypatch: Any) -> None:
    class Killed(BaseException):
        pass

    def dies(*arguments: object) -> None:
        raise Killed

    with tenant(organization):
        runs.reconciliation_begin(organization=organization, days=7, actor="test")
    with monkeypatch.context() as patched:
        patched.setattr(runs, "hold_against", dies)
        patched.setattr(runs, "give_back", lambda lane: None)
        with pytest.raises(Killed):
            runs.run()
    assert (last(organization).compared, last(organization).listed) == (3, 0)
    assert runs.run() == 0, "its lease isn't over"

    with time_machine.travel(clock.wall() + timedelta(seconds=61), tick=True):
        runs.run()
    done = last(organization)
    assert (done.status, done.compared, done.listed) == ("FINISHED", 3, 3)


def test_a_slice_is_short_and_the_next_goes_on(
    organization: Organization, issued: list[Reward], monkeypatch: Any
) -> None:
    monkeypatch.setattr(runs, "PAGE", 1)
    with tenant(organization):
        runs.reconciliation_begin(organization=organization, days=7, actor="test")
    slices = 0
    while last(organization).finished_at is None:
        assert runs.run(seconds=0.0001) == 1
        slices += 1

    assert slices > 3
    assert (last(organization).compared, last(organization).listed) == (3, 3)


def test_a_provider_that_is_down_is_tried_again_and_then_left_out(
    stand_in: RunningSandbox, organization: Organization, issued: list[Reward]
) -> None:
    stand_in.fault("unavailable", provider="tremendous", times=None)
    with tenant(organization):
        runs.reconciliation_begin(organization=organization, days=7, actor="test")
    for seconds in (0, 6, 40, 200):
        with time_machine.travel(clock.wall() + timedelta(seconds=seconds), tick=True):
            assert runs.run() == 1
            assert runs.run() == 0
    done = last(organization)

    assert done.status == "FINISHED"
    assert len(done.remarks) == 1
    assert done.remarks[0].startswith("Tremendous couldn't be asked to the end.")
    assert open_findings(organization) == [], "what couldn't be asked about isn't missing"


def test_revoked_credentials_stop_the_connection(
    stand_in: RunningSandbox, organization: Organization, issued: list[Reward], tremendous: Connection
) -> None:
    stand_in.fault("revoked", provider="tremendous", times=None)
    list(reconcile(days=7))

    with tenant(organization):
        tremendous.refresh_from_db()
        assert tremendous.status == ConnectionStatus.NEEDS_ATTENTION
    assert (last(organization).status, len(last(organization).remarks)) == ("FINISHED", 1)
    assert open_findings(organization) == []


def test_daily(organization: Organization, tremendous: Connection) -> None:
    assert runs.begin_everywhere() == 1
    assert runs.begin_everywhere() == 0
    while runs.run():
        pass
    with time_machine.travel(clock.wall() + timedelta(hours=23), tick=True):
        assert runs.begin_everywhere() == 0
    with time_machine.travel(clock.wall() + timedelta(hours=25), tick=True):
        assert runs.begin_everywhere() == 1
    with every_organization("test"):
        assert Reconciliation.objects.count() == 2


def test_one_at_a_time(organization: Organization, tremendous: Connection) -> None:
    with tenant(organization):
        begun = runs.reconciliation_begin(organization=organization, days=7, actor="test")
        with pytest.raises(runs.AlreadyUnderWay) as refused:
            runs.reconciliation_begin(organization=organization, days=30, actor="test")
        assert refused.value.reconciliation == begun
        assert Reconciliation.objects.count() == 1
