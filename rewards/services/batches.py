"""Batches: some due rewards, one method, one result per reward. Making one claims its rewards; issuing.py does the rest.

Making a batch is one transaction. Killed before its commit, no reward is claimed; after it, the sweep finds the items,
whether the nudge arrived or not. The same rewards in two batches at once: each reward's claim goes to one of them, the
other has the item as `FAILED`, `being_issued`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from campaigns.models import FulfilmentKind
from campaigns.services import MANUAL, methods
from integrations import registry
from integrations.errors import ConnectionRequired as NoConnection
from integrations.models import Connection
from integrations.selectors import connection_for_method
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7
from rewards.errors import (
    BatchNotCancelable,
    BatchNotReady,
    ConnectionRequired,
    FileWasDownloaded,
    InvalidReward,
    SamePerson,
    UnknownRewards,
)
from rewards.models import BatchItem, Claim, IssueAttempt, Reward, RewardBatch
from rewards.payloads import batch_data
from rewards.selectors import batch_counts
from rewards.services.claims import claimed, claims_close, claims_open
from rewards.services.netting import netted_sums, nettings_end, nettings_of
from rewards.states import AttemptOutcome, BatchStatus, ClaimKind, ItemOutcome, RewardStatus

MAXIMUM_REWARDS = 10_000
CHUNK = 1_000
PREVIEWED = 200

_MESSAGES = {
    "not_due": "This reward isn't due: it was issued, canceled or is still waiting.",
    "being_issued": "Somebody else is issuing this reward right now. Look at its page to see how that ends.",
    "fulfilled_by_webhook": "Your own system issues this reward, by webhook.",
}


@dataclass(frozen=True)
class Selection:
    """What a batch is made of: the rewards named, or all that is due in a campaign at that moment."""

    reward_ids: Sequence[UUID] = ()
    campaign_id: UUID | None = None


@dataclass(frozen=True)
class PlannedItem:
    """A reward and what a batch would make of it: `code` is None where it would be issued."""

    reward: Reward
    code: str | None

    @property
    def message(self) -> str:
        return _MESSAGES[self.code] if self.code else ""


@dataclass(frozen=True)
class Plan:
    """What a batch would do, without doing it. `totals` are (currency, number, amount) of what would be issued.

    `netted` is how much of the amount deductions would settle, by currency: that much isn't sent.
    """

    items: Sequence[PlannedItem]
    totals: Sequence[tuple[str, int, int]]
    netted: Mapping[str, int]
    problems: Sequence[tuple[str, int]]

    @property
    def issuable(self) -> int:
        return sum(item.code is None for item in self.items)


def batch_plan(*, method: str, selection: Selection, connection_id: UUID | None = None) -> Plan:
    """Raises UnknownRewards, ConnectionRequired, InvalidReward."""
    _connection(method, connection_id)
    return _plan(list(_selected(selection).select_related("customer", "campaign")), selection)


@transaction.atomic
def batch_create(
    *,
    organization: Organization,
    method: str,
    selection: Selection,
    actor: str,
    connection_id: UUID | None = None,
    note: str = "",
    reference: str = "",
    batch_id: UUID | None = None,
    person: UUID | None = None,
) -> RewardBatch:
    """Claim what is due of the selection and queue it. Raises UnknownRewards, ConnectionRequired, InvalidReward.

    `batch_id` is chosen by a caller who may ask twice: the second time raises IntegrityError, and nothing is made.
    `person` is the user who stands behind `actor`: another one has to approve what is more than a campaign lets go.
    """
    connection = _connection(method, connection_id)
    # Locked in key order: what another transaction is changing is waited for, and seen as it then stands.
    rewards = list(
        _selected(selection).select_related("campaign").select_for_update(no_key=True, of=("self",)).order_by("pk")
    )
    plan = _plan(rewards, selection)
    waits = needs_approval([item.reward for item in plan.items if item.code is None])
    batch = RewardBatch.objects.create(
        id=batch_id or uuid7(),
        organization=organization,
        campaign_id=_only_campaign(rewards),
        method=method,
        connection=connection,
        status=BatchStatus.AWAITING_APPROVAL if waits else BatchStatus.QUEUED,
        note=note,
        reference=reference,
        actor=actor,
        person_id=person,
        created_at=clock.wall(),
    )
    _add_items(organization, batch, plan)
    record(
        organization=organization,
        actor=actor,
        happenings=[
            Happening(
                "batch.created",
                "batch",
                batch.pk,
                batch.campaign_id,
                {"method": method, "total": len(rewards)},
                _as_told(batch, "CREATED"),
            )
        ],
    )
    finish_if_done([batch.pk])
    batch.refresh_from_db()
    return batch


def _connection(method: str, connection_id: UUID | None) -> Connection | None:
    if method not in methods():
        raise InvalidReward("method", f"Use one of {', '.join(methods())}.")
    if method == MANUAL or registry.file_of(method) is not None:
        return None
    try:
        return connection_for_method(method=method, connection_id=connection_id)
    except NoConnection as error:
        raise ConnectionRequired(str(error)) from error


def _selected(selection: Selection) -> QuerySet[Reward]:
    if selection.campaign_id is not None:
        return Reward.objects.filter(
            campaign=selection.campaign_id, status=RewardStatus.PENDING, fulfilment_kind=FulfilmentKind.METHOD
        ).order_by("pk")
    if len(set(selection.reward_ids)) > MAXIMUM_REWARDS:
        raise InvalidReward("reward_ids", f"A batch takes at most {MAXIMUM_REWARDS} rewards; make several.")
    return Reward.objects.filter(pk__in=set(selection.reward_ids)).order_by("pk")


def _plan(rewards: Sequence[Reward], selection: Selection) -> Plan:
    missing = set(selection.reward_ids) - {reward.pk for reward in rewards}
    if missing:
        raise UnknownRewards(sorted(missing))
    taken = claimed(reward.pk for reward in rewards)
    if selection.campaign_id is not None:
        rewards = [reward for reward in rewards if reward.pk not in taken]
    items = [PlannedItem(reward, _obstacle(reward, taken)) for reward in rewards]
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for item in items:
        if item.code is None:
            sums[item.reward.currency][0] += 1
            sums[item.reward.currency][1] += item.reward.amount
    problems = Counter(item.code for item in items if item.code)
    return Plan(
        items=items,
        totals=[(currency, number, amount) for currency, (number, amount) in sorted(sums.items())],
        netted=netted_sums([item.reward for item in items if item.code is None]),
        problems=sorted(problems.items()),
    )


def _obstacle(reward: Reward, taken: set[UUID]) -> str | None:
    if reward.fulfilment_kind == FulfilmentKind.WEBHOOK and reward.status == RewardStatus.PENDING:
        return "fulfilled_by_webhook"
    if reward.pk in taken:
        return "being_issued"
    if reward.status != RewardStatus.PENDING:
        return "not_due"
    return None


def _only_campaign(rewards: Sequence[Reward]) -> UUID | None:
    campaigns = {reward.campaign_id for reward in rewards}
    return campaigns.pop() if len(campaigns) == 1 else None


def _add_items(organization: Organization, batch: RewardBatch, plan: Plan) -> None:
    now = clock.wall()
    for start in range(0, len(plan.items), CHUNK):
        chunk = plan.items[start : start + CHUNK]
        free = [item.reward for item in chunk if item.code is None]
        claims = claims_open(organization=organization, rewards=free, kind=ClaimKind.BATCH)
        BatchItem.objects.bulk_create(_item(batch, planned, claims.get(planned.reward.pk), now) for planned in chunk)


def _item(batch: RewardBatch, planned: PlannedItem, claim: Claim | None, now: datetime) -> BatchItem:
    code = planned.code or (None if claim else "being_issued")
    return BatchItem(
        organization_id=batch.organization_id,
        batch=batch,
        reward=planned.reward,
        claim=claim,
        connection_id=batch.connection_id,
        amount=planned.reward.amount,
        currency=planned.reward.currency,
        outcome=ItemOutcome.FAILED if code else ItemOutcome.QUEUED,
        code=code or "",
        message=_MESSAGES[code] if code else "",
        next_attempt_at=None if code or not _is_for_runner(batch) else now,
        updated_at=now,
    )


def _is_for_runner(batch: RewardBatch) -> bool:
    """Not before it is approved; and a file is downloaded by a person."""
    return batch.status != BatchStatus.AWAITING_APPROVAL and registry.file_of(batch.method) is None


def needs_approval(rewards: Iterable[Reward]) -> bool:
    """Whether a batch of these rewards is more than one of their campaigns lets go without a second person.

    Campaigns are loaded. A campaign has one currency.
    """
    sums: Counter[UUID] = Counter()
    limits: dict[UUID, int] = {}
    for reward in rewards:
        sums[reward.campaign_id] += reward.amount
        if reward.campaign.auto_issue_approve_above is not None:
            limits[reward.campaign_id] = reward.campaign.auto_issue_approve_above
    return any(sums[campaign_id] > limit for campaign_id, limit in limits.items())


@transaction.atomic
def batch_approve(*, organization: Organization, batch: RewardBatch, actor: str, person: UUID | None) -> RewardBatch:
    """Let a batch go that waited for a second person. `person` is the user who stands behind `actor`.

    Approved twice at once, the second finds it done. Raises BatchNotReady where it doesn't wait (any more), and
    SamePerson for whoever made it, by page or by key.
    """
    held = RewardBatch.objects.select_for_update(no_key=True).get(pk=batch.pk)
    if held.approved_by == actor:
        return held
    if held.status != BatchStatus.AWAITING_APPROVAL:
        raise BatchNotReady(f"The batch is {held.status}; it doesn't wait for approval.")
    if actor == held.actor or (person is not None and person == held.person_id):
        raise SamePerson("Another person than the one who made the batch has to approve it.")
    held.status, held.approved_by, held.approved_at = BatchStatus.QUEUED, actor, clock.wall()
    held.save(update_fields=["status", "approved_by", "approved_at"])
    if registry.file_of(held.method) is None:
        BatchItem.objects.filter(batch=held, outcome=ItemOutcome.QUEUED).update(next_attempt_at=clock.wall())
    record(
        organization=organization,
        actor=actor,
        happenings=[
            Happening(
                "batch.approved",
                "batch",
                held.pk,
                held.campaign_id,
                {"method": held.method},
                _as_told(held, "APPROVED"),
            )
        ],
    )
    return held


def finish_if_done(batch_ids: Sequence[UUID]) -> None:
    """End the batches in which nothing is queued any more. The batch rows are locked in key order."""
    batches = (
        RewardBatch.objects.select_for_update(no_key=True)
        .filter(pk__in=batch_ids, status__in=[BatchStatus.AWAITING_APPROVAL, BatchStatus.QUEUED, BatchStatus.RUNNING])
        .order_by("pk")
    )
    for batch in batches:
        if BatchItem.objects.filter(batch=batch, outcome=ItemOutcome.QUEUED).exists():
            continue
        batch.status, batch.finished_at = BatchStatus.FINISHED, clock.wall()
        batch.save(update_fields=["status", "finished_at"])
        record(
            organization=batch.organization,
            actor=batch.actor,
            happenings=[
                Happening(
                    "batch.finished",
                    "batch",
                    batch.pk,
                    batch.campaign_id,
                    {"method": batch.method},
                    _as_told(batch, "FINISHED"),
                )
            ],
        )


def _as_told(batch: RewardBatch, change: str) -> dict[str, object]:
    """The batch and its counts as they are now, for webhooks."""
    return batch_data(batch, change, batch_counts([batch])[batch.pk])


@transaction.atomic
def batch_cancel(*, organization: Organization, batch: RewardBatch, actor: str, not_paid: bool = False) -> RewardBatch:
    """Free what nobody has started; what is under way ends first. Raises BatchNotCancelable once finished.

    An item that has been tried is left to the runner, whatever came of the try: the provider may have acted. Once a
    batch's file was downloaded only the person who cancels knows: `not_paid` says that nothing of it was paid, without
    it FileWasDownloaded is raised.
    """
    untouched = list(_cancelable(batch, not_paid).select_for_update(skip_locked=True, no_key=True, of=("self",)))
    held = RewardBatch.objects.select_for_update(no_key=True).get(pk=batch.pk)
    if held.status == BatchStatus.CANCELED:
        return held
    if held.status == BatchStatus.FINISHED:
        raise BatchNotCancelable("The batch is finished; there is nothing left to cancel.")
    if held.file_at is not None and not not_paid:
        raise FileWasDownloaded(
            "The batch's file was downloaded. Cancel it only if nothing of it was paid, and say so (not_paid)."
        )
    BatchItem.objects.filter(pk__in=[item.pk for item in untouched]).update(
        outcome=ItemOutcome.FAILED,
        code="canceled",
        message="The batch was canceled before this reward was sent. It is still due.",
        in_doubt=False,
        next_attempt_at=None,
        updated_at=clock.wall(),
    )
    IssueAttempt.objects.filter(item__in=untouched, outcome=AttemptOutcome.STARTED).update(
        outcome=AttemptOutcome.NOT_DONE, message=f"{actor} says that nothing was paid."
    )
    claims_close(item.claim_id for item in untouched if item.claim_id)
    nettings_end([], [each for nettings in nettings_of(untouched).values() for each in nettings])
    if not BatchItem.objects.filter(batch=held, outcome=ItemOutcome.QUEUED).exists():
        held.status, held.finished_at = BatchStatus.CANCELED, clock.wall()
        held.save(update_fields=["status", "finished_at"])
    record(
        organization=organization,
        actor=actor,
        happenings=[
            Happening(
                "batch.canceled",
                "batch",
                held.pk,
                held.campaign_id,
                {"freed": len(untouched), "not_paid": not_paid},
                _as_told(held, "CANCELED"),
            )
        ],
    )
    return held


def _cancelable(batch: RewardBatch, not_paid: bool) -> QuerySet[BatchItem]:
    queued = BatchItem.objects.filter(batch=batch, outcome=ItemOutcome.QUEUED).order_by("pk")
    by_file = registry.file_of(batch.method) is not None
    return queued if by_file and not_paid else queued.filter(tries=0, in_doubt=False)
