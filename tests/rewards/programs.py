"""Campaigns under way, and whatever may happen in them: what the tests of the books draw their sequences from."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from hypothesis import strategies as st

from participants.models import Reversal, ReversalKind, ReversalStatus
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Claim, Reward
from rewards.services import issuing
from rewards.services.claims import claims_close, claims_open, issuing_begins
from rewards.services.confirming import reward_approve, reward_cancel, reward_confirm, reward_deduct, reward_reject
from rewards.services.earning import event_record
from rewards.services.ordering import orders_confirm
from rewards.services.releasing import release
from rewards.services.reversing import settle_what_waited, transaction_reverse
from rewards.states import ClaimKind, RewardStatus, WaitingFor
from tests import factories

BUDGET = 6000
CAP = 3

_which = st.integers(0, 9)
steps = st.one_of(
    st.tuples(st.just("pay"), st.integers(0, 2), st.sampled_from([0, 1, 999, 5000, 12000, 33333])),
    st.tuples(st.just("pay"), st.integers(0, 2), st.sampled_from([5000, 12000, 33333])),
    st.tuples(st.just("repeat"), _which),
    st.tuples(st.just("refund"), _which, st.sampled_from([None, 1, 500, 3333, 99999])),
    st.tuples(st.just("dispute"), _which, st.sampled_from([None, 2500])),
    st.tuples(st.just("retold"), _which),
    st.tuples(st.just("status"), _which, st.sampled_from(["WON", "LOST", "FAILED"])),
    st.tuples(st.just("confirm"), _which, st.sampled_from([None, 1, 250])),
    st.tuples(st.just("deduct"), _which, st.sampled_from([None, 1]), st.booleans()),
    st.tuples(st.just("cancel"), _which),
    st.tuples(st.just("review"), _which, st.booleans()),
    st.tuples(st.just("batch")),
    st.tuples(st.just("order"), _which),
    st.tuples(st.just("outcome"), _which, st.booleans()),
    st.tuples(st.just("days"), st.sampled_from([1, 3, 31])),
)

# What the campaigns of the programs have in common with none of the others: every timing, with either remainder.
PROGRAMS: tuple[dict[str, Any], ...] = (
    {"review_above": 1100, "holding_days": 1},
    {"remainder": "CARRY", "carry_minimum": 600, "holding_days": 1},
    {"earning_timing": "STATEMENT", "statement_day": 15},
    {"earning_timing": "STATEMENT", "remainder": "CARRY", "carry_minimum": 300, "holding_days": 2},
    {"earning_timing": "DELAYED", "delay_days": 2, "review_above": 1100},
    {"earning_timing": "DELAYED", "delay_days": 0, "remainder": "CARRY", "carry_minimum": 300},
)


class Program:
    """A campaign under way, and the steps that can be taken in it, each a minute after the one before."""

    def __init__(self, organization: Organization, **terms: Any) -> None:
        self.organization = organization
        self.campaign = factories.campaign(
            organization,
            rules=[
                factories.referral_rule(amount=1200, once_per="EVENT", max_rewards_per_participant=CAP),
                factories.referral_rule(beneficiary="REFERRED", rate=Decimal("0.0333")),
            ],
            budget=BUDGET,
            **terms,
        )
        self.sharer = factories.participant(self.campaign)
        self.friends = [factories.participant(self.campaign, referred_by=self.sharer) for _ in range(3)]
        self.begin()

    def begin(self) -> None:
        self.now: datetime = clock.wall() + timedelta(hours=1)
        self.reports: list[Any] = []
        self.refunds = count(1)
        # Nothing else happens at the same moment: then it is known how a repeat ends.
        self.alone = True

    def take(self, name: str, *arguments: Any) -> None:
        self.now += timedelta(minutes=1)
        with clock.as_of(self.now):
            with tenant(self.organization):
                getattr(self, f"_{name}")(*arguments)
            if name == "batch":
                issuing.run(seconds=1)
            if name in ("batch", "outcome", "confirm", "cancel"):
                # An issuing is over: the runner settles what waited for that, else the sweep within the minute.
                settle_what_waited(organization=self.organization, actor=factories.ACTOR)

    def _pay(self, friend: int, amount: int) -> None:
        report = factories.report(self.friends[friend], amount)
        self.reports.append(report)
        event_record(organization=self.organization, report=report, actor=factories.ACTOR)

    def _repeat(self, which: int) -> None:
        if self.reports:
            report = self.reports[which % len(self.reports)]
            told = event_record(organization=self.organization, report=report, actor="system:again")
            assert not self.alone or told.outcome == "DUPLICATE"

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
            report = ReversalReport(f"re_{next(self.refunds)}", kind, status, amount)
            self._reverse(self.reports[which % len(self.reports)].transaction_id, report)

    def _dispute(self, which: int, amount: int | None) -> None:
        self._refund(which, amount, ReversalKind.DISPUTE, ReversalStatus.OPEN)

    def _status(self, which: int, status: str) -> None:
        known = self._reversals()
        if known:
            reversal = known[which % len(known)]
            if (reversal.kind == ReversalKind.REFUND) == (status == "FAILED"):
                report = ReversalReport(reversal.refund_id, reversal.kind, status, reversal.amount)
                self._reverse(str(reversal.transaction_id), report)

    def _retold(self, which: int) -> None:
        """The same message about a refund or dispute once more: nothing changes."""
        known = self._reversals()
        if known:
            reversal = known[which % len(known)]
            before = self._standing()
            report = ReversalReport(reversal.refund_id, reversal.kind, reversal.status, reversal.amount)
            self._reverse(str(reversal.transaction_id), report)
            assert not self.alone or before == self._standing()

    def _reversals(self) -> list[Reversal]:
        return list(Reversal.objects.filter(campaign=self.campaign).order_by("pk"))

    def _standing(self) -> list[tuple[Any, ...]]:
        rewards = Reward.objects.filter(campaign=self.campaign).order_by("pk")
        return list(rewards.values_list("pk", "status", "amount", "target_amount", "pending_reduction"))

    def _some(self, which: int, **wanted: Any) -> Reward | None:
        found = list(Reward.objects.filter(campaign=self.campaign, **wanted).order_by("pk"))
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
        due = list(Reward.objects.filter(campaign=self.campaign, status=RewardStatus.PENDING))
        if due:
            factories.batch(self.organization, due)

    def _order(self, which: int) -> None:
        """Somebody begins to issue a reward or deduction; how that ends isn't known yet."""
        due = (RewardStatus.PENDING, RewardStatus.PENDING_DEDUCTION)
        reward = self._some(which, status__in=due, waiting_for=None)
        if reward is not None:
            reward = Reward.objects.select_for_update(no_key=True).get(pk=reward.pk)
        if reward is not None and reward.status in due:
            claims = claims_open(organization=self.organization, rewards=[reward], kind=ClaimKind.ORDER)
            if claims:
                issuing_begins([reward.pk])
                Claim.objects.filter(pk=claims[reward.pk].pk).update(started_at=clock.wall())

    def _outcome(self, which: int, issued: bool) -> None:
        claims = list(
            Claim.objects.filter(reward__campaign=self.campaign, kind=ClaimKind.ORDER, closed_at__isnull=True).order_by(
                "pk"
            )
        )
        if claims:
            claim = claims[which % len(claims)]
            if issued:
                orders_confirm(organization=self.organization, references={claim.pk: "msg"}, actor=factories.ACTOR)
            else:
                claims_close([claim.pk])

    def _days(self, number: int) -> None:
        self.now += timedelta(days=number)
        with clock.as_of(self.now):
            release(organization=self.organization)
