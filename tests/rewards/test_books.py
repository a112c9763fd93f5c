"""The books: whatever happens in whatever order, every amount is where the rules say it is.

BOOKS_EXAMPLES says how many random sequences are driven (120).
"""

import os
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from participants.models import QualifyingEvent, Reversal, ReversalKind, ReversalStatus
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Reward, RewardTransition
from rewards.services import issuing
from rewards.services.confirming import reward_approve, reward_cancel, reward_confirm, reward_deduct, reward_reject
from rewards.services.earning import event_record
from rewards.services.reconciling import _claims, _history, _totals
from rewards.services.releasing import release
from rewards.services.reversing import transaction_reverse
from rewards.states import REWARD_TRANSITIONS, RewardStatus, WaitingFor
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(0)]

BUDGET = 6000
CAP = 3
ISSUED_OR_OPEN = (RewardStatus.EARNED, RewardStatus.PENDING, RewardStatus.AVAILABLE)

steps = st.one_of(
    st.tuples(st.just("pay"), st.integers(0, 2), st.sampled_from([0, 1, 999, 5000, 12000, 33333])),
    st.tuples(st.just("repeat"), st.integers(0, 9)),
    st.tuples(st.just("refund"), st.integers(0, 9), st.sampled_from([None, 1, 500, 3333, 99999])),
    st.tuples(st.just("dispute"), st.integers(0, 9), st.sampled_from([None, 2500])),
    st.tuples(st.just("status"), st.integers(0, 9), st.sampled_from(["WON", "LOST", "FAILED"])),
    st.tuples(st.just("confirm"), st.integers(0, 9), st.sampled_from([None, 1, 250])),
    st.tuples(st.just("deduct"), st.integers(0, 9), st.sampled_from([None, 1]), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("review"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("batch")),
    st.tuples(st.just("days"), st.integers(1, 3)),
)


class Program:
    """A campaign under way, and the steps that can be taken in it."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.campaign = factories.campaign(
            organization,
            rules=[
                factories.referral_rule(amount=1200, once_per="EVENT", max_rewards_per_participant=CAP),
                factories.referral_rule(beneficiary="REFERRED", rate=Decimal("0.0333")),
            ],
            budget=BUDGET,
            holding_days=1,
            review_above=1100,
        )
        self.sharer = factories.participant(self.campaign)
        self.friends = [factories.participant(self.campaign, referred_by=self.sharer) for _ in range(3)]
        self.reports: list[Any] = []
        self.refunds = 0

    def take(self, name: str, *arguments: Any) -> None:
        with tenant(self.organization):
            getattr(self, f"_{name}")(*arguments)
        if name == "batch":
            issuing.run(seconds=1)

    def _pay(self, friend: int, amount: int) -> None:
        report = factories.report(self.friends[friend], amount)
        self.reports.append(report)
        event_record(organization=self.organization, report=report, actor=factories.ACTOR)

    def _repeat(self, which: int) -> None:
        if self.reports:
            report = self.reports[which % len(self.reports)]
            assert (
                event_record(organization=self.organization, report=report, actor="system:again").outcome == "DUPLICATE"
            )

    def _reverse(self, transaction_id: str, report: ReversalReport) -> None:
        transaction_reverse(
            organization=self.organization,
            campaign_id=self.campaign.pk,
            transaction_id=transaction_id,
            report=report,
            actor=factories.ACTOR,
        )

    def _refund(self, which: int, amount: int | None, kind: str = ReversalKind.REFUND, status: str = "DONE") -> None:
        if self.reports:
            self.refunds += 1
            report = ReversalReport(f"re_{self.refunds}", kind, status, amount)
            self._reverse(self.reports[which % len(self.reports)].transaction_id, report)

    def _dispute(self, which: int, amount: int | None) -> None:
        self._refund(which, amount, ReversalKind.DISPUTE, ReversalStatus.OPEN)

    def _status(self, which: int, status: str) -> None:
        known = list(Reversal.objects.order_by("pk"))
        if known:
            reversal = known[which % len(known)]
            if (reversal.kind == ReversalKind.REFUND) == (status == "FAILED"):
                report = ReversalReport(reversal.refund_id, reversal.kind, status, reversal.amount)
                self._reverse(str(reversal.transaction_id), report)

    def _some(self, which: int, **wanted: Any) -> Reward | None:
        found = list(Reward.objects.filter(**wanted).order_by("pk"))
        return found[which % len(found)] if found else None

    def _confirm(self, which: int, amount: int | None) -> None:
        reward = self._some(which, status=RewardStatus.PENDING)
        if reward is not None:
            amount = None if amount is None else min(amount, reward.amount)
            reward_confirm(organization=self.organization, reward=reward, actor=factories.ACTOR, amount=amount)

    def _deduct(self, which: int, amount: int | None, forgive: bool) -> None:
        reward = self._some(which, status=RewardStatus.PENDING_DEDUCTION)
        if reward is not None:
            reward_deduct(
                organization=self.organization, reward=reward, actor=factories.ACTOR, amount=amount, forgive=forgive
            )

    def _cancel(self, which: int) -> None:
        reward = self._some(which, status__in=[RewardStatus.PENDING, RewardStatus.PENDING_DEDUCTION], restores=None)
        if reward is not None:
            reward_cancel(organization=self.organization, reward=reward, actor=factories.ACTOR, reason="by hand")

    def _review(self, which: int, approve: bool) -> None:
        reward = self._some(which, waiting_for=WaitingFor.REVIEW)
        if reward is not None and approve:
            reward_approve(organization=self.organization, reward=reward, actor=factories.ACTOR)
        elif reward is not None:
            reward_reject(organization=self.organization, reward=reward, actor=factories.ACTOR, reason="no")

    def _batch(self) -> None:
        due = list(Reward.objects.filter(status=RewardStatus.PENDING))
        if due:
            factories.batch(self.organization, due)

    def _days(self, count: int) -> None:
        release(organization=self.organization, at=clock.wall() + timedelta(days=count))


def half_even(value: Fraction) -> int:
    return round(value)


def check(program: Program) -> None:
    organization = program.organization
    with tenant(organization):
        assert [*_totals(organization), *_history(organization), *_claims(organization)] == []
        rewards = list(Reward.objects.select_related("event"))
        assert sum(reward.target_amount for reward in rewards) <= BUDGET
        rewarded = Counter(
            each.participant_id for each in rewards if each.beneficiary == "REFERRER" and each.target_amount
        )
        assert all(count <= CAP for count in rewarded.values())
        for step in RewardTransition.objects.exclude(from_status=None):
            assert step.from_status == step.to_status or REWARD_TRANSITIONS.allows(
                str(step.from_status), step.to_status
            )
        for event in QualifyingEvent.objects.all():
            assert event.net_amount == net(event)
        for root in rewards:
            if root.deducts_id is None and root.restores_id is None:
                check_family(root, rewards)


def net(event: QualifyingEvent) -> int:
    reversals = Reversal.objects.filter(transaction_id=event.transaction_id)
    gone = sum(
        event.amount if each.amount is None else each.amount
        for each in reversals
        if each.status not in ("FAILED", "WON")
    )
    return max((event.amount or 0) - gone, 0)


def check_family(root: Reward, rewards: list[Reward]) -> None:
    """Issued less deducted plus what is open is what should be left, less what a person dropped or forgave."""
    if root.status == RewardStatus.CANCELED and root.reason != "refunded":
        return
    carriers = [each for each in rewards if each.pk == root.pk or each.restores_id == root.pk]
    deductions = [each for each in rewards if each.deducts_id in {carrier.pk for carrier in carriers}]
    left = sum(each.amount for each in carriers if each.status in ISSUED_OR_OPEN)
    for each in deductions:
        taken = each.status in (RewardStatus.PENDING_DEDUCTION, RewardStatus.DEDUCTED)
        left -= (each.amount if taken else 0) + each.remainder_amount
    event = root.event
    assert event is not None
    if root.status == RewardStatus.AVAILABLE:
        expected = half_even(Fraction(root.amount * event.net_amount, root.issued_net)) if root.issued_net else 0
    else:
        expected = half_even(Fraction(root.earned_amount * event.net_amount, event.amount))
    assert left == expected, (root.pk, root.status, left, expected)


@settings(
    max_examples=int(os.environ.get("BOOKS_EXAMPLES", "120")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(sequence=st.lists(steps, min_size=3, max_size=14))
def test_it_works(organization: Organization, sequence: list[tuple[Any, ...]]) -> None:
    with transaction.atomic():
        program = Program(organization)
        for name, *arguments in sequence:
            program.take(name, *arguments)
            check(program)
        transaction.set_rollback(True)
