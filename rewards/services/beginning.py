"""The beginning of issuing: what holds for an item from its first attempt on, whichever way it goes."""

from collections.abc import Sequence

from campaigns.models import Campaign
from participants.customers import WITH_PROVIDER_IDS
from participants.models import Customer
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from rewards.models import BatchItem, Reward
from rewards.services.claims import claimed, claims_close, issuing_begins
from rewards.services.conclusions import Answered, Conclusion
from rewards.services.confirming import rows_of_deduction
from rewards.services.netting import nettable, nettings_begin, places_of
from rewards.services.outcomes import conclusions_write
from rewards.states import ItemOutcome, RewardStatus

NOT_DUE = "This reward isn't due any more."
RAISED = "Its amount has risen since this batch was made, so it was left out. It is still due: look at it and issue it again."
SETTLED_WHOLE = "Settled whole by what was to be deducted from this participant; nothing was sent."


def items_begin(*, organization: Organization, items: Sequence[BatchItem], actor: str) -> list[BatchItem]:
    """Fix amounts and nettings of what is begun with, in the caller's transaction; the items that are to be sent.

    The caller holds the items' rows, with their batches, and writes their attempts in the same transaction. What isn't
    due any more fails, what deductions settle whole succeeds at once. What was begun with before goes on as it was,
    whatever has happened. Each item gets its reward with all that a provider's call needs; a fixed number of queries.
    """
    if not items:
        return []
    wanted = nettable(places_of([item.reward_id for item in items if _is_first(item) and not item.batch.takes_back]))
    # In key order, like everybody who locks rewards (docs/locking.md).
    held = Reward.objects.select_for_update(no_key=True, of=("self",)).order_by("pk")
    holders = {holder for each in wanted for holder in rows_of_deduction(each)}
    locked = {*(item.reward_id for item in items), *(each.pk for each in wanted), *holders}
    rewards = held.in_bulk(locked)
    for item in items:
        item.reward = rewards[item.reward_id]
    _add_campaigns_and_customers([item.reward for item in items])
    due = _due(items)
    first = [item for item in due if _is_first(item)]
    issuing_begins(item.reward_id for item in first)
    taken = claimed(each.pk for each in wanted)
    free = [
        rewards[each.pk]
        for each in wanted
        if each.pk not in taken and rewards[each.pk].status == RewardStatus.PENDING_DEDUCTION
    ]
    changed = [item for item in first if item.amount != item.reward.amount]
    for item in changed:
        # From the first attempt on the amount is fixed: a refund now waits for the outcome.
        item.amount = item.reward.amount
    to_net = [item for item in first if not item.batch.takes_back]
    nettings_begin(organization=organization, items=to_net, deductions=free, actor=actor)
    changed += [item for item in to_net if item.netted_amount and item not in changed]
    BatchItem.objects.bulk_update(changed, ["amount", "netted_amount"])
    whole = [item for item in to_net if item.sent_amount <= 0]
    conclusions_write(
        organization=organization,
        concluded=[
            (Answered(item, None, None, was_in_doubt=False), Conclusion(ItemOutcome.SUCCEEDED, None, "", SETTLED_WHOLE))
            for item in whole
        ],
        actor=actor,
    )
    return [item for item in due if item not in whole]


def _add_campaigns_and_customers(rewards: Sequence[Reward]) -> None:
    # Joined to each reward, the same campaign would be read and made into an object as often as there are rewards.
    campaigns = Campaign.objects.in_bulk({reward.campaign_id for reward in rewards})
    customers = Customer.objects.prefetch_related(WITH_PROVIDER_IDS).in_bulk({reward.customer_id for reward in rewards})
    for reward in rewards:
        reward.campaign, reward.customer = campaigns[reward.campaign_id], customers[reward.customer_id]


def _is_first(item: BatchItem) -> bool:
    """Whether nothing was ever sent for this item."""
    return item.outcome == ItemOutcome.QUEUED and item.tries == 0 and not item.in_doubt


def _due(items: Sequence[BatchItem]) -> list[BatchItem]:
    """Those that are still to be dealt with; the others fail as `not_due`. What is in doubt goes on whatever happened.

    What a refund has lowered since goes with less. What was raised again (a dispute won) doesn't go with more than was
    seen, approved and held against limits when the batch was made.
    """
    due: list[BatchItem] = []
    dropped: list[BatchItem] = []
    for item in items:
        wanted = RewardStatus.PENDING_DEDUCTION if item.batch.takes_back else RewardStatus.PENDING
        begun = item.in_doubt or item.outcome != ItemOutcome.QUEUED
        if begun or (item.reward.status == wanted and not (_is_first(item) and item.reward.amount > item.amount)):
            due.append(item)
        else:
            dropped.append(item)
            item.message = NOT_DUE if item.reward.status != wanted else RAISED
    for item in dropped:
        item.outcome, item.code = ItemOutcome.FAILED, "not_due"
        item.updated_at, item.next_attempt_at = clock.wall(), None
    if dropped:
        BatchItem.objects.bulk_update(dropped, ["outcome", "code", "message", "next_attempt_at", "updated_at"])
        claims_close(item.claim_id for item in dropped if item.claim_id)
    return due
