"""What every payout method has to pass, run against its provider's stand-in.

A subclass gives the fixtures `adapter`, `access`, `order` (an order that succeeds) and the methods below.
"""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from integrations.base import Access, IssueOrder, IssueOutcome, PayoutAdapter
from integrations.errors import ConnectionNeedsAttention, OutcomeUnknown, ProviderRetryable
from referral_rocket.kit.clock import wall
from referral_rocket.kit.http import Caller
from tests.integrations.stand_in import RunningSandbox


class PayoutCases:
    # Part of the path of the request that moves the money, for faults.
    money_path: str
    secret: str

    def given(self, sandbox: RunningSandbox, order: IssueOrder) -> list[int]:
        """The amounts, in ISO minor units, that the provider shows for this reward."""
        raise NotImplementedError

    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make the adapter give up on an answer after a fifth of a second."""
        raise NotImplementedError

    def strike(self, sandbox: RunningSandbox, kind: str, **wanted: object) -> None:
        sandbox.fault(kind, method="POST", path=self.money_path, **wanted)

    def test_it_works(self, sandbox: RunningSandbox, adapter: PayoutAdapter, access: Access, order: IssueOrder):
        result = adapter.issue(access, order)

        assert result.outcome == IssueOutcome.SUCCEEDED
        assert result.sent is True
        assert result.provider_reference
        assert result.recipient_provider_id
        assert result.exchanges[-1].method == "POST"
        assert result.exchanges[-1].status_code in (200, 201)
        assert self.given(sandbox, order) == [order.amount]

    def test_the_same_order_twice_gives_once(self, sandbox, adapter, access, order):
        first = adapter.issue(access, order)
        second = adapter.issue(access, order)

        assert second.provider_reference == first.provider_reference
        assert self.given(sandbox, order) == [order.amount]

    def test_exchanges_hold_no_secret_and_no_address(self, adapter, access, order):
        shown = repr(adapter.issue(access, order).exchanges)

        assert self.secret not in shown
        assert order.recipient.email not in shown
        assert self.secret not in repr(access)

    def test_rate_limit_with_a_time(self, sandbox, adapter, access, order):
        self.strike(sandbox, "rate_limited", retry_after=7)

        with pytest.raises(ProviderRetryable) as caught:
            adapter.issue(access, order)

        assert caught.value.retry_after == 7
        assert caught.value.exchanges[-1].status_code == 429
        assert self.given(sandbox, order) == []

    def test_rate_limit_without_a_time(self, sandbox, adapter, access, order):
        self.strike(sandbox, "rate_limited")

        with pytest.raises(ProviderRetryable) as caught:
            adapter.issue(access, order)

        assert caught.value.retry_after is None
        assert self.given(sandbox, order) == []

    @pytest.mark.parametrize("acts", [True, False])
    def test_server_error(self, sandbox, adapter, access, order, acts):
        self.strike(sandbox, "server_error", acts=acts)

        with pytest.raises(OutcomeUnknown) as caught:
            adapter.issue(access, order)

        assert caught.value.code == "outcome_unknown"
        self.settles(sandbox, adapter, access, order, done=acts)

    def test_time_out_before_acting(self, sandbox, adapter, access, order, monkeypatch):
        self.impatient(monkeypatch)
        self.strike(sandbox, "timeout_before")

        with pytest.raises(OutcomeUnknown):
            adapter.issue(access, order)

        self.settles(sandbox, adapter, access, order, done=False)

    def test_time_out_after_acting(self, sandbox, adapter, access, order, monkeypatch):
        self.impatient(monkeypatch)
        self.strike(sandbox, "timeout_after")

        with pytest.raises(OutcomeUnknown) as caught:
            adapter.issue(access, order)

        assert caught.value.exchanges[-1].status_code is None
        self.settles(sandbox, adapter, access, order, done=True)

    def test_reset_in_the_middle_of_the_answer(self, sandbox, adapter, access, order):
        self.strike(sandbox, "reset")

        with pytest.raises(OutcomeUnknown):
            adapter.issue(access, order)

        self.settles(sandbox, adapter, access, order, done=True)

    def test_malformed_answer(self, sandbox, adapter, access, order):
        self.strike(sandbox, "malformed")

        with pytest.raises(OutcomeUnknown):
            adapter.issue(access, order)

        self.settles(sandbox, adapter, access, order, done=True)

    def test_time_out_while_only_reading(self, sandbox, adapter, access, order, monkeypatch):
        self.impatient(monkeypatch)
        sandbox.fault("timeout_before", method="GET")

        with pytest.raises(ProviderRetryable):
            adapter.issue(access, order)

        assert self.given(sandbox, order) == []

    def test_malformed_answer_while_only_reading(self, sandbox, adapter, access, order):
        sandbox.fault("malformed", method="GET")

        with pytest.raises(ProviderRetryable):
            adapter.issue(access, order)

        assert self.given(sandbox, order) == []

    def test_nobody_listens(self, sandbox, adapter, access, order):
        with pytest.raises(ProviderRetryable) as caught:
            adapter.issue(replace(access, api_base="http://127.0.0.1:9/"), order)

        assert caught.value.sent is False

    def test_revoked_credentials(self, sandbox, adapter, access, order):
        sandbox.fault("revoked", times=None)

        with pytest.raises(ConnectionNeedsAttention) as caught:
            adapter.issue(access, order)

        assert caught.value.code == "connection_revoked"
        assert self.given(sandbox, order) == []
        with pytest.raises(ConnectionNeedsAttention):
            adapter.check(access)

    def test_a_look_up_that_fails_shows_nothing(self, sandbox, adapter, access, order):
        adapter.issue(access, order)
        sandbox.fault("unavailable", method="GET")

        with pytest.raises(ProviderRetryable):
            adapter.look_up(access, replace(order, first_attempt_at=wall()))

    def settles(self, sandbox, adapter, access, order, *, done: bool) -> None:
        """The look-up tells what happened, and trying again never gives twice."""
        sandbox.clear_faults()
        assert self.given(sandbox, order) == ([order.amount] if done else [])
        later = replace(order, first_attempt_at=wall() - timedelta(seconds=5))
        found = adapter.look_up(access, later)
        assert (found is not None) is done
        if found is not None:
            assert found.outcome == IssueOutcome.SUCCEEDED
            assert found.provider_reference


def impatient_caller(seconds: float = 0.2) -> Caller:
    return Caller(connect=seconds, read=seconds, total=seconds * 3)


def until(condition, seconds: float = 5.0) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(0.01)
