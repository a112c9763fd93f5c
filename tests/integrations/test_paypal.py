"""PayPal's adapter against its stand-in, by the cases that every method passes."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from integrations.base import Access, IssueOrder, IssueOutcome, Recipient
from integrations.errors import ConnectionNeedsAttention, OutcomeUnknown, ProviderRejected
from integrations.providers.paypal.adapter import PayPalPayouts
from referral_rocket.kit.clock import wall
from referral_rocket.kit.money import digits
from tests.integrations.payout_cases import No, PayoutCases, TakeBackCases

SECRET = "EClientSecretOfTheStandIn"
CLIENT = {"client_id": "AClientIdOfTheStandIn", "client_secret": SECRET, "webhook_id": ""}
EMAIL = "friend@example.com"
STRANGER = "stranger@example.com"


@pytest.fixture
def adapter() -> PayPalPayouts:
    return PayPalPayouts()


@pytest.fixture
def access(sandbox) -> Access:
    return Access(uuid4(), "paypal", "TEST", CLIENT, {}, f"{sandbox.url}/paypal")


def new_order(email: str | None = EMAIL, **fields) -> IssueOrder:
    reward_id = uuid4()
    order = IssueOrder(reward_id, f"{reward_id}:1", 1200, "USD", Recipient(email, "A Friend"), "Reward from Friends")
    return replace(order, group_key=str(uuid4()), **fields)


def items(sandbox, order) -> list:
    return sandbox.get("paypal/items", sender_item_id=order.idempotency_key)["items"]


def given(sandbox, order) -> list[int]:
    return [int(Decimal(item["value"]).scaleb(digits(item["currency"]))) for item in items(sandbox, order)]


class PayPalCases(PayoutCases):
    provider = "paypal"
    money_path = "/v1/payments/payouts"
    secret = SECRET

    @pytest.fixture(autouse=True)
    def groups(self):
        """The committed group of each reward's last attempt, as the runner keeps it."""
        self.group_of = {}

    def given(self, sandbox, order):
        return given(sandbox, order)

    def strike(self, sandbox, kind, **wanted):
        # The adapter sends a batch once more where its answer is lost, so one fault strikes both times.
        super().strike(sandbox, kind, **({"times": 2} | wanted))

    def send(self, adapter, access, order):
        group = self.group_of.setdefault(order.reward_id, order.group_key)
        return super().send(adapter, access, replace(order, group_key=group))

    def resume(self, adapter, access, order):
        later = replace(
            order, first_attempt_at=wall() - timedelta(seconds=5), group_key=self.group_of.get(order.reward_id)
        )
        found = adapter.look_up(access, later)
        return found or self.send_in_another_group(adapter, access, later)

    def send_in_another_group(self, adapter, access, order):
        self.group_of[order.reward_id] = str(uuid4())
        return self.send(adapter, access, order)

    def settles(self, sandbox, adapter, access, order, *, done):
        sandbox.clear_faults()
        assert self.given(sandbox, order) == ([order.amount] if done else [])
        later = replace(order, first_attempt_at=wall() - timedelta(seconds=5))
        found = adapter.look_up(access, later)
        assert (found is not None) is done
        result = found or self.send_in_another_group(adapter, access, later)
        assert result.outcome == self.done
        assert self.given(sandbox, order) == [order.amount]


def nobody(sandbox, order):
    return replace(order, recipient=Recipient(None))


def no_address(sandbox, order):
    return replace(order, recipient=Recipient("not an address"))


def rupees(sandbox, order):
    return replace(order, currency="INR")


def half_a_forint(sandbox, order):
    return replace(order, amount=1250, currency="HUF")


def no_money(sandbox, order):
    sandbox.post("paypal/balance", client_id=CLIENT["client_id"], currency="USD", value="11.99")
    return order


class TestPayPal(PayPalCases):
    noes = (
        No("invalid_recipient", nobody),
        No("invalid_recipient", no_address),
        No("currency_mismatch", rupees),
        No("rejected_by_provider", half_a_forint, rejected=True),
        No("insufficient_funds", no_money, rejected=True),
    )

    @pytest.fixture
    def order(self) -> IssueOrder:
        return new_order()


class TestTakingBack(TakeBackCases, PayPalCases):
    """A payout that nobody claimed yet: it waits, and can be cancelled."""

    done = IssueOutcome.WAITING
    noes = (No("invalid_recipient", nobody),)
    take_back_path = "/cancel"

    @pytest.fixture
    def order(self, sandbox) -> IssueOrder:
        sandbox.post("paypal/receivers", email=STRANGER, state="unregistered")
        return new_order(STRANGER)

    def taken_back(self, sandbox, back):
        reference = back.issued_reference
        found = sandbox.get("paypal/items")["items"]
        return [
            int(Decimal(item["value"]) * 100)
            for item in found
            if item["payout_item_id"] == reference and item["state"] == "RETURNED"
        ]

    def spend(self, sandbox, order, issued):
        sandbox.post("paypal/items", sender_item_id=order.idempotency_key, state="SUCCESS")


def test_part_of_a_payout_is_not_taken_back(sandbox, adapter, access):
    cases = TestTakingBack()
    cases.group_of = {}
    sandbox.post("paypal/receivers", email=STRANGER, state="unregistered")
    order = new_order(STRANGER)
    back, _ = cases.deduction(adapter, access, order)

    result = adapter.take_back(access, replace(back, amount=500))

    assert (result.outcome, result.sent, result.code) == (IssueOutcome.WAITING, False, "needs_a_person")
    assert items(sandbox, order)[0]["state"] == "UNCLAIMED"


def test_credentials_that_paypal_refuses(sandbox, adapter, access):
    sandbox.post("paypal/credentials/revoke", client_id=CLIENT["client_id"])
    order = new_order()

    with pytest.raises(ConnectionNeedsAttention):
        adapter.issue(access, order)
    with pytest.raises(ConnectionNeedsAttention):
        adapter.check(access)

    assert items(sandbox, order) == []


def test_a_token_that_ended_is_replaced_once(sandbox, adapter, access):
    adapter.issue(access, new_order())
    sandbox.post("paypal/tokens/end")
    order = new_order()

    result = adapter.issue(access, order)

    assert result.outcome == IssueOutcome.SUCCEEDED
    assert [(each.method, each.status_code) for each in result.exchanges] == [
        ("POST", 401), ("POST", 200), ("POST", 201), ("GET", 200)
    ]  # fmt: skip
    assert given(sandbox, order) == [order.amount]


def test_the_account_is_named(adapter, access):
    checked = adapter.check(access)

    assert checked.account.startswith("Referral Rocket stand-in (")
    assert checked.mode == "TEST"


@pytest.mark.parametrize(
    ("state", "outcome", "code"),
    [
        ("SUCCESS", IssueOutcome.SUCCEEDED, None),
        ("PENDING", IssueOutcome.WAITING, "pending"),
        ("UNCLAIMED", IssueOutcome.WAITING, "unclaimed"),
        ("ONHOLD", IssueOutcome.WAITING, "on_hold"),
        ("FAILED", IssueOutcome.RETURNED, "invalid_recipient"),
        ("BLOCKED", IssueOutcome.RETURNED, "invalid_recipient"),
        ("RETURNED", IssueOutcome.RETURNED, "invalid_recipient"),
        ("REFUNDED", IssueOutcome.RETURNED, "rejected_by_provider"),
        ("REVERSED", IssueOutcome.RETURNED, "rejected_by_provider"),
        ("SOMETHING_NEW", IssueOutcome.WAITING, "needs_a_person"),
    ],
)
def test_each_state_of_an_item(sandbox, adapter, access, state, outcome, code):
    order = new_order()
    issued = adapter.issue(access, order)
    sandbox.post("paypal/items", sender_item_id=order.idempotency_key, state=state)

    found = adapter.look_up(access, replace(order, provider_reference=issued.provider_reference))

    assert (found.outcome, found.code, found.sent) == (outcome, code, True)
    assert found.provider_reference == issued.provider_reference
    assert found.message


def test_an_item_that_failed_at_once_is_given_up_by_the_look_up(sandbox, adapter, access):
    sandbox.post("paypal/receivers", email=EMAIL, state="locked")
    order = new_order()

    issued = adapter.issue(access, order)
    found = adapter.look_up(access, replace(order, provider_reference=issued.provider_reference))

    assert (issued.outcome, issued.sent, issued.code) == (IssueOutcome.WAITING, True, "invalid_recipient")
    assert found.outcome == IssueOutcome.RETURNED
    assert "locked or inactive" in found.message


@pytest.mark.parametrize(
    ("amount", "currency", "value"), [(1234, "USD", "12.34"), (500, "JPY", "500"), (120000, "HUF", "1200")]
)
def test_amounts_are_texts_with_paypals_decimals(sandbox, adapter, access, amount, currency, value):
    order = new_order(amount=amount, currency=currency)

    adapter.issue(access, order)

    assert [(item["value"], item["currency"]) for item in items(sandbox, order)] == [(value, currency)]


def test_the_persons_own_paypal_address_goes_before_the_mail_address(sandbox, adapter, access):
    order = new_order(recipient=Recipient(EMAIL, "A Friend", "paypal.friend@example.org"))

    adapter.issue(access, order)

    assert items(sandbox, order)[0]["receiver"] == "paypal.friend@example.org"


def test_a_bad_address_is_taken_out_and_the_others_are_paid(sandbox, adapter, access):
    good, bad, other = new_order(), new_order("nobody at all"), new_order("other@example.com")

    answers = adapter.issue_group(access, str(uuid4()), [good, bad, other])

    assert answers[good.reward_id].outcome == answers[other.reward_id].outcome == IssueOutcome.SUCCEEDED
    refused = answers[bad.reward_id]
    assert (refused.outcome, refused.sent, refused.code) == (IssueOutcome.WAITING, False, "invalid_recipient")
    assert [len(items(sandbox, order)) for order in (good, bad, other)] == [1, 0, 1]


def test_a_batch_that_is_still_taken_in_is_looked_at_by_its_number(sandbox, adapter, access):
    sandbox.post("paypal/batches", client_id=CLIENT["client_id"], slow=True)
    order = new_order()

    issued = adapter.issue(access, order)
    sandbox.post("paypal/batches", client_id=CLIENT["client_id"], slow=False)
    found = adapter.look_up(access, replace(order, provider_reference=issued.provider_reference))

    assert (issued.outcome, issued.sent, issued.code) == (IssueOutcome.WAITING, True, "pending")
    assert found.outcome == IssueOutcome.SUCCEEDED
    assert given(sandbox, order) == [order.amount]


class TestGroupOf50:
    @pytest.fixture
    def group(self) -> tuple[str, list[IssueOrder]]:
        key = str(uuid4())
        orders = [new_order(f"friend{number}@example.com") for number in range(50)]
        return key, [replace(order, group_key=key) for order in orders]

    def looked_up(self, adapter, access, orders):
        long_ago = wall() - timedelta(seconds=5)
        return {order.reward_id: adapter.look_up(access, replace(order, first_attempt_at=long_ago)) for order in orders}

    def test_an_answer_that_is_lost_once_is_mended_by_the_repeat(self, sandbox, adapter, access, group):
        sandbox.fault("reset", provider="paypal", method="POST", path="/v1/payments/payouts")

        answers = adapter.issue_group(access, *group)

        assert {answer.outcome for answer in answers.values()} == {IssueOutcome.SUCCEEDED}
        assert all(given(sandbox, order) == [order.amount] for order in group[1])

    @pytest.mark.parametrize("kind", ["timeout_after", "reset", "malformed"])
    def test_an_answer_that_stays_lost_pays_each_once(self, sandbox, adapter, access, group, kind, monkeypatch):
        sandbox.fault(kind, provider="paypal", method="POST", path="/v1/payments/payouts", times=2)
        with monkeypatch.context() as patched:
            sandbox.held_answers_time_out(patched)
            answers = adapter.issue_group(access, *group)
        sandbox.clear_faults()

        found = self.looked_up(adapter, access, group[1])

        assert {type(answer) for answer in answers.values()} == {OutcomeUnknown}
        assert {result.outcome for result in found.values()} == {IssueOutcome.SUCCEEDED}
        assert all(given(sandbox, order) == [order.amount] for order in group[1])

    def test_a_group_that_never_arrived_can_never_arrive(self, sandbox, adapter, access, group, monkeypatch):
        key, orders = group
        sandbox.fault("timeout_before", provider="paypal", method="POST", path="/v1/payments/payouts", times=2)
        with monkeypatch.context() as patched:
            sandbox.held_answers_time_out(patched)
            adapter.issue_group(access, key, orders)
        sandbox.clear_faults()

        assert set(self.looked_up(adapter, access, orders).values()) == {None}

        # The request that was given up arrives after all, and then the rewards are sent in another group.
        late = adapter.issue_group(access, key, orders)
        assert {answer.code for answer in late.values()} == {"pending"}
        assert all(given(sandbox, order) == [] for order in orders)
        adapter.issue_group(access, str(uuid4()), orders)
        assert all(given(sandbox, order) == [order.amount] for order in orders)

    def test_no_money_for_the_repeat_says_nothing_of_the_first(self, sandbox, adapter, access, group):
        key, orders = group
        sandbox.post("paypal/balance", client_id=CLIENT["client_id"], currency="USD", value="600.00")
        sandbox.fault("reset", provider="paypal", method="POST", path="/v1/payments/payouts")
        sandbox.fault("rate_limited", provider="paypal", method="POST", path="/v1/payments/payouts")

        answers = adapter.issue_group(access, key, orders)

        assert {type(answer) for answer in answers.values()} == {OutcomeUnknown}
        assert {result.outcome for result in self.looked_up(adapter, access, orders).values()} == {
            IssueOutcome.SUCCEEDED
        }


def test_looking_up_moves_no_money(sandbox, adapter, access):
    order = new_order(first_attempt_at=wall() - timedelta(seconds=5))

    assert adapter.look_up(access, order) is None

    (probe,) = sandbox.get("paypal/items", sender_item_id="probe:")["items"]
    assert probe["state"] == "FAILED"
    assert (probe["value"], probe["currency"]) == ("0.01", "USD")


def test_an_app_that_isnt_told_its_account_proves_nothing(sandbox, adapter, access, monkeypatch):
    monkeypatch.setattr("integrations.sandbox.paypal.shapes.user", lambda account: {"user_id": "someone"})
    order = new_order(first_attempt_at=wall() - timedelta(seconds=5))

    with pytest.raises(OutcomeUnknown) as caught:
        adapter.look_up(access, order)

    assert "account" in caught.value.message
    assert sandbox.get("paypal/items")["items"] == []


def test_after_thirty_days_nothing_is_proven(sandbox, adapter, access):
    order = new_order(first_attempt_at=wall() - timedelta(days=30))

    with pytest.raises(OutcomeUnknown):
        adapter.look_up(access, order)

    assert sandbox.get("paypal/items")["items"] == []


def test_a_payout_that_paypal_forgot_stays_unknown(adapter, access):
    with pytest.raises(OutcomeUnknown):
        adapter.look_up(access, new_order(provider_reference="ABCDEFGHJKLMN"))


def test_another_accounts_batch_is_not_shown(sandbox, adapter, access):
    order = new_order()
    issued = adapter.issue(access, order)
    other = replace(access, credentials={**CLIENT, "client_id": "AnotherClientId0"})

    with pytest.raises(OutcomeUnknown):
        adapter.look_up(other, replace(order, provider_reference=issued.provider_reference))


def test_a_refusal_of_another_kind_is_shown(sandbox, adapter, access):
    with pytest.raises(ProviderRejected) as caught:
        adapter.issue(access, new_order(idempotency_key="x" * 64))

    assert "63" in caught.value.message


def test_the_batch_on_record_may_be_an_earlier_one(sandbox, adapter, access):
    earlier = adapter.issue(access, new_order())
    batch_id = sandbox.get("paypal/items")["items"][0]["payout_batch_id"]
    order = new_order()
    adapter.issue_group(access, order.group_key, [order])

    found = adapter.look_up(access, replace(order, provider_reference=f"batch:{batch_id}", first_attempt_at=wall()))

    assert found.outcome == IssueOutcome.SUCCEEDED
    assert found.provider_reference != earlier.provider_reference


def test_a_batch_that_paypal_forgot_stays_unknown(adapter, access):
    with pytest.raises(OutcomeUnknown):
        adapter.look_up(access, new_order(provider_reference="batch:ABCDEFGHJKLMN", first_attempt_at=wall()))
