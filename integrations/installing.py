"""Connections that are made by installing the operator's app at a provider. Each is atomic, inside `tenant()`."""

from collections.abc import Mapping

from django.db import transaction

from integrations.models import Connection, ConnectionStatus
from integrations.registry import provider_of
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit.clock import wall

WAITING = "The shop is being asked for access, which takes some seconds."


@transaction.atomic
def connection_install(
    *, organization: Organization, provider: str, credentials: Mapping[str, str], actor: str
) -> Connection:
    """A connection with the code that an installation brought; the worker that checks connections exchanges it.

    Until then nothing is issued through it. The same shop again is the same connection: its webhooks keep their address.
    """
    described = provider_of(provider)
    held = Connection.objects.select_for_update().filter(provider=provider).order_by("id")
    same = (each for each in held if each.credentials.get("shop") == credentials["shop"])
    connection = next(same, None) or Connection(organization=organization, provider=provider)
    connection.status, connection.disconnected_at = ConnectionStatus.NEEDS_ATTENTION, None
    connection.attention_reason = WAITING
    connection.credentials = dict(credentials)
    connection.webhook_secrets = {
        **connection.webhook_secrets,
        "current": credentials[described.signing_credential] if described.signing_credential else None,
    }
    connection.check_due_at, connection.check_attempts, connection.check_message = wall(), 0, ""
    connection.save()
    happening = Happening("connection.created", "connection", connection.pk, data={"provider": provider})
    record(organization=organization, actor=actor, happenings=[happening])
    return connection


@transaction.atomic
def connection_installed(*, connection: Connection, credentials: Mapping[str, str]) -> None:
    """The code was exchanged: it is forgotten, and the lasting credentials take its place.

    `connection` as it was when its code was taken; credentials that somebody has put there since stay.
    """
    held = Connection.objects.select_for_update().get(pk=connection.pk)
    if held.credentials != connection.credentials:
        return
    held.credentials = dict(credentials)
    held.save(update_fields=["credentials", "updated_at"])
