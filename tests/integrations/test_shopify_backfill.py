"""The past of a shop: orders, refunds and disputes listed through GraphQL, as webhooks would have told of them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from integrations.base import PaymentSeen, ReversalSeen
from integrations.errors import ProviderRejected, ProviderRetryable
from integrations.models import Connection
from integrations.providers.shopify import history
from integrations.providers.shopify.inbound import READERS
from integrations.providers.shopify.points import Bucket
from integrations.services import connection_create
from participants.models import Payment, QualifyingEvent
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Reward
from tests import factories
from tests.integrations.shopify import TOKEN, access_to
from tests.integrations.stand_in import RunningSandbox, running
from tests.integrations.test_shopify_inbound import Shopify
from tests.rewards.books import assert_books_agree
from tests.webhooks.stored import store
from webhooks.inbound import backfilling, dispatch
from webhooks.inbound.backfilling import backfill_dry_run, backfill_import
from webhooks.inbound.models import Backfill, BackfillStatus, InboundEvent

pytestmark = pytest.mark.django_db
EMAIL = "friend@example.com"


def before(**ago: float) -> str:
    return (clock.wall() - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def sold(sandbox: RunningSandbox, *, livemode: bool = False, **order: Any) -> dict[str, Any]:
    wanted = {"email": EMAIL, "customer": "70010042", "total": "120.00", **order}
    return sandbox.post("shopify/orders", orders=[wanted], livemode=livemode)["orders"][0]


def listed(sandbox: RunningSandbox, **ago: float) -> list[Any]:
    return list(history.payments_since(access_to(sandbox), clock.wall() - timedelta(**(ago or {"days": 30}))))


def test_it_works(sandbox: RunningSandbox) -> None:
    order = sold(
        sandbox,
        processed_at=before(days=3),
        attributes={"referral_code": "K7QF2M9P"},
        codes=["SAVE5"],
        country="DE",
        tax="19.00",
        shipping="5.95",
        shipping_tax="0.95",
        taxes_included=True,
        discount="5.00",
        lines=[{"product": 7, "quantity": 2, "price": "40.00", "discount": "5.00"}],
        refunds=[{"amount": "20.00"}, {"amount": "1.00", "status": "FAILURE"}],
        disputes=[{"amount": "30.00"}],
    )

    paid, refund, dispute = listed(sandbox)

    (fact,) = paid.facts
    assert (paid.key, fact.references[0].value) == (f"order:{order['number']}", str(order["number"]))
    assert isinstance(fact, PaymentSeen)
    assert (fact.amount, fact.currency, fact.tax, fact.shipping, fact.discount) == (12000, "USD", 1900, 500, 500)
    assert (fact.email, fact.provider_customer_id, fact.referral_code, fact.country) == (
        EMAIL, "70010042", "K7QF2M9P", "DE",
    )  # fmt: skip
    assert [(item.product, item.quantity, item.amount) for item in fact.items] == [("7", 2, 7500)]
    (fact,) = refund.facts
    assert isinstance(fact, ReversalSeen)
    assert (fact.kind, fact.status, fact.amount, fact.references[0].value) == (
        "REFUND", "DONE", 2000, str(order["number"]),
    )  # fmt: skip
    (fact,) = dispute.facts
    assert (fact.kind, fact.status, fact.amount) == ("DISPUTE", "OPEN", 3000)


def test_it_is_what_the_webhook_says(sandbox: RunningSandbox) -> None:
    """Both ways name a payment and a refund alike, so each counts once."""
    order = sold(sandbox, refunds=[{"amount": "20.00"}])
    refund = {
        "id": order["refunds"][0]["number"],
        "order_id": order["number"],
        "created_at": before(),
        "transactions": [{"kind": "refund", "status": "success", "amount": "20.00", "currency": "USD"}],
    }

    paid, refunded = listed(sandbox)

    (by_webhook,) = READERS["refunds/create"](refund)
    assert (refunded.facts[0].refund_id, refunded.facts[0].references) == (by_webhook.refund_id, by_webhook.references)
    told = {"id": order["number"], "currency": "USD", "total_price": "120.00", "processed_at": order["processed_at"]}
    (by_webhook,) = READERS["orders/paid"](told)
    assert (paid.facts[0].references, paid.facts[0].transaction_id, paid.facts[0].occurred_at) == (
        by_webhook.references, by_webhook.transaction_id, by_webhook.occurred_at,
    )  # fmt: skip


def test_every_page_is_read(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of orders, and inside of one its many lines and refunds."""
    monkeypatch.setattr(history, "MORE_LINES", 7)
    for day in range(12):
        sold(sandbox, processed_at=before(days=day + 1))
    lines = [{"product": number + 1, "price": "1.00"} for number in range(30)]
    big = sold(sandbox, processed_at=before(hours=1), lines=lines, refunds=[{"amount": "1.00"}] * 7)

    found = listed(sandbox)

    assert len({message.key for message in found}) == len(found) == 13 + 7
    paid = next(message for message in found if message.key == f"order:{big['number']}")
    assert [item.product for item in paid.facts[0].items] == [str(number + 1) for number in range(30)]


@pytest.mark.parametrize("status", ["PENDING", "AUTHORIZED", "PARTIALLY_PAID", "VOIDED", "EXPIRED"])
def test_what_isn_t_paid_is_no_payment(sandbox: RunningSandbox, status: str) -> None:
    sold(sandbox, status=status)

    assert listed(sandbox) == []


def test_what_is_too_old_or_of_the_other_mode_is_left_out(sandbox: RunningSandbox) -> None:
    sold(sandbox, processed_at=before(days=40))
    sold(sandbox, test=False)
    sold(sandbox, livemode=True)

    assert listed(sandbox, days=30) == []


def test_an_empty_bucket_is_waited_for(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sold(sandbox)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        sandbox.post("shopify/points", maximum=2000, restore=100, left=2000)

    monkeypatch.setattr(history.time, "sleep", sleep)
    # Another app has used the points up: only Shopify's refusal tells.
    sandbox.post("shopify/points", maximum=2000, restore=1, left=0)

    assert len(listed(sandbox)) == 1
    assert len(slept) == 1
    assert 0 < slept[0] <= 3


def test_an_empty_bucket_that_stays_empty_is_for_the_next_try(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(history.time, "sleep", slept.append)
    monkeypatch.setattr(Bucket, "spend", lambda self, operation: 0.0)
    sandbox.post("shopify/points", maximum=2000, restore=1, left=0)

    with pytest.raises(ProviderRetryable) as raised:
        listed(sandbox)

    assert (raised.value.code, len(slept)) == ("rate_limited", history.TRIES - 1)


def test_without_the_permission_it_says_so(sandbox: RunningSandbox) -> None:
    """The connection goes on issuing: reading orders is another matter."""
    sandbox.post("shopify/shop", scopes=["read_customers", "write_gift_cards"])

    with pytest.raises(ProviderRejected) as raised:
        listed(sandbox)

    assert "read_orders" in raised.value.message


# As a backfill ----------------------------------------------------------------------------------------------------


@pytest.fixture
def live(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "shopify": f"{sandbox.url}/shopify"}
        yield sandbox


@pytest.fixture
def link(organization: Organization, live: RunningSandbox) -> Connection:
    token = TOKEN.replace("test", "live")
    credentials = {"shop": "stand-in.myshopify.com", "access_token": token, "client_secret": "shpss_standin_0001"}
    with tenant(organization):
        return connection_create(
            organization=organization, provider="shopify", credentials=credentials, actor=factories.ACTOR
        )


def run(organization: Organization, queued: Backfill) -> Backfill:
    assert backfilling.run() == 1
    dispatch.run()
    with tenant(organization):
        return Backfill.objects.get(pk=queued.pk)


def test_a_dry_run_and_its_import(organization: Organization, link: Connection, live: RunningSandbox) -> None:
    campaign = factories.campaign(organization, rules=[factories.referral_rule(rate="0.1")])
    code = factories.participant(campaign).referral_code
    order = sold(live, livemode=True, attributes={"referral_code": code}, refunds=[{"amount": "20.00"}])
    with tenant(organization):
        queued = backfill_dry_run(connection=link, days=30, actor="test")

    shown = run(organization, queued)

    assert (shown.status, shown.found, shown.attributed) == (BackfillStatus.FINISHED, 1, 1)
    assert shown.would_earn == [{"currency": "USD", "number": 1, "amount": 1000}]
    with tenant(organization):
        assert Payment.objects.count() == InboundEvent.objects.count() == 0
        queued = backfill_import(dry_run=shown, actor="test")

    run(organization, queued)
    # The webhooks arrive after all: nothing counts twice.
    webhook = {**Shopify().paid("pay_1").payload, "id": order["number"], "processed_at": order["processed_at"]}
    store(link, webhook, event_type="orders/paid")
    dispatch.run()

    with tenant(organization):
        assert list(QualifyingEvent.objects.values_list("net_amount", flat=True)) == [10000]
        assert list(Reward.objects.values_list("amount", "status")) == [(1000, "PENDING")]
    assert_books_agree(organization)
