import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from integrations.errors import BadSignature
from integrations.providers.stripe.inbound import StripePayments
from referral_rocket.kit.clock import wall
from tests.integrations.payout_cases import until
from tests.integrations.stand_in import RunningSandbox, running

PROJECT = Path(__file__).parents[2]
KEY = {"Authorization": "Bearer sk_test_sandbox"}
CREDIT = "amount=-500&currency=usd&metadata[reward_id]=r1"


@pytest.fixture
def inbox():
    """A server that keeps what is posted to it, as (headers, body)."""
    posted: list[tuple[dict[str, str], bytes]] = []

    class Inbox(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            return

    server = HTTPServer(("127.0.0.1", 0), Inbox)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", posted
    server.shutdown()
    server.server_close()


def meaning(body: bytes) -> Any:
    """The one fact that an event is."""
    (fact,) = StripePayments().read(json.loads(body))
    return fact


def credit(sandbox: RunningSandbox, customer: str, key: str, body: str = CREDIT) -> requests.Response:
    path = f"/stripe/v1/customers/{customer}/balance_transactions"
    return sandbox.call("POST", path, body, KEY | {"Idempotency-Key": key})


def test_it_works(sandbox):
    customer = sandbox.add_customer("friend@example.com")

    answer = credit(sandbox, customer, "k1")

    assert answer.json()["ending_balance"] == -500
    assert sandbox.credits(reward_id="r1")["total"] == 500


def test_a_key_replays_its_first_answer(sandbox):
    customer = sandbox.add_customer("friend@example.com")

    first, again = credit(sandbox, customer, "k1"), credit(sandbox, customer, "k1")

    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert sandbox.credits()["count"] == 1


def test_a_key_with_other_parameters(sandbox):
    customer = sandbox.add_customer("friend@example.com")
    credit(sandbox, customer, "k1")

    answer = credit(sandbox, customer, "k1", CREDIT.replace("500", "600"))

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "idempotency_error")
    assert sandbox.credits()["count"] == 1


def test_a_refused_parameter_does_not_use_the_key_up(sandbox):
    customer = sandbox.add_customer("friend@example.com")

    assert credit(sandbox, customer, "k1", "amount=x&currency=usd").status_code == 400
    assert credit(sandbox, customer, "k1").status_code == 200


def test_a_server_error_is_replayed(sandbox):
    customer = sandbox.add_customer("friend@example.com")
    sandbox.fault("server_error", method="POST")

    assert [credit(sandbox, customer, "k1").status_code for _ in range(2)] == [500, 500]
    assert credit(sandbox, customer, "k2").status_code == 200


def test_twenty_at_once_with_one_key_act_once(sandbox):
    customer = sandbox.add_customer("friend@example.com")

    with ThreadPoolExecutor(20) as pool:
        statuses = {answer.status_code for answer in pool.map(lambda _: credit(sandbox, customer, "k1"), range(20))}

    assert statuses <= {200, 409}
    assert 200 in statuses
    assert sandbox.credits()["count"] == 1


def test_a_fault_strikes_as_often_as_asked_and_where_asked(sandbox):
    sandbox.fault("rate_limited", path="/v1/account", times=2, skip=1)

    statuses = [sandbox.call("GET", "/stripe/v1/account", "", KEY).status_code for _ in range(4)]

    assert statuses == [200, 429, 429, 200]
    assert sandbox.call("GET", "/stripe/v1/customers", "", KEY).status_code == 200


def test_an_unknown_fault_is_refused(sandbox):
    answer = requests.post(f"{sandbox.url}/_control/faults", json={"kind": "gremlin"}, timeout=5)

    assert answer.status_code == 400
    assert sandbox.get("faults")["faults"] == []


def test_a_list_by_page(sandbox):
    made = [sandbox.add_customer(f"friend{number}@example.com") for number in range(5)]

    first = sandbox.call("GET", "/stripe/v1/customers?limit=3", "", KEY).json()
    after = first["data"][-1]["id"]
    second = sandbox.call("GET", f"/stripe/v1/customers?limit=3&starting_after={after}", "", KEY).json()

    assert [customer["id"] for customer in first["data"] + second["data"]] == made[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)


def test_adding_the_same_customers_again_changes_nothing(sandbox):
    assert sandbox.add_customer("friend@example.com") == sandbox.add_customer("friend@example.com")
    assert len(sandbox.get("stripe/customers")["customers"]) == 1


def test_a_sale_is_told_by_signed_webhooks(sandbox, inbox):
    url, posted = inbox
    told = sandbox.post(
        "stripe/webhooks", url=url, secret="whsec_shop", email="friend@example.com", amount=12000, currency="USD",
        referral_code="K7QF2M9P", country="DE",
    )  # fmt: skip
    adapter = StripePayments()
    seen = [adapter.verify(headers, body, ("whsec_shop",), wall()) for headers, body in posted]
    facts = [meaning(body) for _, body in posted]

    assert [received.event_type for received in seen] == ["payment_intent.succeeded", "checkout.session.completed"]
    assert [sent["status"] for sent in told["events"]] == [200, 200]
    assert {fact.transaction_id for fact in facts} == {told["payment_intent"]}
    assert {(fact.amount, fact.currency, fact.provider_customer_id) for fact in facts} == {
        (12000, "USD", told["customer"])
    }
    assert (facts[1].referral_code, facts[1].email, facts[1].country) == ("K7QF2M9P", "friend@example.com", "DE")
    with pytest.raises(BadSignature):
        adapter.verify(posted[0][0], posted[0][1], ("whsec_other",), wall())
    intent = sandbox.call("GET", f"/stripe/v1/payment_intents/{told['payment_intent']}", "", KEY)
    assert intent.json()["amount_received"] == 12000


def test_a_subscription_is_told_by_four(sandbox, inbox):
    url, posted = inbox
    told = sandbox.post(
        "stripe/webhooks", url=url, secret="whsec_shop", email="friend@example.com", amount=5000, currency="eur",
        referral_code="K7QF2M9P", subscription=True,
    )  # fmt: skip
    facts = {json.loads(body)["type"]: meaning(body) for _, body in posted}

    assert {reference.value for reference in facts["invoice_payment.paid"].references} == {
        told["invoice"],
        told["payment_intent"],
    }
    assert facts["invoice.paid"].referral_code == "K7QF2M9P"
    assert facts["checkout.session.completed"].transaction_id == told["invoice"]
    assert facts["payment_intent.succeeded"].transaction_id == told["payment_intent"]


def test_refunds_and_disputes_are_told(sandbox, inbox):
    url, posted = inbox
    shop = {"url": url, "secret": "whsec_shop"}
    sale = sandbox.post("stripe/webhooks", email="friend@example.com", amount=1000, currency="usd", **shop)
    posted.clear()

    for amount in (300, 200):
        sandbox.post("stripe/webhooks", type="refund", payment_intent=sale["payment_intent"], amount=amount, **shop)
    sandbox.post("stripe/webhooks", type="dispute", payment_intent=sale["payment_intent"], **shop)
    facts = [meaning(body) for _, body in posted]

    assert [(fact.kind, fact.amount, fact.cumulative) for fact in facts] == [
        ("REFUND", 300, False),
        ("REFUND", 300, True),
        ("REFUND", 200, False),
        ("REFUND", 500, True),
        ("DISPUTE", 1000, False),
    ]


def test_any_order_and_repeats(sandbox, inbox):
    url, posted = inbox
    told = sandbox.post(
        "stripe/webhooks", url=url, secret="whsec_shop", email="friend@example.com", amount=1000, currency="usd",
        events=["checkout.session.completed", "payment_intent.succeeded"], repeat=2,
    )  # fmt: skip

    assert [sent["type"] for sent in told["events"]] == ["checkout.session.completed"] * 2 + [
        "payment_intent.succeeded"
    ] * 2
    assert posted[0][1] == posted[1][1]


def test_a_webhook_that_nobody_takes(sandbox):
    told = sandbox.post(
        "stripe/webhooks", url="http://127.0.0.1:9/", secret="whsec_shop", type="event", event="ping", object={}
    )

    assert told["events"][0]["status"] is None
    assert told["events"][0]["error"] == "ConnectionError"


def test_fifty_at_once(sandbox):
    sandbox.fault("slow_before", seconds=0.3, times=None)
    started = time.monotonic()

    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(sandbox.call, "GET", "/stripe/v1/account", "", KEY) for _ in range(50)]

    assert {call.result().status_code for call in asked} == {200}
    assert time.monotonic() - started < 5


def test_forgetting_everything(sandbox):
    sandbox.add_customer("friend@example.com")
    sandbox.post("reset")

    assert sandbox.get("stripe/customers") == {"customers": []}


def test_state_survives(tmp_path):
    state = str(tmp_path / "state.sqlite")
    with running(state) as before:
        customer = before.add_customer("friend@example.com")
        first = credit(before, customer, "k1").json()
    with running(state) as after:
        assert credit(after, customer, "k1").json() == first
        assert after.credits(reward_id="r1")["count"] == 1


@contextmanager
def process(state: Path) -> Iterator[tuple[subprocess.Popen[str], RunningSandbox]]:
    command = [sys.executable, "-m", "integrations.sandbox", "--port", "0", "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as started:
        try:
            assert started.stdout
            address = re.search(r"http://127\.0\.0\.1:\d+", started.stdout.readline())
            assert address
            yield started, RunningSandbox(address[0])
        finally:
            started.kill()


@pytest.mark.process
@pytest.mark.parametrize(("end", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_as_a_process_it_remembers_across_its_end(tmp_path, end, code):
    state = tmp_path / "folder" / "state.sqlite"
    for _ in range(2):
        with process(state) as (started, sandbox):
            customer = sandbox.add_customer("friend@example.com")
            assert credit(sandbox, customer, "k1").status_code == 200
            assert sandbox.credits()["count"] == 1
            started.send_signal(end)
            assert started.wait(timeout=10) == code


@pytest.mark.process
def test_it_ends_while_a_request_is_held(tmp_path):
    with process(tmp_path / "state.sqlite") as (started, sandbox), ThreadPoolExecutor(1) as pool:
        sandbox.fault("timeout_before", seconds=600)
        held = pool.submit(sandbox.call, "GET", "/stripe/v1/account", "", KEY)
        until(lambda: not sandbox.get("faults")["faults"])
        started.send_signal(signal.SIGTERM)

        assert started.wait(timeout=10) == 0
        with pytest.raises(requests.ConnectionError):
            held.result()
