"""What a person can do about a reward that a batch didn't issue, by the reason. Codes: api.md, Batch."""

from dataclasses import dataclass

from rewards.models import BatchItem
from rewards.states import ItemOutcome, RewardStatus


@dataclass(frozen=True)
class NextStep:
    """A sentence, and which buttons stand beside it. `several` is said of all, where each one's own words name a thing."""

    text: str = ""
    several: str = ""
    retry: bool = False
    by_hand: bool = False
    participant: bool = False
    integrations: bool = False
    queue: bool = False
    credit: bool = False
    queued: bool = False
    settle: bool = False
    ask: bool = False

    def of_several(self, message: str, number: int) -> str:
        return self.several if self.several and number > 1 else message


# Where a sentence is missing the provider's own, kept with the item, says what to do.
_STEPS = {
    "customer_not_found": NextStep(retry=True, by_hand=True, participant=True, ask=True),
    "several_customers": NextStep(retry=True, by_hand=True, participant=True, ask=True),
    "customer_deleted": NextStep(retry=True, by_hand=True, participant=True, ask=True),
    "invalid_recipient": NextStep(retry=True, by_hand=True, participant=True, ask=True),
    "currency_mismatch": NextStep(by_hand=True, participant=True),
    "unredeemed_discount": NextStep(
        several="The discount of an earlier reward isn't used yet. Queue these until it is, or give account credit instead.",
        queue=True,
        credit=True,
        by_hand=True,
    ),
    "no_subscription": NextStep(credit=True, by_hand=True, participant=True),
    "product_unavailable": NextStep(retry=True, by_hand=True, participant=True, ask=True),
    "insufficient_funds": NextStep(retry=True, by_hand=True),
    "connection_revoked": NextStep(retry=True, by_hand=True, integrations=True),
    "canceled": NextStep("It is still due: issue it whenever you like.", retry=True, by_hand=True),
    "being_issued": NextStep("Its page shows which batch has it and how that ends."),
    "not_due": NextStep("Nothing needs to be done."),
    "fulfilled_by_webhook": NextStep("Your own system confirms it."),
}
_OTHERWISE = NextStep("Try again, or issue it another way.", retry=True, by_hand=True, participant=True)
_UNKNOWN = NextStep(
    "It was sent, and no answer says whether the provider acted. It keeps its place and is never sent again blindly."
    " Look at the provider, and say here what became of it.",
    settle=True,
)
_GOES_ON = NextStep("It goes on by itself when what it waits for has happened.")
_TOLD_BY_FILE = NextStep("Upload a later result file above: it tells how this ended.")
_QUEUED = NextStep("It is queued: tried again each day, and once the customer has paid.", queued=True, credit=True)
# By what the reward is now; anything else is no longer owed.
_SINCE = {
    RewardStatus.AVAILABLE: NextStep("It was issued since, another way."),
    RewardStatus.PENDING_DEDUCTION: NextStep("Open it to mark it as taken back, or to forgive it."),
    RewardStatus.DEDUCTED: NextStep("It was taken back since."),
}
_CLOSED_SINCE = NextStep("Nothing is owed any more.")


def shown_outcome(item: BatchItem) -> str:
    """The outcome in a person's words: what waits for nothing that happens by itself was simply not rewarded."""
    if item.outcome == ItemOutcome.WAITING and item.free:  # type: ignore[attr-defined]
        return ItemOutcome.FAILED
    return item.outcome


def next_step(item: BatchItem, *, queued: bool = False, by_file: bool = False) -> NextStep:
    """What can be done about an item now, as its reward stands. `item.free`: nobody is issuing the reward.

    `queued`: it waits until an earlier discount is used up; `by_file`: nobody but a result file tells of it.
    """
    if item.outcome == ItemOutcome.UNKNOWN:
        return _UNKNOWN
    owed = item.reward.status == RewardStatus.PENDING or (
        item.reward.status == RewardStatus.PENDING_DEDUCTION and not item.free  # type: ignore[attr-defined]
    )
    if not owed:
        return _SINCE.get(RewardStatus(item.reward.status), _CLOSED_SINCE)
    if not item.free:  # type: ignore[attr-defined]
        if item.outcome == ItemOutcome.WAITING:
            return _TOLD_BY_FILE if by_file else _GOES_ON
        return _STEPS["being_issued"]
    if queued:
        return _QUEUED
    return _OTHERWISE if item.code in ("being_issued", "not_due") else _STEPS.get(item.code, _OTHERWISE)


def step_of_reason(outcome: str, code: str, free: int) -> NextStep:
    """What can be done about all that failed for one reason, of which so many are still due and free."""
    if not free:
        return _GOES_ON
    if outcome == ItemOutcome.UNKNOWN:
        return _UNKNOWN
    return _STEPS.get(code, _OTHERWISE)
