from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import requests

from integrations.base import Access, IssueOrder, IssueOutcome, Recipient, TakeBack
from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderRetryable
from integrations.providers.stripe import credit, customers
from integrations.providers.stripe.credit import StripeCredit
from referral_rocket.kit.clock import wall
from tests.integrations.payout_cases import (
    Killed,
    No,
    PayoutCases,
    ReadsFirstCases,
    TakeBackCases,
    killed_at,
    until,
)

KEY = "sk_test_standin_4242"
EMAIL = "friend@example.com"


@pytest.fixture
def adapter() -> StripeCredit:
    return StripeCredit()


@pytest.fixture
def access(sandbox) -> Access:
    return Access(uuid4(), "stripe", "TEST", {"api_key": KEY}, {}, f"{sandbox.url}/stripe")


@pytest.fixture
def order(sandbox) -> IssueOrder:
    sandbox.add_customer(EMAIL)
    reward_id = uuid4()
    return IssueOrder(reward_id, f"{reward_id}:1", 1200, "USD", Recipient(EMAIL, "A Friend"), "Reward: Friends")


def _nobody(sandbox, order):
    return replace(order, recipient=Recipient("nobody@example.com"))


def _several(sandbox, order):
    sandbox.add_customer(EMAIL, another=True)
    return order


def _deleted(sandbox, order):
    stored = sandbox.add_customer("gone@example.com")
    ask(sandbox, "DELETE", f"/v1/customers/{stored}")
    return replace(order, recipient=Recipient("gone@example.com", provider_id=stored))


def _euro(sandbox, order):
    sandbox.add_customer("euro@example.com", currency="eur")
    return replace(order, recipient=Recipient("euro@example.com"))


def _odd_dinars(sandbox, order):
    return replace(order, amount=1234, currency="KWD")


class TestStripeCredit(ReadsFirstCases, TakeBackCases, PayoutCases):
    money_path = "/balance_transactions"
    take_back_path = "/balance_transactions"
    secret = KEY
    noes = (
        No("customer_not_found", _nobody),
        No("several_customers", _several),
        No("customer_deleted", _deleted),
        No("currency_mismatch", _euro),
        No("rejected_by_provider", _odd_dinars, rejected=True),
    )

    def given(self, sandbox, order):
        return [credit["amount"] for credit in sandbox.credits(reward_id=order.reward_id)["credits"]]

    def taken_back(self, sandbox, back):
        return [-each["amount"] for each in sandbox.credits(reward_id=back.reward_id)["credits"]]

    def spend(self, sandbox, order, issued):
        bought = sandbox.post("stripe/subscriptions", customer=issued.recipient_provider_id, amount=700, currency="usd")
        sandbox.post("stripe/invoices", subscription=bought["id"])


def ask(sandbox, method: str, path: str, **fields: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {KEY}"}
    return requests.request(method, f"{sandbox.url}/stripe{path}", data=fields, headers=headers, timeout=10)


def assert_waiting(sandbox, order, result, code: str) -> None:
    assert (result.outcome, result.code, result.sent) == (IssueOutcome.WAITING, code, False)
    assert result.message
    assert sandbox.credits(reward_id=order.reward_id)["count"] == 0


def test_the_credit_is_negative_and_carries_the_reward(sandbox, adapter, access, order):
    result = adapter.issue(access, replace(order, metadata={"campaign": "Friends"}))

    path = f"/v1/customers/{result.recipient_provider_id}/balance_transactions/{result.provider_reference}"
    transaction = ask(sandbox, "GET", path).json()
    assert transaction["amount"] == -1200
    assert transaction["currency"] == "usd"
    assert transaction["metadata"] == {"campaign": "Friends", "reward_id": str(order.reward_id)}
    assert transaction["description"] == "Reward: Friends"
    assert ask(sandbox, "GET", f"/v1/customers/{result.recipient_provider_id}").json()["balance"] == -1200


def test_the_stored_customer_goes_before_the_address(sandbox, adapter, access, order):
    stored = sandbox.add_customer("other@example.com")

    result = adapter.issue(access, replace(order, recipient=Recipient(EMAIL, provider_id=stored)))

    assert result.recipient_provider_id == stored


def test_a_stored_customer_of_another_account_falls_back_to_the_address(sandbox, adapter, access, order):
    result = adapter.issue(access, replace(order, recipient=Recipient(EMAIL, provider_id="cus_elsewhere")))

    assert result.outcome == IssueOutcome.SUCCEEDED


def test_an_address_typed_in_capitals_finds_the_customer(adapter, access, order):
    result = adapter.issue(access, replace(order, recipient=Recipient("Friend@Example.com")))

    assert result.outcome == IssueOutcome.SUCCEEDED


def test_unknown_customer(sandbox, adapter, access, order):
    nobody = replace(order, recipient=Recipient("nobody@example.com"))

    assert_waiting(sandbox, nobody, adapter.issue(access, nobody), "customer_not_found")


def test_nobody_to_look_for(sandbox, adapter, access, order):
    nameless = replace(order, recipient=Recipient(None))

    assert_waiting(sandbox, nameless, adapter.issue(access, nameless), "customer_not_found")


def test_several_customers(sandbox, adapter, access, order):
    sandbox.add_customer(EMAIL, another=True)

    assert_waiting(sandbox, order, adapter.issue(access, order), "several_customers")


def test_deleted_customer(sandbox, adapter, access, order):
    stored = sandbox.add_customer("gone@example.com")
    ask(sandbox, "DELETE", f"/v1/customers/{stored}")
    gone = replace(order, recipient=Recipient(EMAIL, provider_id=stored))

    assert_waiting(sandbox, gone, adapter.issue(access, gone), "customer_deleted")


def test_customer_deleted_between_finding_and_crediting(sandbox, adapter, access, order):
    customer = sandbox.get("stripe/customers", email=EMAIL)["customers"][0]["id"]
    sandbox.fault("slow_before", seconds=60, method="POST", path="balance_transactions")
    with ThreadPoolExecutor(1) as pool:
        issuing = pool.submit(adapter.issue, access, order)
        until(lambda: not sandbox.get("faults")["faults"])
        ask(sandbox, "DELETE", f"/v1/customers/{customer}")
        sandbox.clear_faults()

    assert_waiting(sandbox, order, issuing.result(), "customer_not_found")


def test_other_currency(sandbox, adapter, access, order):
    sandbox.add_customer("euro@example.com", currency="eur")
    euro = replace(order, recipient=Recipient("euro@example.com"))

    result = adapter.issue(access, euro)

    assert_waiting(sandbox, euro, result, "currency_mismatch")
    assert "EUR" in result.message
    assert "USD" in result.message


@pytest.mark.parametrize(("currency", "amount", "stripes"), [("JPY", 500, 500), ("KWD", 1230, 1230), ("ISK", 5, 500)])
def test_amounts_of_other_currencies(sandbox, adapter, access, order, currency, amount, stripes):
    adapter.issue(access, replace(order, amount=amount, currency=currency))

    given = sandbox.credits(reward_id=order.reward_id)["credits"]
    assert [(credit["amount"], credit["currency"]) for credit in given] == [(stripes, currency.lower())]


def test_an_amount_that_stripe_has_not(sandbox, adapter, access, order):
    with pytest.raises(ProviderRejected) as caught:
        adapter.issue(access, replace(order, amount=1234, currency="KWD"))

    assert caught.value.code == "rejected_by_provider"
    assert "steps of 10" in caught.value.message
    assert sandbox.credits(reward_id=order.reward_id)["count"] == 0


def test_the_same_key_at_the_same_time(sandbox, adapter, access, order):
    sandbox.fault("slow_before", seconds=60, method="POST", path="balance_transactions")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(adapter.issue, access, order)
        until(lambda: not sandbox.get("faults")["faults"])
        with pytest.raises(ProviderRetryable) as caught:
            adapter.issue(access, order)
        sandbox.clear_faults()

    assert caught.value.code == "provider_busy"
    assert first.result().outcome == IssueOutcome.SUCCEEDED
    assert sandbox.credits(reward_id=order.reward_id)["count"] == 1


def test_a_replayed_server_error_stays_unknown(sandbox, adapter, access, order):
    sandbox.fault("server_error", method="POST", path="balance_transactions")

    for _ in range(2):
        with pytest.raises(OutcomeUnknown) as caught:
            adapter.issue(access, order)
        assert caught.value.exchanges[-1].status_code == 500

    assert sandbox.credits(reward_id=order.reward_id)["count"] == 0


def test_a_key_used_for_somebody_else_is_unknown(sandbox, adapter, access, order):
    adapter.issue(access, order)
    other = sandbox.add_customer("other@example.com")

    with pytest.raises(OutcomeUnknown) as caught:
        adapter.issue(access, replace(order, recipient=Recipient(None, provider_id=other)))

    assert "metadata" in caught.value.message
    assert sandbox.credits(reward_id=order.reward_id)["count"] == 1


def test_a_key_that_stripe_has_forgotten_is_looked_up_first(sandbox, adapter, access, order):
    first = adapter.issue(access, order)
    sandbox.post("stripe/keys/forget")

    again = adapter.issue(access, replace(order, first_attempt_at=wall() - timedelta(hours=24)))

    assert again.provider_reference == first.provider_reference
    assert sandbox.credits(reward_id=order.reward_id)["count"] == 1


def test_an_old_order_that_was_never_done_is_issued(sandbox, adapter, access, order):
    result = adapter.issue(access, replace(order, first_attempt_at=wall() - timedelta(hours=24)))

    assert result.outcome == IssueOutcome.SUCCEEDED
    assert sandbox.credits(reward_id=order.reward_id)["count"] == 1


def test_the_look_up_reads_to_the_last_page(sandbox, adapter, access, order):
    first = adapter.issue(access, order)
    for number in range(120):
        path = f"/v1/customers/{first.recipient_provider_id}/balance_transactions"
        ask(sandbox, "POST", path, amount="-1", currency="usd", description=str(number))

    found = adapter.look_up(access, replace(order, first_attempt_at=wall()))

    assert found.provider_reference == first.provider_reference
    assert len([exchange for exchange in found.exchanges if "balance_transactions" in exchange.url]) == 2


def test_the_look_up_looks_at_everyone_who_may_have_been_credited(sandbox, adapter, access, order):
    first = adapter.issue(access, order)
    sandbox.add_customer(EMAIL, another=True)

    found = adapter.look_up(access, replace(order, first_attempt_at=wall()))

    assert found.provider_reference == first.provider_reference


def test_a_customer_that_never_was_can_not_have_been_credited(adapter, access, order):
    nobody = replace(order, recipient=Recipient("nobody@example.com"), first_attempt_at=wall())

    assert adapter.look_up(access, nobody) is None


def test_a_customer_renamed_after_the_credit_is_found(sandbox, adapter, access, order):
    first = adapter.issue(access, order)
    ask(sandbox, "POST", f"/v1/customers/{first.recipient_provider_id}", email="renamed@example.com")

    found = adapter.look_up(access, replace(order, first_attempt_at=wall()))

    assert found.provider_reference == first.provider_reference


def test_a_renamed_customer_is_found_among_many_other_events(sandbox, adapter, access, order):
    first = adapter.issue(access, order)
    ask(sandbox, "POST", f"/v1/customers/{first.recipient_provider_id}", email="renamed@example.com")
    others = [sandbox.add_customer(f"other{number}@example.com") for number in range(3)]
    for number in range(110):
        ask(sandbox, "POST", f"/v1/customers/{others[number % 3]}", name=f"Name {number}")

    found = adapter.look_up(access, replace(order, first_attempt_at=wall()))

    assert found.provider_reference == first.provider_reference


def test_more_events_than_are_worth_reading_leave_it_unknown(sandbox, adapter, access, order, monkeypatch):
    monkeypatch.setattr(customers, "MOST_EVENTS", 2)
    other = sandbox.add_customer("other@example.com")
    for number in range(3):
        ask(sandbox, "POST", f"/v1/customers/{other}", name=f"Name {number}")

    with pytest.raises(OutcomeUnknown):
        adapter.look_up(access, replace(order, recipient=Recipient("nobody@example.com"), first_attempt_at=wall()))


def test_a_customer_deleted_after_the_try_leaves_it_unknown(sandbox, adapter, access, order):
    customer = sandbox.get("stripe/customers", email=EMAIL)["customers"][0]["id"]
    ask(sandbox, "DELETE", f"/v1/customers/{customer}")

    with pytest.raises(OutcomeUnknown):
        adapter.look_up(access, replace(order, first_attempt_at=wall()))


def test_events_that_may_not_be_read_leave_it_unknown(sandbox, adapter, access, order):
    sandbox.fault("revoked", path="/v1/events")
    nobody = replace(order, recipient=Recipient("nobody@example.com"), first_attempt_at=wall())

    with pytest.raises(OutcomeUnknown):
        adapter.look_up(access, nobody)


@pytest.mark.parametrize("first_attempt_at", [None, wall() - timedelta(days=30)])
def test_a_try_before_stripes_events_begin_stays_unknown(adapter, access, order, first_attempt_at):
    nobody = replace(order, recipient=Recipient("nobody@example.com"), first_attempt_at=first_attempt_at)

    with pytest.raises(OutcomeUnknown):
        adapter.look_up(access, nobody)


def test_an_unknown_outcome_names_whom_it_was_for(sandbox, adapter, access, order):
    customer = sandbox.get("stripe/customers", email=EMAIL)["customers"][0]["id"]
    sandbox.fault("reset", method="POST", path="balance_transactions")

    with pytest.raises(OutcomeUnknown) as caught:
        adapter.issue(access, order)

    assert caught.value.recipient_provider_id == customer
    ask(sandbox, "POST", f"/v1/customers/{customer}", email="renamed@example.com")
    found = adapter.look_up(access, replace(order, sent_to=customer, first_attempt_at=wall()))
    assert found.outcome == IssueOutcome.SUCCEEDED


def test_fifty_at_once(sandbox, adapter, access, order):
    orders = [replace(order, reward_id=(reward := uuid4()), idempotency_key=f"{reward}:1") for _ in range(50)]

    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(lambda each: adapter.issue(access, each), orders))

    assert {result.outcome for result in results} == {IssueOutcome.SUCCEEDED}
    given = sandbox.credits()
    assert (given["count"], given["total"]) == (50, 50 * 1200)


def test_check_names_the_account(adapter, access):
    checked = adapter.check(access)

    assert checked.account == "Referral Rocket stand-in (test) (acct_standintest)"
    assert checked.currency == "USD"
    assert checked.mode == "TEST"


def test_live_and_test_are_apart(sandbox, adapter, access, order):
    live = replace(access, credentials={"api_key": "sk_live_standin_4242"}, mode="LIVE")

    assert adapter.issue(live, order).code == "customer_not_found"
    assert adapter.check(live).mode == "LIVE"


# Taking back -------------------------------------------------------------------------------------------------------


def deduction(order, issued, **fields) -> TakeBack:
    reward_id = uuid4()
    wanted = {
        "amount": order.amount, "currency": order.currency, "issued_reference": issued.provider_reference,
        "issued_amount": order.amount, "recipient": Recipient(EMAIL), "issued_to": issued.recipient_provider_id,
    }  # fmt: skip
    return TakeBack(reward_id, f"{reward_id}:1", **{**wanted, **fields})


def balance(sandbox) -> int:
    return sandbox.get("stripe/customers", email=EMAIL)["customers"][0]["balance"]


def test_part_of_a_credit_is_taken_back_though_part_is_spent(sandbox, adapter, access, order):
    issued = adapter.issue(access, order)
    bought = sandbox.post("stripe/subscriptions", customer=issued.recipient_provider_id, amount=700, currency="usd")
    sandbox.post("stripe/invoices", subscription=bought["id"])
    assert balance(sandbox) == -500

    result = adapter.take_back(access, deduction(order, issued, amount=500))

    assert result.outcome == IssueOutcome.SUCCEEDED
    assert balance(sandbox) == 0


@pytest.mark.parametrize("killed", [False, True])
def test_credit_that_an_invoice_uses_meanwhile_is_given_back(sandbox, adapter, access, order, killed, monkeypatch):
    issued = adapter.issue(access, order)
    back = deduction(order, issued)
    bought = sandbox.post("stripe/subscriptions", customer=issued.recipient_provider_id, amount=700, currency="usd")
    honest = credit._take_back

    def too_late(*arguments):
        sandbox.post("stripe/invoices", subscription=bought["id"])
        return honest(*arguments)

    monkeypatch.setattr(credit, "_take_back", too_late)
    if killed:
        # After the transaction that took too much, before the one that undoes it.
        with killed_at(2, "after"), pytest.raises(Killed):
            adapter.take_back(access, back)
        assert balance(sandbox) == 700
        monkeypatch.setattr(credit, "_take_back", honest)
        back = replace(back, first_attempt_at=wall())
        assert adapter.look_up_taken_back(access, back) is None

    result = adapter.take_back(access, back)

    assert (result.outcome, result.code) == (IssueOutcome.WAITING, "needs_a_person")
    assert balance(sandbox) == -500
    found = adapter.look_up_taken_back(access, replace(back, first_attempt_at=wall()))
    assert (found.outcome, found.code) == (IssueOutcome.WAITING, "needs_a_person")


@pytest.mark.parametrize("fields", [{"issued_to": None}, {"issued_reference": "cbtxn_elsewhere"}])
def test_a_credit_that_can_not_be_found_is_left_to_a_person(sandbox, adapter, access, order, fields):
    issued = adapter.issue(access, order)

    result = adapter.take_back(access, deduction(order, issued, **fields))

    assert (result.outcome, result.sent, result.code) == (IssueOutcome.WAITING, False, "needs_a_person")
    assert balance(sandbox) == -1200
