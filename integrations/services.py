"""Changes to connections. Each is atomic by itself, runs inside `tenant()`, and is recorded without any secret."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from integrations.base import AccountCheck
from integrations.description import Provider, SettingField
from integrations.errors import InvalidCredentials, ModeMismatch, ProviderError, ProviderRetryable
from integrations.models import Connection, ConnectionStatus
from integrations.registry import provider_of
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit.clock import rfc3339, wall

DEFAULT_OVERLAP = timedelta(hours=24)
MAXIMUM_OVERLAP = timedelta(hours=168)
# A provider that can't be reached is asked again after these seconds, then the check ends with what it last said.
CHECK_RETRY_SECONDS = (5, 30, 120, 600)
_LONGEST_VALUE = 2000


@transaction.atomic
def connection_create(
    *,
    organization: Organization,
    provider: str,
    credentials: Mapping[str, Any],
    actor: str,
    webhook_secret: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Connection:
    """A new connection, active until the provider says otherwise; the provider isn't asked here.

    Raises UnknownProvider, InvalidCredentials or ModeMismatch.
    """
    described = provider_of(provider)
    checked = _checked_credentials(described, credentials, organization)
    secrets: Mapping[str, str | None] = _signing_secrets(described, {}, checked, timedelta())
    if webhook_secret:
        secrets = _new_secrets(described, secrets, webhook_secret, timedelta())
    connection = Connection.objects.create(
        organization=organization,
        provider=described.slug,
        credentials=checked,
        webhook_secrets=secrets,
        settings=_checked_settings(described, settings or {}),
    )
    _record(connection, "connection.created", actor)
    return connection


@transaction.atomic
def connection_update(
    *,
    connection: Connection,
    actor: str,
    credentials: Mapping[str, Any] | None = None,
    webhook_secret: str | None = None,
    settings: Mapping[str, Any] | None = None,
    overlap: timedelta = DEFAULT_OVERLAP,
) -> Connection:
    """Replace what is given. New credentials make the connection active again, a disconnected one too.

    A replaced webhook secret stays good for `overlap`, since providers sign retries with the old one.
    Raises InvalidCredentials or ModeMismatch.
    """
    held = _held(connection)
    described = provider_of(held.provider)
    changed = []
    if credentials is not None:
        held.credentials = _checked_credentials(described, credentials, held.organization)
        held.webhook_secrets = _signing_secrets(described, held.webhook_secrets, held.credentials, overlap)
        held.status, held.attention_reason, held.disconnected_at = ConnectionStatus.ACTIVE, "", None
        held.account, held.account_currency = "", ""
        changed.append("credentials")
    if webhook_secret is not None:
        held.webhook_secrets = _new_secrets(described, held.webhook_secrets, webhook_secret, overlap)
        changed.append("webhook_secret")
    if settings is not None:
        held.settings = _checked_settings(described, settings)
        changed.append("settings")
    if changed:
        held.save()
        _record(held, "connection.changed", actor, changed=changed)
    return held


@transaction.atomic
def connection_disconnect(*, connection: Connection, actor: str) -> Connection:
    """Forget the credentials. The webhook secret stays: refunds of payments already counted must still arrive."""
    held = _held(connection)
    if held.status == ConnectionStatus.DISCONNECTED:
        return held
    held.status, held.disconnected_at = ConnectionStatus.DISCONNECTED, wall()
    held.credentials, held.attention_reason, held.check_due_at = {}, "", None
    held.save()
    _record(held, "connection.disconnected", actor)
    return held


@transaction.atomic
def connection_needs_attention(*, connection: Connection, reason: str, actor: str) -> Connection:
    """Note that the provider refused the credentials; a connection that isn't active stays as it is."""
    held = _held(connection)
    if held.status == ConnectionStatus.ACTIVE:
        held.status, held.attention_reason = ConnectionStatus.NEEDS_ATTENTION, reason
        held.save(update_fields=["status", "attention_reason", "updated_at"])
        _record(held, "connection.needs_attention", actor, reason=reason)
    return held


def connection_heard(*, connection: Connection, at: datetime) -> None:
    """Note when the last webhook came; an older time changes nothing."""
    Connection.objects.filter(pk=connection.pk).exclude(last_event_at__gte=at).update(last_event_at=at)


# Checking --------------------------------------------------------------------------------------------------------


@transaction.atomic
def connection_request_check(*, connection: Connection) -> Connection:
    """Queue a question to the provider whether the credentials work; `tasks.check_connections` asks it.

    The caller nudges that task. A disconnected connection has nothing to ask with and stays as it is.
    """
    held = _held(connection)
    if held.status != ConnectionStatus.DISCONNECTED:
        held.check_due_at, held.check_attempts, held.check_message = wall(), 0, ""
        held.save(update_fields=["check_due_at", "check_attempts", "check_message", "updated_at"])
    return held


@transaction.atomic
def connection_request_webhook(*, connection: Connection, actor: str) -> Connection:
    """Have the provider send its webhooks here, and keep the secret that it signs them with; the next check does it.

    The caller nudges `tasks.check_connections`. A provider that can't be asked, or a connection without credentials,
    stays as it is.
    """
    held = connection_request_check(connection=connection)
    if held.check_due_at is not None and provider_of(held.provider).create_webhook is not None:
        held.webhook_wanted = True
        held.save(update_fields=["webhook_wanted", "updated_at"])
        _record(held, "connection.webhook_wanted", actor)
    return held


@transaction.atomic
def connection_webhook_settled(*, connection: Connection, secret: str | None, actor: str) -> Connection:
    """The provider made an endpoint with this secret, or refused to (None). The secret before stays good for a day."""
    held = _held(connection)
    held.webhook_wanted = False
    if secret is not None:
        held.webhook_secrets = _new_secrets(provider_of(held.provider), held.webhook_secrets, secret, DEFAULT_OVERLAP)
        _record(held, "connection.changed", actor, changed=["webhook_secret"])
    held.save(update_fields=["webhook_wanted", "webhook_secrets", "updated_at"])
    return held


@transaction.atomic
def connection_checked(*, connection: Connection, outcome: AccountCheck | ProviderError, actor: str) -> Connection:
    """Write down what the provider said, and end the check or put it off."""
    held = _held(connection)
    if held.status == ConnectionStatus.DISCONNECTED:
        return held
    if isinstance(outcome, AccountCheck):
        _accept(held, outcome, actor)
    elif isinstance(outcome, ProviderRetryable) and held.check_attempts < len(CHECK_RETRY_SECONDS):
        _put_off(held, outcome)
    elif isinstance(outcome, ProviderRetryable):
        held.check_due_at, held.check_message = None, outcome.message
    else:
        held.check_due_at, held.check_message, held.checked_at = None, outcome.message, wall()
        if held.status == ConnectionStatus.NEEDS_ATTENTION:
            # Known to be broken; the newest word is the one to act on.
            held.attention_reason = outcome.message
        held.save()
        return connection_needs_attention(connection=held, reason=outcome.message, actor=actor)
    held.save()
    return held


def _accept(held: Connection, outcome: AccountCheck, actor: str) -> None:
    mended = held.status == ConnectionStatus.NEEDS_ATTENTION
    held.status, held.attention_reason = ConnectionStatus.ACTIVE, ""
    held.account, held.account_currency = outcome.account[:300], outcome.currency or ""
    held.check_due_at, held.check_message, held.checked_at = None, outcome.message, wall()
    if mended:
        _record(held, "connection.mended", actor)


def _put_off(held: Connection, outcome: ProviderRetryable) -> None:
    seconds = max(outcome.retry_after or 0, CHECK_RETRY_SECONDS[held.check_attempts])
    held.check_due_at = wall() + timedelta(seconds=seconds)
    held.check_attempts += 1
    held.check_message = outcome.message


# What the services share -----------------------------------------------------------------------------------------


def _held(connection: Connection) -> Connection:
    return Connection.objects.select_for_update(of=("self",)).select_related("organization").get(pk=connection.pk)


def _record(connection: Connection, kind: str, actor: str, **data: Any) -> None:
    happening = Happening(kind, "connection", connection.pk, data={"provider": connection.provider, **data})
    record(organization=connection.organization, actor=actor, happenings=[happening])


def _checked_credentials(
    provider: Provider, credentials: Mapping[str, Any], organization: Organization
) -> dict[str, str]:
    wanted = {field.name for field in provider.credential_fields}
    errors = [
        (f"credentials.{name}", "unknown", f"{provider.name} has no credential of this name.")
        for name in credentials
        if name not in wanted
    ]
    values: dict[str, str] = {}
    for field in provider.credential_fields:
        value = credentials.get(field.name)
        values[field.name] = value.strip() if isinstance(value, str) else ""
        if not values[field.name] and field.required:
            errors.append((f"credentials.{field.name}", "required", f"{field.label} is needed."))
        elif len(values[field.name]) > _LONGEST_VALUE:
            errors.append((f"credentials.{field.name}", "too_long", f"{field.label} is too long."))
    if errors:
        raise InvalidCredentials(errors)
    provider.check_credentials(values)
    mode = provider.mode_of(values)
    if mode is not None and mode != organization.mode:
        raise ModeMismatch(_mode_words(provider, mode))
    return values


def _mode_words(provider: Provider, mode: str) -> str:
    if mode == "TEST":
        return (
            f"These are {provider.name} test credentials; connect them in the test organization, or use live ones here."
        )
    return f"These are live {provider.name} credentials; connect them in the live organization, or use test ones here."


def _checked_settings(provider: Provider, settings: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.name: field for field in provider.setting_fields}
    errors = [
        (f"settings.{name}", "unknown", f"{provider.name} has no setting of this name.")
        for name in settings
        if name not in known
    ]
    errors += [
        (f"settings.{name}", "invalid", field.shape)
        for name, field in known.items()
        if name in settings and not _fits(field, settings[name])
    ]
    if errors:
        raise InvalidCredentials(errors)
    return dict(settings)


def _fits(field: SettingField, value: Any) -> bool:
    values = value if field.many else [value]
    return isinstance(values, list) and all(isinstance(one, str) and re.fullmatch(field.pattern, one) for one in values)


def _signing_secrets(
    provider: Provider, stored: Mapping[str, Any], credentials: Mapping[str, str], overlap: timedelta
) -> dict[str, str | None]:
    """The webhook secrets, where they are one of the credentials: replaced with it."""
    secret = credentials.get(provider.signing_credential or "")
    return _rotated(stored, secret, overlap) if secret else dict(stored)


def _new_secrets(
    provider: Provider, stored: Mapping[str, Any], secret: str, overlap: timedelta
) -> dict[str, str | None]:
    secret = secret.strip()
    if provider.signing_label is None:
        message = f"{provider.name} signs its webhooks with a credential; leave this empty."
        raise InvalidCredentials([("webhook_secret", "unknown", message)])
    provider.check_webhook_secret(secret)
    return _rotated(stored, secret, overlap)


def _rotated(stored: Mapping[str, Any], secret: str, overlap: timedelta) -> dict[str, str | None]:
    before = stored.get("current")
    if before in (None, secret):
        return {**stored, "current": secret}
    until = wall() + min(max(overlap, timedelta()), MAXIMUM_OVERLAP)
    return {"current": secret, "previous": before, "previous_until": rfc3339(until)}
