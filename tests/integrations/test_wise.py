"""Wise's adapter against its stand-in, by the cases that every method passes."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from integrations.base import Access, IssueOrder, IssueOutcome, Recipient
from integrations.errors import ConnectionNeedsAttention, OutcomeUnknown, ProviderRejected
from integrations.providers.wise import transfers
from integrations.providers.wise.adapter import WiseTransfers
from integrations.sandbox.wise import shapes
from integrations.sandbox.wise.shapes import profile_of
from referral_rocket.kit.clock import wall
from referral_rocket.kit.money import digits
from tests.integrations.payout_cases import No, PayoutCases

TOKEN = "ab12cd34-ef56-4a78-9b01-23456789abcd"
EMAIL = "friend@example.com"
SETTINGS = {"profile_id": str(profile_of(TOKEN)), "source_currency": "EUR"}
UNPAID = ("incoming_payment_waiting", "cancelled", "funds_refunded")


@pytest.fixture
def adapter() -> WiseTransfers:
    return WiseTransfers()


@pytest.fixture
def access(sandbox) -> Access:
    return Access(uuid4(), "wise", "TEST", {"api_token": TOKEN}, SETTINGS, f"{sandbox.url}/wise")


def new_order(**fields) -> IssueOrder:
    reward_id = uuid4()
    recipient = Recipient(EMAIL, "A Friend")
    order = IssueOrder(
        reward_id, f"{reward_id}:1", 1200, "USD", recipient, "Reward from Friends", group_key=str(uuid4())
    )
    return replace(order, **fields)


def transfers_of(sandbox, *orders) -> list:
    own = ",".join(transfers.transaction_id(order, order.group_key) for order in orders)
    return sandbox.get("wise/transfers", customerTransactionId=own)["transfers"]


def paid(shown) -> list[int]:
    return [
        int(Decimal(str(one["targetValue"])).scaleb(digits(one["targetCurrency"])))
        for one in shown
        if one["status"] not in UNPAID
    ]


class WiseCases(PayoutCases):
    provider = "wise"
    money_path = "/payments"
    secret = TOKEN

    @pytest.fixture(autouse=True)
    def books(self):
        """What the runner would have committed: each reward's key and group, the last one last."""
        self.sent = {}

    def given(self, sandbox, order):
        return paid(transfers_of(sandbox, *self.sent.get(order.reward_id, [order])))

    def send(self, adapter, access, order):
        self.sent.setdefault(order.reward_id, [order])
        last = self.sent[order.reward_id][-1]
        return super().send(adapter, access, replace(last, recipient=order.recipient))

    def resume(self, adapter, access, order):
        last = self.sent.setdefault(order.reward_id, [order])[-1]
        found = adapter.look_up(access, replace(last, first_attempt_at=wall() - timedelta(seconds=5)))
        if found is not None and found.outcome != IssueOutcome.RETURNED:
            return found
        number = int(last.idempotency_key.rpartition(":")[2]) + (found is not None)
        again = replace(last, idempotency_key=f"{order.reward_id}:{number}", group_key=str(uuid4()))
        self.sent[order.reward_id].append(again)
        return self.send(adapter, access, order)

    def settles(self, sandbox, adapter, access, order, *, done):
        sandbox.clear_faults()
        assert self.given(sandbox, order) == ([order.amount] if done else [])
        result = self.resume(adapter, access, order)
        assert len(self.sent[order.reward_id]) == (1 if done else 2)
        assert result.outcome == self.done
        assert result.provider_reference
        assert self.given(sandbox, order) == [order.amount]


def nobody(sandbox, order):
    return replace(order, recipient=Recipient(None, "A Friend"))


def nameless(sandbox, order):
    return replace(order, recipient=Recipient(EMAIL, "Friend"))


def unreachable(sandbox, order):
    return replace(order, recipient=Recipient("friend@nowhere.invalid", "A Friend"))


def rubles(sandbox, order):
    return replace(order, currency="RUB")


def no_money(sandbox, order):
    sandbox.post("wise/balance", token=TOKEN, currency="EUR", value="1.00")
    return order


class TestWise(WiseCases):
    noes = (
        No("invalid_recipient", nobody),
        No("invalid_recipient", nameless),
        No("invalid_recipient", unreachable),
        No("currency_mismatch", rubles),
        No("insufficient_funds", no_money, rejected=True),
    )

    @pytest.fixture
    def order(self) -> IssueOrder:
        return new_order()


def test_an_approval_waits_for_a_person_and_is_paid_once(sandbox, adapter, access):
    sandbox.post("wise/settings", token=TOKEN, approval=True)
    order = new_order()

    issued = adapter.issue(access, order)
    known = replace(order, provider_reference=issued.provider_reference)
    waiting = adapter.look_up(access, known)
    before = paid(transfers_of(sandbox, order))
    sandbox.post("wise/groups", name=order.group_key, status="PAID")

    assert (issued.outcome, issued.sent, issued.code) == (IssueOutcome.WAITING, True, "needs_a_person")
    assert order.group_key in issued.message
    assert (waiting.outcome, waiting.code) == (IssueOutcome.WAITING, "needs_a_person")
    assert before == []
    assert adapter.look_up(access, known).outcome == IssueOutcome.SUCCEEDED
    assert paid(transfers_of(sandbox, order)) == [1200]


def test_what_a_person_cancels_instead_is_due_again(sandbox, adapter, access):
    sandbox.post("wise/settings", token=TOKEN, approval=True)
    order = new_order()
    issued = adapter.issue(access, order)

    sandbox.post("wise/groups", name=order.group_key, status="CANCELLED")

    assert (
        adapter.look_up(access, replace(order, provider_reference=issued.provider_reference)).outcome
        == IssueOutcome.RETURNED
    )
    assert paid(transfers_of(sandbox, order)) == []


def test_too_little_money_leaves_nothing_behind_that_could_be_paid(sandbox, adapter, access):
    order = no_money(sandbox, new_order())

    with pytest.raises(ProviderRejected) as caught:
        adapter.issue(access, order)

    assert caught.value.code == "insufficient_funds"
    assert [one["status"] for one in transfers_of(sandbox, order)] == ["cancelled"]
    sandbox.post("wise/balance", token=TOKEN, currency="EUR", value="1000.00")
    again = replace(order, group_key=str(uuid4()))
    assert adapter.issue(access, again).outcome == IssueOutcome.SUCCEEDED
    assert paid(transfers_of(sandbox, order, again)) == [1200]


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        ("incoming_payment_waiting", IssueOutcome.WAITING, "needs_a_person"),
        ("incoming_payment_initiated", IssueOutcome.WAITING, "funding"),
        ("processing", IssueOutcome.WAITING, "pending"),
        ("funds_converted", IssueOutcome.WAITING, "pending"),
        ("outgoing_payment_sent", IssueOutcome.SUCCEEDED, None),
        ("bounced_back", IssueOutcome.WAITING, "pending"),
        ("charged_back", IssueOutcome.WAITING, "needs_a_person"),
        ("cancelled", IssueOutcome.RETURNED, "rejected_by_provider"),
        ("funds_refunded", IssueOutcome.RETURNED, "invalid_recipient"),
        ("something_new", IssueOutcome.WAITING, "needs_a_person"),
    ],
)
def test_each_state_of_a_transfer(sandbox, adapter, access, status, outcome, code):
    order = new_order()
    issued = adapter.issue(access, order)
    own = transfers.transaction_id(order, order.group_key)
    sandbox.post("wise/transfers", customerTransactionId=own, status=status)

    found = adapter.look_up(access, replace(order, provider_reference=issued.provider_reference))

    assert (found.outcome, found.code, found.sent) == (outcome, code, True)
    assert found.provider_reference == issued.provider_reference
    assert found.message
    assert transfers_of(sandbox, order)[0]["status"] == status


@pytest.mark.parametrize(("amount", "currency", "value"), [(1234, "USD", 12.34), (500, "JPY", 500), (1, "EUR", 0.01)])
def test_the_person_gets_exactly_the_reward(sandbox, adapter, access, amount, currency, value):
    order = new_order(amount=amount, currency=currency)

    adapter.issue(access, order)

    (one,) = transfers_of(sandbox, order)
    assert (one["targetValue"], one["targetCurrency"], one["sourceCurrency"]) == (value, currency, "EUR")


def test_a_saved_recipient_is_used_as_it_is(sandbox, adapter, access):
    first = adapter.issue(access, new_order())
    order = new_order(recipient=Recipient(None, None, first.recipient_provider_id))

    adapter.issue(access, order)

    assert str(transfers_of(sandbox, order)[0]["targetAccount"]) == first.recipient_provider_id


def test_the_group_bears_our_key(sandbox, adapter, access):
    order = new_order()

    adapter.issue(access, order)

    assert [group["status"] for group in sandbox.get("wise/groups", name=order.group_key)["groups"]] == ["COMPLETED"]


def test_a_refused_reward_doesnt_hold_up_its_group(sandbox, adapter, access):
    key = str(uuid4())
    good, bad, other = (new_order(group_key=key) for _ in range(3))
    bad = replace(bad, recipient=Recipient("friend@nowhere.invalid", "A Friend"))

    answers = adapter.issue_group(access, key, [good, bad, other])

    assert answers[good.reward_id].outcome == answers[other.reward_id].outcome == IssueOutcome.SUCCEEDED
    assert (answers[bad.reward_id].sent, answers[bad.reward_id].code) == (False, "invalid_recipient")
    assert paid(transfers_of(sandbox, good, bad, other)) == [1200, 1200]


def test_a_group_that_holds_something_else_is_not_paid_for(sandbox, adapter, access, monkeypatch):
    honest = shapes.group
    monkeypatch.setattr(shapes, "group", lambda wanted: {**honest(wanted), "transferIds": [1]})
    order = new_order()

    with pytest.raises(OutcomeUnknown):
        adapter.issue(access, order)

    assert paid(transfers_of(sandbox, order)) == []


def test_a_refusal_of_the_repeat_says_nothing_about_the_first(sandbox, adapter, access):
    order = new_order()
    sandbox.fault("reset", provider="wise", method="POST", path="/transfers")
    sandbox.fault("rate_limited", provider="wise", method="POST", path="/transfers")
    sandbox.fault("unavailable", provider="wise", method="PATCH")

    with pytest.raises(OutcomeUnknown):
        adapter.issue(access, order)
    found = adapter.look_up(access, replace(order, first_attempt_at=wall()))

    assert found.outcome == IssueOutcome.RETURNED
    assert paid(transfers_of(sandbox, order)) == []


class TestGroups:
    """Fifty rewards in two groups of 25."""

    @pytest.fixture
    def groups(self):
        found = []
        for _ in range(2):
            key = str(uuid4())
            found.append((key, [new_order(group_key=key) for _ in range(25)]))
        return found

    def looked_up(self, adapter, access, orders):
        long_ago = wall() - timedelta(seconds=5)
        return [adapter.look_up(access, replace(order, first_attempt_at=long_ago)) for order in orders]

    @pytest.mark.parametrize("kind", ["timeout_after", "reset", "malformed"])
    def test_an_answer_that_is_lost_pays_each_once(self, sandbox, adapter, access, groups, kind, monkeypatch):
        sandbox.fault(kind, provider="wise", method="POST", path="/payments", times=2)
        with monkeypatch.context() as patched:
            sandbox.held_answers_time_out(patched)
            answers = [adapter.issue_group(access, key, orders) for key, orders in groups]
        sandbox.clear_faults()
        everybody = [order for _, orders in groups for order in orders]

        found = self.looked_up(adapter, access, everybody)

        assert {type(answer) for each in answers for answer in each.values()} == {OutcomeUnknown}
        assert {result.outcome for result in found} == {IssueOutcome.SUCCEEDED}
        assert paid(transfers_of(sandbox, *everybody)) == [1200] * 50

    def test_a_payment_that_never_arrived_can_never_arrive(self, sandbox, adapter, access, groups, monkeypatch):
        key, orders = groups[0]
        sandbox.fault("timeout_before", provider="wise", method="POST", path="/payments")
        with monkeypatch.context() as patched:
            sandbox.held_answers_time_out(patched)
            adapter.issue_group(access, key, orders)
        sandbox.clear_faults()

        found = self.looked_up(adapter, access, orders)
        # The request that was given up arrives after all.
        sandbox.post("wise/groups", name=key, status="PAID")

        assert {result.outcome for result in found} == {IssueOutcome.RETURNED}
        assert {one["status"] for one in transfers_of(sandbox, *orders)} == {"cancelled"}


def test_the_account_and_its_balance_are_named(adapter, access):
    checked = adapter.check(access)

    assert checked.account == f"Referral Rocket stand-in ({SETTINGS['profile_id']})"
    assert (checked.currency, checked.message) == (
        "EUR", "Connected to Referral Rocket stand-in. The balance in EUR is €100,000.00."
    )  # fmt: skip


def test_a_profile_that_the_token_may_not_use(adapter, access):
    with pytest.raises(ConnectionNeedsAttention) as caught:
        adapter.check(replace(access, settings={**SETTINGS, "profile_id": "1"}))

    assert SETTINGS["profile_id"] in caught.value.message


def test_without_settings_nothing_is_sent(sandbox, adapter, access):
    with pytest.raises(ProviderRejected) as caught:
        adapter.issue(replace(access, settings={}), new_order())

    assert caught.value.code == "connection_required"
    assert sandbox.get("wise/groups")["groups"] == []
