"""Reading connections: for pages, for issuing, and for the door that takes webhooks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from integrations.base import Access
from integrations.description import Method
from integrations.errors import ConnectionRequired, UnknownProvider
from integrations.models import Connection, ConnectionStatus
from integrations.pacing import Pace, requests_per_second
from integrations.registry import PROVIDERS, methods, provider_of_method
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization


def connections() -> QuerySet[Connection]:
    """The organization's connections, newest first, disconnected ones too. Inside `tenant()`."""
    return Connection.objects.order_by("-id")


def connection_for_method(*, method: str, connection_id: UUID | None = None) -> Connection:
    """The connection that a batch of this method uses. Inside `tenant()`.

    Raises ConnectionRequired where none is named and there isn't exactly one active, or where the named one isn't an
    active connection of the method's provider.
    """
    try:
        provider = provider_of_method(method)
    except UnknownProvider as error:
        raise ConnectionRequired(f"The method {method} isn't available here.") from error
    active = Connection.objects.filter(provider=provider.slug, status=ConnectionStatus.ACTIVE)
    if connection_id is not None:
        found = active.filter(pk=connection_id).first()
        if found is None:
            raise ConnectionRequired(f"This isn't an active {provider.name} connection. Choose one under Integrations.")
        return found
    several = list(active.order_by("id")[:2])
    if not several:
        raise ConnectionRequired(f"Connect {provider.name} under Integrations first.")
    if len(several) > 1:
        raise ConnectionRequired(f"There are several {provider.name} connections: say which one to use.")
    return several[0]


@dataclass(frozen=True)
class AvailableMethod:
    """A method and the active connections that it can use, oldest first; never empty."""

    method: Method
    connections: tuple[Connection, ...]


def available_methods() -> list[AvailableMethod]:
    """What Issue Reward can offer besides MANUAL, in the registry's order. Inside `tenant()`; one query."""
    active: dict[str, list[Connection]] = {}
    for connection in Connection.objects.filter(status=ConnectionStatus.ACTIVE).order_by("id"):
        active.setdefault(connection.provider, []).append(connection)
    return [
        AvailableMethod(method, tuple(active[provider]))
        for method in methods()
        if method.adapter is not None and (provider := provider_of_method(method.slug).slug) in active
    ]


def access_of(connection: Connection, organization: Organization) -> Access:
    """What an adapter needs. Made inside `tenant()`, used outside. It keeps the connection's pace, see `Pace`."""
    return Access(
        connection_id=connection.pk,
        provider=connection.provider,
        mode=organization.mode,
        credentials=dict(connection.credentials),
        settings=dict(connection.settings),
        api_base=settings.PROVIDER_API_BASES.get(connection.provider),
        pace=Pace(requests_per_second(connection.provider, organization.mode), connection_id=connection.pk),
    )


def webhook_url(connection: Connection) -> str:
    """Where the provider is to send its webhooks."""
    return f"{settings.BASE_URL}/webhooks/in/{connection.provider}/{connection.pk}"


# The door --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Door:
    """What the webhook door needs to know of a connection; it may be kept for some seconds.

    `secrets` is (secret, accepted until); None means without end.
    """

    connection_id: UUID
    organization_id: UUID
    provider: str
    mode: str
    status: str
    secrets: tuple[tuple[str, datetime | None], ...] = field(repr=False)

    def secrets_at(self, now: datetime) -> tuple[str, ...]:
        """The secrets accepted at a wall time: while one is rotated, two."""
        return tuple(secret for secret, until in self.secrets if until is None or now < until)


def door_of(*, provider: str, connection_id: UUID) -> Door | None:
    """None where there is no such connection of that provider, in any organization. Opens its own scope."""
    if provider not in PROVIDERS or PROVIDERS[provider].inbound is None:
        return None
    with every_organization("connection look-up by a webhook's address"):
        connection = (
            Connection.objects.filter(pk=connection_id, provider=provider, organization__deleted_at__isnull=True)
            .select_related("organization")
            .first()
        )
        if connection is None:
            return None
        return Door(
            connection_id=connection.pk,
            organization_id=connection.organization_id,
            provider=provider,
            mode=connection.organization.mode,
            status=connection.status,
            secrets=_secrets(connection.webhook_secrets),
        )


def accepted_secrets(connection: Connection, now: datetime) -> tuple[str, ...]:
    """What the connection's webhooks are verified with at a wall time."""
    return tuple(secret for secret, until in _secrets(connection.webhook_secrets) if until is None or now < until)


def _secrets(stored: Mapping[str, Any]) -> tuple[tuple[str, datetime | None], ...]:
    found: list[tuple[str, datetime | None]] = []
    if stored.get("current"):
        found.append((stored["current"], None))
    if stored.get("previous") and stored.get("previous_until"):
        found.append((stored["previous"], datetime.fromisoformat(stored["previous_until"])))
    return tuple(found)
