"""The providers as cards, and a connection's page."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from integrations.description import Provider
from integrations.models import Connection, ConnectionStatus
from integrations.registry import PROVIDERS, provider_of
from integrations.selectors import connections, webhook_url
from referral_rocket.dashboard.integrations import backfills, replays
from referral_rocket.dashboard.integrations.forms import CredentialsForm, SecretForm, SettingsForm
from referral_rocket.dashboard.integrations.lookup import connection_or_404
from referral_rocket.dashboard.methods import is_sandbox_of
from referral_rocket.dashboard.pagination import page_by_id
from referral_rocket.kit import clock
from webhooks.inbound.listing import LISTED
from webhooks.inbound.models import InboundEvent, InboundStatus
from webhooks.inbound.services import REPLAYABLE


@dataclass(frozen=True)
class Card:
    """A provider with the connections to it. `active` and `broken` are what the person has to know first."""

    provider: Provider
    connections: Sequence[Connection]
    sandbox: bool

    @property
    def icon(self) -> str:
        return "credit-card" if self.provider.receives_payments else "send"


@require_safe
def integration_list(request: Any) -> HttpResponse:
    by_provider: dict[str, list[Connection]] = defaultdict(list)
    gone: list[Connection] = []
    for each in connections():
        if each.status == ConnectionStatus.DISCONNECTED:
            gone.append(each)
        else:
            by_provider[each.provider].append(each)
    cards = [Card(provider, by_provider[slug], is_sandbox_of(slug)) for slug, provider in PROVIDERS.items()]
    # Connected ones first, each in the registry's order.
    cards.sort(key=lambda card: not card.connections)
    return render(request, "integrations/list.html", {"cards": cards, "gone": gone})


@require_safe
def connection(request: Any, connection_id: UUID) -> HttpResponse:
    return show(request, connection_or_404(connection_id))


def show(request: Any, connection: Connection, *, opened: str = "", status: int = 200, **forms: Any) -> HttpResponse:
    """The page; `opened` names the dialog that stands open with what is wrong in its form, given in `forms`."""
    provider = provider_of(connection.provider)
    found = InboundEvent.objects.filter(connection=connection).defer("body")
    asked, event_type = request.GET.get("status", ""), request.GET.get("type", "")
    if asked in InboundStatus.values:
        found = found.filter(status=asked)
    if event_type:
        found = found.filter(event_type=event_type)
    counts = dict(
        InboundEvent.objects.filter(connection=connection).values_list("status").annotate(Count("id")).order_by()
    )
    context = {
        "connection": connection,
        "provider": provider,
        "sandbox": is_sandbox_of(provider.slug),
        "installing": _is_installing(connection),
        "webhook_url": webhook_url(connection),
        "secrets": _secrets(connection),
        "page": page_by_id(request, found),
        "statuses": [(value, f"{label} ({counts.get(value, 0)})") for value, label in InboundStatus.choices],
        "event_groups": _event_groups(provider),
        "types": [(name, name) for name in sorted({*provider.webhook_events, LISTED})],
        "any_event": bool(counts),
        "failing": counts.get(InboundStatus.FAILED, 0),
        "offer": replays.offer(asked, event_type, counts),
        **replays.shown(connection),
        "replayable": REPLAYABLE,
        # With attempts on record, these were kept from being worked on by an error.
        "broken_off": (InboundStatus.RECEIVED, InboundStatus.FAILED),
        "opened": opened,
        "credentials_form": CredentialsForm(provider=provider),
        "secret_form": SecretForm(provider=provider),
        "settings_form": SettingsForm(provider=provider, now=connection.settings),
        "settings": [(field.label, _shown(connection.settings.get(field.name))) for field in provider.setting_fields],
        # Said here: a template would call the function.
        "makes_webhook": provider.create_webhook is not None and connection.is_active,
        "lists_past": provider.payments_since is not None,
        **(backfills.shown(connection) if provider.payments_since else {}),
        **forms,
    }
    return render(request, "integrations/connection.html", context, status=status)


def _event_groups(provider: Provider) -> list[tuple[str, list[str]]]:
    """The types of its webhooks, under what is to be done about them."""
    by_hand = provider.privacy.types if provider.privacy is not None else frozenset()
    others = [name for name in provider.webhook_events if name not in by_hand]
    if provider.subscribe is None:
        return [("Events to subscribe to", others)]
    groups = [("Subscribed to by us, at every check", others)]
    if by_hand:
        told = f"To enter yourself, in the app's settings at {provider.name}, with the address above"
        groups.append((told, [name for name in provider.webhook_events if name in by_hand]))
    return groups


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else value or "Not set"


def _is_installing(connection: Connection) -> bool:
    """Whether a worker is about to exchange the code of an installation."""
    install = provider_of(connection.provider).install
    return install is not None and install.pending in connection.credentials and connection.check_due_at is not None


@dataclass(frozen=True)
class Secrets:
    """What a page may know of the webhook secrets: whether there is one, and until when an old one is accepted."""

    known: bool
    old_until: datetime | None


def _secrets(connection: Connection) -> Secrets:
    stored = connection.webhook_secrets
    until = stored.get("previous_until")
    moment = datetime.fromisoformat(until).astimezone(UTC) if until else None
    return Secrets(bool(stored.get("current")), moment if moment and moment > clock.wall() else None)


@require_safe
def connection_status(request: Any, connection_id: UUID) -> HttpResponse:
    """The part of the page that a running check changes, for htmx to fetch until it is done."""
    connection = connection_or_404(connection_id)
    response = render(request, "integrations/check.html", {"connection": connection})
    if connection.check_due_at is None:
        # It may have ended an installation or made an endpoint, of which other parts of the page tell.
        response["HX-Refresh"] = "true"
    return response
