"""Issuing: the runner that works off the items of batches, at most once per reward, whatever happens.

The items of a connection are worked off by one runner at a time, which holds a lease on the connection. For each item:

1. In one transaction the item is leased, marked as in doubt, and its IssueAttempt is written with the idempotency key
   `reward_id:n`. Killed before the commit, nothing was sent and nothing is on record.
2. Outside any transaction the provider is called, from a thread that never touches the database. Killed here, or
   answered by the provider after the time-out, the item stays in doubt: once the lease has run out, the next runner
   asks the provider what it did (`look_up`) before it sends anything, and sends with the same key.
3. In a second transaction the answer is written: item, claim, reward and history together, if the lease still holds
   (outcomes.py). Killed before the commit, the money is out and unrecorded, and 2 applies: the look-up finds it.

An item in doubt keeps its claim, so nobody else can issue the reward meanwhile. What stays in doubt after five tries
becomes UNKNOWN and is shown to a person; `reconcile` looks it up again. It is never sent blindly.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Min

from campaigns.services import MANUAL
from integrations.errors import OutcomeUnknown, ProviderError
from integrations.models import Connection
from integrations.services import connection_needs_attention
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from referral_rocket.kit.leases import Lease, free
from rewards.models import BatchItem, IssueAttempt, Reward, RewardBatch
from rewards.services.batches import finish_if_done
from rewards.services.calls import ProviderCall, earlier_attempts, provider_call
from rewards.services.claims import claims_close, issuing_begins
from rewards.services.door import Move, rewards_move
from rewards.services.outcomes import Answer, Answered, answers_write, needs_attention
from rewards.services.reversing import settle_what_waited
from rewards.states import BatchStatus, ItemOutcome, RewardStatus

ACTOR = "system:issuing"
# A run yields after this long, so that no connection keeps a worker to itself.
RUN_SECONDS = 20
CLAIM = 50
THREADS = 16

log = structlog.get_logger(__name__)


def run(*, seconds: float = RUN_SECONDS) -> int:
    """Work off what is queued, connection by connection, for at most about `seconds`; how many items were tried."""
    deadline = time.monotonic() + seconds
    tried, passed_over = 0, set[tuple[UUID, UUID | None]]()
    while time.monotonic() < deadline:
        lane = _next_lane(passed_over)
        if lane is None:
            break
        try:
            count = _run_lane(lane, deadline)
        except Exception:
            # It stops only itself: the others' rewards don't wait behind it.
            log.exception("issuing_lane_failed", organization=str(lane.organization.pk))
            count = 0
        if not count:
            passed_over.add((lane.organization.pk, lane.connection.pk if lane.connection else None))
        tried += count
    return tried


@dataclass
class _Lane:
    """The queued items of one connection, or those by hand of one organization (`connection` None)."""

    organization: Organization
    connection: Connection | None
    lease: Lease


def _next_lane(passed_over: Collection[tuple[UUID, UUID | None]] = ()) -> _Lane | None:
    """The lane whose item has waited longest and that nobody works on. Two runners never get the same connection."""
    with every_organization("sweep of batches"):
        now = clock.wall()
        due = (
            BatchItem.objects.filter(free(now), outcome=ItemOutcome.QUEUED, next_attempt_at__lte=now)
            .values_list("organization", "connection")
            .annotate(first=Min("next_attempt_at"))
            .order_by("first")
        )
        for organization_id, connection_id, _ in due:
            if (organization_id, connection_id) in passed_over:
                continue
            organization = Organization.objects.get(pk=organization_id)
            lease = Lease.new()
            if connection_id is None:
                return _Lane(organization, None, lease)
            connection = (
                Connection.objects.select_for_update(skip_locked=True, no_key=True)
                .filter(free(now), pk=connection_id)
                .first()
            )
            if connection is not None:
                Connection.objects.filter(pk=connection.pk).update(leased_until=lease.until, lease_token=lease.token)
                return _Lane(organization, connection, lease)
    return None


def _run_lane(lane: _Lane, deadline: float) -> int:
    if lane.connection is None:
        return _run_by_hand(lane)
    try:
        return _run_connection(lane, lane.connection, deadline)
    finally:
        with tenant(lane.organization):
            Connection.objects.filter(pk=lane.connection.pk, lease_token=lane.lease.token).update(
                leased_until=None, lease_token=None
            )


# By hand: nothing is sent, so claim and result are one transaction ------------------------------------------------


def _run_by_hand(lane: _Lane) -> int:
    with tenant(lane.organization):
        items = _claim_items(lane, limit=500)
        due = _drop_what_is_not_due(items)
        batches = {item.batch_id: item.batch for item in items}
        moves = [
            Move(
                item.reward,
                RewardStatus.AVAILABLE,
                method=MANUAL,
                provider_reference=batches[item.batch_id].reference or None,
                issued_at=clock.now(lane.organization),
            )
            for item in due
        ]
        issuing_begins(item.reward_id for item in due)
        rewards_move(organization=lane.organization, moves=moves, actor=ACTOR, reason="marked as issued")
        now = clock.wall()
        for item in due:
            item.outcome, item.amount, item.updated_at = ItemOutcome.SUCCEEDED, item.reward.amount, now
            item.message = "Marked as issued."
        BatchItem.objects.bulk_update(due, ["outcome", "amount", "message", "updated_at"])
        claims_close(item.claim_id for item in due if item.claim_id)
        finish_if_done(sorted(batches))
    return len(items)


# By a provider -----------------------------------------------------------------------------------------------------


def _run_connection(lane: _Lane, connection: Connection, deadline: float) -> int:
    tried = 0
    with ThreadPoolExecutor(THREADS, thread_name_prefix="issuing") as threads:
        while time.monotonic() < deadline:
            if not connection.is_active:
                _refuse_all(lane, connection)
                break
            started = _begin(lane, connection)
            if not started:
                break
            tried += len(started)
            _carry_out(lane, connection, started, threads)
            renewed = _renewed(lane, connection)
            if renewed is None:
                break
            connection = renewed
    return tried


@dataclass(frozen=True)
class _Started:
    """An item whose attempt is committed, with everything that a thread needs to call the provider."""

    item: BatchItem
    attempt: IssueAttempt
    call: ProviderCall
    was_in_doubt: bool


def _begin(lane: _Lane, connection: Connection) -> list[_Started]:
    """Step 1: lease the items, and commit their attempts before anything is sent."""
    with tenant(lane.organization):
        items = _claim_items(lane, limit=CLAIM)
        due = _drop_what_is_not_due(items)
        now = clock.wall()
        earlier = earlier_attempts(due)
        issuing_begins(item.reward_id for item in due if _is_first(item))
        started = []
        for item in due:
            if _is_first(item):
                # From the first attempt on the amount is fixed: a refund now waits for the outcome.
                item.amount = item.reward.amount
            call = provider_call(lane.organization, connection, item, earlier.get(item.reward_id, []))
            attempt = IssueAttempt(
                organization=lane.organization,
                item=item,
                reward=item.reward,
                idempotency_key=call.order.idempotency_key,
                started_at=now,
            )
            started.append(_Started(item, attempt, call, was_in_doubt=item.in_doubt))
            item.in_doubt = True
            item.leased_until, item.lease_token, item.updated_at = lane.lease.until, lane.lease.token, now
        BatchItem.objects.bulk_update(due, ["amount", "in_doubt", "leased_until", "lease_token", "updated_at"])
        IssueAttempt.objects.bulk_create(each.attempt for each in started)
        batches = {item.batch_id for item in items}
        RewardBatch.objects.filter(pk__in=batches, status=BatchStatus.QUEUED).update(status=BatchStatus.RUNNING)
        finish_if_done(sorted(batches))
    return started


def _is_first(item: BatchItem) -> bool:
    """Whether nothing was ever sent for this item."""
    return item.tries == 0 and not item.in_doubt


def _claim_items(lane: _Lane, *, limit: int) -> list[BatchItem]:
    now = clock.wall()
    return list(
        BatchItem.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .select_related("batch", "reward__customer", "reward__campaign")
        .prefetch_related("reward__customer__provider_customers")
        .filter(free(now), outcome=ItemOutcome.QUEUED, next_attempt_at__lte=now, connection=lane.connection)
        .order_by("next_attempt_at", "pk")[:limit]
    )


def _drop_what_is_not_due(items: Sequence[BatchItem]) -> list[BatchItem]:
    """Those that are still to be issued; the others fail as `not_due`. What is in doubt goes on whatever happened."""
    # In key order, like everybody who locks rewards (docs/locking.md).
    held = Reward.objects.select_for_update(no_key=True, of=("self",)).order_by("pk")
    rewards = {reward.pk: reward for reward in held.filter(pk__in=[item.reward_id for item in items])}
    due: list[BatchItem] = []
    dropped: list[BatchItem] = []
    for item in items:
        customer, campaign = item.reward.customer, item.reward.campaign
        item.reward = rewards[item.reward_id]
        item.reward.customer, item.reward.campaign = customer, campaign
        (due if item.in_doubt or item.reward.status == RewardStatus.PENDING else dropped).append(item)
    for item in dropped:
        item.outcome, item.code = ItemOutcome.FAILED, "not_due"
        item.message, item.updated_at = "This reward isn't due any more.", clock.wall()
    if dropped:
        BatchItem.objects.bulk_update(dropped, ["outcome", "code", "message", "updated_at"])
        claims_close(item.claim_id for item in dropped if item.claim_id)
    return due


def _carry_out(lane: _Lane, connection: Connection, started: Sequence[_Started], threads: ThreadPoolExecutor) -> None:
    """Steps 2 and 3: call from threads, write the answers here as they arrive, some at a time."""
    waiting = {threads.submit(_call, each): each for each in started}
    while waiting:
        done, _ = wait(waiting, timeout=settings.LEASE_SECONDS / 3, return_when=FIRST_COMPLETED)
        answers = [future.result() for future in done]
        for future in done:
            del waiting[future]
        with tenant(lane.organization):
            answers_write(organization=lane.organization, answers=answers, lease_token=lane.lease.token, actor=ACTOR)
            refused = needs_attention(answers)
            if refused is not None:
                connection_needs_attention(connection=connection, reason=refused.message, actor=ACTOR)
            _renew_items(lane, waiting.values())
    # In transactions of their own: settling locks an event before its rewards, writing an answer the other way round.
    settle_what_waited(organization=lane.organization, actor=ACTOR)


def _renew_items(lane: _Lane, started: Iterable[_Started]) -> None:
    if lane.lease.until - clock.wall() > timedelta(seconds=settings.LEASE_SECONDS / 2):
        return
    lane.lease = lane.lease.renewed()
    BatchItem.objects.filter(pk__in=[each.item.pk for each in started], lease_token=lane.lease.token).update(
        leased_until=lane.lease.until
    )


def _call(started: _Started) -> Answered:
    """In a thread: no database here. Asks first where an earlier try is in doubt, and sends only if it wasn't done."""
    call, doubt = started.call, started.was_in_doubt
    answer: Answer | None = None
    try:
        if doubt:
            answer = call.adapter.look_up(call.access, call.order)
            doubt = False
        if answer is None:
            answer = call.adapter.issue(call.access, call.order)
    except ProviderError as error:
        answer = error
    except Exception:
        # No adapter should raise anything else; whatever it was, the provider may have acted.
        log.exception("issue_crashed", reward=str(call.order.reward_id))
        answer = OutcomeUnknown("The call to the provider failed unexpectedly.")
    return Answered(started.item, started.attempt, answer, was_in_doubt=doubt)


def _renewed(lane: _Lane, connection: Connection) -> Connection | None:
    """Hold on to the connection and read it anew; None where another runner has taken it over."""
    lane.lease = lane.lease.renewed()
    with tenant(lane.organization):
        ours = Connection.objects.filter(pk=connection.pk, lease_token=lane.lease.token)
        if not ours.update(leased_until=lane.lease.until):
            log.warning("connection_lease_lost", connection=str(connection.pk))
            return None
        return Connection.objects.get(pk=connection.pk)


def _refuse_all(lane: _Lane, connection: Connection) -> None:
    """The connection doesn't work: what wasn't sent is freed, what is in doubt waits until it is mended."""
    with tenant(lane.organization):
        now = clock.wall()
        items = list(
            BatchItem.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(free(now), connection=connection, outcome=ItemOutcome.QUEUED)
            .order_by("pk")
        )
        untouched = [item for item in items if not item.in_doubt]
        doubtful = [item.pk for item in items if item.in_doubt]
        message = "The connection was refused by the provider. Mend it under Integrations, then issue again."
        BatchItem.objects.filter(pk__in=[item.pk for item in untouched]).update(
            outcome=ItemOutcome.FAILED, code="connection_revoked", message=message, updated_at=now
        )
        claims_close(item.claim_id for item in untouched if item.claim_id)
        doubt = "It may have been sent. Mend the connection under Integrations: then it is looked up by itself."
        BatchItem.objects.filter(pk__in=doubtful).update(
            outcome=ItemOutcome.UNKNOWN, code="outcome_unknown", message=doubt, updated_at=now
        )
        finish_if_done(sorted({item.batch_id for item in items}))
