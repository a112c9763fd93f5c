"""Settling an unknown outcome by hand: a person looked at the provider and says what became of it.

Only what is UNKNOWN can be settled so, and not while it is being looked up: then the provider's own answer is a moment
away. Settling takes the lease away from whoever may still have asked, so an answer that comes after it is dropped
(outcomes.py); an answer that was written before it has ended the unknown, and the settling is refused.

A person may be wrong, or the provider may act later. So:

- after "it was issued" the reward is AVAILABLE under the reference that was given. Should the money come back, it is due
  again as ever; a reconciliation says where the provider has nothing of it, or another reference.
- after "it was not issued" the reward is due, with its idempotency key unchanged. The next try by the same method asks
  the provider first and takes what it finds for the result (issuing.py); by another method nothing asks, and a
  reconciliation says so should the provider have issued it after all.

Item, attempts, claim, nettings, reward and history are one transaction: killed before its commit nothing happened. Two
people at once: the second waits for the first one's row lock and is refused.
"""

from django.db import transaction

from integrations.base import IssueOutcome, IssueResult
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from rewards.models import BatchItem, IssueAttempt, Reward
from rewards.services.conclusions import Answered, Conclusion
from rewards.services.door import Move, rewards_move, totals_last
from rewards.services.outcomes import conclusions_write
from rewards.states import AttemptOutcome, ItemOutcome

LONGEST_REASON = 300
# What a history's reason begins with where a person has settled it.
BY_HAND = "settled by hand"


class NotSettleable(Exception):
    """It isn't unknown any more, or is being looked up. `message` is for the person who said what became of it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@transaction.atomic
def outcome_settle(
    *, organization: Organization, item: BatchItem, issued: bool, reference: str, reason: str, actor: str
) -> BatchItem:
    """Write what a person says became of an unknown outcome. `reason` stands in the reward's history.

    Of a deduction `issued` means that it was taken back. Raises NotSettleable, and then nothing has changed.
    """
    held = (
        BatchItem.objects.select_for_update(no_key=True, of=("self",))
        .select_related("batch", "reward__customer")
        .prefetch_related("reward__customer__provider_customers")
        .get(pk=item.pk)
    )
    _refuse(held)
    reason = reason.strip()[:LONGEST_REASON]
    now = clock.wall()
    IssueAttempt.objects.filter(
        item=held, outcome__in=[AttemptOutcome.STARTED, AttemptOutcome.UNKNOWN, AttemptOutcome.SUCCEEDED]
    ).update(outcome=AttemptOutcome.SETTLED, message=f"Settled by a person: {reason}", finished_at=now)
    answer = IssueResult(IssueOutcome.SUCCEEDED, sent=True, provider_reference=reference.strip() or None)
    with totals_last(organization):
        conclusions_write(
            organization=organization,
            concluded=[
                (
                    Answered(held, None, answer if issued else None, was_in_doubt=False),
                    _conclusion(held, issued, reason),
                )
            ],
            actor=actor,
            reason=_history(held, issued, reason),
        )
        if not issued:
            _note(organization, held, actor, reason)
    happening = Happening(
        "outcome.settled", "reward", held.reward_id, campaign_id=held.reward.campaign_id, data={"issued": issued}
    )
    record(organization=organization, actor=actor, happenings=[happening])
    return held


def _refuse(item: BatchItem) -> None:
    if item.outcome == ItemOutcome.SUCCEEDED:
        known = f" as {item.provider_reference}" if item.provider_reference else ""
        raise NotSettleable(f"The provider has answered meanwhile: it was issued{known}. Nothing was changed.")
    if item.outcome != ItemOutcome.UNKNOWN:
        raise NotSettleable("Its outcome isn't unknown any more. Nothing was changed.")
    if item.leased_until is not None and item.leased_until > clock.wall():
        raise NotSettleable("The provider is being asked at this moment. Look again in a minute; nothing was changed.")


def _conclusion(item: BatchItem, issued: bool, reason: str) -> Conclusion:
    if issued:
        done = "taken back" if item.batch.takes_back else "issued"
        return Conclusion(ItemOutcome.SUCCEEDED, None, message=f"A person says that it was {done}: {reason}")
    words = "The deduction is still open." if item.batch.takes_back else "The reward is still due: issue it again."
    return Conclusion(
        ItemOutcome.FAILED, None, "outcome_unknown", f"A person says that it was not done: {reason} {words}"
    )


def _history(item: BatchItem, issued: bool, reason: str) -> str:
    done = "taken back" if item.batch.takes_back else "issued"
    return f"{BY_HAND} as {'' if issued else 'not '}{done}: {reason}"


def _note(organization: Organization, item: BatchItem, actor: str, reason: str) -> None:
    """Nothing moves by it, but the history tells."""
    reward = Reward.objects.select_for_update(no_key=True).get(pk=item.reward_id)
    rewards_move(
        organization=organization,
        moves=[Move(reward, reward.status, waiting_for=reward.waiting_for)],
        actor=actor,
        reason=_history(item, False, reason),
    )
