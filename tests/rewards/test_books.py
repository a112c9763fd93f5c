"""The books: whatever happens in whatever order, every amount is where the rules say it is.

BOOKS_EXAMPLES says how many random sequences are driven (120); `make books` drives 20,000. Each begins from a program
that stands already, and is rolled back to there. What is checked after a step is read in six plain queries: the checks
would otherwise take longer than the steps.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
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
from rewards.states import REWARD_TRANSITIONS, ClaimKind, RewardStatus, WaitingFor
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(0)]

BUDGET = 6000
CAP = 3
EXAMPLES = int(os.environ.get("BOOKS_EXAMPLES", "120"))

_which = st.integers(0, 9)
steps = st.one_of(
    st.tuples(st.just("pay"), st.integers(0, 2), st.sampled_from([0, 1, 999, 5000, 12000, 33333])),
    st.tuples(st.just("pay"), st.integers(0, 2), st.sampled_from([5000, 12000, 33333])),
    st.tuples(st.just("repeat"), _which),
    st.tuples(st.just("refund"), _which, st.sampled_from([None, 1, 500, 3333, 99999])),
    st.tuples(st.just("dispute"), _which, st.sampled_from([None, 2500])),
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
        self.refunds = 0

    def take(self, name: str, *arguments: Any) -> None:
        self.now += timedelta(minutes=1)
        with clock.as_of(self.now):
            with tenant(self.organization):
                getattr(self, f"_{name}")(*arguments)
            if name == "batch":
                issuing.run(seconds=1)
            if name in ("batch", "outcome"):
                settle_what_waited(organization=self.organization, actor=factories.ACTOR)

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
            claims = claims_open(organization=self.organization, rewards=[reward], kind=ClaimKind.ORDER)
            if claims:
                issuing_begins([reward.pk])
                Claim.objects.filter(pk=claims[reward.pk].pk).update(started_at=clock.wall())

    def _outcome(self, which: int, issued: bool) -> None:
        claims = list(Claim.objects.filter(kind=ClaimKind.ORDER, closed_at__isnull=True).order_by("pk"))
        if claims:
            claim = claims[which % len(claims)]
            if issued:
                orders_confirm(organization=self.organization, references={claim.pk: "msg"}, actor=factories.ACTOR)
            else:
                claims_close([claim.pk])

    def _days(self, count: int) -> None:
        self.now += timedelta(days=count)
        with clock.as_of(self.now):
            release(organization=self.organization)


class Row(NamedTuple):
    pk: UUID
    participant: UUID
    beneficiary: str | None
    status: str
    amount: int
    earned: int
    target: int
    remainder: int
    refunded: int
    pending: int
    issued_net: int | None
    issued_base: int | None
    deducts: UUID | None
    deducts_part: UUID | None
    restores: UUID | None
    carried_from: UUID | None
    aggregate: UUID | None
    event: UUID | None
    parts_count: int | None

    @property
    def deducted(self) -> UUID | None:
        return self.deducts_part or self.deducts

    @property
    def taken(self) -> int:
        return self.remainder if self.status == "CANCELED" else self.amount + self.remainder


class Event(NamedTuple):
    amount: int
    net: int
    transaction_id: str


# Plain statements, prepared once: through the ORM reading took half as long again as the steps.
_READ = {
    "rows": """
        SELECT id, participant_id, beneficiary, status, amount, earned_amount, target_amount, remainder_amount,
            refunded_amount, pending_reduction, issued_net, issued_base, deducts_id, deducts_part_id, restores_id,
            carried_from_id, aggregate_id, event_id, parts_count
        FROM rewards_reward WHERE campaign_id = %s ORDER BY id""",
    "events": """
        SELECT id, coalesce(amount, 0), coalesce(net_amount, 0), transaction_id
        FROM participants_qualifyingevent WHERE campaign_id = %s""",
    "reversals": "SELECT transaction_id, amount, status FROM participants_reversal WHERE campaign_id = %s",
    "steps": """
        SELECT step.reward_id, step.from_status, step.to_status, step.amount_before, step.amount_after
        FROM rewards_rewardtransition AS step JOIN rewards_reward AS reward ON reward.id = step.reward_id
        WHERE reward.campaign_id = %s ORDER BY step.id""",
    "totals": "SELECT status, count, amount, target FROM rewards_rewardtotals WHERE campaign_id = %s",
    "claims": """
        SELECT claim.reward_id FROM rewards_claim AS claim JOIN rewards_reward AS reward ON reward.id = claim.reward_id
        WHERE reward.campaign_id = %s AND claim.closed_at IS NULL""",
}


class Books:
    """What stands in the database after a step."""

    def __init__(self, program: Program) -> None:
        read: dict[str, list[Any]] = {}
        with tenant(program.organization), connection.cursor() as cursor:
            for name, statement in _READ.items():
                cursor.execute(statement, [program.campaign.pk])
                read[name] = cursor.fetchall()
        self.rows = {row[0]: Row._make(row) for row in read["rows"]}
        self.events = {
            pk: Event(amount, net, str(transaction_id)) for pk, amount, net, transaction_id in read["events"]
        }
        self.reversals, self.steps, self.totals = read["reversals"], read["steps"], read["totals"]
        self.claims = [reward for (reward,) in read["claims"]]
        self.parts: dict[UUID, list[Row]] = defaultdict(list)
        for row in self.rows.values():
            if row.aggregate is not None:
                self.parts[row.aggregate].append(row)

    def check(self) -> None:
        self.totals_are_the_rows()
        self.history_replays()
        assert len(self.claims) == len(set(self.claims))
        assert sum(row.target for row in self.rows.values()) <= BUDGET
        rewarded = Counter(
            row.participant for row in self.rows.values() if row.beneficiary == "REFERRER" and row.target
        )
        assert all(count <= CAP for count in rewarded.values())
        for event in self.events.values():
            assert event.net == self.net(event)
        for row in self.rows.values():
            if row.parts_count is not None:
                self.aggregate_is_its_parts(row)
        for root, members in self.families():
            self.family_is_right(root, members)
        self.nothing_is_owed_twice()

    def totals_are_the_rows(self) -> None:
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for row in self.rows.values():
            line = sums[row.status]
            line[0] += 1
            line[1] += row.amount
            line[2] += row.target
        kept = {status: [count, amount, target] for status, count, amount, target in self.totals}
        assert {status: line for status, line in kept.items() if any(line)} == sums

    def history_replays(self) -> None:
        replayed: dict[UUID, tuple[str | None, int]] = {}
        for reward, came_from, to, before, after in self.steps:
            assert replayed.get(reward, (None, 0)) == (came_from, before)
            if came_from is None:
                assert to in ("EARNED", "PENDING", "PENDING_DEDUCTION", "CANCELED")
            else:
                assert came_from == to or REWARD_TRANSITIONS.allows(came_from, to)
            replayed[reward] = (to, after)
        assert replayed == {row.pk: (row.status, row.amount) for row in self.rows.values()}

    def net(self, event: Event) -> int:
        gone = sum(
            event.amount if amount is None else amount
            for transaction_id, amount, status in self.reversals
            if transaction_id == event.transaction_id and status not in ("FAILED", "WON")
        )
        return max(event.amount - gone, 0)

    def aggregate_is_its_parts(self, aggregate: Row) -> None:
        total = sum(-part.amount if part.deducts else part.amount for part in self.parts[aggregate.pk])
        if aggregate.status in ("EARNED", "PENDING", "AVAILABLE"):
            assert aggregate.amount == total
        elif aggregate.status == "CANCELED":
            # Forgiven, else nothing is left.
            assert aggregate.remainder == -total or aggregate.carried_from is not None
        elif aggregate.carried_from is None:
            assert (
                sum(row.amount + row.remainder for row in self.chain(aggregate) if row.status != "CANCELED")
                + sum(row.remainder for row in self.chain(aggregate) if row.status == "CANCELED")
                == -total
            )

    def chain(self, row: Row) -> Iterator[Row]:
        """The row and what was carried on of it."""
        yield row
        for each in self.rows.values():
            if each.carried_from == row.pk:
                yield from self.chain(each)

    def restored_by(self, row: Row) -> UUID | None:
        while row.restores is None and row.carried_from is not None:
            row = self.rows[row.carried_from]
        return row.restores

    def families(self) -> list[tuple[Row, list[Row]]]:
        """Each reward with an event, with what restores it and all their deductions."""
        members: dict[UUID, list[Row]] = defaultdict(list)
        home: dict[UUID, UUID] = {}
        with_event = [row for row in self.rows.values() if row.event is not None]
        for row in with_event:
            if row.deducts is None:
                home[row.pk] = self.restored_by(row) or row.pk
                members[home[row.pk]].append(row)
        for row in with_event:
            if row.deducted is not None:
                members[home[row.deducted]].append(row)
        return [(self.rows[root], found) for root, found in members.items()]

    def family_is_right(self, root: Row, members: list[Row]) -> None:
        """Issued less deducted plus what is open is what should be left, less what a person dropped or forgave."""
        if root.status == "CANCELED" and root.refunded < root.earned:
            return
        left = self.left(members)
        gap = self.expected(root) - left
        restorations = [row for row in members if row.deducts is None and row.pk != root.pk]
        waived = sum(
            row.amount if row.status == "CANCELED" else row.remainder - self.carried(row)
            for row in restorations
            if not (row.status == "CANCELED" and row.refunded >= row.earned)
        )
        assert gap == 0 or 0 < gap <= waived, (root, left, gap, waived)

    def left(self, members: list[Row]) -> int:
        """What is issued and open, less what is taken back, as it will be once what waits for an outcome is settled."""
        waits = {row.pending for row in members if row.pending}
        assert len(waits) <= 1
        carriers = sum(row.amount for row in members if row.deducts is None and row.status != "CANCELED")
        return carriers - sum(row.taken for row in members if row.deducts is not None) - sum(waits)

    def carried(self, row: Row) -> int:
        return sum(each.earned for each in self.rows.values() if each.carried_from == row.pk)

    def expected(self, root: Row) -> int:
        assert root.event is not None
        event = self.events[root.event]
        issued = self.issued(root)
        if issued is not None:
            return half_even(issued[0], event.net, issued[1])
        parent = self.rows.get(root.carried_from) if root.carried_from else None
        issued = self.issued(parent) if parent is not None else None
        if issued is not None:
            both = half_even(issued[0] + root.earned, event.net, issued[1])
            return both - half_even(issued[0], event.net, issued[1])
        return half_even(root.earned, event.net, event.amount)

    @staticmethod
    def issued(row: Row) -> tuple[int, int] | None:
        """(what was issued, of what was left of the payment then), where it was."""
        if row.status == "AVAILABLE":
            return row.amount, row.issued_net or 0
        if row.status == "AGGREGATED" and row.issued_net is not None:
            return row.issued_base or 0, row.issued_net
        return None

    def nothing_is_owed_twice(self) -> None:
        """Without any formula of ours: of each reward, with all that came of it, no more is left than its share."""
        whole: dict[UUID, list[list[Row]]] = defaultdict(list)
        for root, members in self.families():
            top = root
            while top.carried_from is not None:
                before = self.rows[top.carried_from]
                top = self.rows[self.restored_by(before) or before.pk]
            whole[top.pk].append(members)
        for pk, families in whole.items():
            top = self.rows[pk]
            assert top.event is not None
            event = self.events[top.event]
            rows = [row for members in families for row in members]
            left = sum(self.left(members) for members in families)
            share = Fraction(top.earned * event.net, event.amount) if event.amount else Fraction(0)
            # Each row may be off by a rounding.
            assert left <= share + len(rows), (top, left, share)
            by_a_person = any(row.remainder or (row.status == "CANCELED" and row.refunded < row.earned) for row in rows)
            assert by_a_person or left >= share - len(rows), (top, left, share)


def half_even(amount: int, part: int, whole: int) -> int:
    return round(Fraction(amount * part, whole)) if whole else 0


def test_it_works(organization: Organization) -> None:
    programs = [Program(organization, **terms) for terms in PROGRAMS]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(which=st.integers(0, len(programs) - 1), sequence=st.lists(steps, min_size=3, max_size=14))
    def hold(which: int, sequence: list[tuple[Any, ...]]) -> None:
        program = programs[which]
        with transaction.atomic():
            program.begin()
            for name, *arguments in sequence:
                program.take(name, *arguments)
                Books(program).check()
            transaction.set_rollback(True)

    hold()
