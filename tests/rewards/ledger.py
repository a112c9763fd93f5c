"""What stands in the database of a program, and what must be true of it at every moment (product.md, The books)."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from referral_rocket.accounts.scoping import tenant
from rewards.states import REWARD_TRANSITIONS
from tests.rewards.programs import BUDGET, CAP, Program


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
        self.caps_are_kept()
        for event in self.events.values():
            assert event.net == self.net(event)
        for row in self.rows.values():
            if row.parts_count is not None:
                self.aggregate_is_its_parts(row)
        for root, members in self.families():
            self.family_is_right(root, members)
        self.nothing_is_owed_twice()

    def caps_are_kept(self) -> None:
        # A reward that is given back after its place was taken stands above the cap: giving back is outside it.
        given_back = {reward for reward, came_from, _, before, after in self.steps if came_from and before == 0 < after}
        rewarded = Counter(
            row.participant
            for row in self.rows.values()
            if row.beneficiary == "REFERRER" and row.target and row.pk not in given_back
        )
        assert all(count <= CAP for count in rewarded.values())

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
