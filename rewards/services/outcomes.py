"""What a provider's answer means for an item, its claim and its reward, and writing it down."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction

from integrations.base import Exchange, IssueOutcome, IssueResult
from integrations.errors import ConnectionNeedsAttention, OutcomeUnknown, ProviderError, ProviderRetryable
from integrations.registry import provider_of_method
from participants.errors import IdTaken
from participants.services import provider_customer_link
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from rewards.models import BatchItem, IssueAttempt, Reward
from rewards.services.batches import finish_if_done
from rewards.services.claims import claims_close
from rewards.services.door import Move, rewards_move
from rewards.states import AttemptOutcome, ItemOutcome, RewardStatus, WaitingFor

# api.md, Batch: after these times an item is tried again, or its outcome looked up; then it is FAILED or UNKNOWN.
RETRY_SECONDS = (1, 5, 30, 120, 600)
# What a later try may find changed at the provider: the reward waits for that, still due.
_WAITS_FOR_RECIPIENT = frozenset({"customer_not_found", "several_customers", "customer_deleted", "invalid_recipient"})

log = structlog.get_logger(__name__)

Answer = IssueResult | ProviderError


@dataclass(frozen=True)
class Answered:
    """A provider's answer to one attempt. `was_in_doubt`: what an earlier try did is still not known."""

    item: BatchItem
    attempt: IssueAttempt
    answer: Answer
    was_in_doubt: bool


@dataclass(frozen=True)
class Conclusion:
    """What becomes of the item. `in_doubt` keeps its claim; `retry_at` is set while it stays QUEUED."""

    outcome: str
    attempt: str
    code: str = ""
    message: str = ""
    in_doubt: bool = False
    keeps_claim: bool = False
    retry_at: datetime | None = None


def conclude(answered: Answered, now: datetime) -> Conclusion:
    """Pure: the table of answers and what follows from each."""
    answer = answered.answer
    if isinstance(answer, IssueResult):
        if answer.outcome == IssueOutcome.SUCCEEDED:
            return Conclusion(ItemOutcome.SUCCEEDED, AttemptOutcome.SUCCEEDED, message=answer.message)
        return Conclusion(
            ItemOutcome.WAITING,
            AttemptOutcome.NOT_DONE if not answer.sent else AttemptOutcome.SUCCEEDED,
            answer.code or "",
            answer.message,
            keeps_claim=answer.sent,
        )
    if isinstance(answer, OutcomeUnknown):
        return _in_doubt(answered, answer, AttemptOutcome.UNKNOWN, now)
    if answered.was_in_doubt:
        # The look-up itself failed, so the doubt remains, whatever this answer says about the look-up.
        return _in_doubt(answered, answer, AttemptOutcome.UNKNOWN, now)
    if isinstance(answer, ProviderRetryable):
        return _again(answered, answer, now)
    return Conclusion(ItemOutcome.FAILED, AttemptOutcome.REJECTED, answer.code, answer.message)


def _in_doubt(answered: Answered, answer: ProviderError, attempt: str, now: datetime) -> Conclusion:
    retry_at = _retry_at(answered.item, answer, now)
    outcome = ItemOutcome.UNKNOWN if retry_at is None else ItemOutcome.QUEUED
    message = answer.message
    if retry_at is None:
        message = f"{answer.message} It is looked up again every ten minutes; until then nobody else can issue it."
    return Conclusion(outcome, attempt, "outcome_unknown", message, True, True, retry_at)


def _again(answered: Answered, answer: ProviderError, now: datetime) -> Conclusion:
    retry_at = _retry_at(answered.item, answer, now)
    outcome = ItemOutcome.FAILED if retry_at is None else ItemOutcome.QUEUED
    return Conclusion(
        outcome,
        AttemptOutcome.RETRYABLE,
        answer.code,
        answer.message,
        keeps_claim=retry_at is not None,
        retry_at=retry_at,
    )


def _retry_at(item: BatchItem, answer: ProviderError, now: datetime) -> datetime | None:
    """None once the tries are used up. `item.tries` counts the answered ones before this: being killed uses up none."""
    if item.tries >= len(RETRY_SECONDS):
        return None
    seconds = float(RETRY_SECONDS[item.tries])
    if isinstance(answer, ProviderRetryable) and answer.retry_after is not None:
        seconds = max(seconds, answer.retry_after)
    return now + timedelta(seconds=seconds)


@transaction.atomic
def answers_write(*, organization: Organization, answers: Sequence[Answered], lease_token: UUID, actor: str) -> int:
    """Write what the provider answered, for those items whose lease is still `lease_token`; how many that were.

    Items, attempts, claims and rewards change together. An answer to an item that another runner has taken over is
    dropped: that runner asks the provider itself.
    """
    held = _held(answers, lease_token)
    ours = [answered for answered in answers if answered.item.pk in held]
    for lost in (answered for answered in answers if answered.item.pk not in held):
        log.warning("issue_answer_after_lease", item=str(lost.item.pk))
    if not ours:
        return 0
    now = clock.wall()
    concluded = [(answered, conclude(answered, now)) for answered in ours]
    _write_items(concluded, now)
    _move_rewards(organization, concluded, actor)
    claims_close(
        answered.item.claim_id
        for answered, conclusion in concluded
        if answered.item.claim_id and not conclusion.keeps_claim and conclusion.outcome != ItemOutcome.QUEUED
    )
    _learn_recipients(organization, ours)
    finish_if_done(sorted({answered.item.batch_id for answered in ours}))
    return len(ours)


def _held(answers: Sequence[Answered], lease_token: UUID) -> set[UUID]:
    rows = (
        BatchItem.objects.select_for_update(no_key=True)
        .filter(pk__in=[answered.item.pk for answered in answers], lease_token=lease_token, outcome=ItemOutcome.QUEUED)
        .order_by("pk")
    )
    return {row.pk for row in rows}


def _write_items(concluded: Sequence[tuple[Answered, Conclusion]], now: datetime) -> None:
    items, attempts = [], []
    for answered, conclusion in concluded:
        item, attempt, answer = answered.item, answered.attempt, answered.answer
        item.outcome, item.code, item.message = conclusion.outcome, conclusion.code, conclusion.message[:500]
        item.in_doubt = conclusion.in_doubt
        item.tries += 1
        item.leased_until = item.lease_token = None
        item.next_attempt_at = conclusion.retry_at or item.next_attempt_at
        item.updated_at = now
        attempt.outcome, attempt.code, attempt.message = conclusion.attempt, conclusion.code, conclusion.message[:500]
        attempt.finished_at = now
        attempt.exchanges = [_exchange(exchange) for exchange in answer.exchanges]
        recipient = getattr(answer, "recipient_provider_id", None)
        attempt.recipient_provider_id = recipient or attempt.recipient_provider_id
        if isinstance(answer, IssueResult):
            item.provider_reference = attempt.provider_reference = answer.provider_reference
        items.append(item)
        attempts.append(attempt)
    BatchItem.objects.bulk_update(
        items,
        [
            "outcome",
            "code",
            "message",
            "in_doubt",
            "tries",
            "leased_until",
            "lease_token",
            "next_attempt_at",
            "provider_reference",
            "updated_at",
        ],
    )
    IssueAttempt.objects.bulk_update(
        attempts,
        ["outcome", "code", "message", "finished_at", "exchanges", "recipient_provider_id", "provider_reference"],
    )


def _exchange(exchange: Exchange) -> dict[str, object]:
    return {
        "method": exchange.method,
        "url": exchange.url,
        "request": exchange.request,
        "status_code": exchange.status_code,
        "response": exchange.response,
        "duration_ms": exchange.duration_ms,
    }


def _move_rewards(organization: Organization, concluded: Sequence[tuple[Answered, Conclusion]], actor: str) -> None:
    # Locked together in key order: two moves follow, and a batch that is being made locks the same rewards.
    held = Reward.objects.select_for_update(no_key=True).order_by("pk")
    rewards = held.in_bulk([answered.item.reward_id for answered, _ in concluded])
    issued, waiting = [], []
    for answered, conclusion in concluded:
        reward = rewards[answered.item.reward_id]
        if conclusion.outcome == ItemOutcome.SUCCEEDED:
            issued.append(
                Move(
                    reward,
                    RewardStatus.AVAILABLE,
                    method=answered.item.batch.method,
                    provider_reference=answered.item.provider_reference,
                    issued_at=clock.now(organization),
                )
            )
        elif conclusion.code in _WAITS_FOR_RECIPIENT and not conclusion.keeps_claim:
            waiting.append(Move(reward, reward.status, waiting_for=WaitingFor.RECIPIENT, reason=conclusion.code))
    rewards_move(organization=organization, moves=issued, actor=actor, reason="issued")
    rewards_move(organization=organization, moves=waiting, actor=actor, reason="waiting")


def _learn_recipients(organization: Organization, answers: Sequence[Answered]) -> None:
    """Keep the id under which the provider knows a customer, so that the next reward needs no search."""
    for answered in answers:
        answer, reward = answered.answer, answered.item.reward
        if not isinstance(answer, IssueResult) or not answer.recipient_provider_id:
            continue
        key = provider_of_method(answered.item.batch.method).person_key
        known = {link.provider: link.provider_id for link in reward.customer.provider_customers.all()}
        if known.get(key) == answer.recipient_provider_id:
            continue
        try:
            provider_customer_link(
                organization=organization,
                customer=reward.customer,
                provider=key,
                provider_id=answer.recipient_provider_id,
            )
        except IdTaken as taken:
            # Two of the tenant's customers are one at the provider. The reward is issued all the same.
            log.warning("provider_customer_shared", reward=str(reward.pk), message=taken.message)


def needs_attention(answers: Sequence[Answered]) -> ConnectionNeedsAttention | None:
    """The first answer that says that the connection's credentials don't work, if any."""
    return next((each.answer for each in answers if isinstance(each.answer, ConnectionNeedsAttention)), None)
