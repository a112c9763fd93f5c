"""Batches of the past: made by the services, their outcomes written as the runner writes a provider's answers.

The provider isn't asked: sample data are made without a network. So Stripe's stand-in knows the customers, and not
the credits that these batches are said to have given.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from uuid import uuid4

from integrations.base import Exchange, IssueOutcome, IssueResult
from integrations.errors import ProviderRejected
from referral_rocket.accounts.models import Organization
from referral_rocket.dashboard.sample.recipes import MANUAL
from referral_rocket.kit import clock
from rewards.models import BatchItem, IssueAttempt, RewardBatch
from rewards.services.batches import batch_create
from rewards.services.claims import claims_close
from rewards.services.conclusions import Answer, Answered
from rewards.services.door import Move, rewards_move
from rewards.services.finishing import finish_if_done
from rewards.services.outcomes import answers_write
from rewards.services.selecting import Selection
from rewards.states import ItemOutcome, RewardStatus

_NOT_FOUND = "Stripe has no customer with this e-mail address. Create one in Stripe, or choose another method."
_OTHER_CURRENCY = (
    "The customer is billed in CAD, the reward is in {currency}; Stripe credits only the customer's own currency. Choose"
    " another method."
)
_RUNNER = "system:issuing"


def batch_of_the_past(
    *,
    organization: Organization,
    method: str,
    selection: Selection,
    unknown_to_stripe: frozenset[str],
    actor: str,
    random: Random,
) -> RewardBatch | None:
    """A finished batch of what is due of the selection, at the time of `clock.as_of`; None where nothing is."""
    batch = batch_create(
        organization=organization,
        method=method,
        selection=selection,
        actor=actor,
        at_once=True,
        note="Transferred with this week's payouts" if method == MANUAL else "",
        reference=f"PAY-{clock.wall():%Y%m%d}" if method == MANUAL else "",
    )
    items = list(
        BatchItem.objects.filter(batch=batch, outcome=ItemOutcome.QUEUED)
        .select_related("batch", "reward__customer", "reward__campaign")
        .prefetch_related("reward__customer__provider_customers")
        .order_by("pk")
    )
    if method == MANUAL:
        _mark_as_issued(organization, batch, items)
    else:
        _answer(organization, items, unknown_to_stripe, random)
    return batch


def _mark_as_issued(organization: Organization, batch: RewardBatch, items: Sequence[BatchItem]) -> None:
    now = clock.now(organization)
    moves = [
        Move(
            item.reward,
            RewardStatus.AVAILABLE,
            method=MANUAL,
            provider_reference=batch.reference or None,
            issued_at=now,
        )
        for item in items
    ]
    rewards_move(organization=organization, moves=moves, actor=_RUNNER, reason="marked as issued")
    BatchItem.objects.filter(pk__in=[item.pk for item in items]).update(
        outcome=ItemOutcome.SUCCEEDED, message="Marked as issued.", next_attempt_at=None, updated_at=now
    )
    claims_close(item.claim_id for item in items if item.claim_id)
    finish_if_done([batch.pk])


def _answer(
    organization: Organization, items: Sequence[BatchItem], unknown_to_stripe: frozenset[str], random: Random
) -> None:
    now, lease = clock.wall(), uuid4()
    attempts = [_attempt(organization, item, now) for item in items]
    IssueAttempt.objects.bulk_create(attempts)
    BatchItem.objects.filter(pk__in=[item.pk for item in items]).update(
        tries=1, in_doubt=True, lease_token=lease, leased_until=now + timedelta(minutes=1)
    )
    for item in items:
        item.tries = 1
    answered = [
        Answered(item, attempt, _said(item, unknown_to_stripe, random), was_in_doubt=False)
        for item, attempt in zip(items, attempts, strict=True)
    ]
    with clock.as_of(now + timedelta(seconds=3 + len(items) // 8)):
        answers_write(organization=organization, answers=answered, lease_token=lease, actor=_RUNNER)


def _attempt(organization: Organization, item: BatchItem, now: datetime) -> IssueAttempt:
    return IssueAttempt(
        organization=organization,
        item=item,
        reward=item.reward,
        idempotency_key=f"{item.reward_id}:{item.reward.issue_number}",
        started_at=now,
    )


def _said(item: BatchItem, unknown_to_stripe: frozenset[str], random: Random) -> Answer:
    email = item.reward.customer.email or ""
    if email in unknown_to_stripe:
        return IssueResult(
            IssueOutcome.WAITING, sent=False, code="customer_not_found", message=_NOT_FOUND, exchanges=(_search(email),)
        )
    if random.random() < 0.04:
        message = _OTHER_CURRENCY.format(currency=item.currency)
        return ProviderRejected(message, code="currency_mismatch", exchanges=(_search(email),))
    transaction = f"cbtxn_{random.getrandbits(100):025x}"
    return IssueResult(
        IssueOutcome.SUCCEEDED,
        sent=True,
        provider_reference=transaction,
        message="Credited to the customer's balance.",
        exchanges=(_credit(item, transaction, random),),
    )


def _search(email: str) -> Exchange:
    return Exchange(
        method="GET",
        url=f"https://api.stripe.com/v1/customers?email={email[0]}%2A%2A%2A&limit=3",
        request=None,
        status_code=200,
        response={"object": "list", "data": []},
        duration_ms=212,
    )


def _credit(item: BatchItem, transaction: str, random: Random) -> Exchange:
    return Exchange(
        method="POST",
        url="https://api.stripe.com/v1/customers/…/balance_transactions",
        request={
            "amount": f"-{item.amount}",
            "currency": item.currency.lower(),
            "metadata[reward_id]": str(item.reward_id),
        },
        status_code=200,
        response={"id": transaction, "amount": -item.amount, "currency": item.currency.lower()},
        duration_ms=random.randint(140, 420),
    )
