"""Abandoned before one of its statements, a run is as if it had not begun or had ended between two sets of customers.

Whatever the next run finds, everything comes out as if there had been only one.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Reward, StatementPeriod
from rewards.services import aggregating
from rewards.services.confirming import reward_confirm
from rewards.states import RewardStatus
from tests import factories
from tests.rewards.books import assert_aggregates_are_their_parts, assert_books_agree

pytestmark = pytest.mark.django_db

JANUARY = datetime(2027, 1, 10, 12, tzinfo=UTC)
CLOSE = datetime(2027, 2, 1, tzinfo=UTC)


class Abandoned(BaseException):
    """No service catches it, as none survives a SIGKILL."""


class AfterSo:
    """Lets so many statements through and ends the run before the next one."""

    def __init__(self, statements: int) -> None:
        self.left = statements

    def __call__(self, execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: Any) -> Any:
        self.left -= 1
        if self.left == -1:
            raise Abandoned
        # What takes back the transaction comes after it.
        return execute(sql, parameters, many, context)


def abandoned_anywhere(run: Callable[[], Any], check: Callable[[], None]) -> int:
    """Abandon `run` before every third of its statements in turn, run it again and check; how many statements it has.

    Every third: between two transactions are three at least, so each such place is among them.
    """
    statements, ended = 0, False
    while not ended:
        with transaction.atomic():
            with suppress(Abandoned), connection.execute_wrapper(AfterSo(statements)):
                run()
                ended = True
            run()
            check()
            transaction.set_rollback(True)
        statements += 3
    return statements


def test_it_works(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    with clock.as_of(JANUARY):
        campaign = factories.campaign(
            organization, rules=[factories.referral_rule(once_per="EVENT")], earning_timing="STATEMENT"
        )
        for _ in range(2):
            factories.event(factories.participant(campaign, referred_by=factories.participant(campaign)))
    monkeypatch.setattr(aggregating, "CUSTOMERS", 1)

    def run() -> None:
        with clock.as_of(CLOSE):
            aggregating.aggregate(organization=organization, moment=CLOSE)

    def check() -> None:
        assert_books_agree(organization)
        assert_aggregates_are_their_parts(organization)
        with tenant(organization):
            statements = Reward.objects.filter(type="STATEMENT").values_list("status", "amount", "period_ends_at")
            assert list(statements) == [(RewardStatus.PENDING, 1200, CLOSE)] * 2
            assert StatementPeriod.objects.values_list("customers", "parts", "to_issue").get() == (2, 2, 2400)

    assert abandoned_anywhere(run, check) > 30


def test_carrying_over(organization: Organization) -> None:
    """A confirmation of less than is owed, whose rest makes it enough with what waits already."""
    campaign = factories.campaign(
        organization, rules=[factories.referral_rule(once_per="EVENT")], remainder="CARRY", carry_minimum=400
    )
    friend = factories.participant(campaign, referred_by=factories.participant(campaign))
    first, second = (factories.event(friend).rewards[0] for _ in range(2))

    def confirm(reward: Reward) -> None:
        with tenant(organization):
            reward_confirm(organization=organization, reward=reward, actor=factories.ACTOR, amount=1000)

    confirm(first)

    def check() -> None:
        assert_books_agree(organization)
        with tenant(organization):
            carried = Reward.objects.filter(carried_from__isnull=False).values_list("status", "amount")
            assert list(carried) == [(RewardStatus.PENDING, 200)] * 2
            assert Reward.objects.filter(status=RewardStatus.AVAILABLE).count() == 2

    assert abandoned_anywhere(lambda: confirm(second), check) > 10
