"""The states of a reward, a batch and a batch item, and what each may become."""

from django.db import models

from referral_rocket.kit.transitions import Transitions


class RewardStatus(models.TextChoices):
    EARNED = "EARNED", "Earned"
    PENDING = "PENDING", "Due"
    AVAILABLE = "AVAILABLE", "Issued"
    PENDING_DEDUCTION = "PENDING_DEDUCTION", "Deduction due"
    DEDUCTED = "DEDUCTED", "Deducted"
    AGGREGATED = "AGGREGATED", "In an aggregate"
    CANCELED = "CANCELED", "Canceled"


# Something is still to be done about the reward.
OPEN_STATUSES = (RewardStatus.EARNED, RewardStatus.PENDING, RewardStatus.PENDING_DEDUCTION)

REWARD_TRANSITIONS: Transitions[str] = Transitions(
    {
        RewardStatus.EARNED: frozenset({RewardStatus.PENDING, RewardStatus.AGGREGATED, RewardStatus.CANCELED}),
        RewardStatus.PENDING: frozenset({RewardStatus.AVAILABLE, RewardStatus.CANCELED}),
        RewardStatus.AVAILABLE: frozenset({RewardStatus.PENDING}),
        RewardStatus.PENDING_DEDUCTION: frozenset(
            {RewardStatus.DEDUCTED, RewardStatus.AGGREGATED, RewardStatus.CANCELED}
        ),
        RewardStatus.AGGREGATED: frozenset(),
        RewardStatus.CANCELED: frozenset(),
        RewardStatus.DEDUCTED: frozenset(),
    }
)


class RewardType(models.TextChoices):
    REFERRAL = "REFERRAL", "Referral"
    TRANSACTIONAL = "TRANSACTIONAL", "Transactional"
    OFFER = "OFFER", "Offer"
    ONE_TIME = "ONE_TIME", "One-time"
    STATEMENT = "STATEMENT", "Statement"
    DELAYED = "DELAYED", "A day's total"


# Totals of other rewards: no event, no rule and no target of their own.
AGGREGATE_TYPES = (RewardType.STATEMENT, RewardType.DELAYED)


class WaitingFor(models.TextChoices):
    """Why a reward isn't due, or is due and can't be issued as it stands."""

    HOLDING = "HOLDING", "Holding period"
    REVIEW = "REVIEW", "Review"
    AGGREGATION = "AGGREGATION", "Its aggregate"
    CARRY = "CARRY", "More, up to the smallest amount carried over"
    RECIPIENT = "RECIPIENT", "Recipient"
    NO_ENDPOINT = "NO_ENDPOINT", "An endpoint for its order"


class ClaimKind(models.TextChoices):
    BATCH = "BATCH", "Batch"
    ORDER = "ORDER", "Order by webhook"
    CONFIRMATION = "CONFIRMATION", "Confirmation"
    NETTING = "NETTING", "Netting"


class BatchStatus(models.TextChoices):
    AWAITING_APPROVAL = "AWAITING_APPROVAL", "Waiting for approval"
    QUEUED = "QUEUED", "Queued"
    RUNNING = "RUNNING", "Running"
    FINISHED = "FINISHED", "Finished"
    CANCELED = "CANCELED", "Canceled"


class ItemOutcome(models.TextChoices):
    QUEUED = "QUEUED", "Queued"
    SUCCEEDED = "SUCCEEDED", "Rewarded"
    FAILED = "FAILED", "Not rewarded"
    UNKNOWN = "UNKNOWN", "Outcome unknown"
    WAITING = "WAITING", "Waiting"


class AttemptOutcome(models.TextChoices):
    STARTED = "STARTED", "Started"
    SUCCEEDED = "SUCCEEDED", "Succeeded"
    REJECTED = "REJECTED", "Rejected"
    RETRYABLE = "RETRYABLE", "Not done, will be retried"
    UNKNOWN = "UNKNOWN", "Unknown"
    NOT_DONE = "NOT_DONE", "Not done"
    RETURNED = "RETURNED", "The money came back"
    # The provider's answer never came, and a person said what became of it.
    SETTLED = "SETTLED", "Settled by a person"
