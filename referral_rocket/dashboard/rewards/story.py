"""A reward's story from the referral to its issue, in order of time. Items come with batch and claim."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from campaigns.services import MANUAL
from participants.models import Participant, QualifyingEvent
from referral_rocket.dashboard.methods import method_name
from referral_rocket.dashboard.wording import wording
from rewards.models import BatchItem, Decision, Reward, RewardTransition
from rewards.services.settling import BY_HAND
from rewards.states import ItemOutcome, RewardStatus

_ITEM_ICONS = {
    ItemOutcome.QUEUED: ("clock", "info", "Being issued {}"),
    ItemOutcome.SUCCEEDED: ("circle-check", "success", "Issued {}"),
    ItemOutcome.FAILED: ("circle-x", "error", "Not issued {}"),
    ItemOutcome.UNKNOWN: ("circle-help", "warning", "Sent {}, outcome unknown"),
    ItemOutcome.WAITING: ("hourglass", "violet", "Waiting {}"),
}


@dataclass(frozen=True)
class Chapter:
    """One entry of the timeline; `batch_id` leads to the batch that it tells of."""

    at: datetime
    icon: str
    tone: str
    title: str
    text: str = ""
    batch_id: object = None


def story(
    reward: Reward,
    decision: Decision | None,
    transitions: Sequence[RewardTransition],
    items: Iterable[BatchItem],
    actors: Mapping[str, str],
) -> list[Chapter]:
    """`actors` are names by recorded actor. What was recorded at one moment keeps this order."""
    chapters = []
    event = reward.event
    if event is not None:
        chapters += _before(event, event.participant)
        chapters.append(_event(event))
    if decision is not None:
        chapters.append(Chapter(decision.created_at, "badge-check", "primary", "Decided", decision.message))
    told = list(items)
    refusals = {item.code for item in told if item.code}
    # A batch's result tells of the issue, with where to look; the step to the status would say it twice.
    by_batch = any(item.outcome == ItemOutcome.SUCCEEDED for item in told)
    chapters += [
        _step(transition, actors)
        for transition in transitions
        if not (by_batch and _is_told_by_its_batch(transition)) and transition.reason not in refusals
    ]
    chapters += [_item(item) for item in told]
    return sorted(chapters, key=lambda chapter: chapter.at)


def _before(event: QualifyingEvent, person: Participant) -> list[Chapter]:
    joined = Chapter(person.joined_at, "user-plus", "neutral", f"{person.customer} joined the campaign")
    referrer = person.referred_by
    if referrer is None or person.attributed_at is None:
        return [joined]
    through = Chapter(
        person.attributed_at, "mouse-pointer-click", "neutral", f"{person.customer} came through {referrer.customer}"
    )
    return [through, joined]


def _event(event: QualifyingEvent) -> Chapter:
    text = f"Transaction {event.transaction_id}" if event.transaction_id else ""
    title = f"{event.participant.customer}: {event.type}"
    return Chapter(event.occurred_at, "shopping-cart", "info", title, f"{text} · {event.source_label}".strip(" ·"))


def _is_told_by_its_batch(transition: RewardTransition) -> bool:
    # But for who settled it by hand, and why.
    return transition.to_status == RewardStatus.AVAILABLE and not transition.reason.startswith(BY_HAND)


def _step(transition: RewardTransition, actors: Mapping[str, str]) -> Chapter:
    words = wording("reward", transition.to_status)
    same = transition.from_status == transition.to_status
    title = "Changed" if same else words.label
    who = actors.get(transition.actor, transition.actor)
    reason = transition.reason.replace("_", " ")
    return Chapter(
        transition.at, words.icon, words.tone, title, f"{reason[:1].upper()}{reason[1:]} · by {who}".strip(" ·")
    )


def _way(method: str) -> str:
    return "by hand" if method == MANUAL else f"with {method_name(method)}"


def _item(item: BatchItem) -> Chapter:
    # What waits for nothing that happens by itself has no claim any more: it was simply not issued.
    waits = item.outcome == ItemOutcome.WAITING and item.claim is not None and item.claim.closed_at is None
    outcome = ItemOutcome.FAILED if item.outcome == ItemOutcome.WAITING and not waits else ItemOutcome(item.outcome)
    icon, tone, title = _ITEM_ICONS[outcome]
    return Chapter(item.updated_at, icon, tone, title.format(_way(item.batch.method)), item.message, item.batch_id)
