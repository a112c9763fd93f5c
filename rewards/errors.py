"""What can go wrong with rewards, named by the codes of api.md. `message` is for the person who asked."""

from uuid import UUID


class RewardsError(Exception):
    code = "conflict"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRewardTransition(RewardsError):
    """The reward isn't in a state from which this can be done (any more)."""

    code = "invalid_transition"


class BeingIssued(RewardsError):
    """Somebody holds the claim on the reward."""

    code = "being_issued"


class FulfilledByMethod(RewardsError):
    """A provider issues this reward, so it can't be confirmed by hand."""

    code = "fulfilled_by_method"


class AmountExceedsOwed(RewardsError):
    code = "amount_exceeds_owed"


class InvalidReward(RewardsError):
    """A reward can't be given like this; `field` names what is wrong."""

    code = "invalid"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class EarnsNothing(InvalidReward):
    """The participant is banned or was erased."""

    code = "earns_nothing"


class BudgetExhausted(InvalidReward):
    """Nothing is left of the campaign's budget for a reward given by hand."""

    code = "budget_exhausted"


class ExternalRefConflict(RewardsError):
    """The tenant's reference names another one-time reward."""

    code = "external_ref_conflict"


class EventRefused(RewardsError):
    """An event that can't be recorded: understood, but impossible. `code` says why."""

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class TransactionConflict(RewardsError):
    """The transaction was reported before for another participant."""

    code = "transaction_conflict"


class EventNotUndoable(RewardsError):
    """Only events marked by hand can be undone, once, and while none of their rewards is issued or being issued."""

    code = "not_undoable"


class UnknownRewards(RewardsError):
    """Some of the rewards that were named don't exist in this organization."""

    code = "not_found"

    def __init__(self, reward_ids: list[UUID]) -> None:
        super().__init__(f"No such reward: {', '.join(map(str, reward_ids[:5]))}.")


class ConnectionRequired(RewardsError):
    """The method's provider has no active connection, or several and none was named."""

    code = "connection_required"


class BatchNotCancelable(RewardsError):
    code = "invalid_transition"


class FileWasDownloaded(BatchNotCancelable):
    """Cancelling needs the word of a person that nothing was paid."""

    code = "file_downloaded"


class BatchHasNoFile(RewardsError):
    """The batch's method sends by itself, or is by hand."""

    code = "not_found"


class BatchNotReady(RewardsError):
    """What is asked of the batch isn't possible in the state that it is in."""

    code = "invalid_transition"


class InvalidResults(InvalidReward):
    """A result file that can't be read."""

    code = "unreadable_results"


class SamePerson(RewardsError):
    """What needs a second person was asked by the first one."""

    code = "needs_another_person"
