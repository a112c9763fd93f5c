"""What a provider's answer means for an item: the table of answers, pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from integrations.base import IssueOutcome, IssueResult
from integrations.errors import TRIED_AGAIN, OutcomeUnknown, ProviderError, ProviderRetryable
from rewards.models import BatchItem, IssueAttempt
from rewards.states import AttemptOutcome, ItemOutcome

# api.md, Batch: after these times an item is tried again, or its outcome looked up; then it is FAILED or UNKNOWN.
RETRY_SECONDS = (1, 5, 30, 120, 600)
# An unknown outcome that a person has to see is still looked up so often.
UNKNOWN_SECONDS = 600
# What waits at the provider is asked after in growing pauses (half of how long it has waited), within these bounds; a
# webhook about it makes it be asked after at once.
SOONEST, LATEST = timedelta(minutes=1), timedelta(hours=6)
# So long is an issued reward asked after that a webhook told of and that can't be looked up.
PATIENCE = timedelta(days=3)

# None: the provider shows that it wasn't done.
Answer = IssueResult | ProviderError | None


@dataclass(frozen=True)
class Answered:
    """A provider's answer to one attempt; no attempt where no provider was asked.

    `was_in_doubt`: what an earlier try did is still not known.
    """

    item: BatchItem
    attempt: IssueAttempt | None
    answer: Answer
    was_in_doubt: bool


@dataclass(frozen=True)
class Conclusion:
    """What becomes of the item. `in_doubt` keeps its claim; `next_at` is when the runner deals with it again.

    `attempt` None leaves the attempt as it is; `returned`: the money came back, and the reward's key is used up.
    """

    outcome: str
    attempt: str | None
    code: str = ""
    message: str = ""
    in_doubt: bool = False
    keeps_claim: bool = False
    next_at: datetime | None = None
    returned: bool = False


def conclude(answered: Answered, now: datetime) -> Conclusion:
    answer, item = answered.answer, answered.item
    if isinstance(answer, IssueResult) and answer.outcome == IssueOutcome.SUCCEEDED:
        # A code with a success is for a person: it was issued, and its delivery failed, say.
        return Conclusion(ItemOutcome.SUCCEEDED, AttemptOutcome.SUCCEEDED, answer.code or "", answer.message)
    if isinstance(answer, IssueResult) and answer.outcome == IssueOutcome.RETURNED:
        return _returned(item, answer)
    if item.outcome == ItemOutcome.SUCCEEDED:
        return _stays_issued(answered, now)
    if isinstance(answer, IssueResult):
        return _waits(answered, answer, now)
    return _not_done(item, now) if answer is None else _of_error(answered, answer, now)


def _of_error(answered: Answered, answer: ProviderError, now: datetime) -> Conclusion:
    if answered.item.outcome != ItemOutcome.QUEUED:
        return _looked_in_vain(answered, now)
    if isinstance(answer, OutcomeUnknown) or answered.was_in_doubt:
        # Where the look-up itself failed the doubt remains, whatever this answer says about the look-up.
        return _in_doubt(answered, answer, now)
    if isinstance(answer, ProviderRetryable):
        return _again(answered, answer, now)
    return Conclusion(ItemOutcome.FAILED, AttemptOutcome.REJECTED, answer.code, answer.message)


def _returned(item: BatchItem, answer: IssueResult) -> Conclusion:
    # What a provider refuses right away had never left.
    message = answer.message if item.outcome == ItemOutcome.QUEUED else f"The money came back. {answer.message}".strip()
    return Conclusion(
        ItemOutcome.FAILED,
        AttemptOutcome.RETURNED,
        answer.code or "returned_by_provider",
        f"{message} The reward is due again.",
        returned=True,
    )


def _waits(answered: Answered, answer: IssueResult, now: datetime) -> Conclusion:
    return Conclusion(
        ItemOutcome.WAITING,
        AttemptOutcome.SUCCEEDED if answer.sent else AttemptOutcome.NOT_DONE,
        answer.code or "",
        answer.message,
        keeps_claim=answer.sent,
        next_at=_asked_again_at(_begun_at(answered), now) if answer.sent else None,
    )


def _not_done(item: BatchItem, now: datetime) -> Conclusion:
    """A look-up showed that nothing was done."""
    if item.outcome == ItemOutcome.QUEUED:
        # Sent anew, where the look-up couldn't be followed by the sending: its group goes with others.
        return Conclusion(ItemOutcome.QUEUED, AttemptOutcome.NOT_DONE, keeps_claim=True, next_at=now)
    if item.outcome == ItemOutcome.WAITING:
        return Conclusion(
            ItemOutcome.UNKNOWN,
            None,
            "outcome_unknown",
            "It waited at the provider, which doesn't know it any more. It is looked up again in ten minutes.",
            in_doubt=True,
            keeps_claim=True,
            next_at=now + timedelta(seconds=UNKNOWN_SECONDS),
        )
    return Conclusion(
        ItemOutcome.FAILED,
        AttemptOutcome.NOT_DONE,
        "outcome_unknown",
        "The provider shows that this was not done. The reward is still due: issue it again.",
    )


def _looked_in_vain(answered: Answered, now: datetime) -> Conclusion:
    """A look-up of what waits or is unknown brought nothing: it stays so and is looked up again."""
    item = answered.item
    if item.outcome == ItemOutcome.WAITING:
        again = _asked_again_at(_begun_at(answered), now)
    else:
        again = now + timedelta(seconds=UNKNOWN_SECONDS)
    return Conclusion(
        item.outcome, None, item.code, item.message, in_doubt=item.in_doubt, keeps_claim=True, next_at=again
    )


def _stays_issued(answered: Answered, now: datetime) -> Conclusion:
    """Nothing but the money's coming back undoes what was issued; `reconcile` tells of what else doesn't agree."""
    item = answered.item
    can_be_asked_again = isinstance(answered.answer, ProviderError) and now - item.updated_at < PATIENCE
    again = _asked_again_at(item.updated_at, now) if can_be_asked_again else None
    return Conclusion(ItemOutcome.SUCCEEDED, None, item.code, item.message, next_at=again)


def _in_doubt(answered: Answered, answer: ProviderError, now: datetime) -> Conclusion:
    retry_at = _retry_at(answered.item, answer, now)
    if retry_at is None:
        message = f"{answer.message} It is looked up again every ten minutes; until then nobody else can issue it."
        later = now + timedelta(seconds=UNKNOWN_SECONDS)
        return Conclusion(
            ItemOutcome.UNKNOWN, AttemptOutcome.UNKNOWN, "outcome_unknown", message, True, True, next_at=later
        )
    return Conclusion(
        ItemOutcome.QUEUED, AttemptOutcome.UNKNOWN, "outcome_unknown", answer.message, True, True, next_at=retry_at
    )


def _again(answered: Answered, answer: ProviderError, now: datetime) -> Conclusion:
    retry_at = _retry_at(answered.item, answer, now)
    message = answer.message
    if retry_at is None:
        message = f"{message.removesuffix(TRIED_AGAIN)}It was tried {answered.item.tries + 1} times in vain."
    return Conclusion(
        ItemOutcome.FAILED if retry_at is None else ItemOutcome.QUEUED,
        AttemptOutcome.RETRYABLE,
        answer.code,
        message,
        keeps_claim=retry_at is not None,
        next_at=retry_at,
    )


def _retry_at(item: BatchItem, answer: ProviderError, now: datetime) -> datetime | None:
    """None once the tries are used up. `item.tries` counts the answered ones before this: being killed uses up none."""
    if item.tries >= len(RETRY_SECONDS):
        return None
    seconds = float(RETRY_SECONDS[item.tries])
    if isinstance(answer, ProviderRetryable) and answer.retry_after is not None:
        seconds = max(seconds, answer.retry_after)
    return now + timedelta(seconds=seconds)


def _begun_at(answered: Answered) -> datetime:
    return answered.item.updated_at if answered.attempt is None else answered.attempt.started_at


def _asked_again_at(since: datetime, now: datetime) -> datetime:
    return now + min(max((now - since) / 2, SOONEST), LATEST)
