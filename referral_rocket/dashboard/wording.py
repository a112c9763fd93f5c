"""How a state is called on a page: its words, its tone and its icon. Never by colour alone.

The keys are the states of the API; pages keep them in `data-status`, people read the label.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """A state as a person reads it. `tone` is one of the theme's tones, `icon` a name in the sprite, `hint` a sentence."""

    label: str
    tone: str
    icon: str
    hint: str = ""


_REWARD = {
    "EARNED": Wording("Earned", "info", "hourglass", "Earned, and not due yet"),
    "PENDING": Wording("Due", "primary", "clock", "Ready to be issued"),
    "AVAILABLE": Wording("Issued", "success", "circle-check", "The participant has it"),
    "PENDING_DEDUCTION": Wording("Deduction due", "warning", "undo-2", "To be taken back after a refund"),
    "DEDUCTED": Wording("Deducted", "neutral", "circle-minus", "Taken back"),
    "AGGREGATED": Wording("In a total", "violet", "layers", "Issued as part of a total"),
    "CANCELED": Wording("Canceled", "neutral", "ban", "Nothing is owed"),
}
_CAMPAIGN = {
    "DRAFT": Wording("Draft", "neutral", "pencil", "Not started; earns nothing"),
    "ACTIVE": Wording("Active", "success", "play", "Takes participants and earns rewards"),
    "PAUSED": Wording("Paused", "warning", "circle-pause", "New events earn nothing until it goes on"),
    "ENDED": Wording("Ended", "neutral", "flag", "New events earn nothing; what is due is still issued"),
}
_BATCH = {
    "AWAITING_APPROVAL": Wording("Awaiting approval", "warning", "shield-check", "Another person has to approve it"),
    "QUEUED": Wording("Queued", "info", "clock", "About to start"),
    "RUNNING": Wording("Running", "info", "loader", "Rewards are being issued"),
    "FINISHED": Wording("Finished", "success", "circle-check", "Every reward has its result"),
    "CANCELED": Wording("Canceled", "neutral", "ban", "Nothing more is sent"),
}
_ITEM = {
    "QUEUED": Wording("In progress", "info", "clock", "Not decided yet"),
    "SUCCEEDED": Wording("Rewarded", "success", "circle-check", "Issued"),
    "FAILED": Wording("Not rewarded", "error", "circle-x", "Refused, with the reason beside it"),
    "UNKNOWN": Wording(
        "Outcome unknown", "warning", "circle-help", "A person has to look; it is never sent again blindly"
    ),
    "WAITING": Wording("Waiting", "violet", "hourglass", "Goes on by itself when what it waits for happens"),
}
# An item of a batch that takes back what was issued.
_TAKE_BACK = {
    **_ITEM,
    "SUCCEEDED": Wording("Taken back", "success", "circle-check"),
    "FAILED": Wording("Not taken back", "error", "circle-x", "Refused, with the reason beside it"),
}
_CONNECTION = {
    "ACTIVE": Wording("Connected", "success", "circle-check"),
    "NEEDS_ATTENTION": Wording("Needs attention", "error", "triangle-alert"),
    "DISCONNECTED": Wording("Disconnected", "neutral", "plug"),
}
_BACKFILL = {
    "QUEUED": Wording("Queued", "info", "clock", "About to start, or waiting to ask again"),
    "READING": Wording("Asking", "info", "loader", "The provider is listing its past"),
    "JUDGING": Wording("Working", "info", "loader", "What was listed is being gone through"),
    "FINISHED": Wording("Finished", "success", "circle-check"),
    "FAILED": Wording("Failed", "error", "circle-x", "Nothing is lost: try again"),
}
_IMPORT = {
    "MAPPING": Wording("Columns to choose", "warning", "columns-3", "Waits to hear what the columns are"),
    "CHECKING": Wording("Checking", "info", "loader", "Each row is being looked at; nothing is written"),
    "CHECKED": Wording("Checked", "primary", "list-checks", "Waits for somebody to start it; nothing is written"),
    "RUNNING": Wording("Importing", "info", "loader", "Rows are becoming participants"),
    "FINISHED": Wording("Finished", "success", "circle-check", "Every row has its result"),
    "UNDOING": Wording("Undoing", "info", "loader", "What was imported is being taken back"),
    "UNDONE": Wording("Undone", "neutral", "undo-2", "What nobody had touched was taken back"),
    "DISCARDED": Wording("Discarded", "neutral", "trash-2", "Nothing of it was imported"),
    "FAILED": Wording("Broke off", "error", "circle-x", "What is done is done; it can go on"),
}
_ENDPOINT = {
    "ENABLED": Wording("Enabled", "success", "circle-check"),
    "DISABLED": Wording("Disabled", "neutral", "circle-pause"),
}
_DELIVERY = {
    "PENDING": Wording("Pending", "info", "clock", "Waits for its next attempt"),
    "DELIVERED": Wording("Delivered", "success", "circle-check"),
    "FAILED": Wording("Failed", "error", "circle-x", "All attempts have failed"),
    "SKIPPED": Wording("Skipped", "neutral", "circle-minus"),
}
# What our own webhooks tell of; the code stands beside it for who receives them.
_WEBHOOK_EVENT = {
    "REWARD": Wording("Reward orders", "neutral", "gift"),
    "REWARD_UPDATED": Wording("Reward changes", "neutral", "refresh-cw"),
    "PARTICIPANT": Wording("Participants", "neutral", "users"),
    "EVENT": Wording("Qualifying events", "neutral", "activity"),
    "BATCH": Wording("Batches", "neutral", "list-checks"),
    "TEST": Wording("Test event", "neutral", "flask-conical"),
}
_INBOUND = {
    "RECEIVED": Wording("Received", "info", "clock", "Stored, not worked on yet"),
    "PROCESSED": Wording("Processed", "success", "circle-check"),
    "IGNORED": Wording("Ignored", "neutral", "circle-minus"),
    "FAILED": Wording("Failed", "error", "circle-x"),
}
_REVERSAL = {
    "DONE": Wording("Refunded", "neutral", "undo-2"),
    "OPEN": Wording("Dispute open", "warning", "triangle-alert"),
    "WON": Wording("Dispute won", "success", "circle-check"),
    "LOST": Wording("Dispute lost", "error", "circle-x"),
    "FAILED": Wording("Refund failed", "neutral", "circle-x"),
}
_WAITING_FOR = {
    "HOLDING": Wording("Holding period", "info", "hourglass"),
    "REVIEW": Wording("In review", "warning", "eye"),
    "AGGREGATION": Wording("Next total", "violet", "layers", "Joins the next statement, or its day's total"),
    "CARRY": Wording("Not enough yet", "neutral", "layers", "Left over; due once enough has come together"),
    "RECIPIENT": Wording("Needs a recipient", "warning", "user"),
    "NO_ENDPOINT": Wording("No endpoint", "warning", "webhook"),
}
_DECISION = {
    "EARNED": Wording("Earned", "success", "check"),
    "NOT_EARNED": Wording("Not earned", "neutral", "circle-minus"),
    "DUPLICATE": Wording("Duplicate", "neutral", "copy"),
}
_MODE = {
    "LIVE": Wording("Live", "success", "circle-check"),
    "TEST": Wording("Test", "warning", "flag"),
}
_ROLE = {
    "OWNER": Wording("Owner", "violet", "key-round"),
    "ADMIN": Wording("Admin", "info", "shield-check"),
    "MARKETER": Wording("Marketer", "primary", "megaphone"),
    "VIEWER": Wording("Viewer", "neutral", "eye"),
}

WORDINGS: dict[str, dict[str, Wording]] = {
    "reward": _REWARD,
    "campaign": _CAMPAIGN,
    "batch": _BATCH,
    "item": _ITEM,
    "take_back": _TAKE_BACK,
    "connection": _CONNECTION,
    "endpoint": _ENDPOINT,
    "delivery": _DELIVERY,
    "webhook_event": _WEBHOOK_EVENT,
    "inbound": _INBOUND,
    "backfill": _BACKFILL,
    "import": _IMPORT,
    "reversal": _REVERSAL,
    "waiting": _WAITING_FOR,
    "decision": _DECISION,
    "mode": _MODE,
    "role": _ROLE,
}


def wording(kind: str, value: str) -> Wording:
    """The words for a state. A state without an entry is shown by its own name rather than hidden."""
    known = WORDINGS[kind].get(value)
    if known is not None:
        return known
    return Wording(value.replace("_", " ").capitalize(), "neutral", "circle")
