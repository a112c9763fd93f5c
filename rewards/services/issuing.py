"""Issuing: the runner that works off the items of batches, at most once per reward, whatever happens.

The items of a connection are worked off by one runner at a time (lanes.py). For each item:

1. In one transaction the item is leased, marked as in doubt, and its IssueAttempt is written with the idempotency key
   `reward_id:n`, and with the group's key where the provider takes many in one call. Killed before the commit, nothing
   was sent and nothing is on record.
2. Outside any transaction the provider is called, from a thread that never touches the database (calling.py). Killed
   here, or answered by the provider after the time-out, the item stays in doubt: once the lease has run out, the next
   runner asks the provider what it did (`look_up`) before it sends anything, and sends with the same key.
3. In a second transaction the answer is written: item, claim, reward and history together, if the lease still holds
   (outcomes.py). Killed before the commit, the money is out and unrecorded, and 2 applies: the look-up finds it.

An item in doubt keeps its claim, so nobody else can issue the reward meanwhile. What stays in doubt after five tries
becomes UNKNOWN and is shown to a person. What is UNKNOWN, what waits at the provider and what a webhook told of is
looked up when its `next_attempt_at` comes, and never sent.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import TypeGuard
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Q

from integrations import registry
from integrations.base import Access
from integrations.errors import ProviderError, ProviderRetryable
from integrations.pacing import LONGEST_REST
from integrations.services import connection_needs_attention
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7
from referral_rocket.kit.inserting import rows_insert
from referral_rocket.kit.leases import free
from referral_rocket.kit.one_cpu import on_one_cpu
from rewards.models import BatchItem, IssueAttempt, RewardBatch
from rewards.services.beginning import items_begin
from rewards.services.calling import Started, call, call_group
from rewards.services.calls import (
    ProviderCall,
    earlier_attempts,
    idempotency_key,
    left_to_a_word,
    provider_call,
    take_back_call,
)
from rewards.services.claims import claims_close
from rewards.services.conclusions import UNKNOWN_SECONDS, Answer, Answered, Conclusion
from rewards.services.door import totals_last
from rewards.services.finishing import finish_if_done
from rewards.services.lanes import Lane, LaneKey, give_back, next_lane, renew, reread
from rewards.services.outcomes import answers_write, conclusions_write, needs_attention, recipients_learn
from rewards.services.reversing import settle_what_waited
from rewards.services.take_backs import issued_items
from rewards.states import BatchStatus, ItemOutcome

ACTOR = "system:issuing"
# A run yields after this long, so that no connection keeps a worker to itself.
RUN_SECONDS = 20
CLAIM = 50
# With fewer under way more is claimed, so that the threads have work while answers are written.
ENOUGH_UNDER_WAY = 200
# What is sent in one call is one claim, however much the provider would take: it is held in memory.
LARGEST_GROUP = 1_000
THREADS = 48
GATHER_SECONDS, GATHERED = 0.1, 50
# A run is over after 20 s; longer than this nobody waits within it: the connection rests, and the run ends.
LONGEST_HOLD = 2.0

log = structlog.get_logger(__name__)


def run(*, seconds: float = RUN_SECONDS, only: Q = Q()) -> int:  # noqa: B008 - never changed
    """Work off what is queued, connection by connection, for at most about `seconds`; how many items were tried.

    With `only` items of that kind alone.
    """
    deadline = time.monotonic() + seconds
    tried, passed_over = 0, set[LaneKey]()
    while time.monotonic() < deadline:
        lane = next_lane(passed_over, only=only)
        if lane is None:
            break
        try:
            count = _run_lane(lane, deadline)
        except Exception:
            # It stops only itself: the others' rewards don't wait behind it.
            log.exception("issuing_lane_failed", organization=str(lane.organization.pk))
            count = 0
        if not count:
            passed_over.add(lane.key)
        tried += count
    return tried


def look_up_unknown(*, organization: Organization) -> list[BatchItem]:
    """Ask the providers now about every outcome that is unknown, and answer with what stays so. Nothing is sent."""
    unknown = Q(organization=organization, outcome=ItemOutcome.UNKNOWN)
    with tenant(organization):
        BatchItem.objects.filter(unknown, next_attempt_at__isnull=False).update(next_attempt_at=clock.wall())
    while run(only=unknown) >= CLAIM:
        pass
    with tenant(organization):
        return list(BatchItem.objects.filter(unknown).order_by("pk"))


def _run_lane(lane: Lane, deadline: float) -> int:
    if lane.connection is None:
        return _run_by_hand(lane)
    try:
        return _Run(lane).work_off(deadline)
    finally:
        give_back(lane)


# By hand: nothing is sent, so claim and result are one transaction ------------------------------------------------


def _run_by_hand(lane: Lane) -> int:
    with tenant(lane.organization), totals_last(lane.organization):
        items = _claim_items(lane, limit=500)
        due = items_begin(organization=lane.organization, items=items, actor=ACTOR)
        for item in due:
            item.provider_reference = item.batch.reference or None
        marked = Conclusion(ItemOutcome.SUCCEEDED, None, message="Marked as issued.")
        conclusions_write(
            organization=lane.organization,
            concluded=[(Answered(item, None, None, was_in_doubt=False), marked) for item in due],
            actor=ACTOR,
            reason="marked as issued",
        )
        finish_if_done(sorted({item.batch_id for item in items}))
    return len(items)


# By a provider -----------------------------------------------------------------------------------------------------


class _Run:
    """One run over a lane: claims are made while earlier calls are under way, so that the threads always have work."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.under_way: dict[Future[list[Answered]], Sequence[Started]] = {}
        self.done: SimpleQueue[Future[list[Answered]]] = SimpleQueue()
        # In time.monotonic() seconds.
        self.rests_until = 0.0
        self.heard = False

    def work_off(self, deadline: float) -> int:
        tried, empty = 0, False
        with on_one_cpu(), ThreadPoolExecutor(THREADS, thread_name_prefix="issuing") as threads:
            while True:
                while not empty and self._wants_more(deadline):
                    started = begin(self.lane)
                    empty = not started
                    tried += len(started)
                    self._submit(threads, started)
                if not self.under_way:
                    break
                self._take_in()
        if not self.lane.lost and self.lane.connection is not None and not self.lane.connection.is_active:
            _refuse_all(self.lane)
        # In transactions of their own: settling locks an event before its rewards, writing an answer the other way
        # round.
        settle_what_waited(organization=self.lane.organization, actor=ACTOR)
        return tried

    def _wants_more(self, deadline: float) -> bool:
        first = next(iter(self.under_way.values()), None)
        if first and hasattr(first[0].call.adapter, "group_size"):
            # What comes back from a look-up as not done makes one group, not several small ones.
            return False
        if first and not self.heard:
            # A provider that refuses everybody is asked about one claim, not about several.
            return False
        # Without groups each call is of one item.
        wanting = len(self.under_way) < self.lane.at_most(ENOUGH_UNDER_WAY) and self.lane.rests_until is None
        return wanting and self.lane.holds() and time.monotonic() < deadline

    def _submit(self, threads: ThreadPoolExecutor, started: Sequence[Started]) -> None:
        group = [each for each in started if each.group_key]
        calls: list[tuple[Future[list[Answered]], Sequence[Started]]] = [
            (threads.submit(call, each), [each]) for each in started if not each.group_key
        ]
        if group:
            calls.append((threads.submit(call_group, group), group))
        for future, items in calls:
            self.under_way[future] = items
            future.add_done_callback(self.done.put)

    def _take_in(self) -> None:
        """Write the answers that are there, or wait for some; the lease is renewed meanwhile."""
        done = self._gathered()
        answers = [answered for future in done for answered in future.result()]
        for future in done:
            del self.under_way[future]
        if answers:
            self.heard = True
            self._write(answers)
        renew(self.lane, [each.item.pk for group in self.under_way.values() for each in group])

    def _gathered(self) -> list[Future[list[Answered]]]:
        try:
            done = [self.done.get(timeout=settings.LEASE_SECONDS / 4)]
        except Empty:
            return []
        if self.done.qsize() < min(GATHERED, len(self.under_way)) - 1:
            # Those that come right after are written with them: a transaction costs about as much for one as for thirty.
            time.sleep(GATHER_SECONDS)
        # This thread alone takes from the queue.
        return done + [self.done.get() for _ in range(self.done.qsize())]

    def _write(self, answers: Sequence[Answered]) -> None:
        lane = self.lane
        with tenant(lane.organization):
            answers_write(organization=lane.organization, answers=answers, lease_token=lane.lease.token, actor=ACTOR)
            refused = needs_attention(answers)
            if refused is not None and lane.connection is not None:
                connection_needs_attention(connection=lane.connection, reason=refused.message, actor=ACTOR)
        recipients_learn(organization=lane.organization, answers=answers)
        limited = [each.answer for each in answers if _is_limited(each.answer)]
        if limited:
            # It concerns the connection: whoever comes next would only be refused as well.
            self._rest(limited)
        elif any(not isinstance(each.answer, ProviderError) for each in answers):
            lane.pace.went_well()

    def _rest(self, limited: Sequence[ProviderRetryable]) -> None:
        named = [answer.retry_after for answer in limited if answer.retry_after]
        if not named and time.monotonic() < self.rests_until:
            # They had been sent before the rest began.
            return
        seconds = max(named) if named else self.lane.pace.refused()
        self.rests_until = time.monotonic() + seconds
        self.lane.pace.hold(min(seconds, LONGEST_HOLD))
        if seconds > LONGEST_HOLD:
            until = clock.wall() + timedelta(seconds=min(seconds, LONGEST_REST))
            self.lane.rests_until = max(until, self.lane.rests_until or until)


def _is_limited(answer: Answer) -> TypeGuard[ProviderRetryable]:
    return isinstance(answer, ProviderRetryable) and answer.code == "rate_limited"


def begin(lane: Lane) -> list[Started]:
    """Step 1: lease the items, and commit their attempts before anything is sent."""
    with tenant(lane.organization), totals_last(lane.organization):
        if not reread(lane) or lane.connection is None or not lane.connection.is_active:
            return []
        items, group_key = _claim_for_provider(lane)
        due = items_begin(organization=lane.organization, items=items, actor=ACTOR)
        earlier = earlier_attempts(due)
        issued = issued_items([item.reward for item in due if item.batch.takes_back])
        access = lane.access()
        for item in due:
            item.in_doubt = item.in_doubt or left_to_a_word(item, earlier[item.reward_id])
        started = [
            _start(
                lane,
                item,
                _call_for(item, access, earlier, issued),
                [attempt for attempt in earlier[item.reward_id] if attempt.item_id == item.pk],
                group_key,
            )
            for item in due
        ]
        for item in due:
            item.in_doubt = item.in_doubt or item.outcome == ItemOutcome.QUEUED
            item.leased_until, item.lease_token = lane.lease.until, lane.lease.token
        ours = BatchItem.objects.filter(pk__in=[item.pk for item in due])
        ours.update(leased_until=lane.lease.until, lease_token=lane.lease.token)
        ours.filter(outcome=ItemOutcome.QUEUED).update(in_doubt=True)
        known = {attempt.pk for attempts in earlier.values() for attempt in attempts}
        rows_insert([each.attempt for each in started if each.attempt.pk not in known])
        batches = {item.batch_id for item in items}
        RewardBatch.objects.filter(pk__in=batches, status=BatchStatus.QUEUED).update(status=BatchStatus.RUNNING)
        finish_if_done(sorted(batches))
    return started


def _call_for(
    item: BatchItem,
    access: Access,
    earlier: Mapping[UUID, Sequence[IssueAttempt]],
    issued: Mapping[UUID, BatchItem],
) -> ProviderCall:
    made = earlier.get(item.reward_id, [])
    if item.batch.takes_back:
        assert item.reward.deducts_id is not None
        return take_back_call(access, item, made, issued[item.reward.deducts_id])
    return provider_call(access, item, made)


def _start(lane: Lane, item: BatchItem, call: ProviderCall, made: Sequence[IssueAttempt], group_key: str) -> Started:
    """What a thread is to do with an item: send it, ask and then send it, or only ask. `made` are its attempts."""
    sends = item.outcome == ItemOutcome.QUEUED
    if not sends and made:
        return Started(item, made[-1], call, asks_first=True, sends=False)
    in_group = bool(group_key) and sends and not item.in_doubt
    attempt = IssueAttempt(
        organization=lane.organization,
        item=item,
        reward=item.reward,
        idempotency_key=idempotency_key(item),
        group_key=group_key if in_group else None,
        started_at=clock.wall(),
    )
    return Started(
        item,
        attempt,
        call,
        asks_first=item.in_doubt or not sends,
        # What was in doubt and wasn't done goes with the next group.
        sends=sends and not group_key,
        group_key=group_key if in_group else "",
    )


def _claim_for_provider(lane: Lane) -> tuple[list[BatchItem], str]:
    """The items to begin with, of one method; those of one currency, and a group's key, where they go in one call."""
    now = clock.wall()
    due = BatchItem.objects.filter(free(now), lane.only, next_attempt_at__lte=now, connection=lane.connection)
    first = due.order_by("next_attempt_at", "pk").values_list("batch__method", "batch__takes_back", "currency").first()
    if first is None:
        return [], ""
    method, takes_back, currency = first
    same = Q(batch__method=method, batch__takes_back=takes_back)
    group_size = getattr(registry.adapter_of(method), "group_size", 0)
    if not group_size or takes_back:
        return _claim_items(lane, limit=lane.at_most(CLAIM), only=same), ""
    limit = min(group_size, LARGEST_GROUP)
    return _claim_items(lane, limit=limit, only=same & Q(currency=currency)), str(uuid7())


def _claim_items(lane: Lane, *, limit: int, only: Q | None = None) -> list[BatchItem]:
    """With their batches, which are few."""
    now = clock.wall()
    items = list(
        BatchItem.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .filter(free(now), lane.only, only or Q(), next_attempt_at__lte=now, connection=lane.connection)
        .order_by("next_attempt_at", "pk")[:limit]
    )
    batches = RewardBatch.objects.in_bulk({item.batch_id for item in items})
    for item in items:
        item.batch = batches[item.batch_id]
    return items


def _refuse_all(lane: Lane) -> None:
    """The connection doesn't work: what wasn't sent is freed, what is in doubt waits until it is mended."""
    with tenant(lane.organization):
        now = clock.wall()
        later = now + timedelta(seconds=UNKNOWN_SECONDS)
        items = list(
            BatchItem.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(free(now), connection=lane.connection, outcome=ItemOutcome.QUEUED)
            .order_by("pk")
        )
        untouched = [item for item in items if not item.in_doubt]
        doubtful = [item.pk for item in items if item.in_doubt]
        message = "The connection was refused by the provider. Mend it under Integrations, then issue again."
        BatchItem.objects.filter(pk__in=[item.pk for item in untouched]).update(
            outcome=ItemOutcome.FAILED,
            code="connection_revoked",
            message=message,
            next_attempt_at=None,
            updated_at=now,
        )
        claims_close(item.claim_id for item in untouched if item.claim_id)
        doubt = "It may have been sent. Mend the connection under Integrations: then it is looked up by itself."
        BatchItem.objects.filter(pk__in=doubtful).update(
            outcome=ItemOutcome.UNKNOWN, code="outcome_unknown", message=doubt, next_attempt_at=later, updated_at=now
        )
        looked_up = BatchItem.objects.filter(free(now), connection=lane.connection, next_attempt_at__lte=now)
        looked_up.exclude(outcome=ItemOutcome.QUEUED).update(next_attempt_at=later)
        finish_if_done(sorted({item.batch_id for item in items}))
