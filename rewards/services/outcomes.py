"""Writing down what providers answered: items, attempts, claims and rewards together."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F

from integrations.base import Exchange, IssueResult
from integrations.errors import ConnectionNeedsAttention
from integrations.registry import provider_of_method
from participants.customers import provider_customers_learn, provider_ids
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import BatchItem, IssueAttempt, Reward
from rewards.services.claims import claims_close
from rewards.services.conclusions import Answered, Conclusion, conclude
from rewards.services.confirming import rows_of_deduction
from rewards.services.door import Move, rewards_move, totals_last
from rewards.services.finishing import finish_if_done
from rewards.services.item_rows import attempts_write, items_write
from rewards.services.netting import nettings_end, nettings_of, settling_moves, with_budget_back
from rewards.states import ItemOutcome, RewardStatus, WaitingFor

# What a later try may find changed at the provider: the reward waits for that, still due (recipients.py).
_WAITS_FOR_RECIPIENT = frozenset(
    {"customer_not_found", "several_customers", "customer_deleted", "invalid_recipient", "currency_mismatch"}
)
RETURNED = "returned_by_provider"

log = structlog.get_logger(__name__)

Concluded = tuple[Answered, Conclusion]


@transaction.atomic
def answers_write(*, organization: Organization, answers: Sequence[Answered], lease_token: UUID, actor: str) -> int:
    """Write what the provider answered, for those items whose lease is still `lease_token`; how many that were.

    Items, attempts, claims and rewards change together. An answer to an item that another runner has taken over is
    dropped: that runner asks the provider itself.
    """
    held = set(
        BatchItem.objects.select_for_update(no_key=True)
        .filter(pk__in=[answered.item.pk for answered in answers], lease_token=lease_token)
        .order_by("pk")
        .values_list("pk", "outcome")
    )
    ours = []
    for answered in answers:
        # Whoever reads a batch's result file writes without a lease: then what was asked about isn't as it was.
        if (answered.item.pk, answered.item.outcome) in held:
            ours.append(answered)
        else:
            log.warning("issue_answer_after_lease", item=str(answered.item.pk))
    now = clock.wall()
    conclusions_write(
        organization=organization, concluded=[(answered, conclude(answered, now)) for answered in ours], actor=actor
    )
    return len(ours)


@transaction.atomic
def conclusions_write(
    *, organization: Organization, concluded: Sequence[Concluded], actor: str, reason: str = "issued"
) -> None:
    """Write what becomes of items that the caller has locked, as they are in the database.

    `reason` stands in the history of what is issued.
    """
    if not concluded:
        return
    # What was issued already is not issued again.
    issued = {
        answered.item.pk
        for answered, conclusion in concluded
        if conclusion.outcome == ItemOutcome.SUCCEEDED and answered.item.outcome != ItemOutcome.SUCCEEDED
    }
    with totals_last(organization):
        _write_items(concluded, clock.wall())
        _move_rewards(organization, concluded, issued, actor, reason)
        claims_close(
            answered.item.claim_id
            for answered, conclusion in concluded
            if answered.item.claim_id and _is_over(conclusion)
        )
        finish_if_done(sorted({answered.item.batch_id for answered, _ in concluded}))


def _is_over(conclusion: Conclusion) -> bool:
    return not conclusion.keeps_claim and conclusion.outcome != ItemOutcome.QUEUED


def _write_items(concluded: Sequence[Concluded], now: datetime) -> None:
    items, attempts = [], []
    for answered, conclusion in concluded:
        item, attempt, answer = answered.item, answered.attempt, answered.answer
        changed = item.outcome != conclusion.outcome or item.outcome == ItemOutcome.QUEUED
        item.outcome, item.code, item.message = conclusion.outcome, conclusion.code, conclusion.message[:500]
        item.in_doubt = conclusion.in_doubt
        item.leased_until = item.lease_token = None
        item.next_attempt_at = conclusion.next_at
        if changed:
            item.tries += 1
            item.updated_at = now
        if isinstance(answer, IssueResult) and answer.provider_reference:
            item.provider_reference = answer.provider_reference
        items.append(item)
        if attempt is not None and conclusion.attempt is not None and (changed or attempt.finished_at is None):
            _finish_attempt(attempt, answered, conclusion, now)
            attempts.append(attempt)
    items_write(items)
    attempts_write(attempts)


def _finish_attempt(attempt: IssueAttempt, answered: Answered, conclusion: Conclusion, now: datetime) -> None:
    answer = answered.answer
    assert conclusion.attempt is not None
    attempt.outcome, attempt.code, attempt.message = conclusion.attempt, conclusion.code, conclusion.message[:500]
    attempt.finished_at = now
    attempt.exchanges = [_exchange(exchange) for exchange in answer.exchanges] if answer is not None else []
    recipient = getattr(answer, "recipient_provider_id", None)
    attempt.recipient_provider_id = recipient or attempt.recipient_provider_id
    if isinstance(answer, IssueResult):
        attempt.provider_reference = answer.provider_reference or attempt.provider_reference


def _exchange(exchange: Exchange) -> dict[str, object]:
    return {
        "method": exchange.method,
        "url": exchange.url,
        "request": exchange.request,
        "status_code": exchange.status_code,
        "response": exchange.response,
        "duration_ms": exchange.duration_ms,
    }


def _move_rewards(
    organization: Organization, concluded: Sequence[Concluded], issued: set[UUID], actor: str, reason: str
) -> None:
    over = [answered.item for answered, conclusion in concluded if _is_over(conclusion)]
    nettings = nettings_of(over)
    settled = [(item, netting) for item in over if item.pk in issued for netting in nettings[item.pk]]
    freed = [netting for item in over if item.pk not in issued for netting in nettings[item.pk]]
    deducted = [netting.deduction_id for _, netting in settled]
    deducted += [item.reward_id for item in over if item.pk in issued and item.batch.takes_back]
    holders = {holder for each in Reward.objects.filter(pk__in=deducted) for holder in rows_of_deduction(each)}
    # Locked together in key order: several moves follow, and a batch that is being made locks the same rewards.
    wanted = {answered.item.reward_id for answered, _ in concluded} | {*deducted} | holders
    rewards = Reward.objects.select_for_update(no_key=True).order_by("pk").in_bulk(wanted)
    moves, returned = settling_moves(organization, settled, rewards), []
    taken_back = _taken_back([answered.item.reward_id for answered, conclusion in concluded if conclusion.returned])
    for answered, conclusion in concluded:
        item, reward = answered.item, rewards[answered.item.reward_id]
        if item.pk in issued:
            moves.append(_issued(organization, item, reward, reason))
        elif conclusion.returned and not item.batch.takes_back and reward.pk not in taken_back:
            returned.append(reward.pk)
            # What waited at the provider and came back was never AVAILABLE; its key is used up all the same.
            if reward.status == RewardStatus.AVAILABLE:
                moves.append(Move(reward, RewardStatus.PENDING, reason=RETURNED))
        elif conclusion.code in _WAITS_FOR_RECIPIENT and _is_over(conclusion) and not item.batch.takes_back:
            moves.append(Move(reward, reward.status, waiting_for=WaitingFor.RECIPIENT, reason=conclusion.code))
    rewards_move(organization=organization, moves=with_budget_back(moves), actor=actor, reason=reason)
    Reward.objects.filter(pk__in=returned).update(
        issue_number=F("issue_number") + 1, issued_at=None, method=None, provider_reference=None
    )
    nettings_end([netting for _, netting in settled], freed)


def _taken_back(reward_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the rewards that were taken back where they were issued: that is why their money came back."""
    if not reward_ids:
        return set()
    deductions = BatchItem.objects.filter(
        reward__deducts__in=reward_ids, batch__takes_back=True, outcome=ItemOutcome.SUCCEEDED
    )
    return {each for each in deductions.values_list("reward__deducts", flat=True) if each is not None}


def _issued(organization: Organization, item: BatchItem, reward: Reward, reason: str) -> Move:
    return Move(
        reward,
        RewardStatus.DEDUCTED if item.batch.takes_back else RewardStatus.AVAILABLE,
        netted_amount=item.netted_amount,
        method=item.batch.method,
        provider_reference=item.provider_reference,
        issued_at=clock.now(organization),
        reason="taken back" if item.batch.takes_back else None,
    )


def recipients_learn(*, organization: Organization, answers: Sequence[Answered]) -> None:
    """Keep the ids under which a provider knows customers, so that the next reward needs no search.

    Outside `tenant()`: in a transaction of its own, after the one that wrote the answers, since a customer is locked
    before rewards (docs/locking.md). Killed in between, the next reward searches again.
    """
    links = {}
    for answered in answers:
        answer, reward = answered.answer, answered.item.reward
        if not isinstance(answer, IssueResult) or not answer.sent or not answer.recipient_provider_id:
            continue
        key = provider_of_method(answered.item.batch.method).person_key
        if provider_ids(reward.customer).get(key) != answer.recipient_provider_id:
            links[reward.customer_id, key] = answer.recipient_provider_id
    if not links:
        return
    with tenant(organization):
        taken = provider_customers_learn(organization=organization, links=links)
    for customer_id, provider in taken:
        # Two of the tenant's customers are one at the provider. The reward is issued all the same.
        log.warning("provider_customer_shared", customer=str(customer_id), provider=provider)


def needs_attention(answers: Sequence[Answered]) -> ConnectionNeedsAttention | None:
    """The first answer that says that the connection's credentials don't work, if any."""
    return next((each.answer for each in answers if isinstance(each.answer, ConnectionNeedsAttention)), None)
