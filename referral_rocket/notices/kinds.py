"""What members are told of by mail: which happening it is, whom it concerns, and what the mail says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models

from referral_rocket.accounts.roles import Ability
from referral_rocket.activity.outbox import Told

Data = Mapping[str, Any]
# Outcomes of a batch's items that leave something for a person to do (rewards/states.py, ItemOutcome).
_LEFT_TO_DO = ("failed", "waiting", "unknown")


class NoticeKind(models.TextChoices):
    CONNECTION = "CONNECTION", "A connection stopped working"
    APPROVAL = "APPROVAL", "A batch waits for a second person"
    NOT_REWARDED = "NOT_REWARDED", "A batch ended with rewards that weren't issued"
    ENDPOINT = "ENDPOINT", "A webhook endpoint was disabled"


@dataclass(frozen=True)
class Notice:
    """One kind of mail. `data_of` answers what the mail needs of a happening, or None where nobody has to be told."""

    activity: str
    ability: Ability
    about: str
    subject: str
    page: str
    data_of: Callable[[Told], Data | None]
    text: Callable[[Data], str]


def _awaits_approval(told: Told) -> Data | None:
    snapshot = told.snapshot or {}
    return {"total": _counts(snapshot)["total"]} if snapshot.get("status") == "AWAITING_APPROVAL" else None


def _left_to_do(told: Told) -> Data | None:
    counts = _counts(told.snapshot or {})
    left = sum(counts.get(outcome, 0) for outcome in _LEFT_TO_DO)
    return {"left": left, "total": counts["total"]} if left else None


def _counts(snapshot: Mapping[str, object]) -> dict[str, int]:
    found = snapshot.get("counts")
    return found if isinstance(found, dict) else {"total": 0}


def _as_recorded(told: Told) -> Data:
    return told.activity.data


def _connection_text(data: Data) -> str:
    return (
        f"The connection to {str(data.get('provider', 'a provider')).title()} needs attention: {data.get('reason', '')}\n\n"
        "Rewards that go through it wait, and nothing is lost. Enter its credentials again, or check it, on this page:"
    )


def _approval_text(data: Data) -> str:
    return (
        f"A batch of {_rewards(data['total'])} is prepared. Nothing is sent until a second person has looked at it and "
        "approved it here:"
    )


def _not_rewarded_text(data: Data) -> str:
    return (
        f"Of {_rewards(data['total'])} in a batch, {data['left']} couldn't be issued. They are still owed. "
        "Each is listed with its reason and what to do next:"
    )


def _endpoint_text(data: Data) -> str:
    why = (
        "It answered 410 Gone, which says that it is to get nothing more."
        if data.get("reason") == "gone"
        else "None of our requests succeeded for 5 days."
    )
    return (
        f"We have disabled the webhook endpoint at {data.get('host', '')}. {why}\n\nEvents go on being kept. Once it works "
        "again, enable it here, and what is pending is sent:"
    )


def _rewards(number: int) -> str:
    return "1 reward" if number == 1 else f"{number:,} rewards"


NOTICES: dict[str, Notice] = {
    NoticeKind.CONNECTION: Notice(
        "connection.needs_attention",
        Ability.CONNECT,
        "Its credentials were refused, or its account can't be used. Rewards that go through it wait.",
        "a connection needs attention",
        "integrations/{id}/",
        _as_recorded,
        _connection_text,
    ),
    NoticeKind.APPROVAL: Notice(
        "batch.created",
        Ability.ISSUE,
        "Above the campaign's amount a batch is sent only when somebody else has approved it.",
        "a batch waits for approval",
        "rewards/batches/{id}/",
        _awaits_approval,
        _approval_text,
    ),
    NoticeKind.NOT_REWARDED: Notice(
        "batch.finished",
        Ability.ISSUE,
        "The provider refused some, or didn't say what became of them.",
        "some rewards weren't issued",
        "rewards/batches/{id}/",
        _left_to_do,
        _not_rewarded_text,
    ),
    NoticeKind.ENDPOINT: Notice(
        "endpoint.disabled",
        Ability.CONNECT,
        "It said that it is gone, or nothing arrived for 5 days. Events are kept.",
        "a webhook endpoint was disabled",
        "webhooks/{id}",
        _as_recorded,
        _endpoint_text,
    ),
}
KINDS_BY_ACTIVITY: dict[str, str] = {notice.activity: kind for kind, notice in NOTICES.items()}
