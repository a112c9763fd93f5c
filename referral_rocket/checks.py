"""System checks: what is missing or unsafe in the settings, with what to do about it. They run at every start."""

from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from referral_rocket.kit.addresses import networks

SECRET_LENGTH = 32


def settings_are_set(**kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.SECRET_KEY == settings.UNSET or len(settings.SECRET_KEY) < SECRET_LENGTH:
        found.append(
            Error(
                f"SECRET_KEY is missing or shorter than {SECRET_LENGTH} characters.",
                hint="Set it to what this prints: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
                id="rocket.E001",
            )
        )
    return found + _encryption_keys() + _private_networks()


def _private_networks() -> list[CheckMessage]:
    # Found out at the start, and not when the first webhook is sent.
    try:
        networks(tuple(settings.WEBHOOK_ALLOWED_PRIVATE_NETWORKS))
    except ValueError as error:
        return [
            Error(
                f"WEBHOOK_ALLOWED_PRIVATE_NETWORKS holds what is no network: {error}.",
                hint="Write networks with commas between them, such as 10.0.0.0/8,fd00::/8, or leave it empty.",
                id="rocket.E007",
            )
        ]
    return []


def _encryption_keys() -> list[CheckMessage]:
    make = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
    if not settings.ENCRYPTION_KEYS:
        return [Error("ENCRYPTION_KEYS is missing.", hint=f"Set it to what this prints: {make}", id="rocket.E002")]
    for position, key in enumerate(settings.ENCRYPTION_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            return [
                Error(
                    f"Key {position} of ENCRYPTION_KEYS is no Fernet key.", hint=f"Make one: {make}", id="rocket.E003"
                )
            ]
    return []


def role_obeys_row_level_security(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """A superuser or a BYPASSRLS role would see every tenant's rows whatever the policies say."""
    if not databases:
        return []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
            name, superuser, bypasses = cursor.fetchone()
    except DatabaseError as error:
        return [
            Error(
                f"The database can't be reached: {type(error).__name__}.",
                hint="Check DATABASE_URL, and that PostgreSQL 15 or later runs there.",
                id="rocket.E005",
            )
        ]
    if not superuser and not bypasses:
        return []
    return [
        Error(
            f"The database role {name} is not bound by row-level security.",
            hint=f'Run as a superuser: ALTER ROLE "{name}" NOSUPERUSER NOBYPASSRLS;',
            id="rocket.E004",
        )
    ]


def refuse_unsafe_settings() -> None:
    """For processes that don't run the checks by themselves (web, workers). Raises ImproperlyConfigured."""
    found = settings_are_set()
    if found:
        raise ImproperlyConfigured("\n".join(f"{message.msg} {message.hint}" for message in found))
