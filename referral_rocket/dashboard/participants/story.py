"""What happened to a participant, from the first click to the issued reward, newest first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from participants.models import Participant, QualifyingEvent, Source
from referral_rocket.dashboard.wording import wording
from rewards.models import Decision, Reward, RewardTransition
from rewards.states import RewardStatus

_SOURCES = dict(Source.choices)


@dataclass(frozen=True)
class Entry:
    """A line of the story. `amount` in minor units, with its currency; `href_name` and `href_id` name a page."""

    at: datetime
    icon: str
    tone: str
    title: str
    text: str = ""
    amount: int | None = None
    currency: str = ""
    reward_id: UUID | None = None


def story(
    participant: Participant,
    events: Sequence[QualifyingEvent],
    rewards: Sequence[Reward],
    transitions: Iterable[RewardTransition],
) -> list[Entry]:
    entries = [*_beginnings(participant), *map(_event, events)]
    entries += [_undone(event) for event in events if event.undone_at]
    by_id = {reward.pk: reward for reward in rewards}
    entries += [_step(by_id[step.reward_id], step) for step in transitions if step.reward_id in by_id]
    # Of two things at the same moment the later step comes first, as in the rest of the list.
    return sorted(entries, key=lambda entry: entry.at)[::-1]


def _beginnings(participant: Participant) -> list[Entry]:
    referrer = participant.referred_by
    entries = []
    clicked_at = participant.attributed_at
    if referrer is not None and clicked_at is not None and clicked_at != participant.joined_at:
        entries.append(Entry(clicked_at, "mouse-pointer-click", "info", f"Came through {referrer.customer}'s link"))
    text = f"Referred by {referrer.customer}" if referrer else "Without a referral"
    entries.append(Entry(participant.joined_at, "user-plus", "primary", "Joined", text))
    if participant.banned_at:
        entries.append(Entry(participant.banned_at, "ban", "error", "Banned", participant.ban_reason))
    return entries


def _event(event: QualifyingEvent) -> Entry:
    text = _SOURCES.get(event.source, event.source)
    if event.transaction_id:
        text = f"{text} · {event.transaction_id}"
    title = event.type.replace("_", " ").capitalize()
    qualified = event.outcome == "QUALIFIED"
    return Entry(
        event.occurred_at,
        "shopping-cart" if event.type == "purchase" else "badge-check",
        "success" if qualified else "neutral",
        title if qualified else f"{title}, without a reward",
        text,
        event.amount,
        event.currency or "",
    )


def _undone(event: QualifyingEvent) -> Entry:
    assert event.undone_at is not None
    return Entry(event.undone_at, "undo-2", "warning", "Event undone", event.transaction_id or "")


def _step(reward: Reward, step: RewardTransition) -> Entry:
    words = wording("reward", step.to_status)
    title = f"Reward: {words.label.lower()}" if step.from_status else f"Reward earned ({words.label.lower()})"
    if step.to_status == step.from_status:
        title = "Reward changed"
    if step.from_status is None and step.to_status == RewardStatus.EARNED:
        title = "Reward earned"
    text = "" if step.reason in ("earned", "issued") else step.reason
    return Entry(step.at, words.icon, words.tone, title, text, step.amount_after, reward.currency, reward.pk)


@dataclass(frozen=True)
class EventLine:
    """An event with what each rule made of it. `undoable`: marked by hand, and none of its rewards is under way."""

    event: QualifyingEvent
    decisions: Sequence[Decision]
    undoable: bool


def event_lines(
    events: Sequence[QualifyingEvent],
    decisions: Iterable[Decision],
    rewards: Mapping[UUID, Sequence[Reward]],
    claimed: set[UUID],
) -> list[EventLine]:
    """`rewards` by event: they may be another participant's, the referrer's say."""
    by_event: dict[UUID, list[Decision]] = {event.pk: [] for event in events}
    for decision in decisions:
        by_event[decision.event_id].append(decision)
    return [
        EventLine(event, by_event[event.pk], _is_undoable(event, rewards.get(event.pk, ()), claimed))
        for event in events
    ]


def _is_undoable(event: QualifyingEvent, rewards: Sequence[Reward], claimed: set[UUID]) -> bool:
    if event.source != Source.HAND or event.undone_at is not None or event.payment_id is not None:
        return False
    return all(reward.status != RewardStatus.AVAILABLE and reward.pk not in claimed for reward in rewards)
