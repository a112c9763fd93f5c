"""What every payout method has to pass, run against its provider's stand-in.

A subclass gives the fixtures `adapter`, `access`, `order` (an order that succeeds, with a `group_key` where the provider
takes groups), and fills in the hooks at the top of each class. Times are those of the process that asks: "killed" ends
the call where a SIGKILL would, and what follows is what the runner does next (rewards.services.issuing): look up, and
send only what wasn't done.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from uuid import uuid4

import pytest

from integrations.base import (
    Access,
    IssueOrder,
    IssueOutcome,
    IssueResult,
    PayoutAdapter,
    Recipient,
    ReturnsMoney,
    TakeBack,
)
from integrations.errors import (
    ConnectionNeedsAttention,
    OutcomeUnknown,
    ProviderError,
    ProviderRejected,
    ProviderRetryable,
)
from referral_rocket.kit.clock import wall
from referral_rocket.kit.http import Answer, Caller, NoAnswer
from tests.integrations.stand_in import RunningSandbox

# More requests than any method makes for one reward, so that a kill is tried at each of them.
STEPS = range(8)


@dataclass(frozen=True)
class No:
    """A refusal of api.md: `make` brings it about and returns the order that meets it.

    `rejected` where the provider itself refuses; else reading alone showed it and nothing was sent.
    """

    code: str
    make: Callable[[RunningSandbox, IssueOrder], IssueOrder]
    rejected: bool = False


class PayoutCases:
    # The provider's slug at the stand-in, and the method and part of the path of the request that moves the money.
    provider = "stripe"
    money_method = "POST"
    money_path: str
    # Part of its body, where everything has one path.
    money_body = ""
    secret: str
    noes: Sequence[No]
    # How a finished order ends, where the provider's first word is that it waits there.
    done = IssueOutcome.SUCCEEDED

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "no" in metafunc.fixturenames:
            metafunc.parametrize("no", self.noes, ids=[f"{no.code}-{place}" for place, no in enumerate(self.noes)])

    def given(self, sandbox: RunningSandbox, order: IssueOrder) -> list[int]:
        """The amounts, in ISO minor units, that the provider shows for this reward."""
        raise NotImplementedError

    def strike(self, sandbox: RunningSandbox, kind: str, **wanted: object) -> None:
        where = {"method": self.money_method, "path": self.money_path, "body": self.money_body}
        sandbox.fault(kind, provider=self.provider, **where, **wanted)

    def send(self, adapter: PayoutAdapter, access: Access, order: IssueOrder) -> IssueResult:
        """As the runner does: in a group where the provider takes groups."""
        if not hasattr(adapter, "issue_group"):
            return adapter.issue(access, order)
        answer = adapter.issue_group(access, order.group_key or str(uuid4()), [order])[order.reward_id]
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    def resume(self, adapter: PayoutAdapter, access: Access, order: IssueOrder) -> IssueResult:
        """What the runner does with an item in doubt."""
        later = replace(order, first_attempt_at=wall() - timedelta(seconds=5))
        return adapter.look_up(access, later) or self.send(adapter, access, later)

    # Success ------------------------------------------------------------------------------------------------------

    def test_it_works(self, sandbox: RunningSandbox, adapter: PayoutAdapter, access: Access, order: IssueOrder):
        result = self.send(adapter, access, order)

        assert result.outcome == self.done
        assert result.sent is True
        assert result.provider_reference
        assert result.exchanges[-1].status_code in (200, 201)
        assert self.given(sandbox, order) == [order.amount]
        found = adapter.look_up(access, replace(order, first_attempt_at=wall()))
        assert found is not None
        assert (found.outcome, found.provider_reference) == (result.outcome, result.provider_reference)

    def test_the_same_order_twice_gives_once(self, sandbox, adapter, access, order):
        first = self.send(adapter, access, order)
        second = self.send(adapter, access, replace(order, first_attempt_at=wall()))

        assert second.provider_reference == first.provider_reference
        assert self.given(sandbox, order) == [order.amount]

    def test_exchanges_hold_no_secret_and_no_address(self, adapter, access, order):
        shown = repr(self.send(adapter, access, order).exchanges)

        assert self.secret not in shown
        assert order.recipient.email not in shown
        assert self.secret not in repr(access)

    def test_every_request_keeps_the_pace(self, adapter, access, order):
        paced: list[None] = []

        result = self.send(adapter, replace(access, pace=lambda: paced.append(None)), order)

        assert len(paced) >= len(result.exchanges) >= 1

    # No -----------------------------------------------------------------------------------------------------------

    def test_each_no_has_its_code(self, sandbox, adapter, access, order, no):
        refused = no.make(sandbox, order)
        given = self.given(sandbox, refused)
        if no.rejected:
            with pytest.raises(ProviderRejected) as caught:
                self.send(adapter, access, refused)
            assert caught.value.code == no.code
            assert caught.value.message
        else:
            result = self.send(adapter, access, refused)
            assert (result.outcome, result.sent, result.code) == (IssueOutcome.WAITING, False, no.code)
            assert result.message
        assert self.given(sandbox, refused) == given

    # Faults -------------------------------------------------------------------------------------------------------

    def test_rate_limit_with_a_time(self, sandbox, adapter, access, order):
        self.strike(sandbox, "rate_limited", retry_after=7)

        with pytest.raises(ProviderRetryable) as caught:
            self.send(adapter, access, order)

        assert caught.value.retry_after == 7
        assert caught.value.exchanges[-1].status_code == 429
        self.settles(sandbox, adapter, access, order, done=False)

    def test_rate_limit_without_a_time(self, sandbox, adapter, access, order):
        self.strike(sandbox, "rate_limited")

        with pytest.raises(ProviderRetryable) as caught:
            self.send(adapter, access, order)

        assert caught.value.retry_after is None
        self.settles(sandbox, adapter, access, order, done=False)

    @pytest.mark.parametrize("acts", [True, False])
    def test_server_error(self, sandbox, adapter, access, order, acts):
        self.strike(sandbox, "server_error", acts=acts)

        with pytest.raises(OutcomeUnknown) as caught:
            self.send(adapter, access, order)

        assert caught.value.code == "outcome_unknown"
        self.settles(sandbox, adapter, access, order, done=acts)

    def test_time_out_before_acting(self, sandbox, adapter, access, order, monkeypatch):
        sandbox.held_answers_time_out(monkeypatch)
        self.strike(sandbox, "timeout_before")

        with pytest.raises(OutcomeUnknown):
            self.send(adapter, access, order)

        self.settles(sandbox, adapter, access, order, done=False)

    def test_time_out_after_acting(self, sandbox, adapter, access, order, monkeypatch):
        sandbox.held_answers_time_out(monkeypatch)
        self.strike(sandbox, "timeout_after")

        with pytest.raises(OutcomeUnknown) as caught:
            self.send(adapter, access, order)

        assert caught.value.exchanges[-1].status_code is None
        self.settles(sandbox, adapter, access, order, done=True)

    def test_reset_in_the_middle_of_the_answer(self, sandbox, adapter, access, order):
        self.strike(sandbox, "reset")

        with pytest.raises(OutcomeUnknown):
            self.send(adapter, access, order)

        self.settles(sandbox, adapter, access, order, done=True)

    def test_malformed_answer(self, sandbox, adapter, access, order):
        self.strike(sandbox, "malformed")

        with pytest.raises(OutcomeUnknown):
            self.send(adapter, access, order)

        self.settles(sandbox, adapter, access, order, done=True)

    def test_nobody_listens(self, sandbox, adapter, access, order):
        with pytest.raises(ProviderRetryable) as caught:
            self.send(adapter, replace(access, api_base="http://127.0.0.1:9/"), order)

        assert caught.value.sent is False
        assert self.given(sandbox, order) == []

    def test_revoked_credentials(self, sandbox, adapter, access, order):
        sandbox.fault("revoked", provider=self.provider, times=None)

        with pytest.raises(ConnectionNeedsAttention) as caught:
            self.send(adapter, access, order)

        assert caught.value.code == "connection_revoked"
        assert self.given(sandbox, order) == []
        with pytest.raises(ConnectionNeedsAttention):
            adapter.check(access)
        self.settles(sandbox, adapter, access, order, done=False)

    def test_a_look_up_that_fails_shows_nothing(self, sandbox, adapter, access, order):
        self.send(adapter, access, order)
        sandbox.fault("unavailable", provider=self.provider, times=None)

        with pytest.raises((ProviderRetryable, OutcomeUnknown)):
            adapter.look_up(access, replace(order, first_attempt_at=wall()))

        assert self.given(sandbox, order) == [order.amount]

    # Killed, and cut off, at every step ---------------------------------------------------------------------------

    @pytest.mark.parametrize("how", ["before", "after"])
    @pytest.mark.parametrize("step", STEPS)
    def test_killed_at_any_request(self, sandbox, adapter, access, order, step, how):
        with killed_at(step, how), ends_anyhow():
            self.send(adapter, access, order)
        assert len(self.given(sandbox, order)) <= 1

        result = self.resume(adapter, access, order)

        assert result.outcome == self.done
        assert self.given(sandbox, order) == [order.amount]

    @pytest.mark.parametrize("step", STEPS)
    def test_unanswered_at_any_request(self, sandbox, adapter, access, order, step):
        with unanswered_at(step), ends_anyhow(ProviderError):
            self.send(adapter, access, order)
        assert len(self.given(sandbox, order)) <= 1

        result = self.resume(adapter, access, order)

        assert result.outcome == self.done
        assert self.given(sandbox, order) == [order.amount]

    def test_killed_again_and_again_one_request_further_each_time(self, sandbox, adapter, access, order):
        for step in count():
            assert step < 4 * len(STEPS)
            with killed_at(step, "after") as kill, ends_anyhow():
                self.resume(adapter, access, order)
            assert len(self.given(sandbox, order)) <= 1
            if not kill.struck:
                break

        assert self.given(sandbox, order) == [order.amount]

    def settles(self, sandbox, adapter, access, order, *, done: bool) -> None:
        """The look-up tells what happened, and trying again never gives twice."""
        sandbox.clear_faults()
        assert self.given(sandbox, order) == ([order.amount] if done else [])
        later = replace(order, first_attempt_at=wall() - timedelta(seconds=5))
        found = adapter.look_up(access, later)
        assert (found is not None) is done
        if found is not None:
            assert found.outcome == self.done
            assert found.provider_reference
            return
        try:
            again = self.send(adapter, access, later)
        except OutcomeUnknown:
            # A provider that keeps answers under a key repeats its error for a day; it must not have acted.
            assert self.given(sandbox, order) == []
        else:
            assert again.outcome == self.done
            assert self.given(sandbox, order) == [order.amount]


class ReadsFirstCases:
    """Besides, for a method that asks the provider something before it sends."""

    def test_time_out_while_only_reading(self, sandbox, adapter, access, order, monkeypatch):
        sandbox.held_answers_time_out(monkeypatch)
        sandbox.fault("timeout_before", provider=self.provider, method="GET")

        with pytest.raises(ProviderRetryable):
            self.send(adapter, access, order)

        assert self.given(sandbox, order) == []

    def test_malformed_answer_while_only_reading(self, sandbox, adapter, access, order):
        sandbox.fault("malformed", provider=self.provider, method="GET")

        with pytest.raises(ProviderRetryable):
            self.send(adapter, access, order)

        assert self.given(sandbox, order) == []


class TakeBackCases:
    """Besides, for an adapter that takes back what isn't spent (`integrations.base.ReturnsMoney`)."""

    # Of the request that takes back, for faults.
    take_back_method = "POST"
    take_back_path: str
    take_back_body = ""

    def taken_back(self, sandbox: RunningSandbox, back: TakeBack) -> list[int]:
        """The amounts, in ISO minor units, that the provider shows as taken back by this deduction."""
        raise NotImplementedError

    def spend(self, sandbox: RunningSandbox, order: IssueOrder, issued: IssueResult) -> None:
        """Use up what was issued, as the customer would."""
        raise NotImplementedError

    def deduction(self, adapter: ReturnsMoney, access: Access, order: IssueOrder) -> tuple[TakeBack, IssueResult]:
        """An issued reward, and the deduction of all of it."""
        issued = self.send(adapter, access, order)
        reward_id = uuid4()
        back = TakeBack(
            reward_id=reward_id,
            idempotency_key=f"{reward_id}:1",
            amount=order.amount,
            currency=order.currency,
            issued_reference=issued.provider_reference,
            issued_amount=order.amount,
            recipient=Recipient(order.recipient.email),
            issued_to=issued.recipient_provider_id,
        )
        return back, issued

    def resume_taking_back(self, adapter: ReturnsMoney, access: Access, back: TakeBack) -> IssueResult:
        later = replace(back, first_attempt_at=wall() - timedelta(seconds=5))
        return adapter.look_up_taken_back(access, later) or adapter.take_back(access, later)

    def test_it_is_taken_back(self, sandbox, adapter, access, order):
        back, _ = self.deduction(adapter, access, order)

        result = adapter.take_back(access, back)

        assert (result.outcome, result.sent) == (IssueOutcome.SUCCEEDED, True)
        assert self.taken_back(sandbox, back) == [back.amount]
        found = adapter.look_up_taken_back(access, replace(back, first_attempt_at=wall()))
        assert found is not None
        assert found.outcome == IssueOutcome.SUCCEEDED

    def test_it_is_taken_back_once(self, sandbox, adapter, access, order):
        back, _ = self.deduction(adapter, access, order)

        first = adapter.take_back(access, back)
        second = self.resume_taking_back(adapter, access, back)

        assert first.outcome == second.outcome == IssueOutcome.SUCCEEDED
        assert self.taken_back(sandbox, back) == [back.amount]

    def test_what_is_spent_is_left_to_a_person(self, sandbox, adapter, access, order):
        back, issued = self.deduction(adapter, access, order)
        self.spend(sandbox, order, issued)

        result = adapter.take_back(access, back)

        assert (result.outcome, result.sent, result.code) == (IssueOutcome.WAITING, False, "needs_a_person")
        assert result.message
        assert self.taken_back(sandbox, back) == []

    @pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "reset", "malformed"])
    def test_an_answer_that_is_lost(self, sandbox, adapter, access, order, monkeypatch, kind):
        back, _ = self.deduction(adapter, access, order)
        sandbox.held_answers_time_out(monkeypatch)
        where = {"method": self.take_back_method, "path": self.take_back_path, "body": self.take_back_body}
        sandbox.fault(kind, provider=self.provider, **where)

        with pytest.raises(OutcomeUnknown):
            adapter.take_back(access, back)

        sandbox.clear_faults()
        found = adapter.look_up_taken_back(access, replace(back, first_attempt_at=wall()))
        assert (found is not None) is (kind != "timeout_before")
        assert self.resume_taking_back(adapter, access, back).outcome == IssueOutcome.SUCCEEDED
        assert self.taken_back(sandbox, back) == [back.amount]

    def test_revoked_while_taking_back(self, sandbox, adapter, access, order):
        back, _ = self.deduction(adapter, access, order)
        sandbox.fault("revoked", provider=self.provider, times=None)

        with pytest.raises(ConnectionNeedsAttention):
            adapter.take_back(access, back)

        assert self.taken_back(sandbox, back) == []

    @pytest.mark.parametrize("how", ["before", "after"])
    @pytest.mark.parametrize("step", STEPS)
    def test_killed_while_taking_back(self, sandbox, adapter, access, order, step, how):
        back, _ = self.deduction(adapter, access, order)
        with killed_at(step, how), ends_anyhow():
            adapter.take_back(access, back)
        assert len(self.taken_back(sandbox, back)) <= 1

        assert self.resume_taking_back(adapter, access, back).outcome == IssueOutcome.SUCCEEDED
        assert self.taken_back(sandbox, back) == [back.amount]


class Killed(BaseException):
    """Where a SIGKILL would have ended the process. No adapter can catch it."""


@dataclass
class _Kill:
    struck: bool = False


@contextmanager
def ends_anyhow(*errors: type[BaseException]) -> Iterator[None]:
    """Where the step lies beyond the last request, nothing happens and the call just ends."""
    with suppress(Killed, *errors):
        yield


@contextmanager
def killed_at(step: int, how: str) -> Iterator[_Kill]:
    """End the process before or after the request number `step` (from 0)."""
    kill = _Kill()

    def strike(send: Callable[[], Answer]) -> Answer:
        kill.struck = True
        if how == "after":
            send()
        raise Killed

    with _struck(step, strike):
        yield kill


@contextmanager
def unanswered_at(step: int) -> Iterator[None]:
    """Let request number `step` arrive, and lose its answer."""

    def strike(send: Callable[[], Answer]) -> Answer:
        send()
        raise NoAnswer("the answer was lost")

    with _struck(step, strike):
        yield


@contextmanager
def _struck(step: int, strike: Callable[[Callable[[], Answer]], Answer]) -> Iterator[None]:
    numbers = count()
    honest = Caller.send

    def send(self: Caller, *arguments: object, **named: object) -> Answer:
        if next(numbers) != step:
            return honest(self, *arguments, **named)
        return strike(lambda: honest(self, *arguments, **named))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Caller, "send", send)
        yield


def until(condition, seconds: float = 5.0) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(0.01)
