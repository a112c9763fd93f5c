"""What a provider is asked for one item: the adapter, and the order with its idempotency key."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from campaigns.terms import coupon_terms
from integrations import registry
from integrations.base import Access, IssueOrder, IssueResult, PayoutAdapter, Recipient, ReturnsMoney, TakeBack
from participants.erasing import held_identity
from rewards.models import BatchItem, IssueAttempt
from rewards.states import AttemptOutcome


@dataclass(frozen=True)
class ProviderCall:
    """Made inside `tenant()`, carried out outside any transaction."""

    adapter: PayoutAdapter
    access: Access
    order: IssueOrder | TakeBack

    def ask(self) -> IssueResult | None:
        """What became of an earlier try. Raises like the adapter."""
        if isinstance(self.order, TakeBack):
            return cast("ReturnsMoney", self.adapter).look_up_taken_back(self.access, self.order)
        return self.adapter.look_up(self.access, self.order)

    def send(self) -> IssueResult:
        """Raises like the adapter."""
        if isinstance(self.order, TakeBack):
            return cast("ReturnsMoney", self.adapter).take_back(self.access, self.order)
        return self.adapter.issue(self.access, self.order)


def idempotency_key(item: BatchItem) -> str:
    """`reward_id:n`; n changes only when the provider proved that the money came back."""
    return f"{item.reward_id}:{item.reward.issue_number}"


def left_to_a_word(item: BatchItem, earlier: Sequence[IssueAttempt]) -> bool:
    """Whether only a person says that the last try with this key came to nothing: then the provider is asked first.

    `earlier` as in `provider_call`. The person may have been wrong, or the provider may have acted since (settling.py).
    """
    same_key = [attempt for attempt in earlier if attempt.idempotency_key == idempotency_key(item)]
    return bool(same_key) and same_key[-1].outcome == AttemptOutcome.SETTLED


def provider_call(access: Access, item: BatchItem, earlier: Sequence[IssueAttempt]) -> ProviderCall:
    """The call for an item with its batch, reward, customer, provider ids and campaign loaded.

    `earlier` are the attempts made for the reward so far, oldest first.
    """
    reward = item.reward
    same_key = [attempt for attempt in earlier if attempt.idempotency_key == idempotency_key(item)]
    order = IssueOrder(
        reward_id=reward.pk,
        idempotency_key=idempotency_key(item),
        amount=item.sent_amount,
        currency=item.currency,
        recipient=recipient_of(item),
        description=f"Reward from {reward.campaign.name}",
        metadata={"campaign_id": str(reward.campaign_id)},
        coupon=coupon_terms(reward.campaign),
        first_attempt_at=same_key[0].started_at if same_key else None,
        sent_to=_last(same_key, "recipient_provider_id"),
        group_key=_last(same_key, "group_key"),
        provider_reference=_last(same_key, "provider_reference"),
    )
    return ProviderCall(registry.adapter_of(item.batch.method), access, order)


def take_back_call(
    access: Access, item: BatchItem, earlier: Sequence[IssueAttempt], issued_by: BatchItem
) -> ProviderCall:
    """The call for a deduction. `issued_by` is the item of its reward, with its attempts."""
    same_key = [attempt for attempt in earlier if attempt.idempotency_key == idempotency_key(item)]
    order = TakeBack(
        reward_id=item.reward_id,
        idempotency_key=idempotency_key(item),
        amount=item.amount,
        currency=item.currency,
        issued_reference=issued_by.provider_reference or "",
        issued_amount=issued_by.sent_amount,
        recipient=recipient_of(item),
        issued_to=_last(sorted(issued_by.attempts.all(), key=lambda attempt: attempt.pk), "recipient_provider_id"),
        first_attempt_at=same_key[0].started_at if same_key else None,
    )
    return ProviderCall(registry.adapter_of(item.batch.method), access, order)


def recipient_of(item: BatchItem) -> Recipient:
    # An erased person's, as long as an issuing that had begun has to end.
    person = held_identity(item.reward.customer)
    person_key = registry.provider_of_method(item.batch.method).person_key
    return Recipient(person["email"], person["name"] or None, person["provider_ids"].get(person_key))


def _last(attempts: Sequence[IssueAttempt], name: str) -> str | None:
    return next((value for each in reversed(attempts) if (value := getattr(each, name))), None)


def earlier_attempts(items: Sequence[BatchItem]) -> dict[UUID, list[IssueAttempt]]:
    """The attempts made so far, oldest first, by reward. One query."""
    found: dict[UUID, list[IssueAttempt]] = defaultdict(list)
    attempts = IssueAttempt.objects.filter(reward__in=[item.reward_id for item in items]).defer("exchanges")
    for attempt in attempts.order_by("pk"):
        found[attempt.reward_id].append(attempt)
    return found
