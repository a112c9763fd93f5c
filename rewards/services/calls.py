"""What a provider is asked for one item: the adapter, the access, and the order with its idempotency key."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from integrations import registry
from integrations.base import Access, IssueOrder, PayoutAdapter, Recipient
from integrations.models import Connection
from integrations.selectors import access_of
from referral_rocket.accounts.models import Organization
from rewards.models import BatchItem, IssueAttempt


@dataclass(frozen=True)
class ProviderCall:
    """Made inside `tenant()`, carried out outside any transaction."""

    adapter: PayoutAdapter
    access: Access
    order: IssueOrder


def provider_call(
    organization: Organization, connection: Connection, item: BatchItem, earlier: Sequence[IssueAttempt]
) -> ProviderCall:
    """The call for an item with its reward, customer, provider ids and campaign loaded.

    `earlier` are the attempts made for the reward so far. The key is `reward_id:n`; it changes only when the provider
    proved that the money came back.
    """
    reward = item.reward
    key = f"{reward.pk}:{reward.issue_number}"
    same_key = [attempt for attempt in earlier if attempt.idempotency_key == key]
    person_key = registry.provider_of_method(item.batch.method).person_key
    known_as = {link.provider: link.provider_id for link in reward.customer.provider_customers.all()}
    order = IssueOrder(
        reward_id=reward.pk,
        idempotency_key=key,
        amount=item.amount,
        currency=item.currency,
        recipient=Recipient(reward.customer.email, reward.customer.name or None, known_as.get(person_key)),
        description=f"Reward from {reward.campaign.name}",
        metadata={"campaign_id": str(reward.campaign_id)},
        first_attempt_at=same_key[0].started_at if same_key else None,
        sent_to=next((each.recipient_provider_id for each in reversed(same_key) if each.recipient_provider_id), None),
    )
    return ProviderCall(registry.method_of(item.batch.method).adapter, access_of(connection, organization), order)


def earlier_attempts(items: Sequence[BatchItem]) -> dict[UUID, list[IssueAttempt]]:
    """The attempts made so far, oldest first, by reward. One query."""
    found: dict[UUID, list[IssueAttempt]] = defaultdict(list)
    for attempt in IssueAttempt.objects.filter(reward__in=[item.reward_id for item in items]).order_by("pk"):
        found[attempt.reward_id].append(attempt)
    return found
