"""Rewards, why they were earned, and how they are issued. All amounts are in minor units of their currency.

Foreign keys between tenant tables have no constraint of their own: the migration adds the composite one, which can't
cross organizations (accounts.tenancy.CompositeKey).
"""

from rewards.models.batches import AutomaticRun, BatchSlice, Claim, QueuedReward, RewardBatch
from rewards.models.items import BatchItem, IssueAttempt, Netting
from rewards.models.rewards import Decision, Reward, RewardTransition
from rewards.models.sums import RewardTotals, StatementPeriod
from rewards.recipient_requests import RecipientRequest
from rewards.reconciliations import Finding, Reconciliation

__all__ = [
    "AutomaticRun",
    "BatchItem",
    "BatchSlice",
    "Claim",
    "Decision",
    "Finding",
    "IssueAttempt",
    "Netting",
    "QueuedReward",
    "RecipientRequest",
    "Reconciliation",
    "Reward",
    "RewardBatch",
    "RewardTotals",
    "RewardTransition",
    "StatementPeriod",
]
