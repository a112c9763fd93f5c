"""What a webhook of Stripe leaves out is asked for afterwards: the invoice's payment, and a checkout's promotion code."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from participants.models import Payment, PaymentReference, QualifyingEvent
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Reward
from tests import factories
from tests.integrations.stand_in import RunningSandbox, running
from tests.webhooks.stripe_sales import INTENT, INVOICE, JOINED, SESSION, deliver
from webhooks.inbound import completing, dispatch
from webhooks.inbound.models import InboundEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def sandbox(settings: Any) -> Iterator[RunningSandbox]:
    with running() as sandbox:
        settings.PROVIDER_API_BASES = {**settings.PROVIDER_API_BASES, "stripe": f"{sandbox.url}/stripe"}
        yield sandbox


@pytest.fixture
def code(organization: Organization) -> str:
    return factories.participant(factories.campaign(organization), "referrer@example.com").referral_code


def sold(sandbox: RunningSandbox, **wanted: Any) -> dict[str, Any]:
    """A sale at the stand-in, by type of the event that would tell of it."""
    fields = {"email": "friend@example.com", "amount": 12000, "currency": "usd", "livemode": True}
    ids = sandbox.post("stripe/webhooks", url="http://127.0.0.1:9", secret="x", events=["none"], **{**fields, **wanted})
    key = {"Authorization": "Bearer sk_live_look"}

    def event(event_type: str, path: str) -> dict[str, Any]:
        thing = sandbox.call("GET", f"/stripe/v1/{path}", "", key).json()
        created = int(clock.wall().timestamp())
        return {
            "id": f"evt_{thing['id']}",
            "type": event_type,
            "created": created,
            "livemode": True,
            "data": {"object": thing},
        }

    found = {INTENT: event(INTENT, f"payment_intents/{ids['payment_intent']}")}
    found[SESSION] = event(SESSION, f"checkout/sessions/{ids['checkout_session']}")
    if ids["invoice"]:
        found[INVOICE] = event(INVOICE, f"invoices/{ids['invoice']}")
    return found


def later(minutes: float = 1.5) -> int:
    with time_machine.travel(clock.wall() + timedelta(minutes=minutes), tick=True):
        asked = completing.run()
        dispatch.run()
    return asked


def payments(organization: Organization) -> list[Payment]:
    with tenant(organization):
        return list(Payment.objects.filter(same_as__isnull=True).order_by("pk"))


def rewards(organization: Organization) -> list[tuple[int, str]]:
    with tenant(organization):
        return sorted(Reward.objects.values_list("amount", "status"))


def promotion_code(sandbox: RunningSandbox, code: str) -> str:
    key = {"Authorization": "Bearer sk_live_look"}
    sandbox.call("POST", "/stripe/v1/coupons", "id=tenoff&percent_off=10&duration=once", key).raise_for_status()
    body = f"promotion[type]=coupon&promotion[coupon]=tenoff&code={code}"
    return sandbox.call("POST", "/stripe/v1/promotion_codes", body, key).json()["id"]


def test_it_works(organization, connection, sandbox, code):
    events = sold(sandbox, promotion_code=promotion_code(sandbox, code))
    deliver(connection, [events[SESSION]])
    dispatch.run()
    assert rewards(organization) == []

    assert later(0.5) == 0, "not asked at once"
    assert later() == 1

    assert rewards(organization) == [(1200, "PENDING")]
    (payment,) = payments(organization)
    assert payment.attributed_by == "REFERRAL_CODE"
    assert later(60) == 0, "asked once"


def test_a_code_that_is_nobodys_changes_nothing(organization, connection, sandbox, code):
    events = sold(sandbox, promotion_code=promotion_code(sandbox, "SUMMER"))
    deliver(connection, [events[SESSION]])
    dispatch.run()
    later()

    assert rewards(organization) == []
    assert len(payments(organization)) == 1


def test_a_code_in_the_metadata_needs_no_question(organization, connection, sandbox, code):
    events = sold(sandbox, promotion_code=promotion_code(sandbox, "SUMMER"), referral_code=code)
    deliver(connection, [events[SESSION]])
    dispatch.run()

    assert later() == 0
    assert rewards(organization) == [(1200, "PENDING")]


def test_an_invoices_intent_is_found_where_nobody_tells_it(organization, connection, sandbox, code):
    events = sold(sandbox, referral_code=code, subscription=True)
    deliver(connection, [events[INVOICE]])
    dispatch.run()
    assert later() == 1

    with tenant(organization):
        kinds = set(PaymentReference.objects.values_list("kind", flat=True))
    assert {"invoice", "payment_intent"} <= kinds

    # Days later the intent is told: beyond the day within which two halves are taken for one.
    late = events[INTENT]
    late["created"] += 3 * 86400
    with time_machine.travel(clock.wall() + timedelta(days=3), tick=True):
        deliver(connection, [late])
        dispatch.run()
    assert len(payments(organization)) == 1
    with tenant(organization):
        assert QualifyingEvent.objects.count() == 1
    assert rewards(organization) == [(1200, "PENDING")]


def test_what_was_told_meanwhile_stays_as_it_is(organization, connection, sandbox, code):
    events = sold(sandbox, referral_code=code, subscription=True)
    deliver(connection, events.values())
    dispatch.run()
    before = (rewards(organization), len(payments(organization)))
    later()

    assert (rewards(organization), len(payments(organization))) == before == ([(1200, "PENDING")], 1)


@pytest.mark.parametrize("kind", ["rate_limited", "unavailable", "malformed"])
def test_a_provider_that_does_not_answer_is_asked_again(organization, connection, sandbox, code, kind):
    events = sold(sandbox, promotion_code=promotion_code(sandbox, code))
    deliver(connection, [events[SESSION]])
    dispatch.run()
    sandbox.fault(kind, method="GET", path="/v1/promotion_codes")
    assert later() == 1
    assert rewards(organization) == []

    assert later(20) == 1
    assert rewards(organization) == [(1200, "PENDING")]


def test_after_a_day_it_is_left(organization, connection, sandbox, code):
    events = sold(sandbox, promotion_code=promotion_code(sandbox, code))
    deliver(connection, [events[SESSION]])
    dispatch.run()
    sandbox.fault("unavailable", method="GET", times=None)

    assert later(25 * 60) == 1
    with tenant(organization):
        assert InboundEvent.objects.filter(ask_at__isnull=False).count() == 0


def test_killed_before_the_answer_is_stored_it_asks_again(organization, connection, sandbox, code, monkeypatch):
    events = sold(sandbox, promotion_code=promotion_code(sandbox, code))
    deliver(connection, [events[SESSION]])
    dispatch.run()

    class Killed(BaseException):
        pass

    def dies(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(completing, "_write", dies)
        with pytest.raises(Killed):
            later()
    assert rewards(organization) == []

    assert later(3) == 1
    assert rewards(organization) == [(1200, "PENDING")]


def test_a_sale_whose_events_all_come_is_asked_about_once(organization, connection, sandbox, code):
    events = sold(sandbox, subscription=True)
    deliver(connection, [*events.values(), *events.values()])
    dispatch.run()

    assert later() == 1
    assert later(30) == 0
    assert JOINED not in events
