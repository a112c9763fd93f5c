"""What happened in the organization, newest first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from participants.models import Participant
from referral_rocket.accounts.models import ApiKey
from referral_rocket.accounts.selectors import actor_names
from referral_rocket.activity.models import Activity
from referral_rocket.dashboard import links
from referral_rocket.dashboard.methods import method_name, provider_name
from referral_rocket.dashboard.pagination import page_by_id
from referral_rocket.dashboard.wording import wording

# What a line can be about: its word, its icon, and the page of such a thing ("" without one).
ABOUT: Mapping[str, tuple[str, str, str]] = {
    "campaign": ("Campaigns", "megaphone", "campaign"),
    "participant": ("Participants", "users", "participant"),
    "import": ("Imports", "file-up", "participant_import"),
    "event": ("Events", "shopping-cart", ""),
    "reward": ("Rewards", "gift", "reward"),
    "batch": ("Batches", "list-checks", "batch"),
    "reconciliation": ("Reconciliation", "search", ""),
    "finding": ("Findings", "circle-alert", "finding"),
    "connection": ("Integrations", "plug", "connection"),
    "endpoint": ("Webhook endpoints", "webhook", ""),
    "membership": ("Members", "user", ""),
    "invitation": ("Invitations", "mail", ""),
    "api_key": ("API keys", "key-round", ""),
    "organization": ("Organization", "settings", ""),
}


@dataclass(frozen=True)
class Line:
    activity: Activity
    who: str
    what: str
    details: str
    icon: str
    href: str


@require_safe
def activity(request: Any) -> HttpResponse:
    found = Activity.objects.all()
    about, who, subject = (request.GET.get(name, "") for name in ("about", "who", "subject"))
    actors = _actors(request)
    if about in ABOUT:
        found = found.filter(subject_type=about)
    if who in dict(actors):
        found = found.filter(actor=who)
    if subject:
        found = found.filter(subject_id=uuid_or_404(subject))
    listed = page_by_id(request, found)
    context = {
        "tab": "activity",
        "page": listed,
        "lines": lines_of(request, listed.rows),
        "about": [(key, label) for key, (label, _, _) in ABOUT.items()],
        "who": actors,
        "filtered": bool(about or who or subject),
    }
    return render(request, "settings/activity.html", context)


def _actors(request: Any) -> list[tuple[str, str]]:
    """Whom the log can be narrowed to: the reader, and the API keys."""
    keys = ApiKey.objects.order_by("name", "pk").values_list("pk", "name")
    return [(request.actor, "Me"), *((f"api_key:{pk}", f"API key {name}") for pk, name in keys)]


def uuid_or_404(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404("This is no id.") from error


def lines_of(request: Any, activities: Sequence[Activity]) -> list[Line]:
    """Happenings as a page shows them; at most three queries more."""
    names = actor_names(each.actor for each in activities)
    gone = _gone(activities)
    lines = []
    for each in activities:
        _, icon, page_name = ABOUT.get(each.subject_type, ("", "circle", ""))
        lines.append(
            Line(
                activity=each,
                who=names[each.actor],
                what=what_happened(each.kind),
                details=_details(each.data),
                icon=icon,
                href=links.to(request, page_name, each.subject_id) if page_name and each.subject_id not in gone else "",
            )
        )
    return lines


def _gone(activities: Sequence[Activity]) -> set[UUID]:
    """Participants whom the undo of an import removed: what happened to them stays on record, their page doesn't."""
    people = {each.subject_id for each in activities if each.subject_type == "participant"}
    there = Participant.objects.filter(pk__in=people).values_list("pk", flat=True) if people else ()
    return people - set(there)


# Where the kind's own words would be read as something else.
_WHAT = {
    "backfill.queued": "Past payments asked for",
    "backfill.ended": "Past payments gone through",
    "event.net_changed": "Event refunded, disputed or given back",
    "inbound.replayed": "Provider's event replayed",
    "inbound.replayed_many": "Provider's events replayed",
    "outcome.settled": "Unknown outcome settled",
}


def what_happened(kind: str) -> str:
    topic, _, verb = kind.partition(".")
    return _WHAT.get(kind, f"{topic.replace('_', ' ').capitalize()} {verb.replace('_', ' ')}").replace(
        "Api key", "API key"
    )


# What a line says of a happening's data, in this order. Ids are left out: the line links to its thing.
_SAID: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("from", lambda value: f"{wording('reward', value).label} →"),
    ("to", lambda value: wording("reward", value).label),
    ("status", lambda value: wording("campaign", value).label),
    ("outcome", lambda value: str(value).replace("_", " ").capitalize()),
    ("rewards", lambda value: f"{value} reward{'' if value == 1 else 's'}"),
    ("canceled", lambda value: f"{value} reward{'' if value == 1 else 's'} canceled"),
    ("total", lambda value: f"{value} reward{'' if value == 1 else 's'}"),
    ("rows", lambda value: f"{value} row{'' if value == 1 else 's'}"),
    ("created", lambda value: f"{value} added"),
    ("filled", lambda value: f"{value} filled in"),
    ("removed", lambda value: f"{value} removed"),
    ("restored", lambda value: f"{value} as before"),
    ("kept", lambda value: f"{value} kept"),
    ("method", method_name),
    ("provider", provider_name),
    ("fields", lambda value: ", ".join(each.replace("_", " ") for each in value)),
    ("changed", lambda value: ", ".join(each.replace("_", " ") for each in value)),
    ("scopes", ", ".join),
    ("role", lambda value: wording("role", value).label),
    ("reason", str),
)


def _details(data: Mapping[str, Any]) -> str:
    """`Earned → Due, holding period over`."""
    parts = [say(data[name]) for name, say in _SAID if data.get(name) not in (None, "")]
    # `Earned, earned` says nothing more than `Earned`.
    parts = [part for at, part in enumerate(parts) if part.lower() not in map(str.lower, parts[:at])]
    return ", ".join(parts).replace("→,", "→")
