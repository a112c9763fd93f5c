"""Secrets at rest: model fields that encrypt with the keys of settings.ENCRYPTION_KEYS.

The first key encrypts, every key decrypts, so a key is changed by putting a new one first and running
`manage.py rotate_credentials`. A token that no key opens raises: losing a key must not look like an empty secret.
"""

import json
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class UndecryptableSecret(Exception):
    """No key of ENCRYPTION_KEYS opens a stored secret: put the key that encrypted it back into the setting."""


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    return _box(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """Raises UndecryptableSecret where no key fits or the token was tampered with."""
    try:
        return _box(tuple(settings.ENCRYPTION_KEYS)).decrypt(token.encode("ascii")).decode()
    except (InvalidToken, UnicodeEncodeError) as error:
        raise UndecryptableSecret("no key of ENCRYPTION_KEYS opens this secret") from error


class EncryptedTextField(models.TextField):
    """Text, stored as a Fernet token. It can't be filtered on: the same text encrypts differently each time."""

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else encrypt(str(value))

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else decrypt(value)


class EncryptedJSONField(models.TextField):
    """A JSON value, stored as a Fernet token of its text."""

    # Where django-stubs looks for the types that are set and read; a TextField's would be str.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else encrypt(json.dumps(value, separators=(",", ":")))

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else json.loads(decrypt(value))

    def to_python(self, value: Any) -> Any:
        return value
